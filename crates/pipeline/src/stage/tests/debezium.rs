//! Debezium's change events: the records that each contract makes of an insert, an update, a deletion, a snapshot and a
//! tombstone.

use super::*;
use kassa_model::Amount;

use Fate::{Accepted, DeadLetter as Dead, Duplicate};

/// The reasons that are tested here.
pub(super) const REASONS: [Reason; 4] = [Reason::NotDebezium, Reason::NoBefore, Reason::UnsupportedChange, Reason::Tombstone];

const TS: i64 = 1_768_208_400_000;

/// An event at a place of PostgreSQL's log.
fn event(op: &str, lsn: i64, before: &str, after: &str) -> String {
    format!(
        r#"{{"before":{before},"after":{after},"source":{{"version":"3.0","connector":"postgresql","name":"shop","ts_ms":{},
        "snapshot":"{}","db":"shop","schema":"public","table":"t","txId":5,"lsn":{lsn},"xmin":null}},"transaction":null,"op":"{op}","ts_ms":{}}}"#,
        TS + lsn,
        op == "r",
        TS + lsn + 9
    )
}

fn create(lsn: i64, row: &str) -> String {
    event("c", lsn, "null", row)
}

fn update(lsn: i64, before: &str, after: &str) -> String {
    event("u", lsn, before, after)
}

fn delete(lsn: i64, before: &str) -> String {
    event("d", lsn, before, "null")
}

fn stage(contract: Contract) -> Stage {
    stage_in("Europe/London", contract, Format::Debezium, None)
}

fn run(contract: Contract, events: &[String]) -> Done {
    let values: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
    let mut stage = stage(contract);
    let told: Vec<_> = values.iter().map(|value| stage.verdict("t", value).unwrap()).collect();
    let done = Done::of(&mut stage, 0, &values);
    let letters: BTreeMap<i64, String> = done.letters().into_iter().map(|(at, reason, _)| (at, reason)).collect();
    for (at, told) in (0..).zip(told) {
        let expected = letters.get(&at).filter(|reason| *reason != "conflict");
        assert_eq!(
            told.map(|letter| letter.reason.code().to_owned()).as_ref(),
            expected,
            "{}",
            events[usize::try_from(at).unwrap()]
        );
    }
    done
}

fn line(id: &str, quantity: i64, price: &str) -> String {
    format!(
        r#"{{"order_id":"o1","line_id":"{id}","product_id":"p1","quantity":{quantity},"unit_price":"{price}","tax":"0.10","currency":"GBP","placed_at":"2026-01-10T10:00:00Z"}}"#
    )
}

fn sum(done: &Done, column: &str) -> Amount {
    let units = done.rows(Table::FactSales).iter().map(|row| Amount::parse(&row[column]).unwrap().0).sum();
    Amount::from_units(units)
}

#[test]
fn the_ledger_of_a_line_adds_up_to_what_its_row_says() {
    let states = [line("1", 2, "3.50"), line("1", 5, "3.50"), line("1", 5, "3.333333"), line("1", 0, "3.333333")];
    let events = [
        create(100, &states[0]),
        update(200, &states[0], &states[1]),
        update(300, &states[1], &states[2]),
        update(400, &states[2], &states[3]),
    ];
    let nets = ["7", "17.5", "16.666665", "0"];
    let quantities = ["2", "5", "5", "0"];
    for count in 1..=events.len() {
        let done = run(Contract::OrderLine, &events[..count]);
        assert_eq!(done.fates(), vec![Accepted; count], "{:?}", done.rows(Table::Rejected));
        assert_eq!(sum(&done, "net_amount").to_string(), nets[count - 1]);
        assert_eq!(sum(&done, "quantity").to_string(), quantities[count - 1]);
        assert_eq!(sum(&done, "tax_amount").to_string(), "0.1", "the tax has not changed");
    }
    let rows = run(Contract::OrderLine, &events).rows(Table::FactSales);
    has(&rows[0], &[("movement", "sale"), ("line_id", "1"), ("moved_at", "2026-01-10T10:00:00Z"), ("source", "shop")]);
    has(
        &rows[1],
        &[
            ("movement", "adjustment"),
            ("line_id", "200/1"),
            ("quantity", "3"),
            ("gross_amount", "10.5"),
            ("ordered_at", "2026-01-10T10:00:00Z"),
            ("moved_at", "2026-01-12T09:00:00.2Z"),
        ],
    );
}

#[test]
fn a_deletion_takes_back_what_the_row_has_led_to() {
    let (first, then) = (line("a/b", 2, "3.50"), line("a/b", 3, "4"));
    let events = [create(1, &first), update(2, &first, &then), delete(3, &then)];
    let done = run(Contract::OrderLine, &events);
    assert_eq!(done.fates(), [Accepted; 3], "{:?}", done.rows(Table::Rejected));
    for column in ["net_amount", "quantity", "tax_amount", "gross_amount"] {
        assert_eq!(sum(&done, column), Amount::ZERO, "{column}");
    }
    has(
        &done.rows(Table::FactSales)[2],
        &[("movement", "cancellation"), ("line_id", "3/a%2Fb"), ("gross_amount", "-12"), ("quantity", "-3")],
    );
}

#[test]
fn lines_that_take_off_or_go_back_are_taken_back_too() {
    let off = r#"{"order_id":"o1","line_id":"1","quantity":0,"amount":"-5.00","discount":"1","currency":"GBP"}"#;
    let back = r#"{"order_id":"o1","line_id":"2","movement":"return","quantity":2,"amount":"8","discount":"1","currency":"GBP"}"#;
    let free = r#"{"order_id":"o1","line_id":"3","quantity":2,"amount":"0","discount":"1.5","currency":"GBP"}"#;
    for (row, movement) in [(off, "adjustment"), (back, "adjustment"), (free, "cancellation")] {
        let done = run(Contract::OrderLine, &[create(1, row), delete(2, row)]);
        assert_eq!(done.fates(), [Accepted; 2], "{:?}", done.rows(Table::Rejected));
        for column in ["net_amount", "quantity", "discount_amount"] {
            assert_eq!(sum(&done, column), Amount::ZERO, "{column} {row}");
        }
        has(&done.rows(Table::FactSales)[1], &[("movement", movement)]);
    }
}

#[test]
fn an_event_that_is_sent_again_is_a_duplicate() {
    let (first, then) = (line("1", 2, "3.50"), line("1", 3, "3.50"));
    let events = [create(1, &first), update(2, &first, &then), delete(3, &then)];
    let all: Vec<String> = events.iter().chain(&events).cloned().collect();
    let done = run(Contract::OrderLine, &all);
    assert_eq!(done.fates(), [Accepted, Accepted, Accepted, Duplicate, Duplicate, Duplicate], "{:?}", done.rows(Table::Rejected));
    assert_eq!(sum(&done, "net_amount"), Amount::ZERO);
    for (contract, row) in rows() {
        let event = create(7, row);
        assert_eq!(run(contract, &[event.clone(), event]).fates(), [Accepted, Duplicate], "{contract:?}");
    }
}

/// A row of each contract.
fn rows() -> Vec<(Contract, &'static str)> {
    vec![
        (Contract::Event, r#"{"event_id":"e1","type":"page_viewed"}"#),
        (
            Contract::Order,
            r#"{"order_id":"o1","status":"open","total":"7.00","currency":"GBP","placed_at":"2026-01-10T10:00:00Z"}"#,
        ),
        (Contract::OrderLine, r#"{"order_id":"o1","line_id":"1","quantity":2,"unit_price":"3.50","currency":"GBP"}"#),
        (Contract::Payment, r#"{"payment_id":"p1","order_id":"o1","kind":"sale","amount":"7.00","currency":"GBP"}"#),
        (Contract::Refund, r#"{"refund_id":"r1","order_id":"o1","currency":"GBP","adjustments":"2.50"}"#),
        (Contract::Customer, r#"{"customer_id":"c1","name":"Ann","segment":"vip"}"#),
        (Contract::Product, r#"{"product_id":"p1","name":"Mug","price":"7.00","currency":"GBP"}"#),
        (Contract::Inventory, r#"{"product_id":"p1","location":"x","level":3}"#),
        (Contract::FxRate, r#"{"base":"EUR","quote":"GBP","day":"2026-01-12","rate":"0.87"}"#),
    ]
}

#[test]
fn a_snapshot_read_again_adds_nothing_and_one_that_differs_is_set_aside() {
    let (row, other) = (line("1", 2, "3.50"), line("1", 3, "3.50"));
    let read = |lsn: i64, row: &str| event("r", lsn, "null", row);
    let done = run(Contract::OrderLine, &[read(1, &row), read(9, &row), read(10, &other)]);
    assert_eq!(done.fates(), [Accepted, Duplicate, Dead]);
    let done = run(Contract::OrderLine, &[create(1, &row), read(9, &row), read(10, &other)]);
    assert_eq!(done.fates(), [Accepted, Duplicate, Dead], "what was inserted and is then read is one row");
}

#[test]
fn a_row_that_is_inserted_again_is_set_aside_and_not_taken_for_the_first() {
    let row = line("1", 2, "3.50");
    let done = run(Contract::OrderLine, &[create(1, &row), delete(2, &row), create(3, &row), create(3, &row)]);
    assert_eq!(done.fates(), [Accepted, Accepted, Dead, Dead]);
    let letter = &done.rows(Table::Rejected)[0];
    has(letter, &[("reason", "conflict"), ("detail", "the row was inserted before, and accepted at t/0 offset 0")]);
    let mut stage = stage(Contract::OrderLine);
    let events = [create(1, &row), delete(2, &row), create(3, &row)];
    let values: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
    for from in [0, 0, 1, 2] {
        let done = Done::of(&mut stage, i64::try_from(from).unwrap(), &values[from..]);
        assert_eq!(done.fates(), &[Accepted, Accepted, Dead][from..], "read again from {from}");
    }
}

#[test]
fn an_order_is_a_revision_at_the_place_of_its_change() {
    let row = |status: &str| {
        format!(
            r#"{{"order_id":"o1","status":"{status}","customer_id":"c1","currency":"GBP","total":"9","placed_at":"2026-01-10T10:00:00Z"}}"#
        )
    };
    let (open, paid) = (row("open"), row("paid"));
    let done = run(Contract::Order, &[create(100, &open), update(200, "null", &paid), delete(300, &paid)]);
    assert_eq!(done.fates(), [Accepted; 3], "{:?}", done.rows(Table::Rejected));
    let rows = done.rows(Table::FactOrder);
    let shown: Vec<[&str; 3]> =
        rows.iter().map(|row| [row["revision"].as_str(), row["status"].as_str(), row["occurred_at"].as_str()]).collect();
    let expected = [
        ["100", "open", "2026-01-10T10:00:00Z"],
        ["200", "paid", "2026-01-12T09:00:00.2Z"],
        ["300", "deleted", "2026-01-12T09:00:00.3Z"],
    ];
    assert_eq!(shown, expected);
    has(&rows[2], &[("cancelled_at", "2026-01-12T09:00:00.3Z"), ("total", "9")]);
    let own = r#"{"order_id":"o2","revision":4,"status":"open"}"#;
    let done = run(Contract::Order, &[create(100, own), delete(300, own)]);
    let revisions: Vec<String> = done.rows(Table::FactOrder).iter().map(|row| row["revision"].clone()).collect();
    assert_eq!(revisions, ["4", "5"]);
}

#[test]
fn payments_and_refunds_are_changed_by_what_they_differ_by() {
    let payment = |kind: &str, status: &str, amount: &str| {
        format!(
            r#"{{"payment_id":"p1","order_id":"o1","kind":"{kind}","status":"{status}","amount":"{amount}","currency":"GBP"}}"#
        )
    };
    let states =
        [payment("authorization", "ok", "10"), payment("authorization", "ok", "12.50"), payment("capture", "ok", "12.50")];
    let events =
        [create(1, &states[0]), update(2, &states[0], &states[1]), update(3, &states[1], &states[2]), delete(4, &states[2])];
    let done = run(Contract::Payment, &events);
    assert_eq!(done.fates(), [Accepted; 4], "{:?}", done.rows(Table::Rejected));
    let rows = done.rows(Table::FactPayment);
    let shown: Vec<[&str; 5]> =
        rows.iter().map(|row| ["payment_id", "kind", "amount", "parent_id", "status"].map(|name| row[name].as_str())).collect();
    let expected = [
        ["p1", "authorization", "10", "∅", "ok"],
        ["2:p1", "authorization", "2.5", "p1", "ok"],
        ["p1", "capture", "12.5", "∅", "ok"],
        ["4:p1", "capture", "-12.5", "p1", "deleted"],
    ];
    assert_eq!(shown, expected);

    let refund = |adjustments: &str| {
        format!(r#"{{"refund_id":"r1","order_id":"o1","currency":"GBP","shipping":"1","adjustments":"{adjustments}"}}"#)
    };
    let (first, then) = (refund("2"), refund("5.5"));
    let done = run(Contract::Refund, &[create(1, &first), update(2, &first, &then)]);
    assert_eq!(sum(&done, "gross_amount").to_string(), "-5.5");
    let done = run(Contract::Refund, &[create(1, &first), update(2, &first, &then), delete(3, &then)]);
    assert_eq!((sum(&done, "gross_amount"), sum(&done, "shipping_amount")), (Amount::ZERO, Amount::ZERO));
}

#[test]
fn masters_get_a_version_a_change_and_keep_no_personal_data_of_the_deleted() {
    let (ann, other) =
        (r#"{"customer_id":"c1","name":"Ann","segment":"new"}"#, r#"{"customer_id":"c1","name":"Ann","segment":"vip"}"#);
    let done = run(Contract::Customer, &[create(1, ann), update(2, "null", other), delete(3, other)]);
    let rows = done.rows(Table::DimCustomer);
    let shown: Vec<[&str; 3]> =
        rows.iter().map(|row| ["segment", "valid_from", "extra"].map(|name| row[name].as_str())).collect();
    let expected = [
        ["new", "2026-01-12T09:00:00.001Z", "∅"],
        ["vip", "2026-01-12T09:00:00.002Z", "∅"],
        ["vip", "2026-01-12T09:00:00.003Z", r#"{"_deleted":true}"#],
    ];
    assert_eq!(shown, expected);
    assert_eq!(done.rows(Table::VaultCustomer).len(), 2);
    let mug = r#"{"product_id":"p1","name":"Mug","price":"7"}"#;
    has(&run(Contract::Product, &[delete(3, mug)]).rows(Table::DimProduct)[0], &[("status", "deleted"), ("name", "Mug")]);
    let stock = r#"{"product_id":"p1","location":"x","level":3}"#;
    has(&run(Contract::Inventory, &[delete(3, stock)]).rows(Table::FactInventory)[0], &[("level", "0")]);
    let rate = |rate: &str| format!(r#"{{"base":"EUR","quote":"GBP","day":"2026-01-12","rate":"{rate}"}}"#);
    let done = run(Contract::FxRate, &[create(1, &rate("0.87")), update(2, "null", &rate("0.88"))]);
    assert_eq!(done.fates(), [Accepted; 2]);
}

/// Contract, event, reason, field.
fn cases() -> Vec<(Contract, String, Reason, &'static str)> {
    use Contract::{Customer, Event, FxRate, Order, OrderLine, Payment, Refund};
    let row = line("1", 2, "3.50");
    let good = create(1, &row);
    let moved = |from: &str, to: &str| update(2, &row, &row.replace(from, to));
    let lines = r#"{"refund_id":"r1","order_id":"o1","currency":"GBP","lines":[{"line_id":"1","quantity":1,"amount":1}]}"#;
    vec![
        (OrderLine, "{".to_owned(), Reason::NotJson, ""),
        (OrderLine, "[]".to_owned(), Reason::NotAnObject, ""),
        (OrderLine, row.clone(), Reason::NotDebezium, "op"),
        (OrderLine, good.replace(r#""op":"c""#, r#""op":"x""#), Reason::NotDebezium, "op"),
        (OrderLine, good.replace(r#""op":"c""#, r#""op":"m""#), Reason::NotDebezium, "op"),
        (OrderLine, good.replace(r#""source":{"#, r#""sauce":{"#), Reason::NotDebezium, "source"),
        (OrderLine, good.replace(r#""lsn":1,"#, "").replace("ts_ms", "ts"), Reason::NotDebezium, "source"),
        (OrderLine, create(1, "null"), Reason::NotDebezium, "after"),
        (OrderLine, create(1, "7"), Reason::NotDebezium, "after"),
        (OrderLine, good.replace(r#""op":"c""#, r#""op":"c","op":"d""#), Reason::DuplicateField, "op"),
        (OrderLine, r#"{"schema":{},"payload":7}"#.to_owned(), Reason::NotDebezium, "payload"),
        (OrderLine, create(1, &row.replace("3.50", "Ax8=")), Reason::NotADecimal, "unit_price"),
        (OrderLine, create(1, &row.replace("\"o1\"", "null")), Reason::MissingField, "order_id"),
        (OrderLine, update(2, "null", &row), Reason::NoBefore, "before"),
        (OrderLine, update(2, r#"{"line_id":"1"}"#, &row), Reason::NoBefore, "before.order_id"),
        (OrderLine, update(2, &row.replace("GBP", "XYZ"), &row), Reason::UnknownCurrency, "before.currency"),
        (OrderLine, delete(2, "null"), Reason::NoBefore, "before"),
        (OrderLine, delete(2, &line("1", 0, "0").replace("0.10", "0")), Reason::NoBefore, "before"),
        (OrderLine, moved("p1", "p2"), Reason::UnsupportedChange, "product_id"),
        (OrderLine, moved("GBP", "EUR"), Reason::UnsupportedChange, "currency"),
        (OrderLine, moved("o1", "o2"), Reason::UnsupportedChange, "order_id"),
        (OrderLine, event("t", 1, "null", "null"), Reason::UnsupportedChange, "op"),
        (Payment, update(2, "null", rows()[3].1), Reason::NoBefore, "before"),
        (Refund, update(2, lines, lines), Reason::UnsupportedChange, "lines"),
        (Refund, delete(2, lines), Reason::UnsupportedChange, "lines"),
        (Event, update(2, "null", rows()[0].1), Reason::UnsupportedChange, "op"),
        (Event, delete(2, rows()[0].1), Reason::UnsupportedChange, "op"),
        (FxRate, delete(2, rows()[8].1), Reason::UnsupportedChange, "op"),
        (Order, delete(2, r#"{"order_id":"o1","status":null}"#), Reason::NoBefore, "before"),
        (Customer, delete(2, r#"{"customer_id":"c1","name":""}"#), Reason::NoBefore, "before"),
    ]
}

#[test]
fn every_mistake_has_its_reason_and_its_field() {
    for (contract, event, reason, field) in cases() {
        let done = run(contract, std::slice::from_ref(&event));
        assert_eq!(done.letters(), [(0, reason.code().to_owned(), field.to_owned())], "{event}");
        let detail = &done.rows(Table::Rejected)[0]["detail"];
        assert!(reason != Reason::NoBefore || detail.contains("REPLICA IDENTITY FULL"), "{detail}");
    }
    for reason in [Reason::NotDebezium, Reason::NoBefore, Reason::UnsupportedChange] {
        assert!(cases().iter().any(|(_, _, shown, _)| *shown == reason), "{reason}");
    }
}

#[test]
fn an_event_may_come_with_its_schema() {
    let row = line("1", 2, "3.50");
    let wrapped = format!(r#"{{"schema":{{"type":"struct","fields":[]}},"payload":{}}}"#, create(1, &row));
    let done = run(Contract::OrderLine, &[wrapped, create(1, &row), r#"{"schema":null,"payload":null}"#.to_owned()]);
    assert_eq!(done.fates(), [Accepted, Duplicate, Duplicate]);
}

#[test]
fn a_tombstone_adds_nothing_and_is_accounted_for() {
    let row = line("1", 2, "3.50");
    let (insert, removal) = (create(1, &row), delete(2, &row));
    let mut given = records(0, &[b"", b"", b""], Headers::None);
    given.values = BinaryArray::from(vec![Some(insert.as_bytes()), Some(removal.as_bytes()), None]);
    let mut stage = stage(Contract::OrderLine);
    let batch = stage.run(given.clone(), 0).unwrap();
    assert_eq!(batch.fates(), [Accepted, Accepted, Duplicate]);
    assert!(batch.span().counts.add_up());
    let alone = stage.alone(&given, &[true; 3]).unwrap();
    for (table, rows) in alone {
        let offsets =
            cells_of(&rows).into_iter().filter_map(|row| row.get("source_offset").or_else(|| row.get("offset")).cloned());
        assert!(offsets.into_iter().all(|offset| offset != "2"), "{table:?} has a row of the tombstone");
    }
}

#[test]
fn places_of_other_databases_are_read() {
    let row = rows()[1].1;
    let at = |source: &str| {
        let event = format!(r#"{{"before":null,"after":{row},"op":"c","source":{{{source}}},"ts_ms":{TS}}}"#);
        let done = run(Contract::Order, &[event]);
        assert_eq!(done.fates(), [Accepted], "{source}: {:?}", done.rows(Table::Rejected));
        let row = done.rows(Table::FactOrder).remove(0);
        let (place, key) = row["event_id"].rsplit_once('/').unwrap();
        assert_eq!(key.len(), 16);
        (place.to_owned(), row["revision"].clone())
    };
    let mysql = |file: &str, pos: i64| at(&format!(r#""name":"m","file":"{file}","pos":{pos},"row":2"#));
    assert_eq!(mysql("binlog.000003", 154).0, "binlog.000003:154:2");
    let revisions = [mysql("binlog.000003", 154).1, mysql("binlog.000003", 1 << 33).1, mysql("binlog.000004", 4).1];
    let revisions = revisions.map(|text| text.parse::<i64>().unwrap());
    assert!(revisions.is_sorted_by(|one, other| one < other), "{revisions:?}");
    let server = at(r#""change_lsn":"00000027:00000758:0003","event_serial_no":1,"ts_ms":5"#);
    assert_eq!(server, ("00000027:00000758:0003:1".to_owned(), "5".to_owned()));
    assert_eq!(at(r#""scn":"1234","rs_id":" 0x1.2.3 ","ssn":0"#), ("1234:0x1.2.3:0".to_owned(), "1234".to_owned()));
    assert_eq!(at(r#""ts_ms":77"#), ("ts77".to_owned(), "77".to_owned()));
}

#[test]
fn a_mapping_turns_the_rows_and_the_change_is_made_of_what_it_says() {
    let rename = &[
        ("id", "line_id"),
        ("order", "order_id"),
        ("pieces", "quantity"),
        ("price", "unit_price"),
        ("cur", "currency"),
        ("_op", "name"),
        ("_source_ts", "placed_at"),
    ];
    let mut stage = stage_in("UTC", Contract::OrderLine, Format::Debezium, Some(mapped::Renames::of(rename)));
    let row = |pieces: i64| format!(r#"{{"id":"1","order":"o1","pieces":{pieces},"price":"2.50","cur":"GBP","more":{pieces}}}"#);
    let events = [
        create(1, &row(2)),
        update(2, &row(2), &row(6)),
        update(3, &row(6).replace("\"1\"", "\"boom\""), &row(6)),
        update(4, "null", &row(6)),
        delete(5, &row(6)),
        delete(6, "{"),
    ];
    let values: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
    let told: Vec<_> = values.iter().map(|value| stage.verdict("t", value).unwrap().map(|letter| letter.reason.code())).collect();
    assert_eq!(told, [None, None, Some("mapping_failed"), Some("no_before"), None, Some("not_json")]);
    let done = Done::of(&mut stage, 0, &values);
    assert_eq!(done.fates(), [Accepted, Accepted, Dead, Dead, Accepted, Dead], "{:?}", done.rows(Table::Rejected));
    assert_eq!((sum(&done, "net_amount"), sum(&done, "quantity")), (Amount::ZERO, Amount::ZERO));
    let sales = done.rows(Table::FactSales);
    has(&sales[1], &[("line_id", "2/1"), ("quantity", "4"), ("gross_amount", "10"), ("extra", r#"{"more":6}"#)]);
    has(&sales[0], &[("ordered_at", "2026-01-12T09:00:00.001Z")]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, ..Default::default() })]

    #[test]
    fn any_history_of_a_line_adds_up(history in proptest::collection::vec((0..1_000_i64, 0..1_000_000_i64, 0..500_i64), 1..12), ends: bool) {
        let row = |(quantity, micros, cents): &(i64, i64, i64)| {
            let discount = decimal::format_units(i128::from(*cents), 2, 2);
            let price = decimal::format_units(i128::from(*micros), 4, 4);
            format!(r#"{{"order_id":"o1","line_id":"1","quantity":{quantity},"unit_price":"{price}","discount":"{discount}","currency":"GBP"}}"#)
        };
        let mut events = vec![create(1, &row(&history[0]))];
        for (lsn, pair) in (2..).zip(history.windows(2)) {
            events.push(update(lsn, &row(&pair[0]), &row(&pair[1])));
        }
        let last = history.last().unwrap();
        let is_zero = last.0 == 0 && last.2 == 0;
        if ends && !is_zero {
            events.push(delete(1_000, &row(last)));
        }
        let done = run(Contract::OrderLine, &events);
        proptest::prop_assert!(done.fates().iter().all(|fate| *fate == Accepted), "{:?}", done.rows(Table::Rejected));
        let (gross, discount) = if ends && !is_zero { (0, 0) } else { (last.0 * last.1 * 100, last.2 * 10_000) };
        proptest::prop_assert_eq!(sum(&done, "gross_amount").0, gross);
        proptest::prop_assert_eq!(sum(&done, "discount_amount").0, discount);
        proptest::prop_assert_eq!(sum(&done, "net_amount").0, gross - discount);
    }

    #[test]
    fn whatever_an_event_is_it_has_one_fate(at: proptest::prelude::prop::sample::Index, byte: u8, op in "[cudrtm]", contract in proptest::sample::select(Contract::ALL.to_vec())) {
        let rows = rows();
        let row = rows.iter().find(|(held, _)| *held == contract).unwrap().1;
        let mut value = event(&op, 5, row, row).into_bytes();
        let at = at.index(value.len());
        value[at] = byte;
        let mut stage = stage(contract);
        let told = stage.verdict("t", &value).unwrap();
        let done = Done::of(&mut stage, 0, &[&value]);
        proptest::prop_assert_eq!(told.is_none(), done.letters().is_empty());
    }
}
