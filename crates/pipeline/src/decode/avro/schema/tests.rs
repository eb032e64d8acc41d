use super::*;

fn parse(text: &str) -> Result<Schema, BadSchema> {
    parse_with(text, &[])
}

fn parse_with(text: &str, references: &[&str]) -> Result<Schema, BadSchema> {
    Schema::parse(&SchemaText { text: text.into(), references: references.iter().map(|text| (*text).into()).collect() })
}

/// The types of the root's fields.
fn fields(schema: &Schema) -> Vec<(&str, &Node)> {
    let Node::Record(fields) = schema.node(schema.root) else { panic!("{schema:?}") };
    fields.iter().map(|field| (field.name.as_str(), schema.node(field.node))).collect()
}

#[test]
fn logical_types_are_known_where_they_fit_and_passed_over_where_not() {
    let fixed = |name: &str, size: usize, more: &str| format!(r#"{{"type":"fixed","name":"{name}","size":{size},{more}}}"#);
    let of = |name: &str, more: &str| format!(r#"{{"type":"{name}",{more}}}"#);
    let cases = [
        (
            of("bytes", r#""logicalType":"decimal","precision":10,"scale":2"#),
            Node::Decimal { precision: 10, scale: 2, size: None },
        ),
        (of("bytes", r#""logicalType":"decimal","precision":4"#), Node::Decimal { precision: 4, scale: 0, size: None }),
        (of("bytes", r#""logicalType":"decimal","precision":2,"scale":3"#), Node::Bytes),
        (of("bytes", r#""logicalType":"decimal""#), Node::Bytes),
        (of("bytes", r#""logicalType":"decimal","precision":0"#), Node::Bytes),
        (of("string", r#""logicalType":"decimal","precision":4"#), Node::Text),
        (
            fixed("D", 8, r#""logicalType":"decimal","precision":18,"scale":6"#),
            Node::Decimal { precision: 18, scale: 6, size: Some(8) },
        ),
        (of("int", r#""logicalType":"date""#), Node::Date),
        (of("long", r#""logicalType":"date""#), Node::Long),
        (of("int", r#""logicalType":"time-millis""#), Node::TimeOfDay(Unit::Millis)),
        (of("long", r#""logicalType":"time-micros""#), Node::TimeOfDay(Unit::Micros)),
        (of("long", r#""logicalType":"timestamp-millis""#), Node::Timestamp(Unit::Millis)),
        (of("long", r#""logicalType":"timestamp-micros""#), Node::Timestamp(Unit::Micros)),
        (of("long", r#""logicalType":"timestamp-nanos""#), Node::Timestamp(Unit::Nanos)),
        (of("long", r#""logicalType":"local-timestamp-millis""#), Node::LocalTimestamp(Unit::Millis)),
        (of("long", r#""logicalType":"local-timestamp-micros""#), Node::LocalTimestamp(Unit::Micros)),
        (of("long", r#""logicalType":"local-timestamp-nanos""#), Node::LocalTimestamp(Unit::Nanos)),
        (of("string", r#""logicalType":"uuid""#), Node::Text),
        (fixed("U", 16, r#""logicalType":"uuid""#), Node::Uuid),
        (fixed("P", 12, r#""logicalType":"duration""#), Node::Duration),
        (fixed("Q", 11, r#""logicalType":"duration""#), Node::Fixed(11)),
        (of("string", r#""logicalType":"of-our-own""#), Node::Text),
        (r#"{"type":{"type":"string"}}"#.to_owned(), Node::Text),
    ];
    for (text, expected) in cases {
        let schema = parse(&text).unwrap();
        assert_eq!(schema.node(schema.root), &expected, "{text}");
    }
}

#[test]
fn names_are_found_in_their_namespace_and_in_references() {
    let text = r#"{"type":"record","name":"Order","namespace":"shop.v1","fields":[
        {"name":"size","type":{"type":"enum","name":"Size","symbols":["S","M"]}},
        {"name":"again","type":"Size"},
        {"name":"full","type":"shop.v1.Size"},
        {"name":"next","type":["null","Order"]},
        {"name":"home","type":"geo.Address"},
        {"name":"other","type":{"type":"record","name":"other.Line","fields":[{"name":"o","type":"shop.v1.Order"}]}}]}"#;
    let address = r#"{"type":"record","name":"Address","namespace":"geo","fields":[{"name":"city","type":"City"}]}"#;
    let city = r#"{"type":"fixed","name":"geo.City","size":3}"#;
    let schema = parse_with(text, &[city, address]).unwrap();
    let sizes = Node::Enum(vec!["S".to_owned(), "M".to_owned()]);
    let held = fields(&schema);
    assert_eq!([held[0].1, held[1].1, held[2].1], [&sizes; 3]);
    assert!(matches!(held[3].1, Node::Union(ids) if ids[1] == schema.root), "the type refers to itself");
    assert!(matches!(held[4].1, Node::Record(fields) if *schema.node(fields[0].node) == Node::Fixed(3)));
    assert_eq!(parse_with(text, &[address, city]), Err(BadSchema::UnknownType("City".to_owned())));
}

#[test]
fn what_is_no_schema_is_refused_by_name() {
    let record = |fields: &str| format!(r#"{{"type":"record","name":"R","fields":{fields}}}"#);
    let cases = [
        ("{".to_owned(), "not JSON"),
        ("7".to_owned(), "`7` is neither"),
        ("\"text\"".to_owned(), "`text` is neither"),
        ("{}".to_owned(), "a schema has no `type`"),
        (r#"{"type":"record","fields":[]}"#.to_owned(), "a record has no `name`"),
        (r#"{"type":"record","name":"R"}"#.to_owned(), "a record has no `fields`"),
        (r#"{"type":"record","name":"1","fields":[]}"#.to_owned(), "`1` is no name"),
        (record(r#"[{"type":"int"}]"#), "a field has no `name`"),
        (record(r#"[{"name":"a"}]"#), "a field has no `type`"),
        (record(r#"[{"name":"a b","type":"int"}]"#), "`a b` is no name"),
        (record(r#"[{"name":"a","type":"int"},{"name":"a","type":"int"}]"#), "`a` is declared twice"),
        (record(r#"[{"name":"a","type":{"type":"fixed","name":"R","size":1}}]"#), "`R` is declared twice"),
        (record(r#"[{"name":"a","type":{"type":"array"}}]"#), "an array has no `items`"),
        (record(r#"[{"name":"a","type":["int",["null"]]}]"#), "another union"),
        (record(r#"[{"name":"a","type":["int",{"type":"int","logicalType":"date"}]}]"#), "two branches of one type"),
        (r#"{"type":"enum","name":"E","symbols":["a",1]}"#.to_owned(), "an enum has no `symbols`"),
        (r#"{"type":"fixed","name":"F","size":-1}"#.to_owned(), "a fixed has no `size`"),
        (r#"{"type":"map","values":"nothing"}"#.to_owned(), "`nothing` is neither"),
        ("[".repeat(10_000), "not JSON"),
        (format!("\"{}\"", "x".repeat(TEXT_MAX)), "bytes, at most"),
    ];
    for (text, words) in cases {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}
