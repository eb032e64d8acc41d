//! The demo ends by itself, equal to its truth, and what it leaves behind answers the other commands.

use std::process::Command;

use serde_json::Value;

use crate::harness::{KASSA, Shop};

fn demo(dir: &std::path::Path, seed: &str) -> Value {
    let args = ["demo", "--for", "3s", "--rate", "500", "--seed", seed, "--listen", "127.0.0.1:0", "--dir"];
    let output = Command::new(KASSA).args(args).arg(dir).output().expect("started");
    let words = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words}");
    assert!(words.contains("every figure is equal"), "{words}");
    assert!(words.contains("dashboard  http://127.0.0.1:") && !words.contains(":0/"), "{words}");
    assert!(words.contains("next: kassa figures"), "{words}");
    for figure in ["return_rate", "funnel paid", "repeat_rate", "payments", "by day", "by day of order", "malformed"] {
        assert!(words.lines().any(|line| line.starts_with(figure) && line.ends_with("  equal")), "{figure}: {words}");
    }
    let next = words.lines().find_map(|line| line.strip_prefix("next: ")).expect("a next command");
    let bin = std::path::Path::new(KASSA).parent().expect("a folder").display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").expect("a path"));
    assert!(Command::new("sh").args(["-c", next]).env("PATH", path).output().expect("sh").status.success(), "{next}");
    serde_json::from_slice(&std::fs::read(dir.join("truth.json")).expect("truth.json")).expect("JSON")
}

#[test]
fn a_demo_equals_its_truth_and_the_same_seed_gives_the_same_truth() {
    let (one, two, other) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let truth = demo(one.path(), "7");
    assert_eq!(truth, demo(two.path(), "7"));
    assert_ne!(truth, demo(other.path(), "8"));
    assert_eq!(truth["produced"], 500 * 60 * 8 + 1_500);
    assert!(truth["duplicates"].as_i64() > Some(0) && truth["malformed"].as_i64() > Some(0));

    let config = one.path().join("kassa.toml");
    let kassa = |args: &[&str]| {
        let output = Command::new(KASSA).args(args).arg("-c").arg(&config).output().expect("started");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let answer: Value = serde_json::from_str(&kassa(&["figures", "net_sales", "--format", "json"])).expect("JSON");
    let plain = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    assert_eq!(
        plain(answer["rows"][0]["value"].as_str().expect("a value")),
        plain(truth["figures"]["net_sales"].as_str().expect("a value"))
    );
    let letters: Value =
        serde_json::from_str(&kassa(&["dead-letters", "list", "--format", "json", "--limit", "1000000"])).expect("JSON");
    assert_eq!(letters.as_array().map(Vec::len), truth["malformed"].as_u64().and_then(|count| usize::try_from(count).ok()));
    kassa(&["prove"]);
    for (asked, expected) in
        [(["--reason", "not_jsn"], "did you mean `not_json`?"), (["--stream", "ordrs"], "did you mean `orders`?")]
    {
        let list = ["dead-letters", "list", asked[0], asked[1]];
        let output = Command::new(KASSA).args(list).arg("-c").arg(&config).output().expect("started");
        assert_eq!(output.status.code(), Some(2), "{asked:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected), "{asked:?}");
    }
    let elsewhere = Command::new(KASSA).args(["prove", "-c"]).arg(&config).arg("--data-dir").arg(one.path().join("no")).output();
    assert!(String::from_utf8_lossy(&elsewhere.expect("started").stderr).contains("note: there is no lake yet at "));
}

#[test]
fn a_demo_clears_nothing_but_what_a_demo_has_left_and_nothing_under_one_that_runs() {
    let shop = Shop::new("[streams.orders]\n");
    let demo = |dir: &std::path::Path| {
        let args = ["demo", "--for", "1s", "--rate", "10", "--listen", "127.0.0.1:0", "--dir"];
        let output = Command::new(KASSA).args(args).arg(dir).output().expect("started");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let server = shop.serve();
    server.post("orders", br#"{"event_id":"1","occurred_at":"2026-03-28T10:15:00Z","order_id":"1"}"#).expect("an answer");
    server.stop();
    let config = std::fs::read_to_string(&shop.config).expect("read");
    let (status, words) = demo(shop.dir.path());
    assert!(status == Some(2) && words.contains("contains files that are not from a demo"), "{words}");
    assert_eq!(std::fs::read_to_string(&shop.config).expect("read"), config);
    assert_eq!(shop.ok(&["figures", "orders"]).lines().count(), 3, "the lake is there still");
    shop.ok(&["prove"]);

    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(demo(dir.path()).0, Some(0));
    let lock = std::fs::File::options().write(true).open(dir.path().join("data/kassa.lock")).expect("a lock");
    lock.lock().expect("locked");
    let (status, words) = demo(dir.path());
    assert!(status == Some(1) && words.contains("error[K001]"), "{words}");
    assert!(dir.path().join("data/lake/DWH/spans").is_dir(), "what runs there keeps its data");
    drop(lock);
    assert_eq!(demo(dir.path()).0, Some(0), "an earlier demo's folder is used anew");
}
