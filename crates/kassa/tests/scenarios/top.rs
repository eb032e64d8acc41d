//! `kassa top` with a running kassa: a snapshot, and a session on a real terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{KASSA, Server, Shop};

fn at_work() -> (Shop, Server) {
    let shop = Shop::new(
        "[shop]\nname = \"Watched\"\n[streams.orders]\n[streams.sales]\ncontract = \"order_line\"\n[server]\nlisten = \"127.0.0.1:1\"\n",
    );
    let server = shop.serve();
    let order = r#"{"event_id":"1","occurred_at":"2026-01-05T10:00:00Z","order_id":"1"}"#;
    assert_eq!(server.post("orders", format!("{order}\n{{}}\n").as_bytes()).map(|(status, _)| status), Some(202));
    server.until_committed();
    (shop, server)
}

fn top(server: &Server, args: &[&str]) -> (String, Option<i32>) {
    let url = format!("http://{}", server.address);
    let output = Command::new(KASSA).args(["top", "--url", &url]).args(args).output().expect("started");
    (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code())
}

#[test]
fn a_snapshot_equals_the_api() {
    let (shop, server) = at_work();
    let (text, code) = top(&server, &["--once", "--format", "json"]);
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(code, Some(0));
    let pipeline = server.get("/api/v1/pipeline");
    assert_eq!(told["pipeline"]["partitions"], pipeline["partitions"]);
    assert_eq!(told["pipeline"]["records"], pipeline["records"]);
    assert_eq!(told["live"]["shop"]["name"], "Watched");
    for sink in pipeline["sinks"].as_array().expect("sinks") {
        let took = sink["commit_us"].as_i64().expect("it has committed");
        assert!(took > 0 && sink["commit_us_max"].as_i64().expect("it has committed") >= took, "{sink}");
    }
    // Without a terminal it prints one snapshot, with or without the flag.
    let (text, code) = top(&server, &[]);
    assert_eq!(code, Some(0));
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    assert!(line("kassa top").contains("Watched"), "{text}");
    assert!(text.contains("2 read = 1 accepted + 0 duplicates + 1 dead letters"), "{text}");
    assert!(line("missing_field").ends_with('1'), "{text}");
    assert_eq!(line("orders/0").split_whitespace().collect::<Vec<_>>(), ["orders/0", "0", "2", "0", "0", "–", "0"]);
    let (_, metrics) = crate::harness::http(&server.address, "GET", "/metrics", b"").expect("an answer");
    let metrics = String::from_utf8(metrics).expect("UTF-8");
    assert!(metrics.contains("kassa_dead_letters{reason=\"missing_field\",stream=\"orders\"} 1\n"), "{metrics}");
    assert!(metrics.contains("kassa_sink_commit_seconds{sink=\"lake\"} 0."), "{metrics}");
    server.stop();
    // The server has stopped; the address comes from the configuration.
    let output = shop.run(&["top", "--once"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("error[K015]: no data from http://127.0.0.1:1: ") && words.contains("start `kassa run`"), "{words}");
    assert_eq!(output.status.code(), Some(2));
}

/// Runs it on its own terminal and presses these keys when it is drawn. Returns the whole output.
fn session(server: &Server, keys: &[u8]) -> String {
    let inner =
        format!("stty rows 40 cols 110; stty -g; {KASSA} top --url http://{}; echo \"left with $?\"; stty -g", server.address);
    // A program that does not end is a failure; do not wait for ever.
    let mut script = Command::new("timeout")
        .args(["60", "script", "-qefc", &inner, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script, of the package bsdutils");
    let (mut written, mut stdin) = (script.stdout.take().expect("piped"), script.stdin.take().expect("piped"));
    let (mut seen, mut buffer, mut is_pressed) = (Vec::new(), [0; 4_096], false);
    while let Ok(read @ 1..) = written.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        if !is_pressed && seen.windows(7).any(|bytes| bytes == b"Watched") {
            is_pressed = true;
            stdin.write_all(keys).expect("pressed");
        }
    }
    drop(stdin);
    script.wait().expect("ended");
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn the_terminal_is_restored() {
    let (_shop, server) = at_work();
    for keys in [&b"q"[..], b"\x03"] {
        let seen = session(&server, keys);
        let (before, rest) = seen.split_once("\u{1b}[?1049h").expect("another screen");
        let (drawn, after) = rest.split_once("\u{1b}[?1049l").expect("and back");
        assert!(drawn.contains("Watched"), "{drawn}");
        assert!(after.contains("left with 0"), "{after}");
        let settings =
            |text: &str| text.lines().map(str::trim).filter(|line| line.matches(':').count() > 10).map(str::to_owned).next_back();
        assert!(settings(before).is_some() && settings(before) == settings(after), "stty says otherwise: {before} {after}");
    }
    server.stop();
}
