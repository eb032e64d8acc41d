//! Checkpoints: a start reads what lies beyond the last one, and no answer depends on there being one.

use std::fs;
use std::path::PathBuf;

use kassa_engine::checkpoint::Sizes;
use serde_json::Value;

use crate::harness::{Server, Shop};

const CONFIG: &str = r#"
[shop]
name = "Checkpoint"
time_zone = "Europe/London"
currency = "GBP"
[lake]
commit_interval = "50ms"
compact_after_files = 6
"#;

/// What the program says when it begins without a checkpoint.
const REBUILT: &str = "no usable checkpoint";

fn shop() -> Shop {
    Shop::new(CONFIG)
}

fn serve(shop: &Shop) -> Server {
    shop.serve_with(&[("KASSA_LOG", "info")])
}

fn line(id: u64, price: u64) -> String {
    format!(
        r#"{{"event_id":"l{id}","occurred_at":"2026-03-{:02}T10:30:00Z","order_id":"o{id}","line_id":"{id}","product_id":"p{}","quantity":1,"unit_price":"{price}.50","currency":"GBP","customer_id":"c{id}"}}"#,
        id % 28 + 1,
        id % 7
    )
}

fn post(server: &Server, ids: std::ops::Range<u64>) {
    let lines: Vec<String> = ids.map(|id| line(id, 10)).collect();
    let (status, answer) = server.post("order_lines", lines.join("\n").as_bytes()).expect("an answer");
    assert_eq!(status, 202, "{answer}");
}

/// Everything that the server answers from memory.
fn answers(server: &Server) -> Vec<Value> {
    let figures = ["net_sales?by=day", "orders?by=product", "new_customers?by=month", "units?by=customer", "aov?by=week"];
    let mut all: Vec<Value> =
        figures.iter().map(|figure| server.get(&format!("/api/v1/figures/{figure}"))["rows"].clone()).collect();
    let pipeline = server.get("/api/v1/pipeline");
    all.extend([pipeline["records"].clone(), pipeline["dead_letters"]["by_reason"].clone()]);
    all
}

/// Stops the server; what it answered last, and all that it has said.
fn stopped(server: Server) -> Vec<Value> {
    server.until_committed();
    let answers = answers(&server);
    server.stop();
    answers
}

fn manifest(shop: &Shop) -> PathBuf {
    shop.data().join("state/checkpoint/manifest")
}

/// Starts again; whether it began from a checkpoint, and what it answers.
fn again(shop: &Shop) -> (bool, Vec<Value>) {
    let mut server = serve(shop);
    let answers = answers(&server);
    server.child.kill().expect("killed");
    server.child.wait().expect("ended");
    (!server.words().contains(REBUILT), answers)
}

/// A shop with a thousand lines, a duplicate and a dead letter, and what is answered of it.
fn filled() -> (Shop, Vec<Value>) {
    let shop = shop();
    let server = serve(&shop);
    (0..10).for_each(|part| post(&server, part * 100..(part + 1) * 100));
    post(&server, 5..6);
    server.post("order_lines", b"{\"event_id\":\"x\"}").expect("an answer");
    let answers = stopped(server);
    (shop, answers)
}

#[test]
fn a_start_from_a_checkpoint_answers_as_one_without() {
    let (shop, before) = filled();
    assert!(manifest(&shop).exists());
    assert_eq!(again(&shop), (true, before.clone()));
    fs::remove_dir_all(shop.data().join("state")).expect("deleted");
    assert_eq!(again(&shop), (false, before), "deleting it changes no answer");
}

#[test]
fn what_was_decided_before_a_checkpoint_stays_decided() {
    let (shop, _) = filled();
    let server = serve(&shop);
    // A repeat, a contradiction and a customer who is known.
    post(&server, 990..1_000);
    server.post("order_lines", line(7, 99).as_bytes()).expect("an answer");
    let other = line(2_000, 10).replace("\"c2000\"", "\"c7\"");
    server.post("order_lines", other.as_bytes()).expect("an answer");
    server.until_committed();
    let totals = server.get("/api/v1/pipeline")["records"].clone();
    server.stop();
    assert_eq!((&totals["accepted"], &totals["duplicates"], &totals["dead_letters"]), (&1_001.into(), &11.into(), &2.into()));
    let customers = shop.json(&["sql", "SELECT count(*) AS n FROM dim_customer"]);
    assert_eq!(customers[0]["n"], "1000", "each is written once");
    shop.ok(&["prove"]);
}

#[test]
fn damage_is_seen_and_the_state_rebuilt() {
    let (shop, before) = filled();
    let state = shop.data().join("state");
    let saved: Vec<PathBuf> = ["checkpoint", "dedupe"]
        .iter()
        .flat_map(|dir| fs::read_dir(state.join(dir)).expect("a folder").map(|entry| entry.expect("an entry").path()))
        .collect();
    assert!(saved.len() >= 5, "{saved:?}");
    let kept = tempfile::TempDir::new().expect("a folder");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
        assert!(status.success());
    };
    copy(&state, kept.path());
    for path in &saved {
        let whole = fs::read(path).expect("read");
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(path, flipped).expect("written");
        let (loaded, answers) = again(&shop);
        assert!(!loaded, "{} was damaged", path.display());
        assert_eq!(answers, before, "{} was damaged", path.display());
        fs::remove_dir_all(&state).expect("deleted");
        copy(&kept.path().join("state"), &shop.data());
    }
    assert_eq!(again(&shop), (true, before), "put right again, it is one");
}

#[test]
fn a_lake_that_was_restored_from_a_backup_is_read_anew() {
    let (shop, _) = filled();
    let lake = shop.data().join("lake");
    let backup = shop.dir.path().join("backup");
    let copy = |from: &PathBuf, to: &PathBuf| {
        let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
        assert!(status.success());
    };
    copy(&lake, &backup);
    let server = serve(&shop);
    post(&server, 1_000..1_400);
    let after = stopped(server);
    fs::remove_dir_all(&lake).expect("deleted");
    copy(&backup, &lake);
    let mut server = serve(&shop);
    server.until_committed();
    let answers = answers(&server);
    server.child.kill().expect("killed");
    assert!(server.words().contains("it is ahead of a sink"), "the checkpoint says more than the lake holds");
    assert_eq!(answers[0], after[0], "the log still has what the lake had lost");
}

#[test]
fn a_replay_of_dead_letters_and_other_settings_make_a_checkpoint_unusable() {
    let (shop, _) = filled();
    let config = fs::read_to_string(&shop.config).expect("read");
    let mapped = format!(
        "{config}\n[streams.order_lines]\nmap = \"SELECT coalesce(occurred_at, '2026-03-01T00:00:00Z') AS occurred_at, event_id, coalesce(order_id, 'o-mended') AS order_id, coalesce(line_id, 'mended') AS line_id, coalesce(product_id, 'p1') AS product_id, coalesce(quantity, '1') AS quantity, coalesce(unit_price, '3.25') AS unit_price, coalesce(currency, 'GBP') AS currency, customer_id FROM input\"\n"
    );
    fs::write(&shop.config, mapped).expect("written");
    shop.ok(&["dead-letters", "replay"]);
    let (loaded, answers) = again(&shop);
    assert!(!loaded, "rows of a replay lie behind the positions");
    assert_eq!(answers[5]["dead_letters"], 1, "{}", answers[5]);
    let net = shop.figure("net_sales");
    assert!(net.starts_with("10503.25"), "{net}");
    let server = serve(&shop);
    let live = server.get("/api/v1/figures/net_sales");
    assert_eq!(live["rows"][0]["value"].as_str(), Some(net.as_str()));
    server.stop();
    assert!(again(&shop).0, "and a start later there is another");
    let text = fs::read_to_string(&shop.config).expect("read").replace("Europe/London", "America/New_York");
    fs::write(&shop.config, text).expect("written");
    assert!(!again(&shop).0, "other days");
}

#[test]
fn the_state_on_disk_is_stated_by_kind() {
    let shop = shop();
    let server = serve(&shop);
    post(&server, 0..100);
    stopped(server);
    let state = shop.data().join("state");
    let sizes = Sizes::of(&state).expect("a checkpoint");
    // A line has two keys: its event's id and its own.
    assert!(sizes.money_keys >= 200 * 16 && sizes.members > 0 && sizes.figures > 0, "{sizes:?}");
    let size = |entry: std::io::Result<fs::DirEntry>| entry.and_then(|entry| entry.metadata()).expect("a file").len();
    let of = |folder: &str| fs::read_dir(state.join(folder)).expect("a folder").map(size).sum::<u64>();
    let stated = sizes.money_keys + sizes.event_keys + sizes.members + sizes.figures + sizes.rest;
    assert!(stated <= of("checkpoint") + of("dedupe"), "{sizes:?}");
}
