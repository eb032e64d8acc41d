//! The cost of a refresh after one new order in a shop with one million rows of facts, and with
//! four million.
//!
//! `cargo test -p kassa-warehouse growth -- --ignored --nocapture`

use std::time::{Duration, Instant};

use kassa_pipeline::Sink;
use serde_json::json;

use crate::derived;
use crate::read::Reader;
use crate::testing::{Feed, Warehouse, line, partition, shop};
use kassa_model::Table;

const HISTORY: &str = include_str!("growth.sql");
const ROUNDS: i64 = 5;

/// Pages that the server has read, from its cache or from disk.
fn pages(warehouse: &Warehouse) -> i64 {
    warehouse.sql("SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = 'shop'").parse().unwrap()
}

/// The time and pages of an operation.
fn measured(warehouse: &Warehouse, work: impl FnOnce()) -> (Duration, i64) {
    let (before, started) = (pages(warehouse), Instant::now());
    work();
    (started.elapsed(), pages(warehouse) - before)
}

/// The median of measurements, by time.
fn middle(mut all: Vec<(Duration, i64)>) -> (Duration, i64) {
    all.sort();
    all[all.len() / 2]
}

fn refresh_after_one_order(days: i64) -> Duration {
    let warehouse = Warehouse::new();
    warehouse.sql(&HISTORY.replace(":days", &days.to_string()));
    warehouse.sql("VACUUM ANALYZE");
    let refresh = || drop(derived::refresh(&warehouse.target("postgres"), &shop()).unwrap());
    let whole = measured(&warehouse, refresh);
    let (mut sink, mut feed) = (warehouse.sink(), Feed::new());
    let mut refreshes = Vec::new();
    let mut starts = Vec::new();
    for nth in 0..ROUNDS {
        let at = sink.positions();
        let (sold, seen) = (at.next(&partition("order_line", 0)), at.next(&partition("event", 0)));
        let event = json!({"event_id": format!("n{nth}"), "occurred_at": "2026-01-05T10:00:00Z", "type": "order_completed", "session_id": format!("new{nth}"),
            "order_id": format!("o0-{sold}")});
        sink.commit(&[feed.json("order_line", sold, &[line(0, sold)]), feed.json("event", seen, &[event])]).unwrap();
        refreshes.push(measured(&warehouse, refresh));
        starts.push(measured(&warehouse, || {
            let mut reader = Reader::open(&warehouse.target("postgres")).unwrap();
            let mut snapshot = reader.snapshot().unwrap();
            let mut rows = 0;
            for table in Table::ALL.into_iter().filter(|table| table.has_lineage()) {
                snapshot
                    .each_beyond(table, &["source_offset"], &at, &mut |batch| {
                        rows += batch.num_rows();
                        Ok(())
                    })
                    .unwrap();
            }
            assert!((2..10).contains(&rows), "{rows} rows are new");
        }));
    }
    let revenue = warehouse.sql("SELECT count(*) FROM dwh.fact_session WHERE session_id LIKE 'new%' AND revenue_reporting > 0");
    assert_eq!(revenue, ROUNDS.to_string());
    let facts = warehouse.count("dwh.fact_event") + warehouse.count("dwh.fact_sales") + warehouse.count("dwh.fact_payment");
    let [refresh, start] = [middle(refreshes), middle(starts)];
    println!("{facts} facts: all anew {whole:?}; after one order {refresh:?}; what is new in every table {start:?}");
    for (view, condition) in [
        ("net_sales", "\"by\" = 'day' AND key = '2026-01-04' AND basis = 'movement'"),
        ("net_sales", "\"by\" = 'total' AND basis = 'movement'"),
        ("conversion", "\"by\" = 'total'"),
        ("customer_value", "\"by\" = 'customer' AND basis = 'movement'"),
        ("rfm", "\"by\" = 'segment' AND basis = 'movement'"),
    ] {
        let (took, read) =
            measured(&warehouse, || drop(warehouse.sql(&format!("SELECT count(value) FROM dwh.{view} WHERE {condition}"))));
        println!("  {view} {condition}: {took:?}, {read} pages");
    }
    refresh.0
}

#[test]
#[ignore = "fills a server with millions of rows"]
fn growth_of_a_refresh() {
    let (small, large) = (refresh_after_one_order(107), refresh_after_one_order(430));
    assert!(large <= small * 2, "one million: {small:?}, four: {large:?}");
}
