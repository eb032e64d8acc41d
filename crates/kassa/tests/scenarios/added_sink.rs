//! A sink that was added later gets its missing records from the archive, and is then equal to the others.

use kassa_kafka::Admin;
use kassa_stack::postgres::Postgres;
use serde_json::Value;

use crate::harness::{Shop, until};
use crate::whole_way::Between;

/// Has the shop's configuration name a warehouse.
fn add_warehouse(shop: &Shop, postgres: &Postgres) {
    let text = std::fs::read_to_string(&shop.config).expect("the configuration");
    std::fs::write(&shop.config, format!("{text}\n[warehouse]\nurl = \"{}\"\n", postgres.url("postgres", "kassa")))
        .expect("written");
}

#[test]
fn a_warehouse_that_is_added_is_filled_from_the_archive_while_the_stream_runs() {
    let between = Between::without_warehouse();
    let truth = between.simulate("20000", "5");
    let server = between.shop.serve();
    let accounted = || -> i64 {
        let rows = between.shop.json(&["sql", "SELECT coalesce(sum(read), 0) AS n FROM spans"]);
        rows[0]["n"].as_str().and_then(|n| n.parse().ok()).unwrap_or(0)
    };
    until("10,000 records in the lake", || accounted() >= 10_000);
    add_warehouse(&between.shop, &between.postgres);
    let filled = between.shop.json(&["replay", "--from", "archive", "--sinks", "warehouse"]);
    assert!(filled["records"].as_i64().is_some_and(|records| records >= 10_000), "{filled}");
    assert!(!between.shop.data().join("state/replay/dedupe").exists(), "what only the replay needed is gone");
    server.stop();
    // Later records it reads itself, together with sinks that have them already.
    between.shop.ok(&["run", "--until-caught-up"]);
    between.equals(&truth);
    let again = between.shop.json(&["replay", "--from", "archive", "--sinks", "warehouse"]);
    assert_eq!(again["records"], 0, "nothing is lacking any more");
}

#[test]
fn what_kafka_has_no_more_comes_from_the_archive_and_is_no_gap() {
    let between = Between::without_warehouse();
    let truth = between.simulate("20000", "6");
    between.shop.ok(&["run", "--until-caught-up"]);
    let admin = Admin::connect(&between.connection()).expect("an administrator");
    for (topic, partition, end) in between.ends() {
        admin.delete_records(&topic, partition, end).expect("deleted");
    }
    add_warehouse(&between.shop, &between.postgres);
    between.shop.ok(&["run", "--until-caught-up"]);
    between.equals(&truth);
    let gaps: Value = between.shop.json(&["sql", "SELECT coalesce(sum(gap), 0) AS n FROM spans"]);
    assert_eq!(gaps[0]["n"], "0", "the archive stood in for Kafka");
    assert_eq!(between.postgres.sql("kassa", "SELECT coalesce(sum(gap), 0) FROM kassa.spans").expect("a sum").trim(), "0");
}

/// The archive has the records after the gap, and the lake does not: as if the program was killed between their commits.
#[test]
fn what_kafka_had_lost_before_the_archive_read_on_is_a_gap_in_the_lake_too() {
    let between = Between::without_warehouse();
    between.simulate("20000", "7");
    between.shop.ok(&["run", "--until-caught-up"]);
    let read = between.ends();
    between.simulate("20000", "8");
    let admin = Admin::connect(&between.connection()).expect("an administrator");
    let mut lost = 0;
    for ((topic, partition, end), (.., now)) in read.into_iter().zip(between.ends()) {
        let gone = (now - end) / 2;
        admin.delete_records(&topic, partition, end + gone).expect("deleted");
        lost += gone;
    }
    assert!(lost > 1_000, "{lost} records lost");
    between.shop.ok(&["run", "--sinks", "archive", "--until-caught-up"]);
    between.shop.ok(&["run", "--until-caught-up"]);
    let gaps: Value = between.shop.json(&["sql", "SELECT coalesce(sum(gap), 0) AS n FROM spans"]);
    assert_eq!(gaps[0]["n"], lost.to_string());
}
