//! Bad input over Kafka: every bad record is one dead letter with its bytes, key, headers and schema id, in the lake and in PostgreSQL; the
//! partition goes on, and its neighbours are accepted.

use std::collections::BTreeMap;

use kassa_kafka::{Outgoing, Producer};
use serde_json::Value;

use crate::bad_input::corpus::{bad_events, event};
use crate::harness::Shop;
use crate::servers::Servers;

const CONFIG: &str = r#"
[shop]
name = "Bad input"
time_zone = "Europe/London"
currency = "GBP"
[streams.lines]
contract = "order_line"
format = "avro"
max_record = "64KiB"
[streams.poison]
contract = "order_line"
format = "avro"
[streams.events]
contract = "event"
"#;

/// A line, in two versions of its schema: the second has a wider price and quantity, and optional fields more.
const FIRST: &str = r#"{"type":"record","name":"Line","fields":[
    {"name":"event_id","type":"string"},{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"order_id","type":"string"},{"name":"line_id","type":"string"},{"name":"quantity","type":"int"},
    {"name":"unit_price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}},
    {"name":"currency","type":"string"}]}"#;
const SECOND: &str = r#"{"type":"record","name":"Line","fields":[
    {"name":"event_id","type":"string"},{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"order_id","type":"string"},{"name":"line_id","type":"string"},{"name":"quantity","type":"long"},
    {"name":"unit_price","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":9}},
    {"name":"currency","type":"string"},
    {"name":"is_test","type":["null","boolean"],"default":null},
    {"name":"tags","type":["null",{"type":"array","items":"string"}],"default":null},
    {"name":"nulls","type":["null",{"type":"array","items":"null"}],"default":null},
    {"name":"tree","type":["null",{"type":"record","name":"Tree","fields":[{"name":"child","type":["null","Tree"]}]}],"default":null}]}"#;
const HEARTBEAT: &str =
    r#"{"type":"record","name":"Heartbeat","fields":[{"name":"service","type":"string"},{"name":"at","type":"long"}]}"#;

/// 2026-03-29T00:30:00Z.
const AT: i64 = 1_774_744_200_000_000;

fn long(value: i64) -> Vec<u8> {
    let (mut bits, mut bytes) = ((value << 1 ^ value >> 63).cast_unsigned(), Vec::new());
    while bits >= 0x80 {
        bytes.push(u8::try_from(bits & 0x7F).expect("seven bits") | 0x80);
        bits >>= 7;
    }
    bytes.push(u8::try_from(bits).expect("seven bits"));
    bytes
}

fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = text.as_ref();
    [long(i64::try_from(bytes.len()).expect("short")), bytes.to_vec()].concat()
}

fn decimal(units: i128) -> Vec<u8> {
    text(units.to_be_bytes())
}

fn frame(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), datum].concat()
}

/// The parts of a line's datum; without the fields of the second version.
fn line(number: usize) -> [Vec<u8>; 7] {
    [text(format!("e{number}")), long(AT), text(format!("o{number}")), text("1"), long(2), decimal(250), text("GBP")]
}

/// A record to be sent.
struct Sent {
    value: Option<Vec<u8>>,
    /// Why it is a dead letter, if it is one.
    reason: Option<&'static str>,
}

struct Schemas {
    first: u32,
    second: u32,
    heartbeat: u32,
}

impl Schemas {
    fn register(servers: &Servers) -> Self {
        let [first, second] = [FIRST, SECOND].map(|schema| servers.register("lines-value", schema));
        Self { first, second, heartbeat: servers.register("heartbeats-value", HEARTBEAT) }
    }

    /// A good line: of either version, by turns.
    fn good(&self, number: usize) -> Vec<u8> {
        let mut parts = line(number).to_vec();
        if number.is_multiple_of(2) {
            return frame(self.first, &parts.concat());
        }
        parts[5] = decimal(2_500_000_000);
        parts.extend([vec![2, 0], vec![2, 4, 2, b'a', 2, b'b', 0], vec![0], vec![2, 2, 0]]);
        frame(self.second, &parts.concat())
    }

    /// With other bytes in place of a part.
    fn first_with(&self, at: usize, part: Vec<u8>) -> Vec<u8> {
        let mut parts = line(9_000_000);
        parts[at] = part;
        frame(self.first, &parts.concat())
    }

    fn second_with(&self, price: i128, more: &[&[u8]]) -> Vec<u8> {
        let mut parts = line(9_000_000);
        parts[5] = decimal(price);
        frame(self.second, &[parts.concat(), more.concat()].concat())
    }

    /// Records that no reader may accept as a line, and the reason of each.
    fn bad(&self) -> Vec<(Vec<u8>, &'static str)> {
        let whole = frame(self.first, &line(9_000_000).concat());
        let mut all: Vec<(Vec<u8>, &str)> = (0..whole.len()).map(|cut| (whole[..cut].to_vec(), "not_avro")).collect();
        for more in [&b"\0"[..], b"\n", b"}", &whole] {
            all.push(([&whole, more].concat(), "not_avro"));
        }
        all.push(([&[1], &whole[1..]].concat(), "not_avro"));
        all.push((br#"{"event_id":"e1","order_id":"o1"}"#.to_vec(), "not_avro"));
        let datum = &whole[5..];
        all.extend([0x7FFF_FFF0, u32::MAX, 0].map(|id| (frame(id, datum), "unknown_schema")));
        all.push((frame(self.heartbeat, datum), "not_avro"));
        all.push((frame(self.heartbeat, &[text("web"), long(7)].concat()), "missing_field"));
        // Lies about precision, and numbers that are too large or too exact.
        all.extend(
            [10_i128.pow(18), -(10_i128.pow(18)), i128::MAX].map(|units| (self.first_with(5, decimal(units)), "not_avro")),
        );
        let tail: [&[u8]; 4] = [&[0], &[0], &[0], &[0]];
        all.push((self.second_with(10_i128.pow(21), &tail), "out_of_range"));
        all.push((self.second_with(1, &tail), "too_precise"));
        // Lengths, blocks and depths that would exhaust the memory of a reader that trusts them.
        all.extend([i64::MAX, 1 << 40, -1].map(|length| (self.first_with(2, long(length)), "not_avro")));
        let price = 2_500_000_000;
        let huge = [&[2][..], &long(1 << 60)].concat();
        all.push((self.second_with(price, &[&[0], &huge, &[0], &[0]]), "not_avro"));
        let lying = [&[2][..], &long(-1), &long(1 << 40), &text("a")].concat();
        all.push((self.second_with(price, &[&[0], &lying, &[0], &[0]]), "not_avro"));
        let nulls = [&[2][..], &long(1 << 31)].concat();
        all.push((self.second_with(price, &[&[0], &[0], &nulls, &[0], &[0]]), "not_avro"));
        let deep = [2_u8; 500];
        all.push((self.second_with(price, &[&[0], &[0], &[0], &deep, &[0]]), "too_deep"));
        all.push((self.second_with(price, &[&[4], &[0], &[0], &[0]]), "not_avro"));
        all.push((self.second_with(price, &[&[2, 7], &[0], &[0], &[0]]), "not_avro"));
        all.push((self.first_with(4, vec![0xFF; 11]), "not_avro"));
        all.push((self.first_with(4, long(1 << 40)), "not_avro"));
        // Texts.
        all.push((self.first_with(2, text(b"\xff")), "not_utf8"));
        all.push((self.first_with(2, text("a\0b")), "control_character"));
        all.push((self.first_with(2, text("x".repeat(200))), "text_too_long"));
        all.push((self.first_with(2, text("")), "missing_field"));
        all.push((self.first_with(6, text("pounds")), "unknown_currency"));
        all.push((self.first_with(1, long(i64::MAX)), "bad_timestamp"));
        all.push((self.first_with(4, long(-2)), "negative_quantity"));
        all.push((self.first_with(2, text("x".repeat(70_000))), "too_large"));
        // The same id with other contents.
        let mut other = line(0);
        other[4] = long(3);
        all.push((frame(self.first, &other.concat()), "conflict"));
        all
    }
}

/// Good and bad by turns; bad ones first and last.
fn interleaved(schemas: &Schemas, goods: usize) -> Vec<Sent> {
    let mut bad = schemas.bad().into_iter().rev();
    let mut all = Vec::new();
    let letter = |(value, reason): (Vec<u8>, &'static str)| Sent { value: Some(value), reason: Some(reason) };
    // A conflict needs what it conflicts with before it, so the last is the first truncated one, of no bytes at all.
    let conflict = bad.next().map(letter);
    all.extend(bad.next().map(letter));
    for number in 0..goods {
        all.push(Sent { value: Some(schemas.good(number)), reason: None });
        if number % 50 == 49 {
            all.extend(bad.next().map(letter));
        }
        if number % 500 == 499 {
            all.push(Sent { value: None, reason: Some("tombstone") });
        }
    }
    all.extend(conflict);
    all.extend(bad.map(letter));
    all
}

fn send(producer: &Producer, topic: &str, records: &[Sent]) {
    for (at, record) in records.iter().enumerate() {
        let (key, trace) = (format!("k{at}"), format!("t{at}"));
        let headers = [("trace", Some(trace.as_bytes())), ("empty", None)];
        let outgoing = Outgoing {
            topic,
            key: Some(key.as_bytes()),
            value: record.value.as_deref(),
            headers: &headers,
            ..Outgoing::default()
        };
        producer.send(&outgoing).expect("sent");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Offset → reason, key, header, schema id and value of a topic's dead letters.
type Letters = BTreeMap<usize, [String; 5]>;

fn expected(records: &[Sent]) -> Letters {
    let letters = records.iter().enumerate().filter_map(|(at, record)| {
        let value = record.value.as_deref();
        // A frame's id, whether or not anybody knows it.
        let id = value.filter(|value| value.len() >= 5 && value[0] == 0).map(|value| &value[1..5]);
        let id = id.map_or(String::new(), |id| i32::from_be_bytes([id[0], id[1], id[2], id[3]]).to_string());
        let letter =
            [record.reason?.to_owned(), hex(format!("k{at}").as_bytes()), format!("t{at}"), id, hex(value.unwrap_or_default())];
        Some((at, letter))
    });
    letters.collect()
}

fn trace(headers: &str) -> String {
    let headers: Value = serde_json::from_str(headers).expect("JSON");
    assert_eq!(headers[1], serde_json::json!(["empty", null]));
    headers[0][1].as_str().unwrap_or_default().to_owned()
}

/// The letters as the lake has them.
fn of_lake(shop: &Shop, topic: &str) -> Letters {
    let rows = shop.json(&["sql", &format!(
        "SELECT \"offset\" AS at, reason, encode(key, 'hex') AS key, headers, schema_id, encode(value, 'hex') AS value FROM rejected WHERE topic = '{topic}'"
    )]);
    let cell = |row: &Value, name: &str| match &row[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        number => number.to_string(),
    };
    let rows = rows.as_array().expect("rows").iter().map(|row| {
        let letter =
            [cell(row, "reason"), cell(row, "key"), trace(&cell(row, "headers")), cell(row, "schema_id"), cell(row, "value")];
        (cell(row, "at").parse().expect("an offset"), letter)
    });
    rows.collect()
}

fn of_warehouse(servers: &Servers, topic: &str) -> Letters {
    let rows = servers.psql(&format!(
        "SELECT \"offset\", reason, encode(key, 'hex'), headers, schema_id, encode(value, 'hex') FROM dwh.rejected WHERE topic = '{topic}'"
    ));
    let rows = rows.into_iter().map(|row| {
        let [at, reason, key, headers, id, value]: [String; 6] = row.try_into().expect("six columns");
        (at.parse().expect("an offset"), [reason, key, trace(&headers), id, value])
    });
    rows.collect()
}

/// The dead letters of a topic as the command line lists them, by offset.
fn listed(shop: &Shop, topic: &str) -> BTreeMap<usize, String> {
    let rows = shop.json(&["dead-letters", "list", "--limit", "100000"]);
    let own = rows.as_array().expect("rows").iter().filter(|row| row["topic"] == topic);
    let cell = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    own.map(|row| (cell(row, "offset").parse().expect("an offset"), cell(row, "reason"))).collect()
}

/// How many files a table is of.
fn files_of(shop: &Shop, table: &str) -> usize {
    fn count(dir: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries
            .map(
                |path| {
                    if path.is_dir() { count(&path) } else { usize::from(path.extension().is_some_and(|name| name == "parquet")) }
                },
            )
            .sum()
    }
    count(&shop.data().join("lake").join(table))
}

#[test]
fn each_bad_record_of_kafka_is_one_dead_letter_and_the_partition_goes_on() {
    let servers = Servers::start();
    servers.create_topics(["lines", "poison", "events"], 1);
    let (schemas, producer) = (Schemas::register(&servers), servers.producer());
    let goods = 3_000;
    let lines = interleaved(&schemas, goods);
    // Nothing but poison, and more of it than a batch of decoded records.
    let poison: Vec<Sent> = schemas
        .bad()
        .into_iter()
        .filter(|(_, reason)| *reason != "conflict")
        .map(|(value, reason)| Sent {
            value: Some(value),
            reason: Some(if reason == "too_large" { "text_too_long" } else { reason }),
        })
        .collect();
    let mut events: Vec<Sent> = Vec::new();
    for (at, (value, reason, _)) in bad_events().into_iter().filter(|(value, ..)| value.len() < 900_000).enumerate() {
        events.push(Sent { value: Some(value), reason: Some(reason) });
        events.push(Sent { value: Some(event(at, "").into_bytes()), reason: None });
    }
    for (topic, records) in [("lines", &lines), ("poison", &poison), ("events", &events)] {
        send(&producer, topic, records);
    }
    producer.flush(std::time::Duration::from_secs(60)).expect("delivered");
    let shop = servers.shop_in_folder(CONFIG);
    shop.ok(&["run", "--until-caught-up"]);
    for (topic, records) in [("lines", &lines), ("poison", &poison), ("events", &events)] {
        let mut expected = expected(records);
        if topic == "events" {
            // JSON names no schema.
            expected.values_mut().for_each(|letter| letter[3].clear());
        }
        let lake = of_lake(&shop, topic);
        let first = expected.iter().find(|(at, letter)| lake.get(at) != Some(letter));
        assert_eq!(first.map(|(at, letter)| (at, letter, lake.get(at))), None, "{topic} in the lake");
        assert_eq!(lake.len(), expected.len(), "{topic}");
        assert_eq!(of_warehouse(&servers, topic), lake, "{topic} in PostgreSQL");
        assert_eq!(listed(&shop, topic), lake.into_iter().map(|(at, [reason, ..])| (at, reason)).collect(), "{topic}");
    }
    let good_events = events.iter().filter(|sent| sent.reason.is_none()).count();
    let rows = servers.psql("SELECT count(*), sum(net_amount), (SELECT count(*) FROM dwh.fact_event) FROM dwh.fact_sales");
    assert_eq!(rows, [[goods.to_string(), "15000.000000".to_owned(), good_events.to_string()]]);
    assert_eq!(shop.figure("net_sales"), "15000.00");
    // Versions that change with every record cut no batch: a table is of a few files.
    let files = ["topics/lines", "DWH/fact_sales", "DWH/rejected", "topics/poison"].map(|table| files_of(&shop, table));
    assert!(files.iter().all(|count| (1..=6).contains(count)), "{files:?} files");
    let at = lines.len() - 1;
    let shown = shop.json(&["dead-letters", "show", &format!("lines/0/{at}")]);
    assert_eq!((shown["reason"].as_str(), shown["key"].as_str()), (Some("not_avro"), Some(format!("k{at}").as_str())), "{shown}");
    shop.ok(&["prove"]);
}
