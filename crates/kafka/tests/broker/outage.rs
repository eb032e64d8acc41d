use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use kassa_kafka::{Admin, Connection, Outgoing, Producer, ProducerOptions, SourceOptions, Subscription};
use kassa_kafka::{Bounds, Cause, Start, next_incarnation};
use kassa_model::{Partition, Positions};
use kassa_stack::{Kafka, KafkaOptions};

use crate::support::{LONG, Reader, connect};

#[test]
fn killing_the_broker_while_reading_and_writing_loses_nothing() {
    let mut kafka = Kafka::start(&KafkaOptions::default()).unwrap();
    let connection = Connection { brokers: kafka.plaintext(), ..Connection::default() };
    Admin::connect(&connection).unwrap().create_topic("orders", 2, 1, &[]).unwrap();
    let mut options = ProducerOptions::new(connection.clone());
    options.delivery_timeout = LONG;
    let producer = Producer::connect(&options).unwrap();
    let mut reader =
        Reader::new(connect(&SourceOptions::new(connection, "shop", vec![Subscription::parse("orders")])), Positions::default());
    let mut sent = 0..;
    let mut send = |count: usize| {
        for number in sent.by_ref().take(count) {
            let text = number.to_string();
            let record =
                Outgoing { topic: "orders", key: Some(text.as_bytes()), value: Some(text.as_bytes()), ..Outgoing::default() };
            producer.send(&record).unwrap();
        }
    };
    send(5_000);
    reader.until("the first records", |reader| !reader.values.is_empty());
    for _ in 0..2 {
        send(5_000);
        kafka.kill();
        send(5_000);
        // The broker is down: prefetched records may arrive, then the outage is reported.
        let (away, started) = (reader.unavailable, Instant::now());
        while reader.unavailable == away && started.elapsed() < LONG {
            reader.turn().unwrap();
        }
        assert!(reader.unavailable > away, "the outage is reported");
        thread::sleep(Duration::from_millis(200));
        kafka.restart().unwrap();
        send(5_000);
        producer.flush(LONG).unwrap();
    }
    reader.read(35_000);
    assert_eq!(reader.numbers(), (0..35_000).collect::<Vec<_>>(), "each once, although the producer resent many");
    assert_eq!((producer.delivered(), producer.in_flight(), reader.gaps.len(), reader.resets.len()), (35_000, 0, 0, 0));
}

fn copy(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).ok();
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn a_broker_that_comes_back_without_its_last_records_is_detected() {
    let mut kafka = Kafka::start(&KafkaOptions::default()).unwrap();
    let connection = Connection { brokers: kafka.plaintext(), ..Connection::default() };
    Admin::connect(&connection).unwrap().create_topic("orders", 1, 1, &[]).unwrap();
    let send = |text: &'static [u8]| {
        let producer = Producer::connect(&ProducerOptions::new(connection.clone())).unwrap();
        let record = Outgoing { topic: "orders", value: Some(text), ..Outgoing::default() };
        assert!(producer.produce_and_wait(&[record; 10]).iter().all(Result::is_ok));
    };
    send(b"1");
    kafka.kill();
    let backup = kafka.data().with_extension("backup");
    copy(&kafka.data(), &backup);
    kafka.restart().unwrap();
    send(b"2");
    let options = SourceOptions::new(connection.clone(), "shop", vec![Subscription::parse("orders")]);
    let mut reader = Reader::new(connect(&options), Positions::default());
    reader.read(20);
    kafka.kill();
    copy(&backup, &kafka.data());
    kafka.restart().unwrap();
    reader.until("the reset", |reader| !reader.resets.is_empty());
    let partition = Partition::new("orders", 0);
    let reset = &reader.resets[0];
    let bounds = Some(Bounds { start: 0, stable_end: 10 });
    assert_eq!((&reset.partition, reset.held, reset.bounds, &reset.cause), (&partition, 20, bounds, &Cause::Truncated));
    // New records have the offsets of records that were read before, and must not be taken for
    // them.
    reader.source.begin(&[Start::at(next_incarnation(&partition), Some(10))]).unwrap();
    send(b"3");
    reader.read(30);
    assert_eq!(reader.values[&(next_incarnation(&partition), 10)].as_deref(), Some(&b"3"[..]));
}
