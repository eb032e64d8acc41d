use std::sync::Arc;

use kassa_pipeline::{Batch, Sink};
use serde_json::json;

use super::*;
use crate::WarehouseSink;
use crate::read::Reader;
use crate::testing::{Feed, Fixed, Warehouse, line};

const SETTINGS: i64 = i64::MIN;

/// Two customers with personal data, a line, and a record that cannot be parsed.
fn records() -> Vec<Arc<Batch>> {
    let mut feed = Feed::new();
    let customer = |id: &str| {
        json!({"event_id": format!("c-{id}"), "occurred_at": "2026-01-01T00:00:00Z", "customer_id": id, "name": id,
            "email": format!("{id}@example.org")})
    };
    vec![
        feed.json("customer", 0, &[customer("ann"), customer("bob")]),
        feed.json("order_line", 0, &[line(1, 0), json!({"no": "line"})]),
    ]
}

fn rebuilding(warehouse: &Warehouse) -> Target {
    Target { is_rebuilding: true, ..warehouse.target("postgres") }
}

fn fill(target: Target) {
    WarehouseSink::open(target, Arc::new(Fixed)).unwrap().commit(&records()).unwrap();
}

fn customers(warehouse: &Warehouse) -> Vec<i64> {
    let keys = warehouse.sql("SELECT string_agg(DISTINCT customer_key::text, ',') FROM dwh.dim_customer");
    keys.trim().split(',').map(|key| key.parse().unwrap()).collect()
}

#[test]
fn a_rebuild_empties_the_warehouse_and_keeps_others_away_until_it_is_full_again() {
    let warehouse = Warehouse::new();
    let target = warehouse.target("postgres");
    fill(target.clone());
    prepare(&target, true).unwrap();
    // Their keys in the new star: the same, or others if the lake gets a secret.
    let personal: Vec<(i64, i64)> = customers(&warehouse).into_iter().flat_map(|key| [(key, key), (key, key ^ 1)]).collect();
    warehouse.sql("DELETE FROM dwh.vault_customer WHERE name = 'ann'");
    warehouse.sql("UPDATE kassa.dead_letters SET key = NULL, headers = NULL, value = NULL, detail = NULL");
    begin(&target, SETTINGS, &personal).unwrap();
    assert_eq!(warehouse.count("kassa.erased"), 2, "by both keys");
    for table in
        ["kassa.positions", "dwh.fact_sales", "dwh.dim_customer", "dwh.vault_customer", "ods.orders", "kassa.dead_letters"]
    {
        assert_eq!(warehouse.count(table), 0, "{table}");
    }
    let refused = [
        Reader::open(&target).map(drop).unwrap_err(),
        WarehouseSink::open(target.clone(), Arc::new(Fixed)).map(drop).unwrap_err(),
    ];
    for refused in refused {
        assert!(matches!(refused, WarehouseError::Rebuilding(_)), "{refused:?}");
    }
    fill(rebuilding(&warehouse));
    // It continues where it was interrupted; with other settings it starts again.
    assert!(is_unfinished(&target, SETTINGS).unwrap() && !is_unfinished(&target, 1).unwrap());
    begin(&target, SETTINGS, &personal).unwrap();
    assert_eq!(warehouse.count("dwh.fact_sales"), 1);
    begin(&target, 1, &personal).unwrap();
    assert_eq!(warehouse.count("dwh.fact_sales"), 0);
    fill(rebuilding(&warehouse));
    finish(&target).unwrap();
    assert_eq!(warehouse.sql("SELECT name FROM dwh.vault_customer").trim(), "bob", "erased data has come back");
    assert_eq!(warehouse.sql("SELECT count(value) FROM kassa.dead_letters").trim(), "0", "erased bytes have come back");
    assert_eq!((warehouse.count("dwh.fact_sales"), warehouse.count("kassa.dead_letters")), (1, 1));
    Reader::open(&target).unwrap();
    assert!(!is_unfinished(&target, 1).unwrap());
}

#[test]
fn days_that_retention_dropped_come_back_only_if_retention_is_configured() {
    let warehouse = Warehouse::new();
    let target = warehouse.target("postgres");
    fill(target.clone());
    warehouse.sql("INSERT INTO kassa.dropped VALUES ('fact_sales', 20250101, 20250102, 'order_line', 0, 1, now())");
    assert!(matches!(prepare(&target, true), Err(WarehouseError::Invalid(_))));
    prepare(&target, false).unwrap();
}
