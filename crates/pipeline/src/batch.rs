//! A batch: records of one partition, the fate of each, and the rows made of them. Every batch has a span that accounts for each
//! of its records.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use kassa_model::{Counts, Fate, Partition, Positions, Records, Span, Table};

use crate::decode::framing;

/// Built once, and shared by all sinks.
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
    /// `fates` has one entry per record; `from` is the position that the records were read from. Rows contain the offsets of
    /// their records, in order.
    ///
    /// # Panics
    /// If the numbers of fates and records differ, or if the offsets in the rows are not in order: such a batch would count
    /// wrongly.
    pub fn new(records: Arc<Records>, from: i64, fates: Vec<Fate>, tables: Vec<(Table, RecordBatch)>) -> Self {
        assert_eq!(records.len(), fates.len(), "a batch accounts for each of its records");
        for (table, rows) in &tables {
            let offsets = offsets(*table, rows);
            assert!(
                offsets.len() == rows.num_rows() && offsets.is_sorted(),
                "rows of {} name their records in order",
                table.name()
            );
        }
        let rows: usize = tables.iter().map(|(_, rows)| rows.get_array_memory_size()).sum();
        Self { bytes: records.bytes() + rows, records, fates, tables, from, is_lost: false, is_framed: false }
    }

    /// A range that the source has lost: no records, and a span marked as lost.
    pub fn lost(partition: Partition, range: Range<i64>) -> Self {
        let records = Records::none(partition, range.end);
        let (fates, tables) = (Vec::new(), Vec::new());
        Self { records: Arc::new(records), fates, tables, from: range.start, bytes: 0, is_lost: true, is_framed: false }
    }

    /// States whether each record begins with the id of its schema.
    #[must_use]
    pub fn framed(self, is_framed: bool) -> Self {
        Self { is_framed, ..self }
    }

    /// The schema id of a record, if the records of its stream begin with one.
    pub fn schema_id(&self, index: usize) -> Option<i32> {
        if self.is_framed { framing::schema_id(self.records.value(index)) } else { None }
    }

    pub fn records(&self) -> &Arc<Records> {
        &self.records
    }

    pub fn tables(&self) -> &[(Table, RecordBatch)] {
        &self.tables
    }

    /// The fate of each record.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    pub fn from(&self) -> i64 {
        self.from
    }

    pub fn to(&self) -> i64 {
        self.records.next
    }

    /// The memory that the records and their rows take, for the limits on batches that wait for a commit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The whole batch as a slice.
    pub fn whole(&self) -> Slice<'_> {
        Slice { batch: self, from: self.from, first: 0 }
    }

    /// The span of all its records.
    pub fn span(&self) -> Span {
        self.whole().span()
    }

    /// The part of the batch that a store at these positions is missing; `None` if it has all of it.
    ///
    /// # Errors
    /// [`Gap`]: the store is missing records before the batch.
    pub fn after(&self, held: &Positions) -> Result<Option<Slice<'_>>, Gap> {
        let partition = &self.records.partition;
        let next = held.next(partition);
        if self.from > next {
            return Err(Gap { partition: partition.clone(), held: next, from: self.from });
        }
        let first = self.records.offsets.partition_point(|offset| *offset < next);
        Ok((self.to() > next).then_some(Slice { batch: self, from: next, first }))
    }

    fn span_from(&self, first: usize, from: i64) -> Span {
        Span {
            partition: self.records.partition.clone(),
            from,
            to: self.records.next,
            counts: Counts::of(&self.fates[first..]),
            gap: if self.is_lost { self.records.next - from } else { 0 },
        }
    }
}

/// The end of a batch, from a position on: what a store at that position adds.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'b> {
    batch: &'b Batch,
    from: i64,
    first: usize,
}

impl<'b> Slice<'b> {
    pub fn partition(&self) -> &'b Partition {
        &self.batch.records.partition
    }

    pub fn from(&self) -> i64 {
        self.from
    }

    pub fn to(&self) -> i64 {
        self.batch.to()
    }

    /// The indexes of the batch's records in the slice.
    pub fn records(&self) -> Range<usize> {
        self.first..self.batch.records.len()
    }

    /// The span of its records.
    pub fn span(&self) -> Span {
        self.batch.span_from(self.first, self.from)
    }

    /// The rows of a table that come from its records; `None` if there are none.
    pub fn rows(&self, table: Table) -> Option<RecordBatch> {
        let (_, rows) = self.batch.tables.iter().find(|(held, _)| *held == table)?;
        let first = offsets(table, rows).partition_point(|offset| *offset < self.from);
        let count = rows.num_rows() - first;
        (count > 0).then(|| rows.slice(first, count))
    }

    /// The tables that have rows from its records.
    pub fn tables(&self) -> impl Iterator<Item = (Table, RecordBatch)> {
        self.batch.tables.iter().filter_map(|(table, _)| Some((*table, self.rows(*table)?)))
    }
}

/// A store is missing records before a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}/{} is held up to {held}, but the next batch begins at {from}", partition.topic, partition.number)]
pub struct Gap {
    pub partition: Partition,
    pub held: i64,
    pub from: i64,
}

/// The offsets of the rows' records; empty if the rows do not contain them, which [`Batch::new`] excludes.
fn offsets(table: Table, rows: &RecordBatch) -> &[i64] {
    let column = if table == Table::Rejected { "offset" } else { "source_offset" };
    let offsets = rows.column_by_name(column).and_then(|column| column.as_primitive_opt::<Int64Type>());
    offsets.map_or(&[], |offsets| offsets.values())
}

#[cfg(test)]
mod tests;
