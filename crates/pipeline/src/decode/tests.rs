use super::*;

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
    let mut payload = Payload::new(&layout);
    json(&layout, br#"{"order_id":"1","total":1,"x":1,"billing_address":{"city":"c"}}"#, &mut payload).unwrap();
    json(&layout, br#"{"x":2,"status":"s","order_id":"2"}"#, &mut payload).unwrap();
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
