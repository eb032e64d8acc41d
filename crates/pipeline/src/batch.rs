//! A batch: records of one partition, what became of each, and the rows they were shaped into. No batch exists without the
//! span that accounts for every one of its records.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use kassa_model::{Counts, Fate, Partition, Records, Span, Table};

use crate::decode::avro;

/// Cut once, and given to every sink alike.
#[derive(Debug)]
pub struct Batch {
    records: Arc<Records>,
    fates: Vec<Fate>,
    tables: Vec<(Table, RecordBatch)>,
    from: i64,
    bytes: usize,
    /// Whether the source has lost all of the range.
    is_lost: bool,
    /// Whether each record begins with the id of its schema.
    is_framed: bool,
}

impl Batch {
    /// `fates` has one entry a record; `from` is the position that the records were read from.
    ///
    /// # Panics
    /// If there are not as many fates as records: such a batch would lose count.
    pub fn new(records: Arc<Records>, from: i64, fates: Vec<Fate>, tables: Vec<(Table, RecordBatch)>) -> Self {
        assert_eq!(records.len(), fates.len(), "a batch accounts for each of its records");
        let rows: usize = tables.iter().map(|(_, rows)| rows.get_array_memory_size()).sum();
        Self { bytes: records.bytes() + rows, records, fates, tables, from, is_lost: false, is_framed: false }
    }

    /// A range that the source itself has lost: no records, and a span that says so.
    pub fn lost(partition: Partition, range: Range<i64>) -> Self {
        let records = Records::none(partition, range.end);
        let (fates, tables) = (Vec::new(), Vec::new());
        Self { records: Arc::new(records), fates, tables, from: range.start, bytes: 0, is_lost: true, is_framed: false }
    }

    /// Says that the records name their schemas.
    #[must_use]
    pub fn framed(self, is_framed: bool) -> Self {
        Self { is_framed, ..self }
    }

    /// The id of the schema that a record names, if the records of its stream do so.
    pub fn schema_id(&self, index: usize) -> Option<i32> {
        if self.is_framed { avro::schema_id(self.records.value(index)) } else { None }
    }

    pub fn records(&self) -> &Arc<Records> {
        &self.records
    }

    pub fn tables(&self) -> &[(Table, RecordBatch)] {
        &self.tables
    }

    /// What became of each record.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    pub fn from(&self) -> i64 {
        self.from
    }

    pub fn to(&self) -> i64 {
        self.records.next
    }

    /// The bytes that the records and their rows hold in memory, for the bounds of what waits for a commit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What became of the records at or beyond `from`.
    pub fn span_from(&self, from: i64) -> Span {
        let from = from.clamp(self.from, self.records.next.max(self.from));
        let first = self.records.offsets.partition_point(|offset| *offset < from);
        Span {
            partition: self.records.partition.clone(),
            from,
            to: self.records.next,
            counts: Counts::of(&self.fates[first..]),
            gap: if self.is_lost { self.records.next - from } else { 0 },
        }
    }

    /// The rows of a table that stem from records at or beyond `from`.
    pub fn rows_from(&self, table: Table, from: i64) -> Option<RecordBatch> {
        let (_, rows) = self.tables.iter().find(|(held, _)| *held == table)?;
        if from <= self.from {
            return Some(rows.clone());
        }
        let column = if table == Table::Rejected { "offset" } else { "source_offset" };
        let offsets = rows.column_by_name(column)?.as_primitive_opt::<Int64Type>()?;
        let keep: BooleanArray = offsets.iter().map(|offset| Some(offset.is_some_and(|offset| offset >= from))).collect();
        filter_record_batch(rows, &keep).ok().filter(|rows| rows.num_rows() > 0)
    }
}

#[cfg(test)]
mod tests;
