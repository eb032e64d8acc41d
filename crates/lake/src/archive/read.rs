//! Reads the archive: the records of each partition in offset order, in bounded memory.
//!
//! Maintenance merges files of similar size, so offsets need not rise from file to file. The first
//! pass notes the offsets of each file; the second reads them one window at a time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, BooleanArray, RecordBatch, StringArray, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use kassa_model::{Headers, Partition, Positions, Records, star};
use roaring::RoaringTreemap;

use crate::delta::{Add, LogError, Snapshot};
use crate::figures::positions;
use crate::lease::Lease;
use crate::read::{self, archive_folder};
use crate::store::Store;

/// The columns that a record is rebuilt from.
pub(crate) const COLUMNS: [&str; 7] = ["partition", "offset", "timestamp", "ingested_at", "key", "headers", "value"];

/// The limits of a window in records and bytes. The bytes are estimated from the average size of
/// the files' records.
const WINDOW: (u64, u64) = (64 * 1024, 24 << 20);
/// The largest ratio of a value's size in memory to its size in a file.
const PACKED: u64 = 12;

/// The archive of one topic at the time of opening. None of its files is deleted while this is
/// held.
pub struct Archived<'s> {
    store: &'s dyn Store,
    topic: Arc<str>,
    positions: Positions,
    files: Vec<Add>,
    partitions: BTreeMap<i64, ArchivedPartition>,
    window: u64,
    _lease: Lease,
}

/// The archived offsets of a partition, and its files with their lowest and highest offset.
#[derive(Debug, Default)]
struct ArchivedPartition {
    offsets: RoaringTreemap,
    files: BTreeMap<usize, (i64, i64)>,
    /// The earliest ingest time of its records, µs UTC.
    begun: Option<i64>,
}

impl std::fmt::Debug for Archived<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archived").field("topic", &self.topic).field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl<'s> Archived<'s> {
    pub fn open(store: &'s dyn Store, topic: &Arc<str>) -> Result<Self, LogError> {
        let lease = Lease::take(store)?;
        let folder = archive_folder(topic);
        let snapshot = Snapshot::load(store, &folder)?;
        let positions = positions(&snapshot);
        let files: Vec<Add> = snapshot.files.into_values().collect();
        let mut partitions = BTreeMap::<i64, ArchivedPartition>::new();
        for (at, add) in files.iter().enumerate() {
            read::file(store, &folder, add, &star::archive_schema(), &["partition", "offset", "ingested_at"], &mut |rows| {
                let (numbers, offsets) = (longs(&rows, 0), longs(&rows, 1));
                let times = rows.column(2).as_primitive::<TimestampMicrosecondType>();
                for ((number, offset), time) in numbers.values().iter().zip(offsets.values()).zip(times.values()) {
                    let archived = partitions.entry(*number).or_default();
                    archived.offsets.insert(unsigned(*offset));
                    archived.begun = Some(archived.begun.map_or(*time, |begun| begun.min(*time)));
                    let (least, most) = archived.files.entry(at).or_insert((*offset, *offset));
                    (*least, *most) = ((*least).min(*offset), (*most).max(*offset));
                }
                Ok(())
            })?;
        }
        let bytes: i64 = files.iter().map(|add| add.size).sum();
        let records: u64 = partitions.values().map(|archived| archived.offsets.len()).sum();
        let each = unsigned(bytes).saturating_mul(PACKED).checked_div(records).unwrap_or(0).max(1);
        let window = (WINDOW.1 / each).clamp(1, WINDOW.0);
        Ok(Self { store, topic: Arc::clone(topic), positions, files, partitions, window, _lease: lease })
    }

    /// The archived position of each partition.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// The number of archived records of a partition in a range of offsets.
    pub fn count(&self, number: i64, range: Range<i64>) -> u64 {
        self.partitions
            .get(&number)
            .map_or(0, |archived| archived.offsets.range_cardinality(unsigned(range.start)..unsigned(range.end)))
    }

    /// The first archived offset at or after this one.
    pub fn next(&self, number: i64, offset: i64) -> Option<i64> {
        let archived = self.partitions.get(&number)?;
        let mut rest = archived.offsets.iter();
        rest.advance_to(unsigned(offset));
        rest.next().map(signed)
    }

    /// The ingest time of a partition's first record, µs UTC. `None`: the partition has no records.
    pub fn begun(&self, number: i64) -> Option<i64> {
        self.partitions.get(&number)?.begun
    }

    /// Passes on the records of a range of offsets in order, in batches. The last batch ends at the
    /// end of the range.
    pub fn each<E: From<LogError>>(
        &self,
        number: i64,
        range: Range<i64>,
        (records_max, bytes_max): (usize, usize),
        take: &mut dyn FnMut(Records) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(archived) = self.partitions.get(&number) else { return Ok(()) };
        let mut from = range.start;
        while let Some(window) = self.window(archived, from..range.end) {
            let rows = self.rows(archived, number, &window)?;
            for chunk in chunks(&rows, records_max, bytes_max) {
                let mut records = records(&self.topic, &taken(&rows, chunk.clone())?);
                if chunk.end == rows.num_rows() && window.end == range.end {
                    records.next = range.end;
                }
                take(records)?;
            }
            from = window.end;
        }
        Ok(())
    }

    /// The next range of offsets to read. `None`: no offsets are left.
    fn window(&self, archived: &ArchivedPartition, range: Range<i64>) -> Option<Range<i64>> {
        let before = archived.offsets.range_cardinality(..unsigned(range.start));
        let first = archived.offsets.select(before).map(signed).filter(|first| *first < range.end)?;
        let end = archived.offsets.select(before + self.window).map_or(range.end, signed);
        Some(first..end.min(range.end))
    }

    fn rows(&self, archived: &ArchivedPartition, number: i64, window: &Range<i64>) -> Result<RecordBatch, LogError> {
        let (folder, schema) = (archive_folder(&self.topic), star::archive_schema());
        let mut found = Vec::new();
        for (at, (least, most)) in &archived.files {
            if *most < window.start || *least >= window.end {
                continue;
            }
            let within = |bounds: (i64, i64)| bounds.1 >= window.start && bounds.0 < window.end;
            read::groups(self.store, &folder, &self.files[*at], &schema, &COLUMNS, ("offset", &within), &mut |rows| {
                let (numbers, offsets) = (longs(&rows, 0), longs(&rows, 1));
                let held = numbers.values().iter().zip(offsets.values());
                let keep: BooleanArray = held.map(|(held, offset)| Some(*held == number && window.contains(offset))).collect();
                found.push(filter_record_batch(&rows, &keep).map_err(LogError::corrupt)?);
                Ok(())
            })?;
        }
        let none = || RecordBatch::new_empty(star::stored(&star::archive_schema()));
        let schema = found.first().map_or_else(|| none().schema(), RecordBatch::schema);
        let rows = concat_batches(&schema, &found).map_err(LogError::corrupt)?;
        sorted(rows)
    }
}

fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

fn longs(rows: &RecordBatch, column: usize) -> &arrow_array::Int64Array {
    rows.column(column).as_primitive::<Int64Type>()
}

/// Sorted by offset.
fn sorted(rows: RecordBatch) -> Result<RecordBatch, LogError> {
    let offsets = longs(&rows, 1).values();
    if offsets.is_sorted() {
        return Ok(rows);
    }
    let mut order: Vec<u32> = (0..u32::try_from(rows.num_rows()).unwrap_or(u32::MAX)).collect();
    order.sort_unstable_by_key(|row| offsets[usize::try_from(*row).unwrap_or(0)]);
    take_record_batch(&rows, &UInt32Array::from(order)).map_err(LogError::corrupt)
}

/// Copies rows, so that the copy does not keep the other rows in memory.
fn taken(rows: &RecordBatch, range: Range<usize>) -> Result<RecordBatch, LogError> {
    let wanted: UInt32Array = range.map(|row| u32::try_from(row).unwrap_or(u32::MAX)).collect();
    take_record_batch(rows, &wanted).map_err(LogError::corrupt)
}

fn chunks(rows: &RecordBatch, records_max: usize, bytes_max: usize) -> Vec<Range<usize>> {
    let values = rows.column(6).as_binary::<i32>();
    let (mut chunks, mut start, mut bytes) = (Vec::new(), 0, 0);
    for row in 0..rows.num_rows() {
        bytes += values.value_length(row).unsigned_abs() as usize;
        if row - start + 1 >= records_max || bytes >= bytes_max {
            chunks.push(start..row + 1);
            (start, bytes) = (row + 1, 0);
        }
    }
    if start < rows.num_rows() {
        chunks.push(start..rows.num_rows());
    }
    chunks
}

/// The records of rows with the [`COLUMNS`], of one partition and with rising offsets.
pub(crate) fn records(topic: &Arc<str>, rows: &RecordBatch) -> Records {
    let micros = |at: usize| rows.column(at).as_primitive::<TimestampMicrosecondType>();
    let bytes = |at: usize| -> BinaryArray { rows.column(at).as_binary::<i32>().clone() };
    let offsets: Vec<i64> = longs(rows, 1).values().to_vec();
    let keys = bytes(4);
    Records {
        partition: Partition::new(Arc::clone(topic), longs(rows, 0).values().first().copied().unwrap_or(0)),
        ingested_at: micros(3).values().to_vec(),
        timestamps: micros(2).iter().collect(),
        keys: (keys.null_count() < keys.len()).then_some(keys),
        headers: headers(rows.column(5).as_string::<i32>()),
        values: bytes(6),
        next: offsets.last().map_or(0, |last| last + 1),
        offsets,
    }
}

fn headers(texts: &StringArray) -> Headers {
    if texts.null_count() == texts.len() {
        return Headers::None;
    }
    let first = texts.is_valid(0).then(|| texts.value(0));
    if let Some(first) = first.filter(|first| texts.iter().all(|text| text == Some(first))) {
        return Headers::Shared(first.into());
    }
    let mut last: Option<Arc<str>> = None;
    let each = texts.iter().map(|text| {
        let text = text?;
        if last.as_deref() != Some(text) {
            last = Some(text.into());
        }
        last.clone()
    });
    Headers::Each(each.collect())
}

#[cfg(test)]
mod tests;
