use proptest::prelude::*;

use super::*;

/// A text as the parser alone reads it, and as the fast path and then the parser read it.
fn both_ways(text: &str) -> [Option<(Vec<Value<'_>>, String)>; 2] {
    let layout = Layout::new(Contract::OrderLine);
    let mut one = Payload::new(&layout);
    let slowly = parsed(&layout, text, &mut one).is_ok().then_some((one.slots, one.extra));
    let mut other = Payload::new(&layout);
    let mut leads = Leads::default();
    // Twice, so that its leads are learned, and after a record with others.
    for before in [text, r#"{"order_id":"1", "currency" : "GBP","sku":"x","quantity":1}"#, text] {
        other.clear();
        flat::read(before, &mut Fields { layout: &layout, payload: &mut other }, &mut leads);
    }
    other.clear();
    let quickly = flat::read(text, &mut Fields { layout: &layout, payload: &mut other }, &mut leads);
    [slowly, quickly.map(|()| (other.slots, other.extra))]
}

#[rustfmt::skip]
const PIECES: [&str; 40] = [
    "{", "}", "[", "]", ":", ",", "\"", "\\", " ", "\n", "\u{1}", "é", "-", "+", "0", "1", "7", ".", "e", "E", "true", "false",
    "null", "nul", "\"order_id\"", "\"quantity\"", "\"quantity\":1", "\"x\":2", "\"a text beyond eight bytes\"",
    "{\"order_id\":\"1\"}", "[1,{}]", "1.50", "-0", "1e9", "\"\\u0041\"", "\"shipping_address\":{\"city\":\"c\"}",
    "\"currency\":\"GBP\",", "{\"a\":", "\u{7f}", "\t",
];

proptest! {
    /// The parser gives the same result for everything that the fast path reads.
    #[test]
    fn the_quick_reader_reads_nothing_that_the_parser_does_not(pieces in proptest::collection::vec(0..PIECES.len(), 0..24)) {
        let inside: String = pieces.into_iter().map(|at| PIECES[at]).collect();
        for text in [inside.clone(), format!("{{{inside}}}"), format!("{{\"line_id\":{inside}}}"), format!("{{\"y\":\"{inside}\"}}")] {
            let [slowly, quickly] = both_ways(&text);
            prop_assert!(quickly.is_none() || slowly == quickly, "{text}: {slowly:?} and {quickly:?}");
        }
    }

    /// It does read typical input.
    #[test]
    fn the_quick_reader_reads_plain_objects(
        id in "[ -!#-\\[\\]-~é]{0,20}", price in "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,6})?([eE][-+]?[0-9])?", flag: bool, gap in "[ \t\n\r]{0,2}",
    ) {
        let text = format!(
            "{gap}{{\"order_id\"{gap}:{gap}\"{id}\",\"unit_price\":{price}{gap},\"is_test\":{flag},{gap}\"sku\":null,\"new\":[{price}],\
             \"shipping_address\":{{\"city\":\"{id}\"}}}}{gap}"
        );
        let [slowly, quickly] = both_ways(&text);
        prop_assert!(quickly.is_some(), "{text}");
        prop_assert_eq!(slowly, quickly);
    }
}

#[test]
fn a_layout_has_a_bit_for_every_slot() {
    for contract in Contract::ALL {
        let layout = Layout::new(contract);
        assert!(layout.names.len() <= 64, "{contract:?} has {} slots", layout.names.len());
        assert_eq!(layout.names, contract.columns());
    }
}

#[test]
fn a_payload_is_reused_without_a_trace_of_the_last_record() {
    let layout = Layout::new(Contract::Order);
    let (mut payload, mut leads) = (Payload::new(&layout), Leads::default());
    json(&layout, br#"{"order_id":"1","total":1,"x":1,"billing_address":{"city":"c"}}"#, &mut payload, &mut leads).unwrap();
    json(&layout, br#"{"x":2,"status":"s","order_id":"2"}"#, &mut payload, &mut leads).unwrap();
    let held: Vec<(&str, &Value<'_>)> =
        layout.names.iter().map(String::as_str).zip(&payload.slots).filter(|(_, value)| **value != Value::Absent).collect();
    assert_eq!(held, [("order_id", &Value::Text("2".into())), ("status", &Value::Text("s".into()))]);
    assert_eq!(payload.extra, r#"{"x":2}"#);
}

#[test]
fn extras_of_two_objects_join_into_one() {
    assert_eq!(join_extra(None, None), None);
    assert_eq!(join_extra(Some(r#"{"a":1}"#), None).as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(join_extra(Some(r#"{"a":1}"#), Some(r#"{"b":{}}"#)).as_deref(), Some(r#"{"a":1,"b":{}}"#));
}
