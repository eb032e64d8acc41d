use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use kassa_model::time::SystemClock;
use kassa_model::{Partition, Positions};
use tempfile::TempDir;

use super::*;
use crate::delta::table::NewFile;
use crate::encode::{self, ZSTD_LEVEL};
use crate::figures::{accounted, positions};
use crate::letters;
use crate::recover::scan;
use crate::testing::{Cell, Fast, Row, batch};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn lines() -> Partition {
    Partition::new("lines", 0)
}

fn fast(dir: &Path) -> Arc<dyn Store> {
    Arc::new(Fast::new(dir))
}

fn opened(store: &Arc<dyn Store>, table: Table) -> DeltaTable {
    DeltaTable::open(Arc::clone(store), table_spec(table), clock()).unwrap()
}

/// A line of an order at an offset; its key shows the star that it belongs to.
fn row(offset: i64, key: i64) -> Row {
    Row::from([
        ("source_topic", Cell::Text("lines".to_owned())),
        ("source_offset", Cell::Number(offset)),
        ("order_key", Cell::Number(key)),
        ("movement_date_key", Cell::Number(20_260_101)),
    ])
}

/// Commits lines from an offset on, with their spans.
fn commit(store: &Arc<dyn Store>, from: i64, keys: &[i64]) {
    let rows: Vec<Row> = (from..).zip(keys).map(|(offset, key)| row(offset, *key)).collect();
    let bytes =
        encode::parquet(&[batch(Table::FactSales, &rows)], &encode::properties(&Table::FactSales.schema(), ZSTD_LEVEL)).unwrap();
    let file = NewFile { bytes, rows: rows.len(), partition_values: BTreeMap::new() };
    let next = [(lines(), from + i64::try_from(keys.len()).unwrap())];
    opened(store, Table::FactSales).append(vec![file], &next).unwrap();
    opened(store, Table::Rejected).append(Vec::new(), &next).unwrap();
    opened(store, Table::Spans).append(Vec::new(), &next).unwrap();
}

/// The keys of all lines, sorted.
fn keys(store: &Arc<dyn Store>) -> Vec<i64> {
    let mut keys = Vec::new();
    scan(store.as_ref(), Table::FactSales, &["order_key"], &mut |rows| {
        keys.extend(rows.column(0).as_primitive::<Int64Type>().values().iter().copied());
        Ok(())
    })
    .unwrap();
    keys.sort_unstable();
    keys
}

/// A lake whose lines have the keys 1 to 4, and a new star whose lines have the keys 11 and 12.
struct World {
    old: TempDir,
    new: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { old: tempfile::tempdir().unwrap(), new: tempfile::tempdir().unwrap() };
        commit(&world.lake(), 0, &[1, 2]);
        commit(&world.lake(), 2, &[3, 4]);
        commit(&world.star(), 0, &[11, 12]);
        world
    }

    fn lake(&self) -> Arc<dyn Store> {
        fast(self.old.path())
    }

    fn star(&self) -> Arc<dyn Store> {
        fast(self.new.path())
    }

    fn begin(&self) -> Exchange {
        Exchange::begin(&self.lake(), &clock()).unwrap()
    }

    fn apply(&self) -> Result<(), LogError> {
        let mut exchange = self.begin();
        exchange.apply(self.star().as_ref())?;
        exchange.finish()
    }
}

#[test]
fn every_table_is_exchanged_with_its_positions() {
    let world = World::new();
    let (lake, replays) = (world.lake(), letters::replays(world.lake().as_ref()).unwrap());
    assert_eq!(last(lake.as_ref()).unwrap(), None);
    world.apply().unwrap();
    assert_eq!(keys(&lake), [11, 12]);
    let two: Positions = [(lines(), 2)].into_iter().collect();
    assert_eq!(accounted(lake.as_ref()).unwrap(), two);
    assert_eq!(opened(&lake, Table::FactSales).positions(), two);
    assert_ne!(letters::replays(lake.as_ref()).unwrap(), replays, "checkpoints of before are still valid");
    assert_eq!(interrupted(lake.as_ref()).unwrap(), None);
    assert!(last(lake.as_ref()).unwrap().is_some());
    // The history stays: the exchange is one more entry of the same table.
    let snapshot = Snapshot::load(lake.as_ref(), &folder_of(Table::FactSales)).unwrap();
    assert_eq!((snapshot.version, snapshot.files.len()), (Some(2), 1));
    let stated = snapshot.files.values().next().unwrap().positions().unwrap();
    assert_eq!(stated.get(&lines()), Some(&(0..2)), "the file no longer says what it holds");
    commit(&lake, 2, &[13]);
    assert_eq!(keys(&lake), [11, 12, 13]);
}

#[test]
fn a_partition_that_the_new_star_does_not_have_begins_again() {
    let world = World::new();
    let other = Partition::new("gone", 0);
    opened(&world.lake(), Table::FactSales).append(Vec::new(), &[(other.clone(), 7)]).unwrap();
    world.apply().unwrap();
    let snapshot = Snapshot::load(world.lake().as_ref(), &folder_of(Table::FactSales)).unwrap();
    assert_eq!(positions(&snapshot).get(&other), Some(0));
}

#[test]
fn a_table_that_the_new_star_does_not_have_is_emptied() {
    let world = World::new();
    let bytes = encode::parquet(
        &[batch(Table::DimChannel, &[Row::from([("source_topic", Cell::Text("lines".to_owned()))])])],
        &encode::properties(&Table::DimChannel.schema(), ZSTD_LEVEL),
    );
    let file = NewFile { bytes: bytes.unwrap(), rows: 1, partition_values: BTreeMap::new() };
    opened(&world.lake(), Table::DimChannel).append(vec![file], &[(lines(), 4)]).unwrap();
    world.apply().unwrap();
    assert!(opened(&world.lake(), Table::DimChannel).snapshot().files.is_empty());
}

/// The process may die after any change to the store.
#[test]
fn a_rebuild_that_was_interrupted_anywhere_is_seen_and_completed() {
    let mut interruptions = 0;
    for changes in 0.. {
        let world = World::new();
        let failing: Arc<dyn Store> = Arc::new(Fast::failing_after(world.old.path(), changes));
        let mut exchange = Exchange::begin(&failing, &clock()).unwrap();
        if exchange.apply(world.star().as_ref()).and_then(|()| exchange.finish()).is_ok() {
            break;
        }
        let is_marked = interrupted(world.lake().as_ref()).unwrap().is_some();
        assert!(
            is_marked || keys(&world.lake()) == [1, 2, 3, 4],
            "after {changes} changes tables are exchanged without a marker"
        );
        interruptions += usize::from(is_marked);
        world.apply().unwrap();
        assert_eq!(keys(&world.lake()), [11, 12], "after {changes} changes");
        assert_eq!(accounted(world.lake().as_ref()).unwrap().next(&lines()), 2);
        assert_eq!(interrupted(world.lake().as_ref()).unwrap(), None);
    }
    assert!(interruptions > 3, "only {interruptions} interruptions left a marker");
}

#[test]
fn a_commit_since_the_rebuild_began_fences_it_before_anything_is_exchanged() {
    let world = World::new();
    let mut exchange = world.begin();
    commit(&world.lake(), 4, &[5]);
    let refused = exchange.apply(world.star().as_ref());
    assert!(matches!(refused, Err(LogError::Fenced(ref table)) if table == "fact_sales"), "{refused:?}");
    assert_eq!(interrupted(world.lake().as_ref()).unwrap(), None);
    assert_eq!(keys(&world.lake()), [1, 2, 3, 4, 5]);
}

/// A commit without positions, such as a replay of dead letters, between the check and the
/// exchange.
#[test]
fn any_commit_fences_the_exchange_of_its_table() {
    let world = World::new();
    let mut table = opened(&world.lake(), Table::FactSales);
    opened(&world.lake(), Table::FactSales).append(Vec::new(), &[]).unwrap();
    assert!(matches!(table.overwrite(Vec::new(), Vec::new(), 1), Err(LogError::Fenced(_))));
    assert_eq!(keys(&world.lake()), [1, 2, 3, 4]);
}

#[test]
fn a_writer_that_opened_the_table_before_the_rebuild_is_fenced() {
    let world = World::new();
    let (mut unaware, mut refreshed) = (opened(&world.lake(), Table::FactSales), opened(&world.lake(), Table::FactSales));
    world.apply().unwrap();
    let next = [(Partition::new("lines", 1), 1)];
    assert!(matches!(unaware.append(Vec::new(), &next), Err(LogError::Fenced(_))), "it has no partition in common");
    refreshed.refresh().unwrap();
    assert!(matches!(refreshed.append(Vec::new(), &next), Err(LogError::Fenced(_))), "it has seen the rebuild's entry");
    assert_eq!(keys(&world.lake()), [11, 12]);
    opened(&world.lake(), Table::FactSales).append(Vec::new(), &next).unwrap();
}
