//! Law 5 under way: lake and warehouse, asked at the same positions while records stream in, give the same answer every time.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::twice;
use crate::harness::Shop;
use crate::others_read::STREAMS;
use crate::servers::{Servers, truth_of};

/// What is asked, in turn.
const QUESTIONS: [(&str, &str); 6] = [
    ("net_sales", "day"),
    ("orders", "hour"),
    ("units", "product"),
    ("payments", "total"),
    ("active_customers", "day"),
    ("funnel", "step"),
];

/// The warehouse may be a commit behind the lake; so often it is asked again.
const TRIES: usize = 200;

/// Asks the lake where it is, and the warehouse for the same; the positions at which they agreed.
fn agree(shop: &Shop, (figure, by): (&str, &str)) -> String {
    let lake = shop.json(&["figures", figure, "--by", by, "--from", "lake"]);
    let at = shop.dir.path().join("positions.json");
    std::fs::write(&at, lake.to_string()).expect("written");
    let file = at.to_str().expect("UTF-8");
    for _ in 0..TRIES {
        let output = shop.run(&["figures", figure, "--by", by, "--from", "warehouse", "--at", file, "--format", "json"]);
        if output.status.success() {
            let warehouse: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!((&lake["rows"], &lake["positions"]), (&warehouse["rows"], &warehouse["positions"]), "{figure} by {by}");
            return lake["positions"].to_string();
        }
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the warehouse never came to where the lake was: {}", lake["positions"]);
}

/// Samples while records stream in at a rate, for as long as they do; at least so many, each at positions of its own.
fn agree_while_it_runs(records: u64, rate: u64, samples: usize) {
    let servers = Servers::start();
    let avro = STREAMS.map(|stream| format!("{stream}_avro"));
    servers.create_topics(STREAMS.into_iter().chain(avro.iter().map(String::as_str)), 2);
    let shop = servers.shop_in_folder(&format!("{}[lake]\ncommit_interval = \"100ms\"\n", twice()));
    let server = shop.serve();
    let mut simulation = servers.simulate(&["--records", &records.to_string(), "--rate", &rate.to_string(), "--format", "mixed"]);
    let (mut compared, mut places) = (0, BTreeSet::new());
    while simulation.try_wait().expect("a process").is_none() {
        places.insert(agree(&shop, QUESTIONS[compared % QUESTIONS.len()]));
        compared += 1;
    }
    eprintln!(
        "{compared} samples agreed, at {} different positions, while {records} records came at {rate} a second",
        places.len()
    );
    assert!(
        places.len() >= samples,
        "{} of {compared} samples were at positions of their own, {samples} are wanted",
        places.len()
    );
    let truth = truth_of(simulation);
    super::until_all_have(&server, records);
    server.stop();
    shop.ok(&["prove"]);
    assert_eq!(truth["produced"], records);
}

#[test]
fn lake_and_warehouse_agree_at_the_same_positions_while_records_stream_in() {
    agree_while_it_runs(45_000, 1_500, 5);
}

#[test]
#[ignore = "minutes: `make soak`"]
fn lake_and_warehouse_agree_a_hundred_times_while_records_stream_in() {
    agree_while_it_runs(900_000, 3_000, 100);
}
