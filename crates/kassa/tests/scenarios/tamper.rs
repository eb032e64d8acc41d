//! Proof that can fail: whatever is changed behind kassa's back, `prove` says so, and where.

use std::fs;
use std::path::Path;
use std::process::Command;

use arrow::array::{AsArray, RecordBatch};
use serde_json::{Value, json};

use crate::harness::{KASSA, Server, Shop};

mod cases;
pub(crate) mod surgery;

/// Few files stay small files, so that the tamperer finds what was written.
const CONFIG: &str = r#"
[shop]
name = "Tampered"
time_zone = "Europe/London"
currency = "GBP"
[lake]
commit_interval = "100ms"
compact_after_files = 1000
checkpoint_interval = 1000
[proof]
delay = "1h"
"#;

fn order(revision: i64, lines: &[(&str, i64)]) -> String {
    let lines: Vec<Value> = lines
        .iter()
        .map(|(id, quantity)| json!({"line_id": id, "product_id": "p-nested", "quantity": quantity.to_string(), "unit_price": "7.50"}))
        .collect();
    json!({"event_id": format!("nested-{revision}"), "occurred_at": format!("2026-01-05T10:0{revision}:00Z"), "order_id": "nested",
        "revision": revision, "placed_at": "2026-01-05T10:00:00Z", "customer_id": "c-nested", "currency": "GBP", "lines": lines})
    .to_string()
}

/// A lake with all that there is: the synthetic shop's records, orders that repeat their lines, conflicts, a file.
fn good(config: &str) -> Shop {
    let shop = Shop::new(config);
    let server = shop.serve();
    // Commits of their own: tables of several files.
    for part in [
        [order(1, &[("a", 1), ("b", 2)]), order(2, &[("a", 1), ("b", 2), ("c", 3)])].join("\n"),
        // The same revision with another quantity, a line of another size, a record sent twice.
        [order(2, &[("a", 9)]), order(3, &[("a", 5)]), order(4, &[("a", 1), ("d", 4)]), order(4, &[("a", 1), ("d", 4)])]
            .join("\n"),
    ] {
        assert_eq!(server.post("orders", part.as_bytes()).expect("an answer").0, 202);
        server.until_committed();
    }
    let to = format!("http://{}", server.address);
    // Three spans at least: the one that is tampered with lies between two others.
    for seed in ["1", "2", "3"] {
        let simulated =
            Command::new(KASSA).args(["simulate", "--records", "4000", "--per-day", "400", "--seed", seed, "--to", &to]).output();
        assert!(simulated.expect("simulate").status.success());
        server.until_committed();
    }
    server.stop();
    let file = shop.dir.path().join("lines.ndjson");
    let line = |id: u64| {
        json!({"event_id": format!("f{id}"), "occurred_at": "2026-01-06T10:00:00Z", "order_id": "f", "line_id": id.to_string(),
            "product_id": "p", "quantity": "1", "unit_price": "2", "currency": "GBP"})
        .to_string()
    };
    fs::write(&file, (0..50).map(line).collect::<Vec<_>>().join("\n")).expect("written");
    shop.ok(&["replay", "--stream", "order_lines", file.to_str().expect("UTF-8")]);
    shop
}

/// A finding as it is expected; what is not named may be anything.
#[derive(Debug, Default, Clone)]
pub(crate) struct Expected {
    pub(crate) kind: &'static str,
    pub(crate) table: String,
    pub(crate) topic: Option<String>,
    pub(crate) offsets: Option<(i64, i64)>,
}

impl Expected {
    fn is(&self, finding: &Value) -> bool {
        let says = |key: &str, value: &str| finding[key] == json!(value);
        let range = |(from, to): (i64, i64)| says("from", &from.to_string()) && says("to", &to.to_string());
        says("kind", self.kind)
            && says("table", &self.table)
            && self.topic.as_deref().is_none_or(|topic| says("topic", topic) && finding["partition"].is_string())
            && self.offsets.is_none_or(range)
    }
}

fn prove(data: &Path, config: &Path) -> (Option<i32>, Vec<Value>) {
    let mut command = Command::new(KASSA);
    command.args(["prove", "--format", "json", "-c"]).arg(config).arg("--data-dir").arg(data);
    let output = command.output().expect("started");
    let proof: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), proof["findings"].as_array().expect("findings").clone())
}

#[test]
fn whatever_is_tampered_with_is_named() {
    let shop = good(CONFIG);
    assert_eq!(prove(&shop.data(), &shop.config), (Some(0), Vec::new()), "an untouched lake is proven");
    let reasons = shop.json(&["sql", "SELECT reason, count(*) AS n FROM rejected GROUP BY reason"]);
    assert!(reasons.to_string().contains("conflict"), "{reasons}");
    let mut unnamed = Vec::new();
    for case in cases::all() {
        let body = surgery::Body { data: shop.dir.path().join("copy") };
        surgery::copy(&shop.data(), &body.data);
        println!("{}", case.name);
        let expected = (case.tamper)(&body);
        let (code, findings) = prove(&body.data, &shop.config);
        let named = expected.iter().all(|expected| findings.iter().any(|finding| expected.is(finding)));
        // Other findings must be of the same place: a proof that reports findings everywhere shows nothing.
        let strays = findings.iter().filter(|finding| !expected.iter().any(|expected| expected.is(finding))).count();
        if code != Some(1) || !named || strays > case.strays {
            let said: Vec<String> = findings.iter().take(6).map(Value::to_string).collect();
            unnamed.push(format!("{}: exit {code:?}, expected {expected:?}, found\n  {}", case.name, said.join("\n  ")));
        }
        fs::remove_dir_all(&body.data).expect("removed");
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
}

#[test]
fn a_running_server_proves_itself_and_names_what_was_tampered_with() {
    let shop = good(CONFIG);
    let config = fs::read_to_string(&shop.config).expect("a configuration");
    let often = config.replace("delay = \"1h\"", "delay = \"100ms\"\ninterval = \"200ms\"");
    fs::write(&shop.config, often).expect("written");
    let server = shop.serve();
    let proof = until_proven(&server, "");
    assert_eq!((&proof["ok"], &proof["findings"]), (&json!(true), &json!([])));
    // It judges one set of versions while rows come.
    let mut last = proof["at"].as_str().expect("a time").to_owned();
    for id in 0..40 {
        let lines: Vec<String> = (0..50).map(|line| format!(r#"{{"event_id":"w{id}-{line}","occurred_at":"2026-01-07T10:00:00Z","order_id":"w{id}","line_id":"{line}","product_id":"p{line}","quantity":1,"unit_price":"3","currency":"GBP"}}"#)).collect();
        assert_eq!(server.post("order_lines", lines.join("\n").as_bytes()).expect("an answer").0, 202);
        let proof = server.get("/api/v1/pipeline")["proof"].clone();
        assert_eq!(proof["ok"], json!(true), "{proof}");
    }
    last = until_proven(&server, &last)["at"].as_str().expect("a time").to_owned();
    server.until_committed();
    let body = surgery::Body { data: shop.data() };
    let at = body.alter("DWH/fact_sales", &|rows, row| surgery::text(rows, row, "source_topic") == "order_lines", "tax_amount");
    // The proof under way may have read the row before it was altered.
    last = until_proven(&server, &last)["at"].as_str().expect("a time").to_owned();
    let proof = until_proven(&server, &last);
    assert_eq!(proof["ok"], json!(false), "{proof}");
    let expected = Expected {
        kind: "altered",
        table: "fact_sales".into(),
        topic: Some(at.topic),
        offsets: Some((at.offset, at.offset + 1)),
    };
    assert!(proof["findings"].as_array().expect("findings").iter().any(|finding| expected.is(finding)), "{proof}");
    let (_, metrics) = crate::harness::http(&server.address, "GET", "/metrics", b"").expect("metrics");
    assert!(String::from_utf8_lossy(&metrics).contains("kassa_proof_findings 1"));
    server.stop();
}

#[test]
fn a_proof_since_a_day_states_what_it_covers() {
    let shop = Shop::new(CONFIG);
    let server = shop.serve();
    assert_eq!(server.post("orders", order(1, &[("a", 1), ("b", 2)]).as_bytes()).expect("an answer").0, 202);
    server.until_committed();
    server.stop();
    let proof = shop.json(&["prove", "--since", "2020-01-01"]);
    assert_eq!((&proof["ok"], &proof["records"], &proof["since"]["day"]), (&json!(true), &json!(1), &json!("2020-01-01")));
    let whole = json!([{"topic": "orders", "partition": "0", "from": "0", "to": "1"}]);
    assert_eq!(proof["since"]["partitions"], whole);
    let later = shop.json(&["prove", "--since", "2199-12-31"]);
    assert_eq!((&later["ok"], &later["records"], &later["since"]["partitions"]), (&json!(true), &json!(0), &json!([])));
    assert!(shop.json(&["prove"])["since"].is_null());
    assert_eq!(shop.run(&["prove", "--since", "yesterday"]).status.code(), Some(2));
    // The row is missing as long as its day is part of the proof.
    let body = surgery::Body { data: shop.data() };
    let at = body.drop_row("DWH/fact_order", &|_, _| true);
    let output = shop.run(&["prove", "--format", "json", "--since", "2020-01-01"]);
    let proof: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let offsets = Some((at.offset, at.offset + 1));
    let expected = Expected { kind: "missing", table: "fact_order".into(), topic: Some(at.topic), offsets };
    assert!(proof["findings"].as_array().expect("findings").iter().any(|finding| expected.is(finding)), "{proof}");
    assert_eq!(output.status.code(), Some(1));
    shop.ok(&["prove", "--since", "2199-12-31"]);
}

/// The first proof that was made after a time.
fn until_proven(server: &Server, after: &str) -> Value {
    let is_after = |proof: &Value| proof["at"].as_str().is_some_and(|at| at > after);
    server.until(|pipeline| is_after(&pipeline["proof"]))["proof"].clone()
}

pub(crate) fn is_true(rows: &RecordBatch, row: usize, name: &str) -> bool {
    rows.column_by_name(name).expect(name).as_boolean().value(row)
}
