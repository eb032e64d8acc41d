//! Law 5 under way: lake and warehouse, asked at the same positions while records stream in, give the same answer every time.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::twice;
use crate::harness::Shop;
use crate::others_read::STREAMS;
use crate::servers::{Servers, truth_of};

/// What is asked at each positions.
const QUESTIONS: [(&str, &str); 6] = [
    ("net_sales", "day"),
    ("orders", "hour"),
    ("units", "product"),
    ("payments", "total"),
    ("active_customers", "day"),
    ("funnel", "step"),
];

/// The warehouse may be commits behind the lake; so often it is asked again.
const TRIES: usize = 2_000;

/// Asks the lake where it is, and both at these positions. The positions.
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

/// Asks until the warehouse has all that is asked for.
fn once_it_is_there(shop: &Shop, asked: &[&str]) -> Value {
    for _ in 0..TRIES {
        let output = shop.run(&[asked, &["--format", "json"]].concat());
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).expect("JSON");
        }
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the warehouse never came to where the lake was: {asked:?}");
}

/// Samples while records stream in, at a rate or as fast as they are read, until all are. How many, each of a question and of positions of
/// its own.
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
    let samples = places.len() * QUESTIONS.len();
    eprintln!(
        "{samples} samples agreed, at {} different positions, while {records} records came in {:?}",
        places.len(),
        since.elapsed()
    );
    let truth = truth_of(simulation);
    server.stop();
    shop.ok(&["prove"]);
    assert_eq!(truth["produced"], records);
    samples
}

#[test]
fn lake_and_warehouse_agree_at_the_same_positions_while_records_stream_in() {
    let samples = agree_while_it_runs(45_000, Some(1_500));
    assert!(samples >= 30, "{samples} were taken");
}

#[test]
#[ignore = "minutes: `make soak`"]
fn lake_and_warehouse_agree_hundreds_of_times_while_records_stream_in() {
    let samples = agree_while_it_runs(900_000, Some(3_000));
    assert!(samples >= 200, "{samples} were taken");
}

/// From nothing again and again: the more there is, the longer a question takes.
#[test]
#[ignore = "minutes: `make soak`"]
fn lake_and_warehouse_agree_a_hundred_times_while_records_are_read_at_full_rate() {
    let mut samples = 0;
    for round in 0.. {
        assert!(round < 20, "{samples} samples in {round} rounds");
        samples += agree_while_it_runs(1_000_000, None);
        if samples >= 100 {
            return;
        }
    }
}
