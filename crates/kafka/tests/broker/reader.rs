use std::time::Duration;

use kassa_kafka::{ErrorKind, Reader};
use kassa_model::Partition;
use rdkafka::producer::Producer;

use crate::support::{LONG, admin, fill, new_topic, plaintext, producer, unique};
use crate::transactions::{begin_with, transactional};

fn open() -> Reader {
    Reader::open(&plaintext(), &unique("reader"), LONG).unwrap()
}

/// The records of a range of a topic's partition 0.
fn read(reader: &mut Reader, topic: &str, range: std::ops::Range<i64>) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let take = &mut |records: kassa_model::Records| {
        let of = |at: usize| (records.offsets[at], String::from_utf8_lossy(records.value(at)).into_owned());
        found.extend((0..records.len()).map(of));
    };
    reader.read(&Partition::new(topic, 0), range, take).unwrap();
    found
}

#[test]
fn exactly_the_range_is_read_any_number_of_times() {
    let (topic, producer) = (new_topic("reader", 1), producer());
    fill(&producer, &topic, 1, 0..20_000);
    let mut reader = open();
    let all = read(&mut reader, &topic, 0..20_000);
    let wanted: Vec<(i64, String)> = (0..20_000).map(|at| (at, at.to_string())).collect();
    assert_eq!(all, wanted);
    assert_eq!(read(&mut reader, &topic, 19_000..19_010), wanted[19_000..19_010]);
    assert_eq!(read(&mut reader, &topic, 19_990..30_000), wanted[19_990..], "up to the last record");
    assert_eq!(read(&mut reader, &topic, 5..5), []);
    admin().delete_records(&topic, 0, 100).unwrap();
    assert_eq!(read(&mut reader, &topic, 50..110), wanted[100..110], "records deleted by retention are skipped");
}

#[test]
fn aborted_records_are_none() {
    let (topic, transactions) = (new_topic("reader-aborted", 1), transactional());
    for (first, commits) in [(0, true), (10, false), (20, true)] {
        begin_with(&transactions, &topic, first..first + 10);
        if commits {
            transactions.commit_transaction(LONG).unwrap();
        } else {
            transactions.abort_transaction(LONG).unwrap();
        }
    }
    let numbers = || read(&mut open(), &topic, 0..33).into_iter().map(|(_, value)| value.parse().unwrap()).collect::<Vec<i32>>();
    let wanted: Vec<i32> = (0..10).chain(20..30).collect();
    // The broker completes a transaction a little after it has reported the commit.
    let deadline = std::time::Instant::now() + LONG;
    while numbers() != wanted {
        assert!(std::time::Instant::now() < deadline);
    }
}

#[test]
fn an_unreachable_broker_is_reported_in_time() {
    let connection = kassa_kafka::Connection { brokers: "127.0.0.1:1".to_owned(), ..plaintext() };
    let mut reader = Reader::open(&connection, "reader", Duration::from_secs(1)).unwrap();
    let refused = reader.read(&Partition::new("nowhere", 0), 0..10, &mut |_| ()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("127.0.0.1:1"), "{refused}");
}
