//! Several processes append to the same tables: the owner of each partition commits its rows, and a
//! process that slept is fenced.

use std::sync::Arc;
use std::thread;

use kassa_lake::delta::table::DeltaTable;
use kassa_lake::delta::{LogError, Snapshot};
use kassa_lake::maintain::{Maintainer, Options};
use kassa_lake::{Store, read, star};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Partition, Table};

use crate::Kept;
use crate::bucket::{bucket, server};
use crate::faults::row;

fn open(store: &Arc<dyn Store>) -> DeltaTable {
    DeltaTable::open(Arc::clone(store), star::table_spec(Table::Spans), Arc::new(SystemClock)).unwrap()
}

fn partition(number: i64) -> Partition {
    Partition::new("orders", number)
}

fn often() -> Options {
    Options { small_files: 4, checkpoint_entries: 5, ..Options::default() }
}

/// Rows and positions of the table, as a new reader finds them.
fn held(store: &Arc<dyn Store>) -> (i64, Vec<i64>) {
    let snapshot = Snapshot::load(store.as_ref(), &read::folder_of(Table::Spans)).unwrap();
    let mut rows = 0;
    for add in snapshot.files.values() {
        read::file(store.as_ref(), &read::folder_of(Table::Spans), add, &Table::Spans.schema(), &["from_offset"], &mut |batch| {
            rows += i64::try_from(batch.num_rows()).unwrap();
            Ok(())
        })
        .unwrap();
    }
    let table = open(store);
    (rows, (0..4).map(|number| table.positions().next(&partition(number))).collect())
}

/// Four writers with one partition each; all of them maintain the table.
fn four_writers(fresh: &(dyn Fn() -> Arc<dyn Store> + Sync)) {
    const COMMITS: i64 = 25;
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let (mut table, mut maintainer) = (open(&fresh()), Maintainer::new(often()));
                for offset in 0..COMMITS {
                    table.append(vec![row(offset)], &[(partition(number), offset + 1)]).unwrap();
                    match maintainer.maintain(&mut table, SystemClock.now()) {
                        Ok(_) | Err(LogError::Fenced(_)) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(held(&fresh()), (4 * COMMITS, vec![COMMITS; 4]));
}

/// One writer sleeps while another commits and trims the log far beyond its version.
fn a_sleeper(store: &Arc<dyn Store>) {
    let mut awake = open(store);
    awake.append(vec![row(0)], &[(partition(0), 1)]).unwrap();
    let (mut zombie, mut tidy, mut late) = (open(store), open(store), open(store));
    let mut maintainer = Maintainer::new(Options { kept_entries: 2, ..often() });
    for offset in 1..40 {
        awake.append(vec![row(offset)], &[(partition(0), offset + 1)]).unwrap();
        maintainer.maintain(&mut awake, SystemClock.now()).unwrap();
    }
    let log = format!("{}/_delta_log/{:020}.json", read::folder_of(Table::Spans), 1);
    assert!(store.about(&log).is_err(), "the entry of the sleeper's version must be trimmed for this test");
    let fenced = zombie.append(vec![row(1)], &[(partition(0), 2)]).unwrap_err();
    assert!(matches!(fenced, LogError::Fenced(_)), "{fenced:?}");
    assert!(store.about(&log).is_err(), "it left an entry that nobody reads");
    // A writer that has read the others' entries meanwhile, as its maintenance does, is fenced too.
    tidy.refresh().unwrap();
    let fenced = tidy.append(vec![row(1)], &[(partition(0), 41)]).unwrap_err();
    assert!(matches!(fenced, LogError::Fenced(_)), "{fenced:?}");
    // It still owns the other partition.
    late.append(vec![row(0)], &[(partition(1), 1)]).unwrap();
    assert_eq!(held(store), (41, vec![40, 1, 0, 0]));
}

#[test]
fn four_writers_store_each_row_once_in_a_bucket() {
    let server = server();
    let endpoint = server.endpoint();
    four_writers(&|| Arc::new(bucket(&endpoint, "w")));
}

#[test]
fn a_writer_that_slept_is_fenced_in_a_folder_and_in_a_bucket() {
    a_sleeper(&Kept::in_folder().store);
    let server = server();
    a_sleeper(&(Arc::new(bucket(&server.endpoint(), "z")) as Arc<dyn Store>));
}

/// A clock that a test sets.
#[derive(Debug, Default)]
struct Set(std::sync::atomic::AtomicI64);

impl Clock for Set {
    fn now(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Ten commits; all but the last few are merged.
fn ten_commits(store: &Arc<dyn Store>, clock: &Arc<Set>) -> (DeltaTable, Maintainer) {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let mut table = DeltaTable::open(Arc::clone(store), star::table_spec(Table::Spans), Arc::clone(&clock)).unwrap();
    let mut maintainer = Maintainer::new(Options { small_files: 8, checkpoint_entries: 5, kept_files: 2, ..Options::default() });
    for offset in 0..10 {
        table.append(vec![row(offset)], &[(partition(0), offset + 1)]).unwrap();
        maintainer.maintain(&mut table, clock.now()).unwrap();
    }
    (table, maintainer)
}

fn data_files(store: &Arc<dyn Store>) -> usize {
    store.list(&read::folder_of(Table::Spans)).unwrap().iter().filter(|name| name.ends_with(".parquet")).count()
}

#[test]
fn replaced_files_stay_an_hour_in_a_bucket_for_every_deleter() {
    let server = server();
    let store: Arc<dyn Store> = Arc::new(bucket(&server.endpoint(), "h"));
    let begun = SystemClock.now();
    let clock = Arc::new(Set(begun.into()));
    let (table, _) = ten_commits(&store, &clock);
    let live = table.snapshot().files.len();
    let all = data_files(&store);
    assert!(
        live < 10 && all > live + 2,
        "{all} files, {live} of them in the table: nothing was replaced, or it was deleted already"
    );
    // Other processes start and continue where the first one stopped.
    let anew = |after: i64| {
        let mut table = open(&store);
        Maintainer::new(Options::default()).maintain(&mut table, begun + after).unwrap().deleted
    };
    const MINUTE: i64 = 60_000_000;
    assert_eq!((anew(0), anew(59 * MINUTE), data_files(&store)), (0, 0, all));
    assert_eq!((anew(62 * MINUTE), data_files(&store)), (all - live, live));
    assert_eq!(held(&store).0, 10);
}

#[test]
fn a_writer_without_the_right_to_delete_continues_and_another_deletes() {
    let server = server();
    let proxy = kassa_stack::http_faults::HttpFaults::start(server.address()).unwrap();
    let denied = kassa_stack::http_faults::Fault::Answer(403, "AccessDenied");
    let rules = [proxy.on("POST", "delete", (1, 10_000), denied), proxy.on("DELETE", "", (1, 10_000), denied)];
    let store: Arc<dyn Store> = Arc::new(bucket(&proxy.endpoint(), "d"));
    let (mut table, mut maintainer) = ten_commits(&store, &Arc::new(Set(SystemClock.now().into())));
    for later in [7_200_000_000, 7_300_000_000] {
        let done = maintainer.maintain(&mut table, SystemClock.now() + later).unwrap();
        assert_eq!((done.deleted, held(&store).0), (0, 10));
    }
    assert_eq!(rules.iter().map(|rule| rule.fired()).sum::<u64>(), 1, "a refused request is not retried");
    proxy.clear();
    let mut other = open(&store);
    let done = Maintainer::new(Options::default()).maintain(&mut other, SystemClock.now() + 7_200_000_000).unwrap();
    assert!(done.deleted > 2 && held(&store).0 == 10, "{done:?}");
}
