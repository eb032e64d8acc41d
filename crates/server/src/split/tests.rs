use super::*;

const LIMITS: Limits = Limits { max_body_bytes: 1 << 20, max_record_bytes: 40, max_records: 4, memory_bytes: 1 << 30 };

fn check(body: &str, want: &[&str]) {
    let ranges = split(body.as_bytes(), false, &LIMITS).unwrap_or_else(|error| panic!("{body:?}: {error:?}"));
    let got: Vec<&str> = ranges.into_iter().map(|range| &body[range]).collect();
    assert_eq!(got, want, "{body:?}");
}

#[test]
fn an_object_is_a_record() {
    check(r#"{"a":1}"#, &[r#"{"a":1}"#]);
    check("\n {\"a\":\n\n 1} \r\n", &["{\"a\":\n\n 1}"]);
    check("{\n\"a\": [\n{\"b\":1}\n]}", &["{\n\"a\": [\n{\"b\":1}\n]}"]);
}

#[test]
fn elements_of_an_array_stay_unchanged() {
    check(r#"[{"a":1.50},{"b":"],\"[{"} ]"#, &[r#"{"a":1.50}"#, r#"{"b":"],\"[{"}"#]);
    check("[ 1 ,\n [2,3] , null ]", &["1", "[2,3]", "null"]);
    check(r#"[{"c":"é"}]"#, &[r#"{"c":"é"}"#]);
}

#[test]
fn a_bad_element_does_not_affect_its_neighbours() {
    check(r#"[{"a":1},{"a":NaN},{'a':1},{"a":3}]"#, &[r#"{"a":1}"#, r#"{"a":NaN}"#, "{'a':1}", r#"{"a":3}"#]);
    check(r#"[{"a":1],{"a":2}}]"#, &[r#"[{"a":1],{"a":2}}]"#]);
}

#[test]
fn every_line_is_a_record_even_a_bad_one() {
    check("{\"a\":1}\n{\"a\":2}\n", &["{\"a\":1}", "{\"a\":2}"]);
    check("{\"a\":1}\r\n\r\n  \n{\"a\":2}", &["{\"a\":1}", "{\"a\":2}"]);
    check("{\"a\":1}\nbad\n{\"a\":2", &["{\"a\":1}", "bad", "{\"a\":2"]);
    check("{\"a\":tru\n{\"a\":\n{\"a\":2}", &["{\"a\":tru", "{\"a\":", "{\"a\":2}"]);
    check("[1]\n{\"a\":1}", &["[1]", "{\"a\":1}"]);
}

#[test]
fn a_body_of_unknown_form_is_one_unchanged_record() {
    for body in [
        "[{\"a\":1},{\"a\":2}",
        "[\n{\"a\":1},\n{\"a\":2}\n",
        "[{\"a\":1},]",
        "[,]",
        "[{\"a\":1}] x",
        "{\"lines\": [\n  {\"a\":1}\n",
        "\u{feff}[{\"a\":1},{\"a\":2}]",
        "not json\nat all\n",
        "{\"a\":\"",
        "[[[[[[",
    ] {
        check(body, &[body]);
    }
    let utf16 = b"\xff\xfe{\0\"\0a\0\"\0:\0\x31\0}\0\n\0";
    let whole = 0..utf16.len();
    assert_eq!(split(utf16, false, &LIMITS), Ok(Vec::from([whole])));
}

#[test]
fn declared_ndjson_is_split_only_at_line_ends() {
    let body = b"{\"a\":\n[1,\n2]}\n";
    assert_eq!(split(body, true, &LIMITS), Ok(vec![0..5, 6..9, 10..13]));
}

#[test]
fn bytes_that_are_not_utf8_stay_within_their_record() {
    let body = b"[{\"a\":1},{\"a\":\"\xff\"},{\"a\":2}]";
    assert_eq!(split(body, false, &LIMITS).unwrap().len(), 3);
    let body = b"{\"a\":1}\n{\"a\":\"\xff\"}\n{\"a\":2}";
    assert_eq!(split(body, false, &LIMITS).unwrap().len(), 3);
}

#[test]
fn limits_hold() {
    let refused = |body: &str| split(body.as_bytes(), false, &LIMITS).unwrap_err();
    for empty in ["", " \r\n\t", "[]", "[ \n ]"] {
        assert_eq!(refused(empty), SplitError::Empty, "{empty:?}");
    }
    assert_eq!(refused("[1,2,3,4,5]"), SplitError::TooMany);
    assert_eq!(refused("{}\n{}\n{}\n{}\n{}"), SplitError::TooMany);
    check("[1,2,3,4]", &["1", "2", "3", "4"]);
    let long = format!("\"{}\"", "x".repeat(39));
    assert_eq!(refused(&format!("[1,{long}]")), SplitError::RecordTooLarge { index: 1, bytes: 41 });
    assert_eq!(refused(&"[".repeat(100_000)), SplitError::RecordTooLarge { index: 0, bytes: 100_000 });
}
