//! A damaged end of the collector's log: it is refused and kept, the way on is the one that the error names, and the proof is right
//! after it. A warehouse that does not answer is no finding.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{KASSA, Server, Shop};

fn config(commit_interval: &str) -> String {
    format!("[streams.orders]\n[lake]\ncommit_interval = \"{commit_interval}\"\n")
}

fn post(server: &Server, order: &str) {
    let record = format!(r#"{{"event_id":"{order}","occurred_at":"2026-03-28T10:15:00Z","order_id":"{order}"}}"#);
    assert_eq!(server.post("orders", record.as_bytes()).expect("an answer").0, 202);
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), fs::read(path).expect("read")))
        .collect();
    files.sort();
    files
}

fn flip_last_byte(log: &Path) {
    let mut segments = files(log).into_iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "seg"));
    let (segment, mut bytes) = segments.next_back().expect("a segment");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(segment, bytes).expect("written");
}

/// The start is refused with the way on, and nothing is changed by it.
fn refused(shop: &Shop, log: &Path, from: &str, to: &str) {
    let before = files(log);
    for _ in 0..2 {
        let output = shop.run(&["run", "--until-caught-up"]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains("error[K003]") && words.contains("kassa repair --apply"), "{words}");
    }
    assert_eq!(files(log), before, "the evidence is untouched");
    let listed = shop.json(&["repair"]);
    assert_eq!((listed[0]["from"].as_str(), listed[0]["to"].as_str()), (Some(from), Some(to)), "{listed}");
    assert_eq!(files(log), before, "without --apply nothing changes");
}

/// Repairs, and checks that the damaged bytes are in the named file.
fn repair(shop: &Shop) {
    let repaired = shop.json(&["repair", "--apply"]);
    let evidence = repaired[0]["evidence"].as_str().expect("a file");
    assert!(fs::metadata(evidence).expect("it exists").len() > 0);
    assert_eq!(shop.ok(&["repair"]), "ok: the collector's log is whole\n");
}

#[test]
fn a_damaged_last_record_that_the_sinks_have_is_not_lost() {
    let shop = Shop::new(&config("50ms"));
    let server = shop.serve();
    ["a", "b", "c"].iter().for_each(|order| post(&server, order));
    server.stop();
    let log = shop.data().join("log/orders/0");
    flip_last_byte(&log);
    let output = shop.run(&["prove"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("log_corrupt"), "{output:?}");
    refused(&shop, &log, "2", "3");
    repair(&shop);
    let proven = shop.ok(&["prove"]);
    assert!(proven.starts_with("proven: 3 records read = 3 accepted") && !proven.contains("lost"), "{proven}");
    let server = shop.serve();
    post(&server, "d");
    server.stop();
    assert!(shop.ok(&["prove"]).starts_with("proven: 4 records read = 4 accepted"));
}

#[test]
fn a_damaged_last_record_that_no_sink_has_is_recorded_as_lost() {
    let shop = Shop::new(&config("50ms"));
    let server = shop.serve();
    ["a", "b"].iter().for_each(|order| post(&server, order));
    server.stop();
    fs::write(&shop.config, format!("data_dir = \"data\"\n{}", config("10m"))).expect("written");
    let server = shop.serve();
    // After a pause a record is committed at once, and the next one only when the interval is over.
    post(&server, "c");
    server.until_committed();
    post(&server, "lost");
    server.kill();
    let log = shop.data().join("log/orders/0");
    flip_last_byte(&log);
    refused(&shop, &log, "3", "4");
    repair(&shop);
    let server = shop.serve();
    post(&server, "d");
    server.stop();
    let proven = shop.ok(&["prove"]);
    assert!(proven.starts_with("proven: 4 records read = 4 accepted"), "{proven}");
    assert!(proven.contains("lost by the source before it was read: 1 of orders/0 offsets 3 to "), "{proven}");
    let lost = &shop.json(&["prove"])["lost"];
    assert_eq!((&lost[0]["from"], &lost[0]["records"], lost.as_array().map(Vec::len)), (&"3".into(), &1.into(), Some(1)));
}

#[test]
fn a_warehouse_that_does_not_answer_is_not_compared_and_the_rest_is_proven() {
    let shop = Shop::new(&config("50ms"));
    let server = shop.serve();
    post(&server, "a");
    server.stop();
    let away = "[warehouse]\nurl = \"postgres://kassa@127.0.0.1:1/shop\"\n";
    fs::write(&shop.config, format!("data_dir = \"data\"\n{}{away}", config("50ms"))).expect("written");
    let output = shop.run(&["prove"]);
    let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{KASSA}: {words}");
    assert!(said.starts_with("proven: 1 records read"), "{said}");
    assert!(words.contains("error[K022]: could not compare warehouse with the lake") && words.contains("127.0.0.1"), "{words}");
    let proof: Value = serde_json::from_slice(&shop.run(&["prove", "--format", "json"]).stdout).expect("a proof");
    assert_eq!((proof["ok"].as_bool(), proof["findings"].as_array().map(Vec::len)), (Some(false), Some(0)), "{proof}");
    assert_eq!(
        (proof["not_compared"][0]["system"].as_str(), proof["rows"].as_i64().map(|rows| rows > 0)),
        (Some("warehouse"), Some(true))
    );

    // What is wrong in the lake is found all the same.
    flip_last_byte(&shop.data().join("log/orders/0"));
    let output = shop.run(&["prove"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("log_corrupt"));
    // A proof of the last days does not ask the warehouse.
    let since = shop.run(&["prove", "--since", "2999-01-01"]);
    assert!(!String::from_utf8_lossy(&since.stderr).contains("K022"));
}
