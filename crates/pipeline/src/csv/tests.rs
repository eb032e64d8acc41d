use super::*;

fn split(record: &str) -> Vec<String> {
    let mut fields = Fields::new(b',');
    fields.split(record.as_bytes()).expect("a record");
    fields.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
}

#[test]
fn quotes_and_empty_fields_are_read_as_rfc_4180_has_them() {
    assert_eq!(split("a,b,c"), ["a", "b", "c"]);
    assert_eq!(
        split(r#"1,"RECORD FRAME 7"" SINGLE, SIZE ",,x"#),
        ["1", "RECORD FRAME 7\" SINGLE, SIZE ", "", "x"].map(str::to_owned).to_vec()
    );
    assert_eq!(split("\"two\nlines\",b"), ["two\nlines", "b"]);
    assert_eq!(split(&"x,".repeat(500)).len(), 501);
}

#[test]
fn a_dialect_is_read_from_the_headers_of_a_file() {
    let dialect =
        Dialect::from_headers(r#"[["file","a.csv"],["csv_header","id;name"],["csv_delimiter",";"],["encoding","windows-1252"]]"#);
    assert_eq!(dialect, Some(Dialect { header: vec!["id".into(), "name".into()], delimiter: b';', windows_1252: true }));
}

#[test]
fn a_quote_that_opens_a_field_must_close() {
    let mut fields = Fields::new(b',');
    for record in ["\"", "a,\"b", "a,\"b\"\"", "\"a,b\nc,d", "\"a\",\"", "x\n\"y", "\u{feff}\"a"] {
        assert_eq!(fields.split(record.as_bytes()).unwrap_err().reason, Reason::NotCsv, "{record:?}");
    }
    for (record, count) in
        [("5\" pipe", 1), ("a,b\"c", 2), ("\"\"", 1), ("\"a\"b\"", 1), ("\"\"\"\",\"\"", 2), ("\"a,\"\",b\"", 1), ("", 0)]
    {
        fields.split(record.as_bytes()).unwrap();
        assert_eq!(fields.len(), count, "{record:?}");
    }
    let mut fields = Fields::new(b';');
    assert!(fields.split(b"a,\"b").is_ok(), "here the comma does not start a field");
    assert!(fields.split(b"a;\"b").is_err());
}
