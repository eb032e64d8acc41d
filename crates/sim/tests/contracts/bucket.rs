//! A real S3 server as the store: the suites of stores and sinks, races for one object, and objects
//! that are too large for one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use kassa_lake::{Refused, S3, S3Keys, S3Options, Store};
use kassa_model::Secret;
use kassa_stack::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use parquet::file::reader::{ChunkReader, Length};
use tempfile::TempDir;

use crate::{Archive, Kept, Star};

pub(crate) const BUCKET: &str = "shop-lake";

/// A server with a bucket.
pub(crate) fn server() -> S3Server {
    let server = S3Server::start().unwrap();
    server.create_bucket(BUCKET).unwrap();
    server
}

pub(crate) fn options(endpoint: &str, prefix: &str) -> S3Options {
    S3Options {
        bucket: BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        keys: Some(S3Keys {
            access_key_id: Secret::new("env:ID", ACCESS_KEY_ID),
            secret_access_key: Secret::new("env:KEY", SECRET_ACCESS_KEY),
            session_token: None,
        }),
        scratch: std::env::temp_dir(),
        patience: Duration::from_secs(10),
    }
}

pub(crate) fn bucket(endpoint: &str, prefix: &str) -> S3 {
    S3::open(&options(endpoint, prefix)).unwrap()
}

#[test]
fn a_bucket_is_a_store() {
    let server = server();
    for prefix in ["", "a/b"] {
        let store = bucket(&server.endpoint(), prefix);
        store.may_write().unwrap();
        kassa_sim::store::holds(&store);
    }
    assert!(server.folder_of(BUCKET).join("a/b/log/1").is_file(), "objects lie below the prefix");
}

#[test]
fn sinks_fulfil_their_contract_in_a_bucket() {
    let server = server();
    let fresh = AtomicUsize::new(0);
    let kept = || {
        let prefix = format!("p{}", fresh.fetch_add(1, Ordering::Relaxed));
        Kept { store: Arc::new(bucket(&server.endpoint(), &prefix)), _folder: None }
    };
    kassa_sim::sink::holds(|| Archive(kept()));
    kassa_sim::sink::holds(|| Star(kept()));
}

#[test]
fn of_eight_writers_of_one_object_exactly_one_wins_two_hundred_times() {
    let server = server();
    let stores: Vec<S3> = (0..8).map(|_| bucket(&server.endpoint(), "race")).collect();
    for round in 0..200 {
        let path = format!("log/{round:020}.json");
        let body = |nth: usize| vec![u8::try_from(nth).unwrap(); 2048];
        let won: Vec<usize> = thread::scope(|scope| {
            let put = |(nth, store)| {
                (
                    nth,
                    scope.spawn({
                        let path = &path;
                        move || Store::put_new(store, path, &body(nth)).unwrap()
                    }),
                )
            };
            let writers: Vec<_> = stores.iter().enumerate().map(put).collect();
            writers.into_iter().filter_map(|(nth, writer)| writer.join().unwrap().then_some(nth)).collect()
        });
        let [winner] = won[..] else { panic!("round {round}: {won:?} won") };
        assert_eq!(stores[0].get(&path).unwrap(), body(winner), "round {round}");
    }
}

/// Just over 21 MiB in which no two blocks are equal.
fn large() -> Vec<u8> {
    (0..5_600_001_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[test]
fn a_large_object_is_written_and_read_in_parts() {
    let server = server();
    let scratch = TempDir::new().unwrap();
    let store = S3::open(&S3Options { scratch: scratch.path().join("tmp"), ..options(&server.endpoint(), "x") }).unwrap();
    let bytes = large();
    let put = store.put_with("DWH/t/large", &mut |sink| bytes.chunks(100_001).try_for_each(|part| sink.write_all(part))).unwrap();
    assert_eq!(put, bytes.len() as u64);
    assert!(store.get("DWH/t/large").unwrap() == bytes, "the object read differs from the object written");
    assert_eq!(store.about("DWH/t/large").unwrap().bytes, put);
    let object = store.open("DWH/t/large").unwrap();
    assert_eq!(object.len(), put);
    for start in [0, 9_999_999, bytes.len() - 70_000, bytes.len() - 8] {
        let part = object.get_bytes(start as u64, 8).unwrap();
        assert_eq!(part, bytes[start..start + 8], "at {start}");
    }
    assert!(object.get_bytes(put - 4, 8).is_err(), "beyond the end");
    assert_eq!(store.open("DWH/t/large").unwrap().len(), put);
    store.put("DWH/t/empty", b"").unwrap();
    assert_eq!(store.open("DWH/t/empty").unwrap().len(), 0);
    // A writer that fails must leave no object.
    store.put_with("DWH/t/failed", &mut |sink| sink.write_all(&bytes).and(Err(std::io::Error::other("no more")))).unwrap_err();
    assert_eq!(store.list("DWH/t").unwrap(), ["empty", "large"]);
}

#[test]
fn a_folder_of_more_than_one_page_is_listed_completely() {
    let server = server();
    let store = bucket(&server.endpoint(), "x");
    // Writes the server's files directly: eleven hundred PUTs would test nothing more.
    let folder = server.folder_of(BUCKET).join("x/many");
    std::fs::create_dir_all(&folder).unwrap();
    let names: Vec<String> = (0..2_345).map(|number| format!("{number:020}.json")).collect();
    names.iter().for_each(|name| std::fs::write(folder.join(name), name).unwrap());
    assert_eq!(store.list("many").unwrap(), names);
    let paths: Vec<String> = names.iter().take(300).map(|name| format!("many/{name}")).collect();
    let read = store.get_all(&paths).unwrap();
    assert!(read.iter().zip(&names).all(|(bytes, name)| bytes == name.as_bytes()));
    assert!(store.get_all(&["many/none".to_owned()]).is_err());
}

/// Checks that the request is refused and that the error names the fix.
#[track_caller]
fn refused(options: &S3Options, words: [&str; 2]) {
    let error = S3::open(options).unwrap().may_write().unwrap_err();
    let refused = Refused::of(&error).unwrap_or_else(|| panic!("{error} was treated as temporary"));
    assert!(refused.what.contains(words[0]) && refused.fix.contains(words[1]), "{refused:?}");
    assert!(!format!("{refused:?}").contains(SECRET_ACCESS_KEY));
}

#[test]
fn errors_for_the_operator_are_reported_and_not_retried() {
    let server = server();
    let right = options(&server.endpoint(), "x");
    let wrong = |id: &str, key: &str| {
        let keys = S3Keys {
            access_key_id: Secret::new("env:ID", id),
            secret_access_key: Secret::new("env:KEY", key),
            session_token: None,
        };
        S3Options { keys: Some(keys), ..right.clone() }
    };
    refused(
        &S3Options { bucket: "no-such-bucket".to_owned(), ..right.clone() },
        ["the bucket `no-such-bucket` does not exist", "lake.url"],
    );
    refused(
        &wrong(ACCESS_KEY_ID, "not-the-key"),
        ["the secret key is not that of the access key id", "lake.s3.secret_access_key"],
    );
    refused(&wrong("nobody", SECRET_ACCESS_KEY), ["does not know the access key id", "lake.s3.access_key_id"]);
}

/// Commits of a thousand order lines each to archive and lake: the median and the slowest duration,
/// and the rate.
fn commits(store: Arc<dyn Store>) -> String {
    const COMMITS: i64 = 60;
    const LINES: i64 = 1_000;
    let contracts = std::collections::HashMap::from([(Arc::from(kassa_sim::batches::TOPIC), kassa_model::Contract::OrderLine)]);
    let clock: Arc<dyn kassa_model::time::Clock> = Arc::new(kassa_model::time::SystemClock);
    let lake = kassa_lake::StarSink::open(&store, contracts, Arc::clone(&clock)).unwrap();
    let archive = kassa_lake::ArchiveSink::open(store, &[Arc::from(kassa_sim::batches::TOPIC)], clock).unwrap();
    let options = kassa_lake::maintain::Options::default;
    let mut sinks: [Box<dyn kassa_pipeline::Sink>; 2] =
        [Box::new(archive.maintained(options())), Box::new(lake.maintained(options()))];
    let batches: Vec<_> = (0..COMMITS).map(|nth| [kassa_sim::batches::sold(0, nth * LINES..(nth + 1) * LINES)]).collect();
    let begun = std::time::Instant::now();
    let mut took: Vec<Duration> = Vec::new();
    for batch in &batches {
        let at = std::time::Instant::now();
        sinks.iter_mut().for_each(|sink| sink.commit(batch).unwrap());
        took.push(at.elapsed());
    }
    took.sort();
    let rate = f64::from(u32::try_from(COMMITS * LINES).unwrap()) / begun.elapsed().as_secs_f64();
    format!("median {:?}, slowest {:?}, {rate:.0} lines/s", took[took.len() / 2], took[took.len() - 1])
}

#[test]
#[ignore = "a measurement, for `make soak`"]
fn a_commit_to_a_bucket_compared_with_a_folder() {
    let server = server();
    for round in 0..2 {
        println!("folder: {}", commits(Arc::clone(&Kept::in_folder().store)));
        println!("bucket: {}", commits(Arc::new(bucket(&server.endpoint(), &format!("m{round}")))));
    }
}
