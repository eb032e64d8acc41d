//! `kassa prove` holds the archive against what Kafka still has, record by record.

use std::fs;
use std::time::{Duration, Instant};

use kassa_kafka::{Admin, Connection, Outgoing, Producer, ProducerOptions};
use kassa_model::time::{Clock, SystemClock};
use kassa_stack::{Kafka, KafkaOptions};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

use crate::harness::Shop;

const TOPIC: &str = "events";
const LONG: Duration = Duration::from_secs(60);

pub(crate) fn event(id: &str) -> String {
    format!(r#"{{"event_id":"{id}","occurred_at":"2026-01-05T10:00:00Z","type":"product_viewed","session_id":"{id}"}}"#)
}

struct Source {
    kafka: Kafka,
    admin: Admin,
    producer: Producer,
    since_ms: i64,
}

impl Source {
    fn start() -> Self {
        let kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
        let connection = Connection { brokers: kafka.plaintext(), ..Connection::default() };
        let admin = Admin::connect(&connection).expect("an administrator");
        let producer = Producer::connect(&ProducerOptions::new(connection)).expect("a producer");
        Self { kafka, admin, producer, since_ms: SystemClock.now() / 1_000 }
    }

    /// Records whose times are the same whenever they are sent.
    fn produce(&self, ids: &[&str]) {
        for (nth, id) in ids.iter().enumerate() {
            let value = event(id);
            let timestamp_ms = Some(self.since_ms + i64::try_from(nth).expect("few"));
            let record = Outgoing { topic: TOPIC, value: Some(value.as_bytes()), timestamp_ms, ..Outgoing::default() };
            self.producer.send(&record).expect("sent");
        }
        self.producer.flush(LONG).expect("delivered");
    }

    /// An empty transaction is none: one that is aborted leaves a record that nobody reads, and its marker.
    fn mark(&self) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.kafka.plaintext()).set("transactional.id", TOPIC);
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(LONG).expect("transactions");
        producer.begin_transaction().expect("begun");
        producer.send(BaseRecord::<str, str>::to(TOPIC).payload("none")).expect("sent");
        producer.flush(LONG).expect("flushed");
        producer.abort_transaction(LONG).expect("aborted");
        // The broker writes the marker a little after it has answered.
        let deadline = Instant::now() + LONG;
        while self.admin.cluster().bounds(TOPIC, 0).expect("bounds").stable_end < 6 {
            assert!(Instant::now() < deadline, "no marker came");
        }
    }
}

/// Kind, sink, first offset and the one behind the last.
fn findings(shop: &Shop, args: &[&str]) -> Vec<(String, String, String, String)> {
    let output = shop.run(&[&["prove", "--format", "json"], args].concat());
    let proof: Value = serde_json::from_slice(&output.stdout).expect("a proof");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let found = proof["findings"].as_array().expect("findings").iter();
    found.map(|finding| (text(finding, "kind"), text(finding, "sink"), text(finding, "from"), text(finding, "to"))).collect()
}

#[test]
fn what_kafka_has_and_the_archive_has_not_or_otherwise_is_found() {
    let source = Source::start();
    source.admin.create_topic(TOPIC, 1, 1, &[]).expect("a topic");
    source.produce(&["a", "b", "c", "d"]);
    source.mark();
    source.produce(&["e"]);
    let config = format!("[source]\nurl = \"kafka://{}\"\n[streams.events]\n", source.kafka.plaintext());
    let shop = Shop::new(&config);
    let server = shop.serve();
    server.until(|pipeline| pipeline["records"]["read"].to_string().trim_matches('"') == "5");
    server.stop();
    shop.ok(&["prove"]);

    // Retention takes what was read: the rest is still compared.
    source.admin.delete_records(TOPIC, 0, 1).expect("deleted");
    shop.ok(&["prove"]);

    // A recreated topic does not contain the records that were read from the old one.
    source.admin.delete_topic(TOPIC).expect("deleted");
    source.admin.create_topic(TOPIC, 1, 1, &[]).expect("a topic");
    source.produce(&["a", "another", "c", "d", "extra"]);
    shop.ok(&["prove"]);

    // Taken for the same: one record is another, one is where there was a marker, one is gone.
    fs::remove_file(shop.data().join("lake/_kassa/kafka/events.id")).expect("the topic's id");
    let mut found = findings(&shop, &[]);
    found.sort();
    let of = |kind: &str, sink: &str, from: &str, to: &str| (kind.to_owned(), sink.to_owned(), from.to_owned(), to.to_owned());
    let wanted = [of("altered", "archive", "1", "2"), of("log_cut", "log", "5", "7"), of("missing", "archive", "4", "5")];
    assert_eq!(found, wanted);
    assert!(findings(&shop, &["--without-kafka"]).is_empty());

    drop(source);
    let refused = shop.run(&["prove"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("--without-kafka") && words.contains("127.0.0.1"), "{words}");
}

impl Source {
    /// Sends records to one partition. A producer that knows the topic from before would not know new partitions yet.
    fn produce_to(&self, partition: i32, ids: &[&str]) {
        let connection = Connection { brokers: self.kafka.plaintext(), ..Connection::default() };
        let producer = Producer::connect(&ProducerOptions::new(connection)).expect("a producer");
        for id in ids {
            let value = event(id);
            let record =
                Outgoing { topic: TOPIC, value: Some(value.as_bytes()), partition: Some(partition), ..Outgoing::default() };
            producer.send(&record).expect("sent");
        }
        producer.flush(LONG).expect("delivered");
    }

    fn recreate(&self, partitions: i32) {
        self.admin.delete_topic(TOPIC).expect("deleted");
        self.admin.create_topic(TOPIC, partitions, 1, &[]).expect("a topic");
    }
}

/// Runs until so many records were read, over all starts; and proves, in full and since a day.
#[track_caller]
fn read_and_proven(shop: &Shop, records: usize) {
    let server = shop.serve();
    server.until(|pipeline| pipeline["records"]["read"].to_string().trim_matches('"') == records.to_string());
    server.stop();
    for args in [&["prove"][..], &["prove", "--since", "2020-01-01"], &["prove", "--since", "2999-01-01"]] {
        shop.ok(args);
    }
}

#[test]
fn a_recreated_topic_with_empty_or_fewer_partitions_is_another_one() {
    let source = Source::start();
    source.admin.create_topic(TOPIC, 2, 1, &[]).expect("a topic");
    source.produce_to(0, &["a", "b", "c"]);
    source.produce_to(1, &["d", "e"]);
    let config = format!("[source]\nurl = \"kafka://{}\"\n[streams.events]\n", source.kafka.plaintext());
    let shop = Shop::new(&config);
    read_and_proven(&shop, 5);

    // Partition 1 is empty: no table names what began over there.
    source.recreate(2);
    shop.ok(&["prove"]);
    source.produce_to(0, &["f"]);
    read_and_proven(&shop, 6);
    read_and_proven(&shop, 6);
    // As long as the old one was, and then longer: all of it is read.
    source.produce_to(1, &["g", "h"]);
    read_and_proven(&shop, 8);
    source.produce_to(1, &["i"]);
    read_and_proven(&shop, 9);

    // Fewer partitions, and more than ever.
    source.recreate(1);
    shop.ok(&["prove"]);
    source.produce_to(0, &["j"]);
    read_and_proven(&shop, 10);
    source.recreate(3);
    source.produce_to(2, &["k"]);
    read_and_proven(&shop, 11);
    source.produce_to(1, &["l"]);
    read_and_proven(&shop, 12);
}
