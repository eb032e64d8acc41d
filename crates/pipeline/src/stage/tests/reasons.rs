//! Each reason of a dead letter, with the field it names; and that a dead letter changes nothing else.

use std::collections::BTreeSet;

use super::*;

/// Contract, record, reason, field.
fn cases() -> Vec<(Contract, Vec<u8>, Reason, &'static str)> {
    use Contract::{Customer, Event, FxRate, Inventory, Order, OrderLine, Payment, Product, Refund};
    let mut cases: Vec<(Contract, Vec<u8>, Reason, &'static str)> = Vec::new();
    let mut case = |contract, value: String, reason, field| cases.push((contract, value.into_bytes(), reason, field));
    case(Event, "{".to_owned(), Reason::NotJson, "");
    case(Event, with(Event, "url", "\"x\"").replace("\"x\"", r#""\ud800""#), Reason::NotJson, "url");
    case(Event, "[1]".to_owned(), Reason::NotAnObject, "");
    case(Event, "\"text\"".to_owned(), Reason::NotAnObject, "");
    case(Event, format!("{{\"a\":{}{}}}", "[".repeat(128), "]".repeat(128)), Reason::TooDeep, "a");
    case(Event, format!("{}{}", "[".repeat(129), "]".repeat(129)), Reason::TooDeep, "");
    case(Event, with(Event, "x", &format!("\"{}\"", "x".repeat(LIMIT))), Reason::TooLarge, "");
    case(Event, minimal(Event).replace('}', ",\"type\":\"x\"}"), Reason::DuplicateField, "type");
    case(Event, minimal(Event).replace('}', ",\"price\":null,\"price\":1}"), Reason::DuplicateField, "price");
    case(Event, minimal(Event).replace('}', r#","ty\u0070e":"x"}"#), Reason::DuplicateField, "type");
    case(
        Order,
        with(Order, "billing_address", "{\"city\":\"x\"}").replace("\"x\"", "\"a\",\"city\":\"b\""),
        Reason::DuplicateField,
        "billing_address.city",
    );
    case(
        Order,
        minimal(Order).replace('}', r#","shipping_address":{"city":"a"},"shipping_address":{"city":null}}"#),
        Reason::DuplicateField,
        "shipping_address.city",
    );
    for (contract, field) in [
        (Event, "event_id"),
        (Event, "occurred_at"),
        (Event, "type"),
        (Order, "order_id"),
        (OrderLine, "order_id"),
        (OrderLine, "line_id"),
        (OrderLine, "quantity"),
        (OrderLine, "unit_price"),
        (OrderLine, "currency"),
        (Payment, "payment_id"),
        (Payment, "order_id"),
        (Payment, "kind"),
        (Payment, "amount"),
        (Payment, "currency"),
        (Refund, "refund_id"),
        (Refund, "order_id"),
        (Refund, "currency"),
        (Customer, "customer_id"),
        (Product, "product_id"),
        (Inventory, "product_id"),
        (Inventory, "location"),
        (Inventory, "level"),
        (FxRate, "base"),
        (FxRate, "quote"),
        (FxRate, "day"),
        (FxRate, "rate"),
    ] {
        assert!(contract.requires(field) || field == "unit_price", "{contract:?} {field}");
        for value in ["", "null", "\"\""] {
            case(contract, with(contract, field, value), Reason::MissingField, field);
        }
    }
    case(Event, with(Event, "type", "{}"), Reason::WrongType, "type");
    case(Event, with(Event, "type", "true"), Reason::WrongType, "type");
    case(Event, with(Event, "position", "\"third\""), Reason::WrongType, "position");
    case(Event, with(Event, "position", "1.5"), Reason::WrongType, "position");
    case(Event, with(Event, "position", "9223372036854775808"), Reason::WrongType, "position");
    case(Event, with(Event, "is_bot", "\"maybe\""), Reason::WrongType, "is_bot");
    case(Event, with(Event, "is_test", "2"), Reason::WrongType, "is_test");
    case(Order, with(Order, "shipping_address", "\"Leeds\""), Reason::WrongType, "shipping_address");
    case(Order, with(Order, "shipping_address", "{\"city\":[]}"), Reason::WrongType, "shipping_address.city");
    case(Order, with(Order, "lines", "{}"), Reason::WrongType, "lines");
    case(Order, with(Order, "coupons", "[1]"), Reason::WrongType, "coupons");
    case(Product, with(Product, "category", "7"), Reason::WrongType, "category");
    case(Payment, with(Payment, "amount", "\"ten\""), Reason::NotADecimal, "amount");
    case(Payment, with(Payment, "amount", "0.0000001"), Reason::TooPrecise, "amount");
    case(FxRate, with(FxRate, "rate", "0.0000000001"), Reason::TooPrecise, "rate");
    case(Inventory, with(Inventory, "level", "1e12"), Reason::OutOfRange, "level");
    case(FxRate, with(FxRate, "rate", "0"), Reason::OutOfRange, "rate");
    case(FxRate, with(FxRate, "rate", "-1"), Reason::OutOfRange, "rate");
    case(Product, with(Product, "category", "\"1>2>3>4>5>6\""), Reason::OutOfRange, "category");
    case(Order, with(Order, "lines", &format!("[{}{{}}]", "{},".repeat(10_000))), Reason::OutOfRange, "lines");
    case(Order, with(Order, "paid_at", "\"soon\""), Reason::BadTimestamp, "paid_at");
    case(FxRate, with(FxRate, "day", "\"12 Jan\""), Reason::BadTimestamp, "day");
    case(FxRate, with(FxRate, "day", "\"2026-02-29\""), Reason::BadTimestamp, "day");
    case(Payment, with(Payment, "currency", "\"gbp\""), Reason::UnknownCurrency, "currency");
    case(FxRate, with(FxRate, "quote", "\"XXX\""), Reason::UnknownCurrency, "quote");
    case(Event, with(Event, "country", "\"Atlantis\""), Reason::UnknownCountry, "country");
    case(Order, with(Order, "shipping_address", "{\"country\":\"ZZ\"}"), Reason::UnknownCountry, "shipping_address.country");
    case(Customer, with(Customer, "address", "{\"country\":\"ZZ\"}"), Reason::UnknownCountry, "address.country");
    case(OrderLine, with(OrderLine, "movement", "\"sold\""), Reason::UnknownValue, "movement");
    case(Payment, with(Payment, "kind", "\"cash\""), Reason::UnknownValue, "kind");
    case(OrderLine, with(OrderLine, "quantity", "-1"), Reason::NegativeQuantity, "quantity");
    case(Customer, with(Customer, "customer_id", &format!("\"{}\"", "x".repeat(129))), Reason::TextTooLong, "customer_id");
    case(Customer, with(Customer, "name", &format!("\"{}\"", "x".repeat(1_025))), Reason::TextTooLong, "name");
    case(Event, with(Event, "url", &format!("\"{}\"", "x".repeat(8_193))), Reason::TextTooLong, "url");
    case(Event, with(Event, "url", &format!("\"{}\"", "é".repeat(4_097))), Reason::TextTooLong, "url");
    case(Customer, with(Customer, "name", r#""a\u0000b""#), Reason::ControlCharacter, "name");
    case(Customer, with(Customer, "name", r#""\u007f""#), Reason::ControlCharacter, "name");
    case(Customer, with(Customer, "name", r#""\u001b[31m""#), Reason::ControlCharacter, "name");
    let line = r#"{"line_id":"1","quantity":1,"unit_price":1,"currency":"GBP"}"#;
    let lines = |third: &str| {
        with(Order, "lines", &format!("[{line},{{\"line_id\":2,\"quantity\":1,\"amount\":1,\"currency\":\"GBP\"}},{third}]"))
    };
    case(
        Order,
        lines(r#"{"line_id":"3","quantity":-1,"unit_price":1,"currency":"GBP"}"#),
        Reason::NegativeQuantity,
        "lines[2].quantity",
    );
    case(Order, lines(r#"{"line_id":"3","quantity":1,"unit_price":1}"#), Reason::MissingField, "lines[2].currency");
    case(Order, lines(r#"{"line_id":"3","line_id":"4"}"#), Reason::DuplicateField, "lines[2].line_id");
    case(Order, lines("7"), Reason::NotAnObject, "lines[2]");
    case(Order, lines(&line.replace("\"unit_price\":1", "\"unit_price\":2")), Reason::Conflict, "lines[2].line_id");
    case(
        Order,
        lines(r#"{"line_id":"3","quantity":1,"unit_price":1,"currency":"GBP","shipping_address":{"country":"ZZ"}}"#),
        Reason::UnknownCountry,
        "lines[2].shipping_address.country",
    );
    case(Refund, with(Refund, "lines", r#"[{"line_id":"1","quantity":1}]"#), Reason::MissingField, "lines[0].amount");
    case(Refund, with(Refund, "lines", r#"[{"quantity":1}]"#), Reason::MissingField, "lines[0].line_id");
    cases.push((Event, b"{\"event_id\":\"\xff\"}".to_vec(), Reason::NotUtf8, ""));
    cases.push((Event, b"\xef\xbb\xbf{}".to_vec(), Reason::NotJson, ""));
    cases.push((Event, minimal(Event).encode_utf16().flat_map(u16::to_le_bytes).collect(), Reason::NotJson, ""));
    cases.push((Event, Vec::new(), Reason::NotJson, ""));
    cases
}

#[test]
fn every_mistake_has_its_reason_and_its_field() {
    for (contract, value, reason, field) in cases() {
        let shown = String::from_utf8_lossy(&value[..value.len().min(300)]).into_owned();
        assert_eq!(verdict(contract, &value), (reason.code().to_owned(), field.to_owned()), "{contract:?} {shown}");
    }
}

#[test]
fn no_reason_is_without_a_case() {
    let shown: BTreeSet<&str> = cases().into_iter().map(|(_, _, reason, _)| reason.code()).collect();
    // CSV, mappings, shared keys, Avro and Debezium have their own tests.
    let mut elsewhere = vec![Reason::NotCsv.code(), Reason::MappingFailed.code(), Reason::KeyCollision.code()];
    elsewhere.extend(super::avro::REASONS.iter().chain(&super::debezium::REASONS).map(|reason| reason.code()));
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.code())
        .filter(|code| !shown.contains(code) && !elsewhere.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_dead_letter_keeps_its_bytes_and_leaves_its_neighbours_alone() {
    for (contract, value, reason, field) in cases() {
        let good = [minimal(contract).replace("1\"", "8\""), minimal(contract).replace("1\"", "9\"").replace(":00Z", ":01Z")];
        let mut alone = stage(contract);
        let expected = Done::of(&mut alone, 5, &[good[0].as_bytes(), b"", good[1].as_bytes()]);
        let done = Done::of(&mut stage(contract), 5, &[good[0].as_bytes(), &value, good[1].as_bytes()]);
        assert_eq!(done.fates(), [Fate::Accepted, Fate::DeadLetter, Fate::Accepted], "{contract:?} {reason}");
        assert_eq!(done.letters(), [(6, reason.code().to_owned(), field.to_owned())]);
        let (_, rejected) = done.batch.tables().iter().find(|(table, _)| *table == Table::Rejected).unwrap();
        assert_eq!(rejected.column_by_name("value").unwrap().as_binary::<i32>().value(0), value);
        for table in expected.tables().into_iter().filter(|table| *table != Table::Rejected) {
            assert_eq!(done.rows(table), expected.rows(table), "{contract:?} {reason} {table:?}");
        }
        assert_eq!(done.tables().len(), expected.tables().len(), "{contract:?} {reason}: nothing of it in another table");
    }
}

#[test]
fn a_dead_letter_holds_all_that_came_with_it() {
    let mut given = records(3, &[b"\x00\xff"], Headers::Each(vec![Some(r#"[["trace","t1"]]"#.into())]));
    given.keys = Some(BinaryArray::from(vec![Some(b"\xfe".as_slice())]));
    given.timestamps = vec![Some(1_768_000_000_000_000)];
    let batch = stage(Contract::Event).run(given, 3).unwrap();
    let rejected = &batch.tables()[0].1;
    assert_eq!(rejected.column_by_name("key").unwrap().as_binary::<i32>().value(0), b"\xfe");
    has(
        &Done { batch }.rows(Table::Rejected)[0],
        &[
            ("topic", "t"),
            ("partition", "0"),
            ("offset", "3"),
            ("source_index", "0"),
            ("timestamp", "2026-01-09T23:06:40Z"),
            ("headers", r#"[["trace","t1"]]"#),
            ("schema_id", "∅"),
            ("stream", "things"),
            ("contract", "event"),
            ("reason", "not_utf8"),
            ("field", ""),
            ("rejected_at", "2026-01-12T09:30:00Z"),
            ("replayed_at", "∅"),
        ],
    );
}

#[test]
fn what_a_dead_letter_says_is_short_whatever_the_record_is() {
    let long = "x".repeat(500_000);
    for value in [
        format!("\"{long}\" x"),
        format!("{{\"{long}\":{}{}}}", "[".repeat(200), "]".repeat(200)),
        with(Contract::Event, "currency", &format!("\"{}\"", "x".repeat(100))),
        with(Contract::Event, "country", &format!("\"{}\"", "é".repeat(500))),
    ] {
        let row = one(Contract::Event, &value).rows(Table::Rejected).remove(0);
        assert!(row["field"].len() + row["detail"].len() < 300, "{} {}", row["field"].len(), row["detail"].len());
    }
}
