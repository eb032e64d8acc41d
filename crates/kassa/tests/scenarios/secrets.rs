//! Secrets by reference: kassa uses them and shows them nowhere.

use std::path::Path;
use std::process::Output;

use crate::harness::{Shop, http};

const OF_ENV: &str = "CANARY-ENV-9b1c";
const OF_FILE: &str = "CANARY-FILE-7f3a";

/// Servers that do not answer: their errors say what kassa asked for.
const AWAY: &str = r#"
[source]
url = "kafka://127.0.0.1:1"
security = "sasl-plaintext"
mechanism = "PLAIN"
user = "kassa"
password = "env:CANARY"
properties = "ssl.key.password=env:CANARY, socket.connection.setup.timeout.ms=1000"
[registry]
url = "http://127.0.0.1:1"
token = "env:CANARY"
[warehouse]
url = "postgres://kassa@127.0.0.1:1/kassa"
password = "file:secret.txt"
[streams.orders]
format = "avro"
"#;

fn shop(config: &str) -> Shop {
    let shop = Shop::new(config);
    std::fs::write(shop.dir.path().join("secret.txt"), format!("{OF_FILE}\n")).expect("written");
    shop
}

#[track_caller]
fn is_silent(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for secret in [OF_ENV, OF_FILE] {
        assert!(!text.contains(secret), "{what} shows a secret: {text}");
    }
}

fn run(shop: &Shop, args: &[&str]) -> Output {
    let output = shop.command(args).env("CANARY", OF_ENV).env("KASSA_LOG", "debug").output().expect("started");
    is_silent(&format!("{args:?}"), &output.stdout);
    is_silent(&format!("{args:?}"), &output.stderr);
    output
}

#[test]
fn no_command_shows_a_secret_even_if_its_servers_do_not_answer() {
    let shop = shop(AWAY);
    for format in ["table", "json", "csv"] {
        let shown = run(&shop, &["config", "show", "--origin", "--format", format]);
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let text = String::from_utf8_lossy(&shown.stdout);
        assert!(text.contains("env:CANARY") && text.contains("file:secret.txt"), "{text}");
    }
    assert!(run(&shop, &["check"]).status.success());
    for args in [
        &["check", "--format", "json"][..],
        &["doctor"],
        &["doctor", "--format", "json"],
        &["migrate"],
        &["figures", "net_sales", "--from", "warehouse"],
        &["prove", "--without-kafka"],
    ] {
        run(&shop, args);
    }
}

#[test]
fn a_running_pipeline_shows_no_secret_and_stores_none() {
    let shop = shop(
        "[lake]\ncommit_interval = \"100ms\"\n[registry]\nurl = \"http://127.0.0.1:1\"\nuser = \"kassa\"\npassword = \"env:CANARY\"\n",
    );
    let mut server = shop.serve_with(&[("CANARY", OF_ENV)]);
    server.post("events", b"not json").expect("an answer");
    server.until_committed();
    for page in ["/metrics", "/readyz", "/api/v1/pipeline", "/api/v1/openapi.json", "/api/v1/figures", "/no/such/page"] {
        let (_, body) = http(&server.address, "GET", page, b"").expect("an answer");
        is_silent(page, &body);
    }
    server.child.kill().expect("killed");
    is_silent("the log", server.words().as_bytes());
    let mut files = 0;
    stored(&shop.data(), &mut files);
    assert!(files > 5, "{files} files");
}

fn stored(folder: &Path, files: &mut usize) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            stored(&path, files);
        } else {
            *files += 1;
            is_silent(&path.to_string_lossy(), &std::fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn a_url_of_the_command_line_with_a_secret_is_refused_and_not_repeated() {
    let shop = shop("");
    for args in [
        &["top", "--once", "--url", "http://me:CANARY-ENV-9b1c@127.0.0.1:1"][..],
        &["top", "--once", "--url", "http://127.0.0.1:1?token=CANARY-ENV-9b1c"],
    ] {
        assert_eq!(run(&shop, args).status.code(), Some(2));
    }
    for to in ["kafka://me:CANARY-ENV-9b1c@127.0.0.1:1", "http://me:CANARY-ENV-9b1c@127.0.0.1:1"] {
        let output = std::process::Command::new(crate::harness::KASSA).args(["simulate", "--records", "1", "--to", to]).output();
        let output = output.expect("started");
        assert_eq!(output.status.code(), Some(2));
        is_silent(to, &[output.stdout, output.stderr].concat());
    }
}
