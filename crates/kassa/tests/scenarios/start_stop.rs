//! The start waits for no store, and the end for none either: collector and dashboard serve while PostgreSQL, S3 or Kafka is away, each
//! joins when it answers, and SIGTERM ends the program in the time that the configuration states.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use kassa_stack::postgres::Postgres;
use kassa_stack::proxy::TcpProxy;
use kassa_stack::{Kafka, KafkaOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Server, Shop, http, said, until_ok};
use crate::s3;

const SINKS: [&str; 4] = ["archive", "lake", "warehouse", "live"];
/// What a busy machine adds to the time of an end.
const SLACK: Duration = Duration::from_secs(15);

/// An order's only line.
fn line(number: u32) -> String {
    format!(
        r#"{{"event_id":"e{number}","occurred_at":"2026-03-28T10:15:00Z","order_id":"o{number}","line_id":"1","product_id":"p","quantity":"1","unit_price":"4.50","currency":"GBP"}}"#
    )
}

/// Posts the lines of orders with these numbers; the status.
fn post(server: &Server, numbers: std::ops::Range<u32>) -> u16 {
    let body: Vec<String> = numbers.map(line).collect();
    server.post("order_lines", body.join("\n").as_bytes()).expect("an answer").0
}

/// Waits until these sinks have committed so many records.
fn until_committed(server: &Server, sinks: &[&str], records: i64) {
    server.until(|pipeline| {
        let at = |partition: &Value, name: &str| partition[name].as_str().map_or(0, |text| text.parse().unwrap_or(-1_i64));
        let partitions = pipeline["partitions"].as_array().expect("partitions");
        let of = |name: &str| partitions.iter().map(|partition| at(partition, name)).sum::<i64>();
        sinks.iter().all(|sink| of(sink) >= records)
    });
}

fn orders(shop: &Shop) -> String {
    let rows = shop.json(&["sql", "SELECT count(DISTINCT order_id) AS n FROM fact_sales"]);
    rows[0]["n"].as_str().expect("a number").to_owned()
}

/// It serves, and says that this is away.
fn serves_without(server: &Server, name: &str) {
    assert_eq!(http(&server.address, "GET", "/livez", b"").expect("an answer").0, 200);
    assert_eq!(http(&server.address, "GET", "/", b"").expect("an answer").0, 200, "the dashboard");
    server.get("/api/v1/pipeline");
    let words = until_ok("a readiness that names it", || {
        let (status, body) = http(&server.address, "GET", "/readyz", b"").expect("an answer");
        let words = String::from_utf8_lossy(&body).into_owned();
        if status == 503 && words.contains(name) { Ok(words) } else { Err(words) }
    });
    assert!(words.starts_with("starting: "), "{words}");
}

fn signal(server: &Server, signal: Signal) {
    kill_process(Pid::from_raw(server.child.id().cast_signed()).expect("a process"), signal).expect("a signal");
}

/// Asks it to end; how it ended, its words, and the time that it took.
fn ended(mut server: Server, signals: u32) -> (ExitStatus, String, Duration) {
    let began = Instant::now();
    for _ in 0..signals {
        signal(&server, Signal::TERM);
        std::thread::sleep(Duration::from_millis(300));
    }
    let words = server.words();
    (server.child.wait().expect("ended"), words, began.elapsed())
}

fn warehouse(url: &str, rest: &str) -> Shop {
    Shop::new(&format!("[warehouse]\nurl = \"{url}\"\ncommit_interval = \"50ms\"\n[lake]\ncommit_interval = \"100ms\"\n{rest}"))
}

#[test]
fn postgresql_that_is_away_at_the_start_joins_when_it_answers() {
    let mut postgres = Postgres::start().expect("PostgreSQL");
    let shop = warehouse(&postgres.url("postgres", "kassa"), "");
    let refused = shop.run(&["run", "--listen", "127.0.0.1:0"]);
    assert!(!refused.status.success() && said(&refused).contains("error[K021]"), "no such database: {}", said(&refused));
    postgres.sql("postgres", "CREATE DATABASE kassa").expect("a database");
    postgres.stop().expect("stopped");

    let server = shop.serve();
    serves_without(&server, "the warehouse");
    assert_eq!(post(&server, 0..20), 202);
    let pipeline = server.get("/api/v1/pipeline");
    let states: Vec<&Value> = pipeline["sinks"].as_array().expect("sinks").iter().map(|sink| &sink["state"]).collect();
    assert_eq!(states, ["behind"; 4], "nothing is read yet: {pipeline}");
    // It ends without its store, and says what it lacks.
    let (status, words, took) = ended(server, 1);
    assert_eq!(status.code(), Some(1), "{words}");
    assert!(words.contains("the warehouse is away") && words.contains("20 records of the collector's log"), "{words}");
    assert!(took < Duration::from_secs(20) + SLACK, "{took:?}");

    let server = shop.serve();
    assert_eq!(post(&server, 20..30), 202);
    postgres.resume().expect("resumed");
    server.until_ready(|ready| ready);
    until_committed(&server, &SINKS, 30);
    server.stop();
    assert_eq!(orders(&shop), "30");
    assert_eq!(postgres.sql("kassa", "SELECT count(DISTINCT order_id) FROM dwh.fact_sales").expect("a count").trim(), "30");
    shop.ok(&["prove"]);

    // A command that ends by itself waits for a minute, and says what is away.
    postgres.stop().expect("stopped");
    let refused = shop.run(&["run", "--until-caught-up"]);
    assert!(!refused.status.success() && said(&refused).contains("could not open the warehouse"), "{}", said(&refused));
}

#[test]
fn a_bucket_that_is_away_at_the_start_joins_when_it_answers() {
    let mut store = s3::server();
    let shop = s3::shop(&store, "[lake]\ncommit_interval = \"100ms\"\n");
    store.kill().expect("killed");
    let server = shop.serve();
    serves_without(&server, "the store of the lake");
    assert_eq!(post(&server, 0..20), 202);
    store.restart().expect("restarted");
    server.until_ready(|ready| ready);
    until_committed(&server, &["archive", "lake", "live"], 20);
    server.stop();
    assert_eq!(orders(&shop), "20");
    shop.ok(&["prove"]);
}

/// A request's status and `Retry-After`.
fn refusal(server: &Server) -> (u16, String) {
    let body = line(0);
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    let head = format!("POST /v1/order_lines HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.address);
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let retry = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap_or_default();
    (status, retry.to_owned())
}

#[test]
fn kafka_that_is_away_at_the_start_is_told_to_those_who_post_and_joins_when_it_answers() {
    let mut kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
    kafka.create_topic("order_lines", 2).expect("a topic");
    let source = format!("[source]\nurl = \"kafka://{}\"\n[streams.order_lines]\n", kafka.plaintext());
    let shop = Shop::new(&format!("{source}[lake]\ncommit_interval = \"100ms\"\n"));
    kafka.kill();
    let server = shop.serve();
    serves_without(&server, "Kafka");
    assert_eq!(refusal(&server), (503, "5".to_owned()));
    kafka.restart().expect("restarted");
    server.until_ready(|ready| ready);
    until_ok("a record that is taken", || match post(&server, 0..20) {
        202 => Ok(()),
        status => Err(status),
    });
    until_committed(&server, &["archive", "lake", "live"], 20);
    server.stop();
    assert_eq!(orders(&shop), "20");
}

#[test]
fn sigterm_ends_in_time_while_a_store_hangs_and_what_is_not_committed_is_read_again() {
    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE kassa").expect("a database");
    let proxy = TcpProxy::to(SocketAddr::from(([127, 0, 0, 1], postgres.port()))).expect("a proxy");
    let url = format!("postgres://postgres@{}/kassa?statement_timeout=3600", proxy.address());
    let shop = warehouse(&url, "[server]\nstop_within = \"3s\"\n");
    let server = shop.serve();
    assert_eq!(post(&server, 0..10), 202);
    until_committed(&server, &SINKS, 10);
    // There is no TLS listener: nothing to reload, and no reason to end.
    signal(&server, Signal::HUP);
    proxy.set_silent(true);
    assert_eq!(post(&server, 10..30), 202);
    until_committed(&server, &["archive", "lake", "live"], 30);
    let (status, words, took) = ended(server, 1);
    assert_eq!(status.code(), Some(1), "{words}");
    assert!(took < Duration::from_secs(3) + SLACK, "{took:?}: {words}");
    assert!(words.contains("error[K022]") && words.contains("stop_within"), "{words}");
    assert!(words.contains("warehouse: 20") && !words.contains("lake: "), "{words}");

    proxy.set_silent(false);
    proxy.cut();
    let server = shop.serve();
    server.until_ready(|ready| ready);
    until_committed(&server, &SINKS, 30);
    server.stop();
    assert_eq!(orders(&shop), "30");
    assert_eq!(postgres.sql("kassa", "SELECT count(DISTINCT order_id) FROM dwh.fact_sales").expect("a count").trim(), "30");
    shop.ok(&["prove"]);
}

#[test]
fn a_second_signal_ends_at_once_also_while_the_start_waits_for_a_store_that_never_answers() {
    // It accepts connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let held = std::thread::spawn(move || silent.incoming().take(1).map(|client| client.expect("a client")).collect::<Vec<_>>());
    let shop = warehouse(&format!("postgres://postgres@{address}/kassa"), "[server]\nstop_within = \"1h\"\n");
    let server = shop.serve();
    serves_without(&server, "the warehouse");
    assert_eq!(post(&server, 0..5), 202);
    let (_, words, took) = ended(server, 1);
    assert!(took < SLACK, "{took:?}: {words}");
    assert!(words.contains("5 records of the collector's log were not read"), "{words}");
    drop(held.join().expect("a connection"));

    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE kassa").expect("a database");
    let proxy = TcpProxy::to(SocketAddr::from(([127, 0, 0, 1], postgres.port()))).expect("a proxy");
    let url = format!("postgres://postgres@{}/kassa?statement_timeout=3600", proxy.address());
    let shop = warehouse(&url, "[server]\nstop_within = \"1h\"\n");
    let server = shop.serve();
    server.until_ready(|ready| ready);
    proxy.set_silent(true);
    assert_eq!(post(&server, 0..5), 202);
    until_committed(&server, &["archive", "lake", "live"], 5);
    let (status, words, took) = ended(server, 2);
    assert_eq!(status.code(), Some(1), "{words}");
    assert!(took < SLACK && words.contains("second signal"), "{took:?}: {words}");
}
