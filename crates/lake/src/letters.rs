//! Dead letters: reads them with their bytes, and adds the rows of those that are valid now to their tables.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{Array, BinaryArray, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_select::filter::filter_record_batch;
use kassa_model::star::read::{Columns, Texts};
use kassa_model::star::{lineage, rejected};
use kassa_model::time::Clock;
use kassa_model::{Headers, Partition, Reason, Records, Table, crash};

use crate::delta::table::NewFile;
use crate::delta::{DeltaTable, LogError, Snapshot};
use crate::recover::scan;
use crate::star::table_spec;
use crate::store::Store;
use crate::{encode, read};

/// The position of a record: topic, partition, offset.
pub type Position = (Arc<str>, i64, i64);

/// A dead letter.
#[derive(Debug, Clone)]
pub struct Letter {
    pub position: Position,
    /// The source's timestamp, µs UTC.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub headers: Option<String>,
    pub value: Vec<u8>,
    pub stream: String,
    pub contract: String,
    pub reason: String,
    pub field: String,
    pub detail: String,
    /// µs UTC; the record's own ingest time.
    pub rejected_at: i64,
}

impl Letter {
    /// Whether its record had no value (an empty value is a value).
    fn is_tombstone(&self) -> bool {
        self.reason == Reason::Tombstone.code()
    }
}

/// Passes every dead letter that has not been replayed to `take`, which returns whether to continue.
pub fn each(store: &dyn Store, take: &mut dyn FnMut(Letter) -> bool) -> Result<(), LogError> {
    let done = replayed(store)?;
    let mut more = true;
    scan(store, Table::Rejected, &[], &mut |rows| {
        let columns = Letters::new(&rows)?;
        for row in 0..rows.num_rows() {
            if more && columns.replayed_at.is_null(row) && !done.contains(&columns.position(row)) {
                more = take(columns.letter(row));
            }
        }
        Ok(())
    })
}

/// The dead letters in rows of `rejected` that are not written yet.
pub fn of_rows(rows: &RecordBatch) -> Result<Vec<Letter>, LogError> {
    let rows = read::plain(rows)?;
    let columns = Letters::new(&rows)?;
    Ok((0..rows.num_rows()).map(|row| columns.letter(row)).collect())
}

/// The positions of letters that were replayed.
fn replayed(store: &dyn Store) -> Result<HashSet<Position>, LogError> {
    let mut done = HashSet::new();
    scan(store, Table::Rejected, &[], &mut |rows| {
        let columns = Letters::new(&rows)?;
        done.extend((0..rows.num_rows()).filter(|row| columns.replayed_at.is_valid(*row)).map(|row| columns.position(row)));
        Ok(())
    })?;
    Ok(done)
}

struct Letters<'r> {
    topic: Texts<'r>,
    partition: &'r Int64Array,
    offset: &'r Int64Array,
    timestamp: &'r TimestampMicrosecondArray,
    key: &'r BinaryArray,
    headers: Texts<'r>,
    value: &'r BinaryArray,
    stream: Texts<'r>,
    contract: Texts<'r>,
    reason: Texts<'r>,
    field: Texts<'r>,
    detail: Texts<'r>,
    rejected_at: &'r TimestampMicrosecondArray,
    replayed_at: &'r TimestampMicrosecondArray,
}

impl<'r> Letters<'r> {
    fn new(rows: &'r RecordBatch) -> Result<Self, LogError> {
        let columns = Columns { table: Table::Rejected, rows };
        Ok(Self {
            topic: columns.get(rejected::topic)?,
            partition: columns.get(rejected::partition)?,
            offset: columns.get(rejected::offset)?,
            timestamp: columns.get(rejected::timestamp)?,
            key: columns.get(rejected::key)?,
            headers: columns.get(rejected::headers)?,
            value: columns.get(rejected::value)?,
            stream: columns.get(rejected::stream)?,
            contract: columns.get(rejected::contract)?,
            reason: columns.get(rejected::reason)?,
            field: columns.get(rejected::field)?,
            detail: columns.get(rejected::detail)?,
            rejected_at: columns.get(rejected::rejected_at)?,
            replayed_at: columns.get(rejected::replayed_at)?,
        })
    }

    fn position(&self, row: usize) -> Position {
        (Arc::from(self.topic.value(row)), self.partition.value(row), self.offset.value(row))
    }

    fn letter(&self, row: usize) -> Letter {
        Letter {
            position: self.position(row),
            timestamp: self.timestamp.is_valid(row).then(|| self.timestamp.value(row)),
            key: self.key.is_valid(row).then(|| self.key.value(row).to_vec()),
            headers: self.headers.get(row).map(str::to_owned),
            value: self.value.value(row).to_vec(),
            stream: self.stream.value(row).to_owned(),
            contract: self.contract.value(row).to_owned(),
            reason: self.reason.value(row).to_owned(),
            field: self.field.value(row).to_owned(),
            detail: self.detail.value(row).to_owned(),
            rejected_at: self.rejected_at.value(row),
        }
    }
}

/// Topic, partition, headers.
type Run<'l> = (Arc<str>, i64, Option<&'l str>);

/// Dead letters as records again, grouped by partition and headers.
pub fn records(letters: &[Letter]) -> Vec<Records> {
    let mut runs: BTreeMap<Run<'_>, Vec<&Letter>> = BTreeMap::new();
    for letter in letters {
        let (topic, partition, _) = &letter.position;
        runs.entry((Arc::clone(topic), *partition, letter.headers.as_deref())).or_default().push(letter);
    }
    let run = |((topic, number, headers), mut letters): (Run<'_>, Vec<&Letter>)| {
        letters.sort_by_key(|letter| letter.position.2);
        letters.dedup_by_key(|letter| letter.position.2);
        Records {
            partition: Partition::new(topic, number),
            offsets: letters.iter().map(|letter| letter.position.2).collect(),
            ingested_at: letters.iter().map(|letter| letter.rejected_at).collect(),
            timestamps: letters.iter().map(|letter| letter.timestamp).collect(),
            keys: Some(letters.iter().map(|letter| letter.key.as_deref()).collect()),
            headers: headers.map_or(Headers::None, |headers| Headers::Shared(headers.into())),
            values: letters.iter().map(|letter| Some(letter.value.as_slice()).filter(|_| !letter.is_tombstone())).collect(),
            next: letters.last().map_or(0, |letter| letter.position.2 + 1),
        }
    };
    runs.into_iter().map(run).collect()
}

/// The application id that counts replays in the table of dead letters. Rows of a replay are below the positions of their tables,
/// so readers that read only beyond positions use this count to detect them.
pub(crate) const REPLAYS: &str = "kassa-replays";

/// The number of starts and ends of replays. Rows below the tables' positions are added only if it changes.
pub fn replays(store: &dyn Store) -> Result<i64, LogError> {
    let snapshot = Snapshot::load(store, &read::folder_of(Table::Rejected))?;
    Ok(snapshot.txns.get(REPLAYS).copied().unwrap_or(0))
}

/// Counts the start or the end of a replay.
fn count_replay(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> Result<(), LogError> {
    let mut table = DeltaTable::open(Arc::clone(store), table_spec(Table::Rejected), Arc::clone(clock))?;
    let count = table.snapshot().txns.get(REPLAYS).copied().unwrap_or(0);
    table.exchange(&[], Vec::new(), vec![(REPLAYS.to_owned(), count + 1)])
}

/// Adds rows of replayed letters and then marks the letters as replayed. Idempotent.
pub fn commit(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    rows: HashMap<Table, Vec<RecordBatch>>,
    letters: &[&Letter],
) -> Result<(), LogError> {
    count_replay(store, clock)?;
    for (table, batches) in rows {
        let held = held(store.as_ref(), table, &batches)?;
        let fresh: Vec<RecordBatch> = batches.iter().map(|rows| without(table, rows, &held)).collect::<Result<_, _>>()?;
        append(store, clock, table, fresh)?;
        crash::point("replay.after_table");
    }
    append(store, clock, Table::Rejected, vec![marks(letters, clock.now())?])?;
    count_replay(store, clock)
}

fn append(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, table: Table, rows: Vec<RecordBatch>) -> Result<(), LogError> {
    let count = rows.iter().map(RecordBatch::num_rows).sum();
    if count == 0 {
        return Ok(());
    }
    let bytes = encode::parquet(&rows, &encode::properties(&table.schema(), encode::ZSTD_LEVEL)).map_err(LogError::encode)?;
    let mut table = DeltaTable::open(Arc::clone(store), table_spec(table), Arc::clone(clock))?;
    table.append(vec![NewFile { bytes, rows: count, partition_values: BTreeMap::new() }], &[])
}

const LINEAGE: [&str; 3] = [lineage::source_topic.name(), lineage::source_partition.name(), lineage::source_offset.name()];

/// The positions of `rows` that the table holds already.
fn held(store: &dyn Store, table: Table, rows: &[RecordBatch]) -> Result<HashSet<Position>, LogError> {
    let mut wanted = HashSet::new();
    for rows in rows {
        positions(table, rows, &mut |_, position| {
            wanted.insert(position);
        })?;
    }
    let mut held = HashSet::new();
    scan(store, table, &LINEAGE, &mut |rows| {
        positions(table, &rows, &mut |_, position| {
            if wanted.contains(&position) {
                held.insert(position);
            }
        })
    })?;
    Ok(held)
}

fn positions(table: Table, rows: &RecordBatch, take: &mut dyn FnMut(usize, Position)) -> Result<(), LogError> {
    let columns = Columns { table, rows };
    let topics = columns.get(lineage::source_topic)?;
    let (numbers, offsets) = (columns.get(lineage::source_partition)?, columns.get(lineage::source_offset)?);
    for row in 0..rows.num_rows() {
        take(row, (Arc::from(topics.value(row)), numbers.value(row), offsets.value(row)));
    }
    Ok(())
}

fn without(table: Table, rows: &RecordBatch, held: &HashSet<Position>) -> Result<RecordBatch, LogError> {
    let mut keep = vec![true; rows.num_rows()];
    positions(table, rows, &mut |row, position| keep[row] = !held.contains(&position))?;
    filter_record_batch(rows, &BooleanArray::from(keep)).map_err(LogError::encode)
}

/// One row per letter, which marks it as replayed.
fn marks(letters: &[&Letter], now: i64) -> Result<RecordBatch, LogError> {
    let mut rows = rejected::Builder::sized(letters.len());
    for letter in letters {
        let (topic, partition, offset) = &letter.position;
        rows.push(&rejected::Row {
            topic: topic.as_ref(),
            partition: *partition,
            offset: *offset,
            source_index: 0,
            timestamp: letter.timestamp,
            key: letter.key.as_deref(),
            headers: letter.headers.as_deref(),
            schema_id: None,
            value: Some(letter.value.as_slice()),
            stream: &letter.stream,
            contract: &letter.contract,
            reason: &letter.reason,
            field: Some(&letter.field),
            detail: Some(&letter.detail),
            rejected_at: letter.rejected_at,
            replayed_at: Some(now),
        });
    }
    rows.finish().map_err(LogError::encode)
}
