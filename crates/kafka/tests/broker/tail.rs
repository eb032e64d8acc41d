use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use kassa_kafka::Tail;
use kassa_model::time::SystemClock;

use crate::support::{LONG, fill, new_topic, plaintext, producer, unique};
use crate::transactions::{begin_with, transactional};
use rdkafka::producer::Producer;

fn open(topic: &str) -> Tail {
    Tail::open(&plaintext(), &unique("tail"), topic, Arc::new(SystemClock), LONG).unwrap()
}

/// The numbers that were read, by partition.
fn numbers(tail: &mut Tail) -> BTreeMap<i64, Vec<i32>> {
    let mut found: BTreeMap<i64, Vec<i32>> = BTreeMap::new();
    for records in tail.read().unwrap() {
        let number = |at| String::from_utf8_lossy(records.value(at)).parse::<i32>().unwrap();
        found.entry(records.partition.number).or_default().extend((0..records.len()).map(number));
    }
    found
}

#[test]
fn a_topic_is_read_to_its_end_and_each_record_once() {
    let (topic, producer) = (new_topic("tail", 3), producer());
    let mut tail = open(&topic);
    assert_eq!(numbers(&mut tail), BTreeMap::new());
    for first in [0, 300, 301, 1_300] {
        let last = if first == 300 { 301 } else { first + 300 };
        fill(&producer, &topic, 3, first..last);
        let found = numbers(&mut tail);
        for (partition, of) in &found {
            let wanted: Vec<i32> = (first..last).filter(|number| i64::from(number % 3) == *partition).collect();
            assert_eq!(of, &wanted, "partition {partition}");
        }
        assert_eq!(found.values().map(Vec::len).sum::<usize>(), usize::try_from(last - first).unwrap());
        assert_eq!(numbers(&mut tail), BTreeMap::new(), "nothing twice");
    }
    assert_eq!(numbers(&mut open(&topic)).values().map(Vec::len).sum::<usize>(), 901, "another tail reads all of it");
}

#[test]
fn markers_and_aborted_records_block_nobody() {
    let (topic, transactions) = (new_topic("tail-aborted", 1), transactional());
    let mut tail = open(&topic);
    for (first, commits) in [(0, true), (10, false), (20, true), (30, false)] {
        begin_with(&transactions, &topic, first..first + 10);
        if commits {
            transactions.commit_transaction(LONG).unwrap();
        } else {
            transactions.abort_transaction(LONG).unwrap();
        }
        // The broker completes a transaction a little after it has reported the commit.
        let (wanted, deadline) = ((first..first + 10).collect::<Vec<i32>>(), Instant::now() + LONG);
        let mut found = Vec::new();
        while commits && found.len() < wanted.len() {
            assert!(Instant::now() < deadline, "{found:?}");
            found.extend(numbers(&mut tail).remove(&0).unwrap_or_default());
        }
        assert_eq!(found, if commits { wanted } else { Vec::new() });
        assert_eq!(numbers(&mut tail), BTreeMap::new());
    }
}
