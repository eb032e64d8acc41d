use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use kassa_model::star::{dim_channel, lineage, spans};
use kassa_model::time::{Clock, DAY, SystemClock};
use kassa_model::{Currency, Partition, Records, Shop, Table};
use kassa_pipeline::{Batch, Sink};

use super::*;
use crate::delta::contents::Extent;
use crate::delta::table::{NewFile, app_id};
use crate::delta::{Add, Snapshot};
use crate::lease::Lease;
use crate::store::Store;
use crate::testing::Fast;
use crate::{ArchiveSink, encode, read, recover, star};

const TOPIC: &str = "orders";

fn partition() -> Partition {
    Partition::new(TOPIC, 3)
}

fn open(store: &Arc<dyn Store>) -> DeltaTable {
    DeltaTable::open(Arc::clone(store), star::table_spec(Table::Spans), Arc::new(SystemClock)).unwrap()
}

/// A clock that advances one millisecond with each read.
#[derive(Debug, Default)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> i64 {
        self.0.fetch_add(SECOND / 1_000, Ordering::Relaxed)
    }
}

/// Commits one row that contains its own number.
fn commit(table: &mut DeltaTable, number: i64) -> Result<(), LogError> {
    let mut rows = spans::Builder::sized(1);
    rows.push(&spans::Row {
        topic: TOPIC,
        partition: 3,
        from_offset: number,
        to_offset: number + 1,
        read: 1,
        accepted: 1,
        duplicates: 0,
        dead_letters: 0,
        gap: 0,
        committed_at: number,
    });
    table.append(vec![file(Table::Spans, rows.finish().unwrap())], &[(partition(), number + 1)])
}

fn file(table: Table, rows: RecordBatch) -> NewFile {
    let bytes = encode::parquet(&[rows], &encode::properties(&table.schema(), ZSTD_LEVEL)).unwrap();
    NewFile { bytes, rows: 1, partition_values: BTreeMap::new() }
}

/// The numbers of all rows, in file order.
fn numbers(store: &dyn Store) -> Vec<i64> {
    let folder = read::folder_of(Table::Spans);
    let snapshot = Snapshot::load(store, &folder).unwrap();
    let mut files: Vec<&Add> = snapshot.files.values().collect();
    files.sort_by_key(|add| add.modification_time);
    let mut numbers = Vec::new();
    for add in files {
        read::file(store, &folder, add, &Table::Spans.schema(), &["from_offset"], &mut |rows| {
            numbers.extend(rows.column(0).as_primitive::<Int64Type>().values());
            Ok(())
        })
        .unwrap();
    }
    numbers
}

fn sorted(mut numbers: Vec<i64>) -> Vec<i64> {
    numbers.sort_unstable();
    numbers
}

fn files_in(root: &Path, ending: &str) -> usize {
    fs::read_dir(root).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(ending)).count()
}

/// Files of the spans table: data, replaced data, log.
fn all_files(root: &Path) -> usize {
    let folder = root.join("DWH/spans");
    files_in(&folder, "") - 1 + files_in(&folder.join("_delta_log"), "")
}

/// Commits with maintenance after each; the clock advances one second per commit.
fn run(store: &Arc<dyn Store>, commits: std::ops::Range<i64>, options: Options) -> DeltaTable {
    let mut table = open(store);
    let mut maintainer = Maintainer::new(options);
    let start = SystemClock.now();
    for number in commits {
        commit(&mut table, number).unwrap();
        maintainer.maintain(&mut table, start + number * SECOND).unwrap();
    }
    table
}

#[test]
fn two_thousand_commits_leave_a_short_log_and_few_files() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let table = run(&store, 0..2_000, Options::default());
    let (files, start) = (all_files(dir.path()), Instant::now());
    let opened = open(&store);
    assert!(start.elapsed() < Duration::from_secs(1), "opened in {:?}", start.elapsed());
    assert!(files < 200, "{files} files");
    assert_eq!(files_in(&dir.path().join("DWH/spans/_delta_log"), ".checkpoint.parquet"), 2);
    assert!(opened.snapshot().checkpoint.is_some());
    assert_eq!(opened.snapshot().files.len(), table.snapshot().files.len());
    assert_eq!(opened.positions().get(&partition()), Some(2_000));
    assert_eq!(sorted(numbers(store.as_ref())), (0..2_000).collect::<Vec<_>>());
}

#[test]
#[ignore = "takes minutes; says how a table of 20,000 commits fares"]
fn twenty_thousand_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let start = Instant::now();
    let table = run(&store, 0..20_000, Options::default());
    let (took, files, live) = (start.elapsed(), all_files(dir.path()), table.snapshot().files.len());
    let start = Instant::now();
    let opened = open(&store);
    let opening = start.elapsed();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    let entries = files_in(&dir.path().join("DWH/spans/_delta_log"), ".json");
    println!("20,000 commits: {took:?}; {files} files ({live} data, {entries} log entries); opens in {opening:?}; {peak}");
    let start = Instant::now();
    let without = tempfile::tempdir().unwrap();
    let store_without: Arc<dyn Store> = Arc::new(Fast::new(without.path()));
    let mut table = open(&store_without);
    (0..20_000).for_each(|number| commit(&mut table, number).unwrap());
    println!("20,000 commits without maintenance: {:?}", start.elapsed());
    assert!(files < 200);
    assert!(opening < Duration::from_secs(1));
    assert_eq!(opened.positions().get(&partition()), Some(20_000));
    assert_eq!(sorted(numbers(store.as_ref())), (0..20_000).collect::<Vec<_>>());
}

fn eager() -> Options {
    Options { small_files: 9, slice_files: 9, checkpoint_entries: 5, kept_entries: 2, retention: 0, ..Options::default() }
}

#[test]
fn merged_rows_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let spec = star::table_spec(Table::Spans);
    let mut table = DeltaTable::open(Arc::clone(&store), spec, Arc::new(Ticks::default())).unwrap();
    (0..9).for_each(|number| commit(&mut table, number).unwrap());
    let done = Maintainer::new(Options { small_files: 8, ..eager() }).maintain(&mut table, SystemClock.now()).unwrap();
    assert_eq!(done.merged, 9);
    assert_eq!(numbers(store.as_ref()), (0..9).collect::<Vec<_>>());
}

/// The stated contents of files must survive every rewrite of the log.
#[test]
fn merged_files_and_checkpoints_say_what_files_hold() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = run(&store, 0..12, Options { small_files: 9, checkpoint_entries: 1_000, ..eager() });
    let written: Vec<_> = table.snapshot().files.values().map(|add| (add.positions(), add.bounds())).collect();
    Maintainer::new(Options { small_files: 100, checkpoint_entries: 1, ..eager() })
        .maintain(&mut table, SystemClock.now())
        .unwrap();
    let read = Snapshot::of_checkpoint(store.as_ref(), "DWH/spans", table.snapshot().version.unwrap()).unwrap();
    assert_eq!(read.files.values().map(|add| (add.positions(), add.bounds())).collect::<Vec<_>>(), written);
    let mut ranges: Vec<_> = read.files.values().map(|add| add.positions().unwrap()[&partition()].clone()).collect();
    ranges.sort_by_key(|range| range.start);
    assert_eq!(ranges, [0..9, 9..10, 10..11, 11..12]);
    for add in read.files.values() {
        let mut times = Vec::new();
        read::file(store.as_ref(), "DWH/spans", add, &Table::Spans.schema(), &["committed_at"], &mut |rows| {
            times.extend(rows.column(0).as_primitive::<arrow_array::types::TimestampMicrosecondType>().values());
            Ok(())
        })
        .unwrap();
        let (least, most) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
        assert!(
            matches!(add.bounds().of("committed_at"), Extent::Within(from, to) if from <= least && most <= to && to < most + 2_000)
        );
    }
}

#[test]
fn a_failure_at_any_step_loses_no_row_and_is_made_good() {
    let mut survived = 0;
    for step in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let sound: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
        // All maintenance succeeds except after the last commit, which merges, checkpoints and
        // deletes.
        let mut table = run(&sound, 0..9, Options { checkpoint_entries: 3, ..eager() });
        let failing: Arc<dyn Store> = Arc::new(Fast::failing_after(dir.path(), step));
        let mut maintainer = Maintainer::new(Options { checkpoint_entries: 1, small_files: 8, ..eager() });
        drop(std::mem::replace(&mut table, open(&failing)));
        let result = maintainer.maintain(&mut table, SystemClock.now() + DAY);
        assert_eq!(sorted(numbers(sound.as_ref())), (0..9).collect::<Vec<_>>(), "after a failure at step {step}");

        let mut table = open(&sound);
        assert_eq!(table.positions().get(&partition()), Some(9));
        commit(&mut table, 9).unwrap();
        let mut maintainer = Maintainer::new(eager());
        maintainer.maintain(&mut table, SystemClock.now() + DAY).unwrap();
        maintainer.maintain(&mut table, SystemClock.now() + 2 * DAY).unwrap();
        assert_eq!(sorted(numbers(sound.as_ref())), (0..10).collect::<Vec<_>>(), "repaired after a failure at step {step}");
        let live = open(&sound).snapshot().files.len();
        assert_eq!(files_in(&dir.path().join("DWH/spans"), ".parquet"), live, "leftovers of step {step}");
        if result.is_ok() {
            survived = step;
            break;
        }
    }
    assert!(survived > 8, "only {survived} steps were tried");
}

#[test]
fn replaced_files_stay_until_readers_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = open(&store);
    (0..10).for_each(|number| commit(&mut table, number).unwrap());
    let mut maintainer = Maintainer::new(Options { retention: 600 * SECOND, ..eager() });
    let now = SystemClock.now();
    assert_eq!(maintainer.maintain(&mut table, now).unwrap().merged, 9);
    let folder = dir.path().join("DWH/spans");
    assert_eq!(maintainer.maintain(&mut table, now + 599 * SECOND).unwrap().deleted, 0);
    assert_eq!(files_in(&folder, ".parquet"), 11);
    assert_eq!(maintainer.maintain(&mut table, now + 600 * SECOND).unwrap().deleted, 9);
    assert_eq!(files_in(&folder, ".parquet"), 2);
}

/// The clock was ahead when the files were replaced, and when a failure began a pause.
#[test]
fn a_clock_that_was_ahead_holds_no_replaced_file() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = open(&store);
    (0..10).for_each(|number| commit(&mut table, number).unwrap());
    let mut maintainer = Maintainer::new(Options { retention: 600 * SECOND, ..eager() });
    let now = SystemClock.now();
    assert_eq!(maintainer.maintain(&mut table, now + 400 * DAY).unwrap().merged, 9);
    maintainer.rest("DWH/spans", now + 400 * DAY);
    maintainer.keep(&mut table, now);
    let folder = dir.path().join("DWH/spans");
    assert_eq!(files_in(&folder, ".parquet"), 11, "for readers they were replaced now");
    maintainer.keep(&mut table, now + 600 * SECOND);
    assert_eq!(files_in(&folder, ".parquet"), 2);
}

#[test]
fn no_more_replaced_files_stay_than_their_bound_but_for_a_reader() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = open(&store);
    let mut maintainer = Maintainer::new(Options { retention: 600 * SECOND, kept_files: 4, ..eager() });
    let lease = Lease::take(store.as_ref()).unwrap();
    let seen = Snapshot::load(store.as_ref(), "DWH/spans").unwrap();
    assert!(seen.files.is_empty());
    (0..10).for_each(|number| commit(&mut table, number).unwrap());
    let seen = Snapshot::load(store.as_ref(), "DWH/spans").unwrap();
    let now = SystemClock.now();
    assert_eq!(maintainer.maintain(&mut table, now).unwrap(), Done { merged: 9, ..checkpointed(10) });
    for add in seen.files.values() {
        assert!(dir.path().join("DWH/spans").join(&add.path).exists(), "a reader needs it");
    }
    assert_eq!(maintainer.maintain(&mut table, now + HOUR).unwrap().deleted, 9, "no reader reads for an hour");
    drop(lease);
    assert_eq!(sorted(numbers(store.as_ref())), (0..10).collect::<Vec<_>>());
    let mut rest = |from: i64, deleted: usize| {
        (from..from + 9).for_each(|number| commit(&mut table, number).unwrap());
        assert_eq!(maintainer.maintain(&mut table, now + HOUR).unwrap().deleted, deleted);
    };
    rest(10, 5);
    rest(19, 9);
}

/// Nine files of one table, which become one merged file before the second of them is read.
#[test]
fn a_reader_reads_a_table_to_its_end() {
    type Read = fn(&dyn Store) -> Result<usize, LogError>;
    let scanned: Read = |store| {
        let mut rows = 0;
        recover::scan(store, Table::DimChannel, &[], &mut |batch| {
            rows += batch.num_rows();
            Ok(())
        })?;
        Ok(rows)
    };
    let figures: Read = |store| {
        let shop = Shop::new("Test", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
        crate::figures::figures(store, &shop).map(|_| 9)
    };
    for read in [scanned, figures] {
        let dir = tempfile::tempdir().unwrap();
        let fast: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
        let mut table = DeltaTable::open(Arc::clone(&fast), star::table_spec(Table::DimChannel), Arc::new(SystemClock)).unwrap();
        (0..9).for_each(|_| table.append(vec![file(Table::DimChannel, channel())], &[]).unwrap());
        let mut maintainer = Maintainer::new(Options { small_files: 8, kept_files: 0, ..eager() });
        let (tell, told) = std::sync::mpsc::channel();
        let meddled = Fast::meddled(dir.path(), move || {
            tell.send(maintainer.maintain(&mut table, SystemClock.now()).unwrap()).unwrap();
        });
        assert_eq!(read(&meddled).unwrap(), 9);
        let done = told.recv().unwrap();
        assert_eq!((done.merged, done.deleted), (9, 0));
    }
}

fn channel() -> RecordBatch {
    let mut rows = dim_channel::Builder::sized(1);
    let lineage = lineage::Row {
        source_topic: "log",
        source_partition: 0,
        source_offset: 0,
        source_index: 0,
        event_id: "e",
        source: None,
        store_id: "",
        content_hash: 0,
        ingested_at: 0,
    };
    rows.push(&dim_channel::Row {
        channel_key: kassa_model::key::Keyring::unkeyed([0; 16]).key("channel", &["web"]),
        name: "web",
        lineage,
    });
    rows.finish().unwrap()
}

/// The result of a call that wrote a checkpoint of this version.
fn checkpointed(version: u64) -> Done {
    Done { checkpoint: Some(version), ..Done::default() }
}

#[test]
fn a_large_slice_is_merged_beside_the_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = open(&store);
    (0..10).for_each(|number| commit(&mut table, number).unwrap());
    let mut maintainer = Maintainer::new(Options { inline_bytes: 0, ..eager() });
    assert_eq!(maintainer.maintain(&mut table, SystemClock.now()).unwrap().merged, 0);
    commit(&mut table, 10).unwrap();
    let give_up = Instant::now() + Duration::from_secs(60);
    while maintainer.maintain(&mut table, SystemClock.now()).unwrap().merged == 0 {
        assert!(Instant::now() < give_up);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(table.snapshot().files.len(), 3);
    assert_eq!(sorted(numbers(store.as_ref())), (0..11).collect::<Vec<_>>());
}

#[test]
fn leftovers_of_a_crash_go_once_the_retention_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = open(&store);
    commit(&mut table, 0).unwrap();
    let folder = dir.path().join("DWH/spans");
    for (name, hours) in [("part-old.parquet", 2), ("part-new.parquet", 0), ("_delta_log/.draft-1-1", 2)] {
        fs::write(folder.join(name), b"half").unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(SystemClock.now()).unwrap())
            - Duration::from_secs(hours * 3600);
        File::options().append(true).open(folder.join(name)).unwrap().set_modified(modified).unwrap();
    }
    let mut maintainer = Maintainer::default();
    let now = SystemClock.now();
    assert_eq!(maintainer.maintain(&mut table, now).unwrap().deleted, 0, "a reader might have opened the table a moment ago");
    assert_eq!(maintainer.maintain(&mut table, now + 599 * SECOND).unwrap().deleted, 0);
    assert_eq!(maintainer.maintain(&mut table, now + 601 * SECOND).unwrap().deleted, 3);
    assert_eq!(numbers(store.as_ref()), [0]);
}

#[test]
fn torn_checkpoint_is_passed_over_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    drop(run(&store, 0..12, Options { small_files: 100, ..eager() }));
    let log = dir.path().join("DWH/spans/_delta_log");
    let torn = log.join(format!("{:020}.checkpoint.parquet", 11));
    fs::write(&torn, b"PAR1 and no more").unwrap();
    let mut table = open(&store);
    assert_eq!(table.snapshot().checkpoint, Some(9));
    assert_eq!(table.positions().get(&partition()), Some(12));
    Maintainer::new(eager()).maintain(&mut table, SystemClock.now()).unwrap();
    assert!(!torn.exists());
    assert_eq!(sorted(numbers(store.as_ref())), (0..12).collect::<Vec<_>>());
}

#[test]
fn a_file_that_lost_rows_is_not_merged_away() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = open(&store);
    (0..10).for_each(|number| commit(&mut table, number).unwrap());
    let empty =
        encode::parquet(&[spans::Builder::sized(0).finish().unwrap()], &encode::properties(&Table::Spans.schema(), ZSTD_LEVEL))
            .unwrap();
    for add in table.snapshot().files.values() {
        store.put(&format!("DWH/spans/{}", add.path), &empty).unwrap();
    }
    let error = Maintainer::new(eager()).maintain(&mut table, SystemClock.now()).unwrap_err();
    assert!(matches!(error, LogError::Corrupt(_)), "{error}");
    assert_eq!(open(&store).snapshot().files.len(), 10);
}

fn archived(offset: i64, ingested_at: i64, value: &[u8]) -> Batch {
    let records = Records {
        partition: partition(),
        offsets: vec![offset],
        ingested_at: vec![ingested_at],
        timestamps: vec![None],
        keys: None,
        headers: kassa_model::Headers::None,
        values: arrow_array::BinaryArray::from_vec(vec![value]),
        next: offset + 1,
    };
    Batch::new(Arc::new(records), offset, vec![kassa_model::Fate::Accepted], Vec::new())
}

#[test]
fn the_archive_is_merged_day_by_day() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let sink = ArchiveSink::open(Arc::clone(&store), &[TOPIC.into()], Arc::new(SystemClock)).unwrap();
    let mut sink = sink.maintained(eager());
    for offset in 0..40_i64 {
        sink.commit(&[Arc::new(archived(offset, offset / 20 * DAY, b"{}"))]).unwrap();
    }
    let snapshot = Snapshot::load(store.as_ref(), "topics/orders").unwrap();
    assert_eq!(snapshot.txns.get(&app_id(&partition())), Some(&40));
    assert!(snapshot.checkpoint.is_some() && snapshot.files.len() < 20, "{} files", snapshot.files.len());
    let mut days: BTreeMap<Option<String>, Vec<i64>> = BTreeMap::new();
    let schema = kassa_model::star::archive_schema();
    for add in snapshot.files.values() {
        assert!(add.path.starts_with("ingest_date=1970-01-0"));
        read::file(store.as_ref(), "topics/orders", add, &schema, &["offset", "value"], &mut |rows| {
            let day = days.entry(add.partition_values["ingest_date"].clone()).or_default();
            day.extend(rows.column(0).as_primitive::<Int64Type>().values());
            Ok(())
        })
        .unwrap();
    }
    let found: Vec<Vec<i64>> = days.into_values().map(sorted).collect();
    assert_eq!(found, [(0..20).collect::<Vec<_>>(), (20..40).collect()]);
}

fn add(size: i64, nth: i64) -> Add {
    Add {
        path: format!("part-{nth:06}.parquet"),
        partition_values: BTreeMap::new(),
        size,
        modification_time: nth,
        data_change: false,
        stats: None,
        tags: None,
    }
}

#[test]
fn a_byte_is_rewritten_few_times_and_full_files_never() {
    let options = Options::default();
    let mut files: BTreeMap<i64, Add> = BTreeMap::new();
    let (mut written, mut rewritten, mut most) = (0, 0, 0);
    for nth in 0..20_000 {
        files.insert(nth, add(100_000, nth));
        written += 100_000;
        let slice = compact::choose(files.values(), &options);
        let bytes: i64 = slice.iter().map(|add| add.size).sum();
        assert!(slice.len() <= 64 && bytes <= options.slice_bytes);
        assert!(slice.iter().all(|add| add.size < options.slice_bytes / 4));
        if let Some(last) = slice.last() {
            let place = last.modification_time;
            slice.iter().for_each(|add| drop(files.remove(&add.modification_time)));
            files.insert(place, add(bytes, place));
            rewritten += bytes;
        }
        most = most.max(files.len());
    }
    assert!(rewritten < 4 * written, "{rewritten} bytes rewritten of {written}");
    assert!(most < 130, "{most} files");
}

#[test]
fn files_are_as_small_as_they_are_told_to_be() {
    let bytes = |zstd_level| {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
        let sink = ArchiveSink::open(Arc::clone(&store), &[TOPIC.into()], Arc::new(SystemClock)).unwrap();
        let mut sink = sink.maintained(Options { zstd_level, small_files: 3, ..eager() });
        let mut sizes = Vec::new();
        for offset in 0..5_i64 {
            let word = |at: i64| format!("{:x} ", (at * at * 7_919 + at * offset) % 65_521 % 509 * 104_729);
            let value: String = (0..20_000).map(word).collect();
            sink.commit(&[Arc::new(archived(offset, 0, value.as_bytes()))]).unwrap();
            let files = Snapshot::load(store.as_ref(), "topics/orders").unwrap().files;
            sizes.push((files.len(), files.values().map(|add| add.size).sum::<i64>()));
        }
        assert_eq!((sizes[0].0, sizes[2].0, sizes[3].0), (1, 3, 1), "the fourth commit has all merged");
        (sizes[0].1, sizes[3].1)
    };
    let (fast, small) = (bytes(1), bytes(19));
    assert!(small.0 < fast.0 && small.1 < fast.1, "committed and merged: {small:?} of {fast:?}");
}
