//! Rows beyond given positions, which a checkpoint does not contain yet. Files without such rows
//! are not opened, so the cost depends on the number of new rows only.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use kassa_model::star::kind::Symbol;
use kassa_model::star::read::Columns;
use kassa_model::{Partition, Positions, Table, star};
use parquet::file::metadata::RowGroupMetaData;

use crate::delta::{Add, LogError, Snapshot};
use crate::lease::Lease;
use crate::read::{self, Test, archive_folder, folder_of};
use crate::store::Store;

/// The offsets of each partition that are wanted: from one position to another, or to the end.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'p> {
    pub from: &'p Positions,
    /// `None`: to the end of the table, including rows that no span accounts for.
    pub to: Option<&'p Positions>,
}

impl Wanted<'_> {
    /// The wanted offsets of a partition; empty if `to` does not contain it.
    pub fn range(&self, partition: &Partition) -> Range<i64> {
        let start = self.from.next(partition);
        start..self.to.map_or(i64::MAX, |to| to.next(partition).max(start))
    }

    /// Whether every row is wanted.
    fn is_all(&self) -> bool {
        self.from.is_empty() && self.to.is_none()
    }
}

/// The columns with a row's source: topic, partition and offset.
pub(crate) fn lineage(table: Table) -> [&'static str; 3] {
    match table {
        Table::Spans => ["topic", "partition", "from_offset"],
        Table::Rejected => ["topic", "partition", "offset"],
        _ => kassa_pipeline::cut::COLUMNS,
    }
}

/// Calls `take` with the wanted rows of a table: the named columns (all if empty), then the missing
/// lineage columns. No file of the table is deleted during the call. Returns the number of opened
/// files.
pub fn beyond(
    store: &dyn Store,
    table: Table,
    columns: &[&str],
    wanted: Wanted<'_>,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<usize, LogError> {
    let _lease = Lease::take(store)?;
    let folder = folder_of(table);
    let snapshot = Snapshot::load(store, &folder)?;
    let missing = lineage(table).into_iter().filter(|name| !columns.is_empty() && !columns.contains(name));
    let all: Vec<&str> = columns.iter().copied().chain(missing).collect();
    let mut opened = 0;
    for add in snapshot.files.values().filter(|add| may_hold(add, wanted)) {
        opened += 1;
        read::file(store, &folder, add, &table.schema(), &all, &mut |rows| {
            if wanted.is_all() {
                return take(rows);
            }
            let rows = filter_record_batch(&rows, &are_wanted(&rows, table, wanted)?).map_err(LogError::corrupt)?;
            if rows.num_rows() == 0 { Ok(()) } else { take(rows) }
        })?;
    }
    Ok(opened)
}

/// Calls `take` with the wanted rows of one file. Of row groups and pages without wanted rows, at
/// most the lineage is read. `columns` contains the lineage, or is empty for all columns. A
/// partition that `wanted` does not contain is read from its start if the file states that it has
/// rows of it.
pub(crate) fn beyond_in_file(
    store: &dyn Store,
    (table, add): (Table, &Add),
    columns: &[&str],
    wanted: Wanted<'_>,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let ([_, number, offset], least) = (lineage(table), least_wanted(add, wanted));
    let lowest = least.values().min().copied().unwrap_or(0);
    let is_wanted = |group: &RowGroupMetaData| read::long_bounds(group, offset).is_none_or(|(_, most)| most >= lowest);
    let passes = move |rows: &RecordBatch| are_beyond(rows, [number, offset], &least);
    let test = Test { columns: vec![number, offset], passes: Box::new(passes) };
    read::passing(store, (&folder_of(table), add), &table.schema(), columns, (&is_wanted, test), &mut |rows| {
        let rows = filter_record_batch(&rows, &are_wanted(&rows, table, wanted)?).map_err(LogError::corrupt)?;
        if rows.num_rows() == 0 { Ok(()) } else { take(rows) }
    })
}

/// Calls `take` with the records of one archive file at or beyond these positions. Row groups and
/// pages before them are skipped.
pub(crate) fn archived_beyond(
    store: &dyn Store,
    (topic, add): (&str, &Add),
    columns: &[&str],
    from: &Positions,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let of_topic = from.iter().filter(|(partition, _)| *partition.topic == *topic);
    let least: BTreeMap<i64, i64> = of_topic.map(|(partition, next)| (partition.number, next)).collect();
    let lowest = least.values().min().copied().unwrap_or(0);
    let is_wanted = |group: &RowGroupMetaData| read::long_bounds(group, "offset").is_none_or(|(_, most)| most >= lowest);
    let passes = move |rows: &RecordBatch| are_beyond(rows, ["partition", "offset"], &least);
    let test = Test { columns: vec!["partition", "offset"], passes: Box::new(passes) };
    let (folder, schema) = (archive_folder(topic), star::archive_schema());
    read::passing(store, (&folder, add), &schema, columns, (&is_wanted, test), take)
}

/// The lowest wanted offset by partition number, over all topics, so that the test compares numbers
/// only.
fn least_wanted(add: &Add, wanted: Wanted<'_>) -> BTreeMap<i64, i64> {
    let held = add.positions().map(|ranges| ranges.into_keys().collect::<Vec<_>>());
    let held = held.unwrap_or_else(|| wanted.from.iter().map(|(partition, _)| partition.clone()).collect());
    let mut least = BTreeMap::new();
    for partition in held {
        let start = wanted.range(&partition).start;
        let known = least.entry(partition.number).or_insert(start);
        *known = start.min(*known);
    }
    least
}

/// Selects the rows of a file at or beyond the offset of their partition number.
fn are_beyond(rows: &RecordBatch, [number, offset]: [&str; 2], least: &BTreeMap<i64, i64>) -> Result<BooleanArray, ArrowError> {
    let longs = |name: &str| {
        let column = rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        column.ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
    };
    let (numbers, offsets) = (longs(number)?.values(), longs(offset)?.values());
    let beyond = |(number, offset): (&i64, &i64)| least.get(number).is_none_or(|least| offset >= least);
    Ok(numbers.iter().zip(offsets).map(|row| Some(beyond(row))).collect())
}

/// Whether a file may contain wanted rows, by its stated positions. A file without stated positions
/// may contain any row.
pub(crate) fn may_hold(add: &Add, wanted: Wanted<'_>) -> bool {
    let is_wanted = |(partition, held): (&Partition, &Range<i64>)| {
        let range = wanted.range(partition);
        held.start.max(range.start) < held.end.min(range.end)
    };
    add.positions().is_none_or(|ranges| ranges.iter().any(is_wanted))
}

/// Which rows are wanted.
fn are_wanted(rows: &RecordBatch, table: Table, wanted: Wanted<'_>) -> Result<BooleanArray, LogError> {
    each_row(rows, table, |partition| wanted.range(partition), |range, offset| range.contains(&offset))
}

/// Evaluates `judge` for each row, with its offset and the value that `of` returns for its
/// partition.
pub(crate) fn each_row<T>(
    rows: &RecordBatch,
    table: Table,
    of: impl Fn(&Partition) -> T,
    mut judge: impl FnMut(&T, i64) -> bool,
) -> Result<BooleanArray, LogError> {
    let (columns, [topic, number, offset]) = (Columns { table, rows }, lineage(table));
    let (topics, numbers, offsets) =
        (columns.named::<Symbol>(topic)?, columns.named::<i64>(number)?, columns.named::<i64>(offset)?);
    let mut known: BTreeMap<(&str, i64), T> = BTreeMap::new();
    let mut judged = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let key = (topics.value(row), numbers.value(row));
        let held = known.entry(key).or_insert_with(|| of(&Partition::new(key.0, key.1)));
        judged.push(judge(held, offsets.value(row)));
    }
    Ok(BooleanArray::from(judged))
}
