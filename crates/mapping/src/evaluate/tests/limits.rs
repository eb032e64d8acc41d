//! A record decides neither the memory of a mapping nor the depth of its stack.

use super::*;

#[test]
fn a_record_whose_result_would_be_too_large_fails_alone() {
    let (many, few) = ("a".repeat(5_000), "y".repeat(500));
    let long = "a".repeat(300_000);
    let regexp_replace = format!("regexp_replace(n, 'a', '{few}', 'g') AS name");
    let replaced = format!("{few}b");
    for (columns, good, want, bad) in [
        ("repeat('ab', CAST(n AS BIGINT)) AS name", "3", "ababab", "2000000000"),
        ("lpad('x', CAST(n AS BIGINT), '0') AS name", "3", "00x", "2147483647"),
        ("rpad('x', CAST(n AS BIGINT), '0') AS name", "3", "x00", "1000000"),
        ("replace(n, 'a', n) AS name", "ab", "abb", many.as_str()),
        (&regexp_replace, "ab", &replaced, &many),
        ("regexp_match(n, '((((a+))))')[1] AS name", "baa", "aa", &long),
        ("levenshtein(n, 'abc') AS sku", "abd", "1", &"x".repeat(400_000)),
    ] {
        let mapping = compile(columns, &Lookups::default());
        let (cells, failed) = map(&mapping, &[Some(good), Some(bad), None, Some(good)]);
        assert_eq!((cells[0].as_str(), cells[1].as_str(), cells[3].as_str()), (want, "-", want), "{columns}");
        let [(row, _, detail)] = failed.as_slice() else { panic!("{columns}: {failed:?}") };
        assert!(*row == 1 && detail.contains("the limit is 1048576"), "{columns}: {row} {detail}");
    }
}

#[test]
fn a_batch_that_is_too_much_at_once_is_computed_in_parts() {
    let mapping = compile("lpad(n, 10000, '0') AS name", &Lookups::default());
    let texts: Vec<Option<&str>> = vec![Some("7"); 500];
    let (cells, failed) = map(&mapping, &texts);
    assert!(failed.is_empty(), "{failed:?}");
    assert!(cells.iter().all(|cell| cell.len() == 10_000 && cell.ends_with("07")));
}

/// `n || n || …`
fn doubled(times: usize) -> String {
    format!("{} AS name", vec!["n"; times].join(" || "))
}

#[test]
fn a_long_text_that_is_used_often_fails_its_own_record() {
    let mapping = compile(&doubled(60), &Lookups::default());
    let long = "x".repeat(1 << 20);
    let (cells, failed) = map(&mapping, &[Some("ab"), Some(&long), Some("cd")]);
    assert_eq!((cells[0].clone(), cells[1].as_str(), cells[2].clone()), ("ab".repeat(60), "-", "cd".repeat(60)));
    let [(1, _, detail)] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(detail.contains("would compute with") && detail.contains("the limit is 33554432"), "{detail}");
    let separated = compile(&format!("concat_ws(n, {}) AS name", vec!["n"; 20].join(", ")), &Lookups::default());
    let (cells, failed) = map(&separated, &[Some(&"x".repeat(100_000)), Some("-")]);
    assert_eq!((cells[0].as_str(), cells[1].len(), failed.len()), ("-", 39, 1));
}

/// The thread of a test has the stack of the thread that evaluates mappings.
#[test]
fn the_deepest_expression_that_compiles_can_be_evaluated() {
    assert_eq!(computed(&doubled(95), &[Some("ab")]), ["ab".repeat(95)]);
}
