//! Which records are the same: duplicates, conflicts, revisions, and the same answer at every reading.

use super::*;

use Fate::{Accepted, DeadLetter as Dead, Duplicate};

fn fates(contract: Contract, values: &[&str]) -> Vec<Fate> {
    let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
    Done::of(&mut stage(contract), 0, &values).fates().to_vec()
}

/// The same in any order of keys, white space and spelling of numbers.
fn respelt(value: &str) -> String {
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(value).unwrap();
    let fields: Vec<String> = fields.iter().rev().map(|(name, value)| format!(" {name:?} :\t{value}\n")).collect();
    format!("{{{}}}", fields.join(",")).replace("\"3.50\"", "3.5000").replace("\"7.00\"", "7").replace("\"0.87\"", "8.7e-1")
}

#[test]
fn a_record_sent_twice_is_a_duplicate_however_it_is_spelt() {
    for contract in Contract::ALL {
        let plain = minimal(contract);
        assert_eq!(fates(contract, &[plain, plain]), [Accepted, Duplicate], "{contract:?}");
        assert_eq!(fates(contract, &[plain, &respelt(plain)]), [Accepted, Duplicate], "{contract:?} {}", respelt(plain));
        let extra = with(contract, "extra_field", r#"{"b":[1.0,"é"],"a":null}"#);
        let other = with(contract, "extra_field", r#"{ "a" : null, "b" : [1.00, "\u00e9"] }"#);
        assert_eq!(fates(contract, &[&extra, &other]), [Accepted, Duplicate], "{contract:?}");
    }
}

#[test]
fn unknown_fields_count_in_any_order() {
    let one = r#"{"event_id":"e1","occurred_at":0,"type":"x","a":1,"b":2}"#;
    let other = r#"{"b":2,"a":1.0,"event_id":"e1","occurred_at":0,"type":"x"}"#;
    assert_eq!(fates(Contract::Event, &[one, other]), [Accepted, Duplicate]);
    let address = |parts: &str| with(Contract::Order, "billing_address", parts);
    let (one, other) = (address(r#"{"x":1,"y":2,"z":3,"city":"c"}"#), address(r#"{"city":"c","z":3,"y":2,"x":1}"#));
    assert_eq!(fates(Contract::Order, &[&one, &other]), [Accepted, Duplicate]);
    assert_eq!(fates(Contract::Order, &[&one, &address(r#"{"x":1,"y":2,"city":"c"}"#)]), [Accepted, Dead]);
}

#[test]
fn how_a_record_was_delivered_makes_no_difference() {
    for contract in [Contract::OrderLine, Contract::Payment, Contract::Refund, Contract::Order] {
        let again = with(contract, "event_id", "\"another\"")
            .replace('{', "{\"sent_at\":1768208400,\"schema_version\":\"2\",\"source\":\"b\",");
        assert_eq!(fates(contract, &[minimal(contract), &again]), [Accepted, Duplicate], "{contract:?}");
    }
}

#[test]
fn an_id_with_other_contents_is_a_conflict_and_names_the_first() {
    for (contract, field, value) in [
        (Contract::Event, "type", "\"cart_viewed\""),
        (Contract::Event, "unknown", "1"),
        (Contract::Order, "status", "\"open\""),
        (Contract::OrderLine, "unit_price", "\"3.51\""),
        (Contract::OrderLine, "customer_id", "\"c\""),
        (Contract::Payment, "amount", "8"),
        (Contract::Refund, "shipping", "1"),
        (Contract::Customer, "segment", "\"vip\""),
        (Contract::Product, "price", "1"),
        (Contract::Inventory, "level", "4"),
        (Contract::FxRate, "rate", "0.88"),
    ] {
        let (plain, changed) = (minimal(contract), with(contract, field, value));
        let done = Done::of(&mut stage(contract), 7, &[plain.as_bytes(), changed.as_bytes(), plain.as_bytes()]);
        assert_eq!(done.fates(), [Accepted, Dead, Duplicate], "{contract:?} {field}");
        let letter = &done.rows(Table::Rejected)[0];
        has(letter, &[("reason", "conflict"), ("field", ""), ("offset", "8")]);
        assert!(letter["detail"].contains("t/0 offset 7"), "{}", letter["detail"]);
    }
}

#[test]
fn the_business_key_counts_where_the_event_ids_differ() {
    for (contract, field, other) in [
        (Contract::Order, "revision", "1"),
        (Contract::OrderLine, "line_id", "\"2\""),
        (Contract::Payment, "kind", "\"refund\""),
        (Contract::Refund, "refund_id", "\"r2\""),
    ] {
        let first = with(contract, "event_id", "\"a\"");
        let again = with(contract, "event_id", "\"b\"");
        let distinct = with(contract, field, other).replace('{', "{\"event_id\":\"c\",");
        assert_eq!(fates(contract, &[&first, &again, &distinct]), [Accepted, Duplicate, Accepted], "{contract:?}");
    }
    let (first, again) = (with(Contract::Product, "event_id", "\"a\""), with(Contract::Product, "event_id", "\"b\""));
    assert_eq!(fates(Contract::Product, &[&first, &again]), [Accepted, Accepted], "master data is known by its event alone");
}

#[test]
fn stores_have_ids_of_their_own() {
    for contract in Contract::ALL.into_iter().filter(|contract| *contract != Contract::Event) {
        let (one, other) = (with(contract, "store_id", "\"s1\""), with(contract, "store_id", "\"s2\""));
        assert_eq!(fates(contract, &[&one, &other, &one]), [Accepted, Accepted, Duplicate], "{contract:?}");
    }
    let line = |order: &str, line: &str| with(Contract::OrderLine, "order_id", order).replace("\"line_id\":\"1\"", line);
    let (one, other) = (line("\"a/b\"", "\"line_id\":\"c\""), line("\"a\"", "\"line_id\":\"b/c\""));
    assert_eq!(fates(Contract::OrderLine, &[&one, &other]), [Accepted, Accepted]);
    let at = |variant: &str| with(Contract::Inventory, "variant_id", variant);
    assert_eq!(fates(Contract::Inventory, &[&at("\"red\""), &at("\"blue\"")]), [Accepted, Accepted]);
}

#[test]
fn sources_have_event_ids_of_their_own_and_so_have_contracts() {
    let from = |source: &str| with(Contract::Event, "source", source);
    assert_eq!(fates(Contract::Event, &[&from("\"web\""), &from("\"app\""), minimal(Contract::Event)]), [Accepted; 3]);
}

fn order(revision: u32, lines: &[(&str, &str)]) -> String {
    let lines: Vec<String> =
        lines.iter().map(|(id, price)| format!(r#"{{"line_id":"{id}","quantity":1,"unit_price":"{price}"}}"#)).collect();
    format!(r#"{{"occurred_at":{revision},"order_id":"o","revision":{revision},"currency":"GBP","lines":[{}]}}"#, lines.join(","))
}

fn line_ids(done: &Done) -> Vec<(String, String)> {
    done.rows(Table::FactSales).iter().map(|row| (row["source_offset"].clone(), row["line_id"].clone())).collect()
}

#[test]
fn a_later_revision_adds_the_lines_that_are_new_and_may_change_none() {
    let values = [
        order(0, &[("1", "5.00"), ("2", "6.00")]),
        order(1, &[("2", "6.0"), ("3", "7.00"), ("1", "5.00")]),
        order(2, &[("1", "5.00"), ("4", "1.00"), ("2", "9.99")]),
        order(3, &[("4", "1.00")]),
        order(1, &[("2", "6.00"), ("3", "7.00"), ("1", "5.00")]),
        order(1, &[("2", "6.00"), ("3", "7.00")]),
    ];
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    let done = Done::of(&mut stage(Contract::Order), 0, &values);
    assert_eq!(done.fates(), [Accepted, Accepted, Dead, Accepted, Duplicate, Dead]);
    let expected = [("0", "1"), ("0", "2"), ("1", "3"), ("3", "4")].map(|(offset, id)| (offset.to_owned(), id.to_owned()));
    assert_eq!(line_ids(&done), expected, "a refused revision leaves no line behind");
    assert_eq!(done.letters()[0], (2, "conflict".to_owned(), "lines[2]".to_owned()));
}

#[test]
fn a_line_that_stands_twice_in_one_order_is_there_once() {
    let text = order(0, &[("1", "5.00"), ("2", "6.00"), ("1", "5.0"), ("3", "1")]);
    let mut stage = stage(Contract::Order);
    for reading in ["first", "second"] {
        let done = Done::of(&mut stage, 0, &[text.as_bytes()]);
        assert_eq!(done.fates(), [Accepted], "{reading}");
        let rows: Vec<(String, String)> =
            done.rows(Table::FactSales).iter().map(|row| (row["line_id"].clone(), row["source_index"].clone())).collect();
        assert_eq!(rows, [("1", "1"), ("2", "2"), ("3", "4")].map(|(id, nth)| (id.to_owned(), nth.to_owned())), "{reading}");
    }
}

#[test]
fn refunds_repeat_by_their_id_alone() {
    let one = r#"[{"line_id":"1","quantity":1,"amount":"5.00"}]"#.replace('{', "{ ");
    let same = r#"[{"amount":5,"line_id":"1","quantity":"1.0"}]"#;
    let text = |id: &str, lines: &str| {
        format!(r#"{{"occurred_at":0,"refund_id":"{id}","order_id":"o1","currency":"GBP","lines":{lines}}}"#)
    };
    let values = [
        text("r1", &one),
        text("r1", same),
        text("r2", &one),
        text("r1", "[]"),
        text("r1", r#"[{"line_id":"1","quantity":1,"amount":"5.01"}]"#),
    ];
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    assert_eq!(fates(Contract::Refund, &values), [Accepted, Duplicate, Accepted, Dead, Dead]);
}

#[test]
fn a_second_reading_decides_and_writes_as_the_first_did() {
    let values = [
        order(0, &[("1", "5.00"), ("2", "6.00")]),
        order(1, &[("1", "5.00"), ("3", "7.00")]),
        order(2, &[("1", "4.00")]),
        "{".to_owned(),
        order(1, &[("1", "5.00"), ("3", "7.00")]),
        with(Contract::Order, "customer_id", "\"c\""),
    ];
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    let mut stage = stage(Contract::Order);
    let first = Done::of(&mut stage, 0, &values);
    assert_eq!(first.fates(), [Accepted, Accepted, Dead, Dead, Duplicate, Accepted]);
    for from in 0..values.len() {
        let again = Done::of(&mut stage, i64::try_from(from).unwrap(), &values[from..]);
        assert_eq!(again.fates(), &first.fates()[from..], "read again from {from}");
        for table in [Table::FactOrder, Table::FactSales, Table::Rejected] {
            let offset = if table == Table::Rejected { "offset" } else { "source_offset" };
            let beyond = |row: &Cells| row[offset].parse::<usize>().unwrap() >= from;
            let expected: Vec<Cells> = first.rows(table).into_iter().filter(beyond).collect();
            assert_eq!(again.rows(table), expected, "{table:?} read again from {from}");
        }
    }
}

#[test]
fn an_event_counts_within_the_window_between_two_ingest_times() {
    let mut stage = stage(Contract::Event);
    let mut at = |offset: i64, ingested_at: i64| {
        let mut records = records(offset, &[minimal(Contract::Event).as_bytes()], Headers::None);
        records.ingested_at = vec![ingested_at];
        stage.run(records, offset).unwrap().fates().to_vec()
    };
    assert_eq!(at(0, INGESTED), [Accepted]);
    assert_eq!(at(1, INGESTED + 6 * time::DAY), [Duplicate]);
    assert_eq!(at(2, INGESTED + 8 * time::DAY), [Accepted]);
    assert_eq!(at(0, INGESTED), [Accepted], "the first reads as the first");
}

#[test]
fn records_of_other_partitions_are_duplicates_too() {
    let mut stage = stage(Contract::Payment);
    let mut run = |number: i64| {
        let mut records = records(0, &[minimal(Contract::Payment).as_bytes()], Headers::None);
        records.partition = Partition::new("t", number);
        stage.run(records, 0).unwrap().fates().to_vec()
    };
    assert_eq!([run(1), run(2), run(1)].concat(), [Accepted, Duplicate, Accepted]);
}
