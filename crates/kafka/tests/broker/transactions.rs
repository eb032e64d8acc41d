use std::time::Duration;

use kassa_model::Partition;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{LONG, Reader, broker, fill, new_topic, producer, unique};

pub(crate) fn transactional() -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker().plaintext()).set("transactional.id", unique("tx"));
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(LONG).unwrap();
    producer
}

pub(crate) fn begin_with(producer: &BaseProducer, topic: &str, range: std::ops::Range<i32>) {
    producer.begin_transaction().unwrap();
    for number in range {
        producer.send(BaseRecord::to(topic).partition(0).key("k").payload(&number.to_string())).unwrap();
    }
    producer.flush(LONG).unwrap();
}

#[test]
fn aborted_records_and_markers_are_not_losses() {
    let (topic, transactions) = (new_topic("aborted", 1), transactional());
    begin_with(&transactions, &topic, 0..10);
    transactions.commit_transaction(LONG).unwrap();
    begin_with(&transactions, &topic, 100..110);
    transactions.abort_transaction(LONG).unwrap();
    begin_with(&transactions, &topic, 10..20);
    transactions.commit_transaction(LONG).unwrap();
    begin_with(&transactions, &topic, 200..205);
    transactions.abort_transaction(LONG).unwrap();
    let mut reader = Reader::of(&topic);
    reader.read(20);
    assert_eq!((reader.numbers(), reader.gaps.len(), reader.resets.len()), ((0..20).collect::<Vec<_>>(), 0, 0));
    // 0..10, marker, 11..21 aborted, marker, 22..32, marker, 33..38 aborted, marker.
    assert_eq!(reader.positions.get(&Partition::new(topic.as_str(), 0)), Some(32));
    assert!(reader.source.caught_up().unwrap(), "nothing readable is left");
    reader.until("lag 0", |reader| reader.source.lag().first().is_some_and(|lag| lag.behind == Some(0) && lag.end == Some(39)));
    assert!(!reader.source.lag()[0].blocked_by_transaction);
    fill(&producer(), &topic, 1, 20..21);
    assert!(!reader.source.caught_up().unwrap());
    reader.read(21);
    assert!(reader.source.caught_up().unwrap());
}

#[test]
fn an_open_transaction_is_reported_as_blocking() {
    let (topic, hanging) = (new_topic("hanging", 1), transactional());
    fill(&producer(), &topic, 1, 0..5);
    begin_with(&hanging, &topic, 5..10);
    fill(&producer(), &topic, 1, 10..15);
    let mut reader = Reader::of(&topic);
    reader.read(5);
    reader.until("the block", |reader| reader.source.lag().first().is_some_and(|lag| lag.blocked_by_transaction));
    let lag = reader.source.lag().remove(0);
    assert_eq!((lag.next, lag.stable_end, lag.end, lag.behind, lag.log_start), (5, Some(5), Some(15), Some(0), Some(0)));
    reader.stays(Duration::from_millis(500));
    hanging.commit_transaction(LONG).unwrap();
    reader.read(15);
    reader.until("no block", |reader| {
        reader.source.lag().first().is_some_and(|lag| !lag.blocked_by_transaction && lag.behind == Some(0))
    });
}

#[test]
fn unknown_lag_is_not_zero() {
    let topic = new_topic("unknown", 1);
    let mut reader = Reader::of(&topic);
    reader.until("the assignment", |reader| reader.assigned == 1);
    let lag = reader.source.lag().remove(0);
    assert_eq!((lag.committed, lag.blocked_by_transaction), (None, false));
    assert!(lag.behind.is_none() || lag.stable_end.is_some());
}
