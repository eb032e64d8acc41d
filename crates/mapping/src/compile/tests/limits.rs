//! What a mapping must not be able to make large, slow or deep.

use super::*;
use crate::weight::{FIXED, PLAIN};

/// All that is wrong with a column of a product.
fn said(columns: &str) -> String {
    match compile(&product(columns)) {
        Ok(_) => String::new(),
        Err(errors) => errors.iter().map(show).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn a_mapping_that_explodes_is_refused_before_the_first_record() {
    let replaces = format!("{}n{} AS name", "replace(".repeat(17), ", 'a', 'b')".repeat(17));
    for (columns, want) in [
        ("range(1, 1000000000)[1] AS sku", "a mapping has no `range`"),
        ("array_to_string(generate_series(1, CAST(n AS BIGINT)), ',') AS name", "a mapping has no `generate_series`"),
        ("array_repeat(name, 1000000000)[1] AS name", "a mapping has no `array_repeat`"),
        ("array_resize(string_to_array(name, ','), 1000000000)[1] AS name", "a mapping has no `array_resize`"),
        ("repeat('x', 2000000000) AS name", "`repeat` may make 2000000000 bytes"),
        ("lpad('x', 2000000000) AS name", "`lpad` may make 8000000000 bytes"),
        ("repeat(repeat('x', 100000), 100000) AS name", "`repeat` may make 10000000000 bytes"),
        ("regexp_replace(sku, name, '') AS sku", "the pattern of `regexp_replace` is part of a record"),
        ("array_to_string(string_to_array(sku, ','), name) AS sku", "the pattern of `array_to_string` is part of a record"),
        ("CASE WHEN sku LIKE name THEN 'a' END AS sku", "the pattern of `LIKE` is part of a record"),
        ("CASE WHEN sku ~ name THEN 'a' END AS sku", "the pattern of `~` is part of a record"),
        ("unnest(range(1, 1000000000)) AS sku", "reads more than its own record"),
        (&replaces, "more than 16 calls of functions whose result may be larger than a record"),
    ] {
        let said = said(columns);
        assert!(said.contains(want), "{columns}: {said}");
    }
    let crossed = compile("SELECT a.id AS product_id FROM input AS a CROSS JOIN input AS b").map(|_| ()).unwrap_err();
    assert_eq!(crossed[0].message, "a mapping reads only FROM input");
}

#[test]
fn a_text_that_is_too_deep_or_too_long_is_refused_before_it_is_parsed() {
    for columns in [
        format!("{} AS name", vec!["n"; 5_000].join(" || ")),
        format!("{} AS sku", vec!["1"; 20_000].join("+")),
        format!("{}n{} AS sku", "(".repeat(3_000), ")".repeat(3_000)),
        format!("CASE WHEN {}true THEN 'a' END AS sku", "NOT ".repeat(3_000)),
        format!("{}n{} AS sku", "CASE WHEN true THEN ".repeat(3_000), " END".repeat(3_000)),
        format!("{}n{} AS sku", "trim(".repeat(3_000), ")".repeat(3_000)),
    ] {
        assert!(said(&columns).contains("the SQL nests too deeply: the limit is 200"), "{}", &columns[..40]);
    }
    assert!(said(&format!("'{}' AS name", "x".repeat(300_000))).contains("the limit is 262144"));
}

#[test]
fn usual_functions_compile() {
    compiles("upper(left(trim(a), 3)) || lpad(b, 8, '0') AS sku, split_part(c, '-', 2) AS name");
    compiles("string_to_array(a, ',')[2] AS sku, regexp_match(a, '([0-9]+)')[1] AS name");
    compiles("CASE WHEN a SIMILAR TO '(x|y)%' OR a ILIKE '%z' THEN replace(a, ',', '.') END AS sku");
    let cases: String = (0..300).map(|nth| format!("WHEN a = '{nth}' AND b = 'x' THEN 'c{nth}' ")).collect();
    compiles(&format!("CASE {cases} ELSE a END AS sku"));
    let list: Vec<String> = (0..2_000).map(|nth| format!("'{nth}'")).collect();
    compiles(&format!("CASE WHEN a IN ({}) THEN 'x' END AS sku", list.join(", ")));
}

#[test]
fn every_function_that_a_mapping_may_call_exists() {
    let state = SessionContext::new().state();
    let known = state.scalar_functions();
    for name in PLAIN.iter().chain(FIXED.iter().map(|(name, _)| name)).filter(|name| **name != "lookup") {
        assert!(known.contains_key(*name), "{name}");
    }
}
