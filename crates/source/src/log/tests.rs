use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use kassa_model::time::Clock;
use kassa_model::{Partition, Positions};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{Log, LogError, LogOptions, LogReader, LogRecord, Receipt, Retained, repair, verify, verify_from};

mod crash;
mod damage;
mod full;
mod recovery;

/// Blocks until it is released.
#[derive(Debug, Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn clock() -> Arc<Hand> {
    Arc::new(Hand(AtomicI64::new(1_000_000)))
}

fn orders() -> Partition {
    Partition::new("orders", 0)
}

fn open(dir: &Path, options: &LogOptions) -> Log {
    Log::open(dir, options.clone(), clock()).unwrap()
}

/// Few records per segment, and nothing is deleted.
fn small() -> LogOptions {
    LogOptions { segment_bytes: 400, retention_bytes: None, retention_age: None, ..LogOptions::default() }
}

fn values(range: std::ops::Range<i64>) -> Vec<LogRecord> {
    range.map(|number| LogRecord::new(format!("{{\"order_id\":\"{number}\"}}"))).collect()
}

fn append(log: &Log, range: std::ops::Range<i64>) -> Receipt {
    log.append_and_wait(&orders(), values(range)).unwrap()
}

/// All records of a reader, in runs of at most `run` records: offset and value.
fn drain(reader: &mut LogReader, run: usize) -> Result<Vec<(i64, Vec<u8>)>, LogError> {
    let mut all = Vec::new();
    while let Some(records) = reader.read(run, 1 << 20)? {
        assert!(records.len() <= run && records.next == records.offsets.last().unwrap() + 1);
        all.extend((0..records.len()).map(|index| (records.offsets[index], records.value(index).to_vec())));
    }
    Ok(all)
}

fn expected(range: std::ops::Range<i64>) -> Vec<(i64, Vec<u8>)> {
    range.clone().zip(values(range)).map(|(offset, record)| (offset, record.value.to_vec())).collect()
}

fn segments(dir: &Path) -> Vec<i64> {
    super::folder::segments(&dir.join("log/orders/0")).unwrap()
}

#[test]
fn appended_records_are_read_back_with_keys_and_ingest_times() {
    let dir = TempDir::new().unwrap();
    let hand = clock();
    let log = Log::open(dir.path(), LogOptions::default(), hand.clone()).unwrap();
    let keyed = LogRecord { key: Some(Bytes::from_static(b"k")), value: Bytes::from_static(b"{}") };
    let empty_key = LogRecord { key: Some(Bytes::new()), value: Bytes::new() };
    log.append_and_wait(&orders(), vec![keyed, LogRecord::new("a"), empty_key]).unwrap();
    hand.0.store(500, Ordering::Relaxed);
    let receipt = log.append_and_wait(&orders(), vec![LogRecord::new("b")]).unwrap();
    assert_eq!(
        receipt,
        Receipt { partition: orders(), from: 3, to: 4, ingested_at: 1_000_000 },
        "a clock that goes back is ignored"
    );

    let records = log.reader(&orders(), 0).unwrap().read(10, 1 << 20).unwrap().unwrap();
    assert_eq!((records.offsets.clone(), records.next), (vec![0, 1, 2, 3], 4));
    assert_eq!(records.ingested_at, [1_000_000; 4]);
    let keys: Vec<_> = (0..4).map(|index| records.key(index)).collect();
    assert_eq!(keys, [Some(&b"k"[..]), None, Some(&b""[..]), None]);
    let held: Vec<_> = (0..4).map(|index| records.value(index)).collect();
    assert_eq!(held, [&b"{}"[..], b"a", b"", b"b"]);
}

#[test]
fn offsets_continue_after_a_restart_and_across_segments() {
    let dir = TempDir::new().unwrap();
    for step in 0..5 {
        let log = open(dir.path(), &small());
        assert_eq!(append(&log, step * 10..step * 10 + 10).from, step * 10);
    }
    assert!(segments(dir.path()).len() > 3);
    let log = open(dir.path(), &small());
    assert_eq!(log.ends().get(&orders()), Some(50));
    for from in [0, 1, 7, 25, 49, 50] {
        assert_eq!(drain(&mut log.reader(&orders(), from).unwrap(), 3).unwrap(), expected(from..50));
    }
    assert_eq!(drain(&mut LogReader::open(dir.path(), &orders(), 0).unwrap(), 7).unwrap(), expected(0..50));
    assert_eq!(verify(dir.path()).unwrap().problems, []);
}

#[test]
fn a_run_ends_at_its_limit_of_bytes() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &small());
    append(&log, 0..10);
    let mut reader = log.reader(&orders(), 0).unwrap();
    assert_eq!(reader.read(100, 1).unwrap().unwrap().len(), 1);
    assert_eq!(reader.read(100, 17).unwrap().unwrap().len(), 2);
    assert_eq!(reader.next_offset(), 3);
}

#[test]
fn concurrent_appenders_get_distinct_consecutive_offsets() {
    let dir = TempDir::new().unwrap();
    let options = LogOptions { segment_bytes: 4_000, ..small() };
    let log = open(dir.path(), &options);
    let mut given: Vec<(i64, String)> = thread::scope(|scope| {
        let appenders: Vec<_> = (0..8)
            .map(|who| {
                scope.spawn({
                    let log = &log;
                    move || {
                        (0..50)
                            .flat_map(|turn| {
                                let texts: Vec<_> = (0..1 + turn % 3).map(|part| format!("{who}/{turn}/{part}")).collect();
                                let records = texts.iter().map(|text| LogRecord::new(text.clone())).collect();
                                let receipt = log.append_and_wait(&orders(), records).unwrap();
                                (receipt.from..receipt.to).zip(texts).collect::<Vec<_>>()
                            })
                            .collect::<Vec<_>>()
                    }
                })
            })
            .collect();
        appenders.into_iter().flat_map(|appender| appender.join().unwrap()).collect()
    });
    drop(log);
    given.sort();
    let log = open(dir.path(), &options);
    let held = drain(&mut log.reader(&orders(), 0).unwrap(), 64).unwrap();
    let given: Vec<_> = given.into_iter().map(|(offset, text)| (offset, text.into_bytes())).collect();
    assert!(given.iter().zip(0..).all(|((offset, _), expected)| *offset == expected));
    assert_eq!(held, given);
}

#[test]
fn a_waiting_reader_is_woken_when_records_become_durable() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &small());
    let (observed, calls) = mpsc::channel();
    log.signal().observe(move || observed.send(()).unwrap());
    let mut reader = log.reader(&orders(), 0).unwrap();
    let seen = log.signal().seen();
    assert!(reader.read(10, 1 << 20).unwrap().is_none());
    thread::scope(|scope| {
        let woken = scope.spawn(|| log.signal().wait(seen, Duration::from_secs(60)));
        append(&log, 0..2);
        assert!(woken.join().unwrap() > seen);
    });
    assert_eq!(drain(&mut reader, 10).unwrap(), expected(0..2));
    calls.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(log.signal().wait(log.signal().seen(), Duration::ZERO), log.signal().seen());
}

#[test]
fn a_reader_in_another_process_follows_the_log_across_segments() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &small());
    let mut reader = LogReader::open(dir.path(), &orders(), 0).unwrap();
    assert!(reader.read(10, 1 << 20).unwrap().is_none());
    for step in 0..30 {
        append(&log, step..step + 1);
        assert_eq!(drain(&mut reader, 10).unwrap(), expected(step..step + 1));
    }
}

#[test]
fn appends_beyond_the_capacity_are_refused_until_the_sinks_have_committed() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions { capacity_bytes: 1_000, ..small() });
    let taken = (0..100).take_while(|turn| log.append_and_wait(&orders(), values(*turn..turn + 1)).is_ok()).count() as i64;
    assert!((10..30).contains(&taken), "{taken}");
    let refused = log.append_and_wait(&orders(), values(0..1)).unwrap_err();
    assert!(matches!(refused, LogError::Full { retry_after } if retry_after >= Duration::from_secs(1)));
    log.retain(&Positions::from_iter([(orders(), taken - 1)])).unwrap();
    assert!(log.backlog_bytes() < 100, "{}", log.backlog_bytes());
    assert_eq!(append(&log, taken..taken + 1).from, taken);
}

#[test]
fn a_full_queue_refuses_more() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions { queue_bytes: 100, ..small() });
    let (open_gate, gate) = mpsc::channel::<()>();
    let (at_gate, reached) = mpsc::channel();
    log.append(&orders(), values(0..1), move |_| {
        at_gate.send(()).unwrap();
        gate.recv().unwrap();
    })
    .unwrap();
    reached.recv().unwrap();
    let (sender, answers) = mpsc::channel();
    let answer = |sender: mpsc::Sender<_>| move |result: Result<Receipt, LogError>| sender.send(result.unwrap().from).unwrap();
    log.append(&orders(), values(1..2), answer(sender.clone())).unwrap();
    log.append(&orders(), values(2..3), answer(sender.clone())).unwrap();
    assert!(matches!(log.append(&orders(), values(3..4), |_| ()), Err(LogError::Full { .. })));
    assert!((60..=100).contains(&log.queued_bytes()), "{}", log.queued_bytes());
    open_gate.send(()).unwrap();
    drop((log, sender));
    assert_eq!(answers.iter().collect::<Vec<_>>(), [1, 2], "accepted records are answered, even at the end");
}

#[test]
fn a_record_over_the_limit_and_an_invalid_topic_refuse_the_whole_call() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions { max_record_bytes: 10, ..small() });
    let records = vec![LogRecord::new("fits"), LogRecord::new("does not fit")];
    let refused = log.append_and_wait(&orders(), records).unwrap_err();
    assert!(matches!(refused, LogError::TooLarge { index: 1, bytes: 12, limit: 10 }));
    for topic in ["", "..", ".lock", "a/b", "a b", "ü", &"x".repeat(201)] {
        let refused = log.append_and_wait(&Partition::new(topic, 0), vec![LogRecord::new("x")]);
        assert!(matches!(refused, Err(LogError::BadTopic { .. })), "{topic}");
    }
    assert_eq!(log.ends().next(&orders()), 0);
    let too_wide = LogOptions { max_record_bytes: 65 << 20, ..small() };
    assert!(matches!(Log::open(dir.path(), too_wide, clock()), Err(LogError::BadLimit { .. })));
}

#[test]
fn only_whole_segments_that_every_sink_has_committed_are_deleted() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions { retention_bytes: Some(0), ..small() });
    append(&log, 0..50);
    let firsts = segments(dir.path());
    let committed = |next| Positions::from_iter([(orders(), next)]);
    assert_eq!(log.retain(&committed(firsts[1] - 1)).unwrap(), Retained::default());
    assert_eq!(log.retain(&committed(firsts[2])).unwrap().segments, 2);
    assert_eq!(segments(dir.path()), firsts[2..]);
    assert_eq!(log.starts().get(&orders()), Some(firsts[2]));
    log.retain(&committed(50)).unwrap();
    assert_eq!(segments(dir.path()), [*firsts.last().unwrap()], "the segment being written stays");

    assert!(matches!(log.reader(&orders(), 0), Err(LogError::Gone { start, .. }) if start == *firsts.last().unwrap()));
    let elsewhere = LogReader::open(dir.path(), &orders(), 0).unwrap().read(1, 1);
    assert!(matches!(elsewhere, Err(LogError::Gone { .. })));
    drop(log);
    let log = open(dir.path(), &small());
    assert_eq!(append(&log, 50..51).from, 50);
    assert_eq!(verify(dir.path()).unwrap().problems, []);
}

#[test]
fn retention_by_age_waits_until_the_last_record_is_old_enough() {
    let dir = TempDir::new().unwrap();
    let hand = clock();
    let options = LogOptions { retention_age: Some(Duration::from_secs(10)), ..small() };
    let log = Log::open(dir.path(), options, hand.clone()).unwrap();
    append(&log, 0..50);
    let all = Positions::from_iter([(orders(), 50)]);
    hand.0.store(1_000_000 + 9_999_999, Ordering::Relaxed);
    assert_eq!(log.retain(&all).unwrap().segments, 0);
    hand.0.store(1_000_000 + 10_000_000, Ordering::Relaxed);
    assert!(log.retain(&all).unwrap().segments > 3);
}

/// The clock is this far ahead while some segments are written.
const JUMP: i64 = 400 * kassa_model::time::DAY;

fn ingest_times(log: &Log) -> Vec<i64> {
    let mut reader = log.reader(&orders(), 0).unwrap();
    std::iter::from_fn(|| reader.read(1_000, 1 << 20).unwrap()).flat_map(|records| records.ingested_at).collect()
}

#[test]
fn a_clock_that_was_ahead_is_followed_back_and_holds_no_segment() {
    let dir = TempDir::new().unwrap();
    let hand = clock();
    let options = LogOptions { retention_age: Some(Duration::from_secs(10)), ..small() };
    let log = Log::open(dir.path(), options.clone(), hand.clone()).unwrap();
    append(&log, 0..1);
    hand.0.fetch_add(JUMP, Ordering::Relaxed);
    append(&log, 1..30);
    hand.0.fetch_sub(JUMP, Ordering::Relaxed);
    drop(log);
    let log = Log::open(dir.path(), options, hand.clone()).unwrap();
    assert_eq!(append(&log, 30..40).ingested_at, 1_000_000);
    let times = ingest_times(&log);
    assert!(times[1..30].iter().all(|at| *at == 1_000_000 + JUMP) && times[30..].iter().all(|at| *at == 1_000_000));
    let firsts = segments(dir.path());
    let normal = *firsts.iter().find(|first| **first == 30).expect("the time goes back in a new segment");
    let all = Positions::from_iter([(orders(), 40)]);
    hand.0.fetch_add(9_999_999, Ordering::Relaxed);
    assert_eq!(log.retain(&all).unwrap().segments, 0, "they are as old as the first plausible time after them");
    hand.0.fetch_add(1, Ordering::Relaxed);
    log.retain(&all).unwrap();
    assert!(segments(dir.path()).iter().all(|first| *first >= normal), "{:?}", segments(dir.path()));
    assert_eq!(verify(dir.path()).unwrap().problems, []);
}

#[test]
fn a_clock_that_was_behind_deletes_no_younger_segment() {
    let dir = TempDir::new().unwrap();
    let hand = clock();
    hand.0.store(2 * JUMP, Ordering::Relaxed);
    let options = LogOptions { retention_age: Some(Duration::from_secs(10)), ..small() };
    let log = Log::open(dir.path(), options, hand.clone()).unwrap();
    append(&log, 0..50);
    hand.0.store(JUMP, Ordering::Relaxed);
    append(&log, 50..51);
    let all = Positions::from_iter([(orders(), 51)]);
    assert_eq!(log.retain(&all).unwrap().segments, 0, "while the clock is behind, none is known to be old");
    hand.0.store(2 * JUMP + 9_999_999, Ordering::Relaxed);
    assert_eq!(log.retain(&all).unwrap().segments, 0, "nor afterwards");
    hand.0.store(2 * JUMP + 10_000_000, Ordering::Relaxed);
    assert!(log.retain(&all).unwrap().segments > 3);
}

#[test]
fn a_second_process_cannot_open_the_log_for_writing() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &small());
    assert!(matches!(Log::open(dir.path(), small(), clock()), Err(LogError::InUse { .. })));
    drop(log);
    open(dir.path(), &small());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_appends_in_any_sessions_are_read_back_in_order(
        segment_bytes in 50_u64..2_000,
        sessions in prop::collection::vec(prop::collection::vec(
            (0..2_usize, prop::collection::vec((prop::option::of(".{0,5}"), prop::collection::vec(any::<u8>(), 0..80)), 0..6)), 0..6), 1..5),
        run in 1..9_usize,
    ) {
        let dir = TempDir::new().unwrap();
        let options = LogOptions { segment_bytes, ..small() };
        let topics = [Partition::new("a", 0), Partition::new("b.c-d_E", 3)];
        let mut kept = [Vec::new(), Vec::new()];
        for session in sessions {
            let log = open(dir.path(), &options);
            for (topic, records) in session {
                let records: Vec<_> = records.into_iter()
                    .map(|(key, value)| LogRecord { key: key.map(Bytes::from), value: value.into() }).collect();
                let receipt = log.append_and_wait(&topics[topic], records.clone()).unwrap();
                prop_assert_eq!((receipt.from, receipt.to), (kept[topic].len() as i64, (kept[topic].len() + records.len()) as i64));
                kept[topic].extend(records);
            }
        }
        let log = open(dir.path(), &options);
        for (topic, kept) in topics.iter().zip(&kept) {
            for mut reader in [log.reader(topic, 0).unwrap(), LogReader::open(dir.path(), topic, 0).unwrap()] {
                let mut held = Vec::new();
                while let Some(records) = reader.read(run, 200).unwrap() {
                    held.extend((0..records.len()).map(|index| LogRecord {
                        key: records.key(index).map(Bytes::copy_from_slice),
                        value: Bytes::copy_from_slice(records.value(index)),
                    }));
                }
                prop_assert_eq!(&held, kept);
            }
        }
        prop_assert_eq!(verify(dir.path()).unwrap().problems, []);
    }
}
