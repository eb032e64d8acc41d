//! Several processes append to the same tables: each partition's owner commits what is its own, and one that slept is fenced.

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

/// Four writers, a partition each, all of them maintaining the table.
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

/// One sleeps while another commits and trims the log far beyond where it was.
fn a_sleeper(store: &Arc<dyn Store>) {
    let mut awake = open(store);
    awake.append(vec![row(0)], &[(partition(0), 1)]).unwrap();
    let (mut zombie, mut late) = (open(store), open(store));
    let mut maintainer = Maintainer::new(Options { kept_entries: 2, ..often() });
    for offset in 1..40 {
        awake.append(vec![row(offset)], &[(partition(0), offset + 1)]).unwrap();
        maintainer.maintain(&mut awake, SystemClock.now()).unwrap();
    }
    let log = format!("{}/_delta_log/{:020}.json", read::folder_of(Table::Spans), 1);
    assert!(store.about(&log).is_err(), "the entry where they slept has been trimmed, or this proves nothing");
    let fenced = zombie.append(vec![row(1)], &[(partition(0), 2)]).unwrap_err();
    assert!(matches!(fenced, LogError::Fenced(_)), "{fenced:?}");
    assert!(store.about(&log).is_err(), "it left an entry where nobody reads");
    // Another partition is still its own.
    late.append(vec![row(0)], &[(partition(1), 1)]).unwrap();
    assert_eq!(held(store), (41, vec![40, 1, 0, 0]));
}

#[test]
fn four_writers_keep_each_row_once_in_a_bucket() {
    let server = server();
    let endpoint = server.endpoint();
    four_writers(&|| Arc::new(bucket(&endpoint, "w")));
}

#[test]
fn a_sleeper_is_fenced_in_a_folder_and_in_a_bucket() {
    a_sleeper(&Kept::in_folder().store);
    let server = server();
    a_sleeper(&(Arc::new(bucket(&server.endpoint(), "z")) as Arc<dyn Store>));
}
