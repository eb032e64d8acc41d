use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use kassa_model::time::SystemClock;

use super::*;
use crate::encode::{self, ZSTD_LEVEL};
use crate::maintain::{Maintainer, Options};
use crate::read;
use crate::testing::Fast;

const FOLDER: &str = "DWH/lines";

/// A table of ids with a note, if the program has that column.
fn spec(columns: &[&str], retired: &'static [&'static str]) -> TableSpec {
    let field = |name: &&str| match *name {
        "id" => Field::new("id", DataType::Int64, false),
        name => Field::new(name, DataType::Utf8, true),
    };
    TableSpec {
        name: "lines".to_owned(),
        folder: FOLDER.to_owned(),
        schema: Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())),
        partition_columns: Vec::new(),
        retired,
        is_derived: false,
    }
}

const OLD: [&str; 1] = ["id"];
const NEW: [&str; 2] = ["id", "note"];

fn partition(number: i64) -> Partition {
    Partition::new("lines", number)
}

/// Commits a row of a partition: its id, and a note in each text column of the program.
fn commit(table: &mut DeltaTable, number: i64, id: i64) -> Result<(), LogError> {
    let schema = Arc::clone(&table.spec().schema);
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.data_type() {
            DataType::Int64 => Arc::new(Int64Array::from(vec![id])),
            _ => Arc::new(StringArray::from(vec![format!("{} {id}", field.name())])),
        }
    });
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
    let bytes = encode::parquet(&[rows], &encode::properties(&schema, ZSTD_LEVEL)).unwrap();
    table.append(vec![NewFile { bytes, rows: 1, partition_values: BTreeMap::new() }], &[(partition(number), id + 1)])
}

struct World {
    _dir: tempfile::TempDir,
    store: Arc<dyn Store>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
        Self { _dir: dir, store }
    }

    fn root(&self) -> &Path {
        self._dir.path()
    }

    fn open(&self, spec: TableSpec) -> DeltaTable {
        self.try_open(spec).unwrap()
    }

    fn try_open(&self, spec: TableSpec) -> Result<DeltaTable, LogError> {
        DeltaTable::open(Arc::clone(&self.store), spec, Arc::new(SystemClock))
    }

    /// The log entries with metadata.
    fn stated(&self) -> Vec<u64> {
        let log = format!("{FOLDER}/_delta_log");
        let versions = self.store.list(&log).unwrap();
        let states = |version: &u64| {
            let lines = action::from_entry(&self.store.get(&format!("{log}/{}", entry_name(*version))).unwrap()).unwrap();
            lines.iter().any(|line| line.meta_data.is_some())
        };
        versions.iter().filter_map(|name| entry_version(name)).filter(states).collect()
    }

    /// The id and note of every row, as a program with the note column reads them.
    fn rows(&self) -> Vec<(i64, Option<String>)> {
        let snapshot = Snapshot::load(self.store.as_ref(), FOLDER).unwrap();
        let mut rows = Vec::new();
        for add in snapshot.files.values() {
            read::file(self.store.as_ref(), FOLDER, add, &spec(&NEW, &[]).schema, &NEW, &mut |batch| {
                let ids = batch.column(0).as_primitive::<arrow_array::types::Int64Type>();
                let notes = batch.column(1).as_string::<i32>();
                let note = |row| notes.is_valid(row).then(|| notes.value(row).to_owned());
                rows.extend((0..batch.num_rows()).map(|row| (ids.value(row), note(row))));
                Ok(())
            })
            .unwrap();
        }
        rows.sort();
        rows
    }

    fn put_entry(&self, version: u64, line: &Line) {
        let bytes = action::to_entry(std::slice::from_ref(line)).unwrap();
        assert!(self.store.put_new(&format!("{FOLDER}/_delta_log/{}", entry_name(version)), &bytes).unwrap());
    }
}

fn noted(id: i64) -> (i64, Option<String>) {
    (id, Some(format!("note {id}")))
}

#[test]
fn a_new_column_comes_with_a_writers_next_commit_and_once() {
    let world = World::new();
    let mut old = world.open(spec(&OLD, &[]));
    (0..3).for_each(|id| commit(&mut old, 0, id).unwrap());
    let before = Snapshot::load(world.store.as_ref(), FOLDER).unwrap().metadata.unwrap();
    let mut new = world.open(spec(&NEW, &[]));
    assert_eq!(world.stated(), [0], "opening writes nothing");
    (3..5).for_each(|id| commit(&mut new, 0, id).unwrap());
    assert_eq!(world.stated(), [0, 3]);
    let after = Snapshot::load(world.store.as_ref(), FOLDER).unwrap().metadata.unwrap();
    assert_eq!((&after.id, &after.name, after.created_time), (&before.id, &before.name, before.created_time));
    assert_eq!(after.schema_string, schema::to_delta(&spec(&NEW, &[]).schema));
    assert_eq!(world.rows(), [(0, None), (1, None), (2, None), noted(3), noted(4)]);
}

#[test]
fn two_new_writers_state_the_column_once_and_neither_is_fenced() {
    let world = World::new();
    commit(&mut world.open(spec(&OLD, &[])), 9, 0).unwrap();
    let (mut one, mut two) = (world.open(spec(&NEW, &[])), world.open(spec(&NEW, &[])));
    for id in 0..3 {
        commit(&mut one, 1, 10 + id).unwrap();
        commit(&mut two, 2, 20 + id).unwrap();
    }
    assert_eq!(world.stated(), [0, 1]);
    assert_eq!(world.rows().len(), 7);
}

#[test]
fn an_older_writer_goes_on_beside_a_newer_one_and_takes_no_column_back() {
    let world = World::new();
    let mut old = world.open(spec(&OLD, &[]));
    commit(&mut old, 1, 10).unwrap();
    let mut new = world.open(spec(&NEW, &[]));
    commit(&mut new, 2, 20).unwrap();
    // Both orders: it finds the new column when it commits, and when it opens.
    commit(&mut old, 1, 11).unwrap();
    commit(&mut new, 2, 21).unwrap();
    commit(&mut world.open(spec(&OLD, &[])), 1, 12).unwrap();
    assert_eq!(world.stated(), [0, 1]);
    assert_eq!(world.rows(), [(10, None), (11, None), (12, None), noted(20), noted(21)]);
}

#[test]
fn a_merge_keeps_every_value_whichever_program_merges() {
    for merger in [&OLD[..], &NEW[..]] {
        let world = World::new();
        let mut old = world.open(spec(&OLD, &[]));
        (0..5).for_each(|id| commit(&mut old, 0, id).unwrap());
        let mut new = world.open(spec(&NEW, &[]));
        (5..10).for_each(|id| commit(&mut new, 0, id).unwrap());
        let before = world.rows();
        let options = Options { small_files: 4, checkpoint_entries: 3, ..Options::default() };
        let mut table = world.open(spec(merger, &[]));
        let done = Maintainer::new(options).maintain(&mut table, SystemClock.now()).unwrap();
        assert_eq!((done.merged, done.checkpoint), (10, Some(10)));
        assert_eq!(table.snapshot().files.len(), 1);
        assert_eq!(world.rows(), before, "merged by {merger:?}");
    }
}

#[test]
fn a_checkpoint_says_what_the_entries_said_of_columns_and_protocol() {
    let world = World::new();
    commit(&mut world.open(spec(&OLD, &[])), 0, 0).unwrap();
    let mut table = world.open(spec(&NEW, &[]));
    (1..4).for_each(|id| commit(&mut table, 0, id).unwrap());
    let options = Options { checkpoint_entries: 1, kept_entries: 0, ..Options::default() };
    assert_eq!(Maintainer::new(options).maintain(&mut table, SystemClock.now()).unwrap().checkpoint, Some(3));
    let read = Snapshot::load(world.store.as_ref(), FOLDER).unwrap();
    assert_eq!((read.checkpoint, read.entries), (Some(3), 0), "read from the checkpoint alone");
    assert_eq!(read.metadata, table.snapshot().metadata);
    assert_eq!(read.protocol, Some(Protocol::ours()));
    // The table can be used as it is: nothing is written again, and there is one more column.
    commit(&mut world.open(spec(&NEW, &[])), 0, 4).unwrap();
    assert_eq!(world.stated(), Vec::<u64>::new());
    commit(&mut world.open(spec(&["id", "note", "more"], &[])), 0, 5).unwrap();
    assert_eq!(world.stated(), [5]);
}

#[test]
fn a_retired_column_leaves_the_table_and_its_values_stay_in_old_files_unread() {
    let world = World::new();
    commit(&mut world.open(spec(&["id", "note", "old"], &[])), 0, 0).unwrap();
    commit(&mut world.open(spec(&NEW, &["old"])), 0, 1).unwrap();
    let held = Snapshot::load(world.store.as_ref(), FOLDER).unwrap().metadata.unwrap();
    assert_eq!(held.schema_string, schema::to_delta(&spec(&NEW, &[]).schema));
    assert_eq!(world.rows(), [noted(0), noted(1)]);
}

#[test]
fn an_answer_that_was_lost_is_found_again_with_the_column_it_stated() {
    let world = World::new();
    commit(&mut world.open(spec(&OLD, &[])), 0, 0).unwrap();
    // The data file is put; the next change, the log entry, fails.
    let failing: Arc<dyn Store> = Arc::new(Fast::failing_after(world.root(), 1));
    let mut table = DeltaTable::open(failing, spec(&NEW, &[]), Arc::new(SystemClock)).unwrap();
    assert!(matches!(commit(&mut table, 0, 1), Err(LogError::Io(_))));
    table.store = Arc::clone(&world.store);
    assert!(table.complete().unwrap());
    assert_eq!(world.stated(), [0, 1]);
    commit(&mut table, 0, 2).unwrap();
    assert_eq!(world.rows(), [(0, None), noted(1), noted(2)]);
}

#[test]
fn a_table_that_needs_more_than_this_program_has_is_refused_where_it_is_opened_read_or_written() {
    let world = World::new();
    let mut table = world.open(spec(&OLD, &[]));
    commit(&mut table, 0, 0).unwrap();
    let mut reading = Snapshot::load(world.store.as_ref(), FOLDER).unwrap();
    let writes = Protocol { min_writer_version: 7, writer_features: Some(vec!["changeDataFeed".to_owned()]), ..Protocol::ours() };
    world.put_entry(1, &Line { protocol: Some(writes), ..Line::default() });
    assert!(matches!(commit(&mut table, 0, 1), Err(LogError::Newer(_))), "by one that had it open");
    assert!(matches!(world.try_open(spec(&OLD, &[])), Err(LogError::Newer(_))));
    reading.advance(world.store.as_ref(), FOLDER).expect("may still be read");
    let reads = Protocol { min_reader_version: 3, reader_features: Some(vec!["deletionVectors".to_owned()]), ..Protocol::ours() };
    world.put_entry(2, &Line { protocol: Some(reads), ..Line::default() });
    assert!(matches!(reading.advance(world.store.as_ref(), FOLDER), Err(LogError::Newer(_))));
    assert!(matches!(Snapshot::load(world.store.as_ref(), FOLDER), Err(LogError::Newer(_))));
}
