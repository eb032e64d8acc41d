//! Faults of the network and of a busy server on a bucket. Each fault is counted, so that a test
//! cannot pass without it.

use std::sync::Arc;
use std::time::Duration;

use kassa_lake::delta::table::NewFile;
use kassa_lake::delta::{DeltaTable, LogError};
use kassa_lake::{Refused, S3, S3Options, Store, encode, read, star};
use kassa_model::star::spans;
use kassa_model::time::SystemClock;
use kassa_model::{Partition, Table};
use kassa_pipeline::SinkError;
use kassa_stack::http_faults::{Fault, HttpFaults};
use kassa_stack::s3::S3Server;

use crate::bucket::{bucket, options, server};

const TOPIC: &str = "orders";

fn behind(server: &S3Server) -> (HttpFaults, S3) {
    let proxy = HttpFaults::start(server.address()).unwrap();
    let store = bucket(&proxy.endpoint(), "f");
    (proxy, store)
}

#[test]
fn a_conditional_put_gives_the_right_result_with_any_fault_in_its_answer() {
    let server = server();
    let (proxy, store) = behind(&server);
    let faults = [
        Fault::Answer(503, "SlowDown"),
        Fault::Answer(500, "InternalError"),
        Fault::Answer(429, "TooManyRequests"),
        Fault::Answer(409, "ConditionalRequestConflict"),
        Fault::Answer(412, "PreconditionFailed"),
        Fault::DropRequest,
        Fault::DropReply,
    ];
    for (nth, fault) in faults.into_iter().enumerate() {
        for times in [1, 3] {
            proxy.clear();
            let path = format!("log/{nth}-{times}");
            let rule = proxy.on("PUT", &path, (1, times), fault);
            assert!(store.put_new(&path, b"ours").unwrap(), "{fault:?}: the object is ours");
            assert_eq!(store.get(&path).unwrap(), b"ours", "{fault:?}");
            assert!(rule.fired() >= 1, "{fault:?} never fired");
            proxy.clear();
            let rule = proxy.on("PUT", &path, (1, 1), fault);
            assert!(!store.put_new(&path, b"theirs").unwrap(), "{fault:?}: the object is another writer's");
            assert_eq!((store.get(&path).unwrap().as_slice(), rule.fired()), (b"ours".as_slice(), 1), "{fault:?}");
        }
    }
}

#[test]
fn a_truncated_answer_is_fetched_again() {
    let server = server();
    let (proxy, store) = behind(&server);
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    store.put("DWH/t/x", &bytes).unwrap();
    for keep in [0, 1, 299_999] {
        proxy.clear();
        let rule = proxy.on("GET", "DWH/t/x", (1, 1), Fault::Truncate(keep));
        assert!(store.get("DWH/t/x").unwrap() == bytes, "{keep} bytes were accepted as the whole object");
        assert_eq!(rule.fired(), 1);
        proxy.clear();
        let rule = proxy.on("GET", "DWH/t/x", (1, 1), Fault::Truncate(keep));
        let all = store.get_all(&["DWH/t/x".to_owned()]).unwrap();
        assert!(all == [bytes.clone()] && rule.fired() == 1, "{keep} bytes were accepted as the whole object");
    }
    proxy.clear();
    let rule = proxy.on("GET", "list-type=2", (1, 2), Fault::Answer(503, "SlowDown"));
    assert_eq!((store.list("DWH/t").unwrap(), rule.fired()), (vec!["x".to_owned()], 2));
    // The parts of a large object, and its completion.
    let large: Vec<u8> = (0..=255).cycle().take(17 << 20).collect();
    for fault in [Fault::Answer(503, "SlowDown"), Fault::DropReply] {
        proxy.clear();
        let (part, end) = (proxy.on("PUT", "partNumber=2", (1, 1), fault), proxy.on("POST", "uploadId", (1, 1), fault));
        let path = format!("DWH/t/large-{fault:?}").replace([' ', '(', ')', ',', '"'], "");
        store.put(&path, &large).unwrap();
        assert!(store.get(&path).unwrap() == large);
        assert_eq!((part.fired(), end.fired()), (1, 1), "{fault:?}");
    }
}

#[test]
fn a_missing_right_stops_and_a_server_that_stays_busy_is_retried_later() {
    let server = server();
    let (proxy, _) = behind(&server);
    let impatient = S3::open(&S3Options { patience: Duration::from_millis(500), ..options(&proxy.endpoint(), "f") }).unwrap();
    for (method, part, right) in
        [("PUT", "log", "s3:PutObject"), ("GET", "log", "s3:GetObject"), ("GET", "list-type=2", "s3:ListBucket")]
    {
        proxy.clear();
        let rule = proxy.on(method, part, (1, 99), Fault::Answer(403, "AccessDenied"));
        let error = match right {
            "s3:PutObject" => impatient.put_new("log/1", b"x").unwrap_err(),
            "s3:GetObject" => impatient.get("log/1").unwrap_err(),
            _ => impatient.list("log").unwrap_err(),
        };
        let refused = Refused::of(&error).unwrap_or_else(|| panic!("{error} was treated as temporary"));
        assert!(refused.what.contains(right) && refused.fix.contains("arn:aws:s3:::shop-lake"), "{refused:?}");
        assert_eq!(rule.fired(), 1, "a refused request is not retried");
        assert!(matches!(SinkError::from(LogError::from(error)), SinkError::Invalid(_)));
    }
    proxy.clear();
    let rule = proxy.on("PUT", "log", (1, 10_000), Fault::Answer(503, "SlowDown"));
    let error = impatient.put_new("log/1", b"x").unwrap_err();
    assert!(rule.fired() > 2 && error.to_string().contains("SlowDown"), "{error}");
    assert!(matches!(SinkError::from(LogError::from(error)), SinkError::Unavailable(_)));
    assert!(impatient.get("log/1").is_err(), "nothing was written");
}

/// A server that reports every condition as met.
#[test]
fn a_server_that_overwrites_despite_the_condition_is_refused() {
    let server = server();
    let (proxy, store) = behind(&server);
    let rule = proxy.on("PUT", "conditional-put", (1, 99), Fault::Answer(200, "none"));
    let error = store.may_write().unwrap_err();
    assert!(Refused::of(&error).is_some_and(|refused| refused.what.contains("in spite of")), "{error}");
    assert_eq!(rule.fired(), 2);
}

fn table(store: &S3) -> DeltaTable {
    DeltaTable::open(Arc::new(store.clone()), star::table_spec(Table::Spans), Arc::new(SystemClock)).unwrap()
}

pub(crate) fn row(offset: i64) -> NewFile {
    let mut rows = spans::Builder::sized(1);
    rows.push(&spans::Row {
        topic: TOPIC,
        partition: 0,
        from_offset: offset,
        to_offset: offset + 1,
        read: 1,
        accepted: 1,
        duplicates: 0,
        dead_letters: 0,
        gap: 0,
        committed_at: 0,
    });
    let rows = rows.finish().unwrap();
    let properties = encode::properties(&Table::Spans.schema(), encode::ZSTD_LEVEL);
    NewFile { bytes: encode::parquet(&[rows], &properties).unwrap(), rows: 1, partition_values: Default::default() }
}

#[test]
fn a_commit_without_an_answer_is_completed_and_not_repeated() {
    let server = server();
    let (proxy, _) = behind(&server);
    let impatient = S3::open(&S3Options { patience: Duration::from_millis(300), ..options(&proxy.endpoint(), "f") }).unwrap();
    let partition = Partition::new(TOPIC, 0);
    let mut table = table(&impatient);
    table.append(vec![row(0)], &[(partition.clone(), 1)]).unwrap();
    for (version, landed) in [(1, true), (2, false)] {
        proxy.clear();
        let entry = format!("_delta_log/{version:020}.json");
        let fault = if landed { Fault::DropReply } else { Fault::DropRequest };
        let (puts, gets) =
            (proxy.on("PUT", &entry, (1, 10_000), fault), proxy.on("GET", &entry, (1, 10_000), Fault::DropRequest));
        let error = table.append(vec![row(version)], &[(partition.clone(), version + 1)]).unwrap_err();
        assert!(matches!(error, LogError::Io(_)), "{error}");
        assert!(puts.fired() > 0 && gets.fired() > 0);
        assert_eq!(table.positions().next(&partition), version, "unknown commits are not counted");
        proxy.clear();
        assert!(table.complete().unwrap());
        assert!(!table.complete().unwrap());
        assert_eq!(table.positions().next(&partition), version + 1);
    }
    let held = self::table(&impatient);
    assert_eq!((held.snapshot().version, held.snapshot().files.len()), (Some(2), 3), "each row exists once");
    assert_eq!(impatient.list(&format!("{}/_delta_log", read::folder_of(Table::Spans))).unwrap().len(), 3);
}

#[test]
fn an_outage_during_a_commit_leaves_each_row_once() {
    let server = server();
    let (proxy, _) = behind(&server);
    let impatient: Arc<dyn Store> =
        Arc::new(S3::open(&S3Options { patience: Duration::from_millis(200), ..options(&proxy.endpoint(), "o") }).unwrap());
    let contracts = std::collections::HashMap::from([(Arc::from(kassa_sim::batches::TOPIC), kassa_model::Contract::OrderLine)]);
    let mut sink = kassa_lake::StarSink::open(&impatient, contracts, Arc::new(SystemClock)).unwrap();
    let mut rng = kassa_sim::Rng(7);
    let (mut at, mut failed) = (0_i64, 0);
    while at < 60 {
        proxy.clear();
        let nth = 1 + rng.below(4) as u64;
        let fault = if rng.below(2) == 0 { Fault::DropReply } else { Fault::Answer(503, "SlowDown") };
        let rules =
            [proxy.on("PUT", "_delta_log", (nth, 10_000), fault), proxy.on("GET", "_delta_log", (1, 10_000), Fault::DropRequest)];
        let batch = [kassa_sim::batches::sold(0, at..at + 5)];
        let first = kassa_pipeline::Sink::commit(&mut sink, &batch);
        if first.is_err() {
            assert!(rules.iter().map(|rule| rule.fired()).sum::<u64>() > 0, "{first:?}");
            assert!(matches!(first, Err(SinkError::Unavailable(_))), "{first:?}");
            failed += 1;
            proxy.clear();
            kassa_pipeline::Sink::commit(&mut sink, &batch).unwrap();
        }
        at += 5;
    }
    assert!(failed >= 6, "only {failed} of 12 commits were hit by the outage");
    let kept = crate::Kept { store: impatient, _folder: None };
    proxy.clear();
    assert_eq!(kept.rows(&read::folder_of(Table::FactSales)), 60);
}
