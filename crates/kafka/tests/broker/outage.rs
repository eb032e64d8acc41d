use std::thread;
use std::time::{Duration, Instant};

use kassa_kafka::{Admin, Connection, Outgoing, Producer, ProducerOptions, SourceOptions, Subscription};
use kassa_model::Positions;
use kassa_stack::{Kafka, KafkaOptions};

use crate::support::{LONG, Reader, connect};

#[test]
fn broker_killed_while_reading_and_writing_costs_nothing() {
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
        // Nobody is there: what was fetched before may come, then it is said that the broker is away.
        let (away, started) = (reader.unavailable, Instant::now());
        while reader.unavailable == away && started.elapsed() < LONG {
            reader.turn().unwrap();
        }
        assert!(reader.unavailable > away, "the outage is said");
        thread::sleep(Duration::from_millis(200));
        kafka.restart().unwrap();
        send(5_000);
        producer.flush(LONG).unwrap();
    }
    reader.read(35_000);
    assert_eq!(reader.numbers(), (0..35_000).collect::<Vec<_>>(), "each once, though the producer sent many again");
    assert_eq!((producer.delivered(), producer.in_flight(), reader.gaps.len(), reader.resets.len()), (35_000, 0, 0, 0));
}
