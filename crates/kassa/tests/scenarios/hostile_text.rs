//! Texts that attack whoever reads them, in every field of every kind of record: whatever kassa prints, logs or answers contains none
//! of their characters, and JSON returns the texts exactly.

use std::process::Output;

use kassa_model::printable::is_hidden;
use serde_json::Value;

use crate::harness::{Server, Shop, http, said};

/// A class of characters each.
const EVIL: [&str; 9] = [
    "\u{1b}]0;PWNED\u{7}\u{1b}[31mred",
    "C1 \u{9b}31m \u{9d}0;x\u{9c}",
    "\u{202e}gnp.exe\u{2066}\u{2069}",
    "pay\u{200b}pal\u{feff}\u{200e}\u{61c}",
    "x\u{2028}y\u{2029}z\u{85}",
    "\u{fffd}\u{e0041}\u{ad}",
    "del\u{7f}\0",
    "over\rwritten\nerror[K020]: forged",
    "=cmd|' /C calc'!A0\u{9b}",
];
/// A field that no contract has.
const UNKNOWN: &str = "un\u{202e}known\u{9b}";
/// Records of each stream.
const RECORDS: usize = 200;

/// The first character that a terminal or a page would obey.
fn raw(text: &str) -> Option<char> {
    text.chars().find(|at| is_hidden(*at) && !matches!(at, '\n' | '\t' | '\u{200c}' | '\u{200d}'))
}

#[track_caller]
fn is_safe(what: &str, output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{what} printed bytes that are not UTF-8"));
        if let Some(at) = raw(text) {
            let line = text.lines().find(|line| line.contains(at)).unwrap_or_default();
            panic!("{what} printed {at:?}: {line:?}");
        }
    }
    // On stdout, CSV and the value of a dead letter have line ends.
    let words = said(output);
    assert!(!words.lines().any(|line| line.starts_with("error[K020]")), "{what} printed a forged line: {words}");
}

/// Replaces one of the texts in a record, counted through its objects and arrays.
fn plant(value: &mut Value, at: &mut usize, evil: &str) {
    match value {
        Value::String(text) if *at == 0 => {
            evil.clone_into(text);
            *at = usize::MAX;
        }
        Value::String(_) => *at = at.saturating_sub(1),
        Value::Array(items) => items.iter_mut().for_each(|item| plant(item, at, evil)),
        Value::Object(fields) => fields.values_mut().for_each(|field| plant(field, at, evil)),
        _ => {}
    }
}

fn texts(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(texts).sum(),
        Value::Object(fields) => fields.values().map(texts).sum(),
        _ => 0,
    }
}

/// The records of a stream, each with another of its texts replaced. Those that the simulation has broken are left out.
fn spoiled(lines: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let records = lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    for (nth, mut record) in records.filter(Value::is_object).take(RECORDS).enumerate() {
        let count = texts(&record).max(1);
        plant(&mut record, &mut (nth % count), EVIL[nth / count % EVIL.len()]);
        record[UNKNOWN] = Value::from(EVIL[nth % EVIL.len()]);
        body.extend_from_slice(record.to_string().as_bytes());
        body.push(b'\n');
    }
    body
}

/// A shop in whose lake every kind of record has such texts, and dead letters too.
fn poisoned() -> (Shop, Server) {
    let shop = Shop::new("[lake]\ncommit_interval = \"100ms\"\n");
    let made = shop.dir.path().join("made");
    let simulate = ["simulate", "--records", "20000", "--per-day", "1000", "--to"];
    let output = std::process::Command::new(crate::harness::KASSA).args(simulate).arg(&made).output().expect("started");
    assert!(output.status.success(), "{}", said(&output));
    let server = shop.serve();
    let mut streams = 0;
    for entry in std::fs::read_dir(&made).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "ndjson") {
            continue;
        }
        let stream = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let body = spoiled(&std::fs::read(&path).expect("records"));
        let (status, answer) = http(&server.address, "POST", &format!("/v1/{stream}"), &body).expect("an answer");
        assert_eq!(status, 202, "{stream}");
        assert_eq!(raw(std::str::from_utf8(&answer).expect("UTF-8")), None, "{stream}: the receipt");
        streams += 1;
    }
    assert!(streams >= 8, "{streams} kinds of records");
    for bytes in EVIL.iter().map(|evil| evil.as_bytes()).chain([&b"\xff\x1b[2J"[..], b"{\"\x1b"]) {
        server.post("events", bytes).expect("an answer");
    }
    server.until_committed();
    (shop, server)
}

#[test]
fn no_command_and_no_answer_contains_a_character_that_attacks_its_reader() {
    let (shop, server) = poisoned();
    answers(&server);
    let top = shop.run(&["top", "--once", "--url", &format!("http://{}", server.address)]);
    is_safe("top", &top);
    server.stop();
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["prove"],
        vec!["doctor"],
        vec!["check"],
        vec!["config", "show", "--origin"],
        vec!["dead-letters", "replay", "--dry-run"],
        vec!["rebuild"],
        vec!["figures", EVIL[0]],
        vec!["figures", "net_sales", "--by", EVIL[2]],
        vec!["sql", "SELECT \"\u{1b}[2J\u{202e}\" FROM dim_product_current"],
        vec!["sql", "SELECT CAST(name AS BIGINT) FROM dim_product_current"],
        vec!["dead-letters", "show", EVIL[1]],
        vec!["replay", "--stream", EVIL[2], EVIL[2]],
        vec!["replay", "--stream", "events", EVIL[0]],
        vec!["--\u{1b}[31m\u{202e}"],
    ];
    for by in ["product", "category", "channel", "customer", "country"] {
        commands.push(vec!["figures", "net_sales", "--by", by]);
    }
    let tables = shop.json(&["sql", "SHOW TABLES"]);
    let names = tables.as_array().expect("rows").iter().filter_map(|row| row["table_name"].as_str());
    let queries: Vec<String> = names.map(|name| format!("SELECT * FROM \"{name}\" LIMIT 2000")).collect();
    assert!(queries.len() > 20, "{tables}");
    commands.extend(queries.iter().map(|query| vec!["sql", query.as_str()]));
    commands.push(vec!["dead-letters", "list", "--limit", "100000"]);
    for command in &commands {
        is_safe(&format!("{command:?}"), &shop.run(command));
        for format in ["csv", "json"] {
            let output = shop.command(command).args(["--format", format]).env("KASSA_LOG", "debug").output().expect("started");
            is_safe(&format!("{command:?} as {format}"), &output);
        }
    }
    letters(&shop);
    let rows = shop.json(&["sql", "SELECT extra FROM fact_event WHERE extra IS NOT NULL"]);
    let extras =
        rows.as_array().expect("rows").iter().filter_map(|row| serde_json::from_str::<Value>(row["extra"].as_str()?).ok());
    let kept = extras.filter(|extra| extra[UNKNOWN] == *EVIL[2]).count();
    assert!(kept > 0, "JSON returns a text exactly: {rows}");
}

/// Each dead letter, for people and as JSON; and the log of a command that reads all of them.
fn letters(shop: &Shop) {
    let list = shop.json(&["dead-letters", "list", "--limit", "100000"]);
    let list = list.as_array().expect("rows");
    assert!(list.len() > 20, "{} dead letters", list.len());
    for letter in list.iter().step_by(list.len() / 20) {
        let part = |name: &str| letter[name].as_str().expect("a text").to_owned();
        let id = [part("topic"), part("partition"), part("offset")].join("/");
        is_safe(&id, &shop.run(&["dead-letters", "show", &id]));
        is_safe(&id, &shop.run(&["dead-letters", "show", &id, "--format", "json"]));
    }
    let logged = shop.command(&["dead-letters", "replay", "--dry-run"]).env("KASSA_LOG", "trace").output().expect("started");
    is_safe("the log", &logged);
}

fn answers(server: &Server) {
    let pages = [
        "/api/v1/pipeline",
        "/api/v1/figures/net_sales?by=product",
        "/api/v1/figures/net_sales?by=category",
        "/api/v1/figures/net_sales?by=channel",
        "/api/v1/figures/net_sales?by=customer",
        "/api/v1/figures/%1B%5B2J?by=%E2%80%AE",
        "/api/v1/figures/net_sales?by=%E2%80%AE%C2%9B",
        "/api/v1/orders",
        "/api/v1/orders?product=%1B%C2%9B",
        "/api/v1/orders?limit=%1B%C2%9B",
        "/%1B%C2%9B%E2%80%AE",
        "/metrics",
        "/readyz",
    ];
    for page in pages {
        let (_, body) = http(&server.address, "GET", page, b"").expect("an answer");
        assert_eq!(raw(std::str::from_utf8(&body).expect("UTF-8")), None, "{page}");
    }
    for event in ["live", "pipeline"] {
        assert!(server.pushed(event).is_object(), "{event}");
    }
}
