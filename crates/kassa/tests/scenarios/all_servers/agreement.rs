//! One number everywhere, while records stream in: queried at the same positions, lake and warehouse give the same answer every
//! time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::twice;
use crate::harness::{Shop, until_ok};
use crate::others_read::STREAMS;
use crate::servers::{Servers, truth_of};

/// The queries at each of the positions.
const QUESTIONS: [(&str, &str); 6] = [
    ("net_sales", "day"),
    ("orders", "hour"),
    ("units", "product"),
    ("payments", "total"),
    ("active_customers", "day"),
    ("funnel", "step"),
];

/// The time limit for comparing enough positions, on any machine.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Reads the lake's positions, and queries both stores at them. Returns the positions.
fn agree(shop: &Shop) -> String {
    let at = shop.dir.path().join("positions.json");
    let lake = shop.json(&["figures", "payments", "--from", "lake"]);
    std::fs::write(&at, lake.to_string()).expect("written");
    let file = at.to_str().expect("UTF-8");
    for (figure, by) in QUESTIONS {
        let asked = |from| ["figures", figure, "--by", by, "--from", from, "--at", file];
        let (held, warehouse) = (shop.json(&asked("lake")), once_it_is_there(shop, &asked("warehouse")));
        assert_eq!((&held["rows"], &held["positions"]), (&warehouse["rows"], &lake["positions"]), "{figure} by {by}");
        assert_eq!(
            (&held["positions"], &held["event_time"]),
            (&warehouse["positions"], &warehouse["event_time"]),
            "{figure} by {by}"
        );
    }
    lake["positions"].to_string()
}

/// Repeats a query until the warehouse has reached its positions.
fn once_it_is_there(shop: &Shop, asked: &[&str]) -> Value {
    until_ok("the warehouse where the lake was", || {
        let output = shop.run(&[asked, &["--format", "json"]].concat());
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout).expect("JSON"));
        }
        assert_eq!(output.status.code(), Some(2), "{words}");
        Err(words)
    })
}

/// Compares lake and warehouse at this many different positions. One stream of records may end before that, on a slow machine or
/// at full rate: then another shop starts from nothing.
fn agree_at(wanted: usize, records: u64, rate: Option<u64>) {
    let (since, mut compared) = (Instant::now(), 0);
    while compared < wanted {
        assert!(since.elapsed() < PATIENCE, "{compared} of {wanted} positions were compared");
        compared += agree_while_it_runs(records, rate);
    }
}

/// Compares while records stream in, at a rate or as fast as they are read, until all are read. Returns the number of compared
/// positions.
fn agree_while_it_runs(records: u64, rate: Option<u64>) -> usize {
    let servers = Servers::start();
    let avro = STREAMS.map(|stream| format!("{stream}_avro"));
    servers.create_topics(STREAMS.into_iter().chain(avro.iter().map(String::as_str)), 2);
    let shop = servers.shop_in_folder(&format!("{}[lake]\ncommit_interval = \"100ms\"\n", twice()));
    let server = shop.serve();
    let (records_text, rate_text) = (records.to_string(), rate.unwrap_or_default().to_string());
    let mut arguments = vec!["--records", &records_text, "--format", "mixed"];
    arguments.extend(rate.is_some().then_some(["--rate", &rate_text]).into_iter().flatten());
    let simulation = servers.simulate(&arguments);
    server.until(|pipeline| super::least_committed(pipeline) > 0);
    let (since, mut places) = (Instant::now(), BTreeSet::new());
    while !super::all_have(&server.get("/api/v1/pipeline"), records) {
        places.insert(agree(&shop));
    }
    eprintln!("agreed at {} different positions, while {records} records came in {:?}", places.len(), since.elapsed());
    let truth = truth_of(simulation);
    server.stop();
    shop.ok(&["prove"]);
    assert_eq!(truth["produced"], records);
    places.len()
}

#[test]
fn lake_and_warehouse_agree_at_the_same_positions_while_records_stream_in() {
    agree_at(5, 45_000, Some(1_500));
}

#[test]
#[ignore = "minutes: `make soak`"]
fn lake_and_warehouse_agree_hundreds_of_times_while_records_stream_in() {
    agree_at(34, 900_000, Some(3_000));
}

/// Repeatedly from nothing, because queries take longer the more records there are.
#[test]
#[ignore = "minutes: `make soak`"]
fn lake_and_warehouse_agree_a_hundred_times_while_records_are_read_at_full_rate() {
    agree_at(17, 1_000_000, None);
}
