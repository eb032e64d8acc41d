//! Memory with a backlog, and a warehouse that takes rows more slowly than the others.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kassa_kafka::{Admin, Connection};
use kassa_stack::postgres::Postgres;
use kassa_stack::proxy::TcpProxy;
use kassa_stack::{Kafka, KafkaOptions};

use crate::harness::{KASSA, Server, Shop};
use crate::others_read::STREAMS;

/// The promise.
const MIB_MAX: u64 = 512;
/// Each 16 KiB on the way to PostgreSQL and back takes so long: some 800 KiB a second.
const SLOW: Duration = Duration::from_millis(20);

/// The most memory that a process has had so far, in MiB.
fn peak_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// Reads a backlog for a while with PostgreSQL throttled, then without, to its end.
fn backlog(records: u64, throttled: Duration) {
    let kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE kassa").expect("a database");
    let proxy = TcpProxy::to(SocketAddr::from(([127, 0, 0, 1], postgres.port()))).expect("a proxy");
    let admin = Admin::connect(&Connection { brokers: kafka.plaintext(), ..Connection::default() }).expect("an administrator");
    for topic in STREAMS {
        admin.create_topic(topic, 4, 1, &[]).expect("a topic");
    }
    let to = format!("kafka://{}", kafka.plaintext());
    let made = std::process::Command::new(KASSA).args(["simulate", "--records", &records.to_string(), "--to", &to]).output();
    let truth: serde_json::Value = serde_json::from_slice(&made.expect("started").stdout).expect("the truth");
    let shop = Shop::new(&format!(
        "[shop]\nname = \"Backlog\"\n[source]\nurl = \"{to}\"\n[warehouse]\nurl = \"postgres://postgres@{}/kassa\"\n",
        proxy.address()
    ));
    let server = shop.serve();
    proxy.set_delay(SLOW);
    let since = Instant::now();
    while since.elapsed() < throttled {
        std::thread::sleep(Duration::from_millis(500));
        let peak = peak_mib(&server);
        assert!(peak <= MIB_MAX, "{peak} MiB after {:?}, throttled", since.elapsed());
    }
    let (held, throttled_peak) =
        (postgres.sql("kassa", "SELECT coalesce(sum(read), 0) FROM kassa.spans").expect("spans"), peak_mib(&server));
    assert!(
        held.trim().parse::<u64>().expect("a number") < truth["produced"].as_u64().expect("a count"),
        "the throttle held nothing back"
    );
    proxy.set_delay(Duration::ZERO);
    let produced = truth["produced"].to_string();
    while postgres.sql("kassa", "SELECT coalesce(sum(read), 0) FROM kassa.spans").expect("spans").trim() != produced {
        std::thread::sleep(Duration::from_millis(500));
        let peak = peak_mib(&server);
        assert!(peak <= MIB_MAX, "{peak} MiB after {:?}", since.elapsed());
    }
    eprintln!(
        "{records} records: {throttled_peak} MiB throttled ({} records held), {} MiB at the end, {:?}",
        held.trim(),
        peak_mib(&server),
        since.elapsed()
    );
    server.stop();
    let net = shop.json(&["figures", "net_sales", "--from", "warehouse"]);
    let trimmed = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    assert_eq!(
        net["rows"][0]["value"].as_str().map(trimmed),
        truth["figures"]["net_sales"].as_str().map(trimmed),
        "the warehouse has the truth"
    );
}

#[test]
#[ignore = "the long form: make soak"]
fn memory_with_a_throttled_warehouse() {
    let records = std::env::var("KASSA_SOAK_RECORDS").ok().and_then(|count| count.parse().ok()).unwrap_or(5_000_000);
    backlog(records, Duration::from_secs(180));
}
