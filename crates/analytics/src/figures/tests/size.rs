//! Five million synthetic records, scaled down: the memory of their figures.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use kassa_model::Table;
use kassa_model::key::{hash, positive};

use crate::Figures;
use crate::testing::{batch, shop};

/// One part in ten: 370,000 events of 40,000 sessions and 10,000 people over a month, 40,000 lines of 6,000 orders.
const SESSIONS: i64 = 40_000;
const EVENTS_A_SESSION: i64 = 9;
const MONTH: i64 = 30 * kassa_model::time::DAY;

fn key(kind: &str, number: i64) -> i64 {
    positive(hash(kind, &[&number.to_string()]))
}

fn events(sessions: std::ops::Range<i64>) -> RecordBatch {
    let rows: Vec<(i64, i64)> = sessions.flat_map(|session| (0..EVENTS_A_SESSION).map(move |step| (session, step))).collect();
    let kind = |(session, step): &(i64, i64)| match (session % 5, step) {
        (0, 5) => "product_added",
        (0, 6) => "checkout_started",
        (0, 8) => "order_completed",
        _ => "product_viewed",
    };
    let longs = |of: &dyn Fn(i64) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(session, _)| of(*session))))
    };
    let at = rows.iter().map(|(session, step)| 1_767_225_600_000_000 + session * (MONTH / SESSIONS) + step * 30_000_000);
    let no: ArrayRef = Arc::new(BooleanArray::from(vec![false; rows.len()]));
    RecordBatch::try_from_iter([
        ("type", Arc::new(StringArray::from_iter_values(rows.iter().map(kind))) as ArrayRef),
        ("occurred_at", Arc::new(TimestampMicrosecondArray::from_iter_values(at))),
        ("customer_key", longs(&|_| 0)),
        ("person_key", longs(&|session| key("visitor", session % (SESSIONS / 4)))),
        ("session_key", longs(&|session| key("session", session))),
        ("is_test", Arc::clone(&no)),
        ("is_bot", Arc::clone(&no)),
        ("is_future", no),
    ])
    .unwrap()
}

fn lines(orders: std::ops::Range<i64>) -> RecordBatch {
    let line = |order: i64, line: i64| {
        let at = 1_767_225_600 + order * (MONTH / 1_000_000 / 6_000);
        let product = (order * 7 + line * line * 13) % 2_000 + 1;
        format!(
            "movement=sale order=o{order} at={at} customer={} product={product} country={} currency=GBP quantity=1 gross=9.99",
            order % 3_000 + 1,
            order % 40 + 1
        )
    };
    let rows: Vec<String> = orders.flat_map(|order| (0..7).map(move |at| line(order, at))).collect();
    batch(Table::FactSales, &rows)
}

fn size(figures: &Figures) -> usize {
    figures.sizes().into_iter().map(|(_, bytes)| bytes).sum()
}

fn part(figures: &Figures, name: &str) -> usize {
    figures.sizes().into_iter().find(|(part, _)| *part == name).unwrap().1
}

#[test]
fn five_million_records_take_less_than_120_mib() {
    let mut figures = Figures::new(&shop("Europe/London"));
    for start in (0..SESSIONS).step_by(4_000) {
        figures.apply(Table::FactEvent, &events(start..start + 4_000)).unwrap();
    }
    for start in (0..6_000).step_by(1_000) {
        figures.apply(Table::FactSales, &lines(start..start + 1_000)).unwrap();
    }
    let bytes = size(&figures);
    assert!(bytes > 1 << 20, "{bytes} bytes are too few to be true");
    assert!(bytes < (120 << 20) / 10, "{bytes} bytes for a tenth of five million records");
}

/// The table in decision 27 for a customer without orders, an order and its lines, a session, and a person on a past day.
#[test]
fn each_entity_of_the_past_takes_no_more_bytes_than_the_decision_says() {
    let mut figures = Figures::new(&shop("Europe/London"));
    let customers: Vec<String> = (1..=40_000).map(|nth| format!("customer=c{nth} customer_id=c{nth}")).collect();
    figures.apply(Table::DimCustomer, &batch(Table::DimCustomer, &customers)).unwrap();
    let check = |figures: &Figures, name: &str, count: usize, bound: usize| {
        let bytes = part(figures, name);
        assert!(bytes > count && bytes < bound * count, "{name}: {bytes} bytes for {count}");
    };
    check(&figures, "figures.names", 40_000, 20);
    for start in (0..SESSIONS).step_by(4_000) {
        figures.apply(Table::FactEvent, &events(start..start + 4_000)).unwrap();
    }
    for start in (0..6_000).step_by(1_000) {
        figures.apply(Table::FactSales, &lines(start..start + 1_000)).unwrap();
    }
    let later = "type=page_viewed at=2026-03-20T00:00:00Z person=later session=later";
    figures.apply(Table::FactEvent, &batch(Table::FactEvent, &[later])).unwrap();
    check(&figures, "figures.orders", 6_000, 64);
    check(&figures, "figures.sales", 42_000, 24);
    check(&figures, "figures.sessions", 40_000, 40);
    check(&figures, "figures.persons", 40_000, 12);
}
