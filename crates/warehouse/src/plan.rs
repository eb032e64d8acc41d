//! The plan of one commit: the move of each partition, and the rows between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::star::lineage;
use kassa_model::star::read::Columns;
use kassa_model::{Partition, Positions, Table};
use kassa_pipeline::{Batch, SinkError, Spans};

/// The facts, each with the day column that it is partitioned by.
pub(crate) const FACTS: [(Table, &str); 6] = [
    (Table::FactSales, "movement_date_key"),
    (Table::FactOrder, "order_date_key"),
    (Table::FactPayment, "payment_date_key"),
    (Table::FactEvent, "event_date_key"),
    (Table::FactInventory, "inventory_date_key"),
    (Table::FactFxRate, "rate_date_key"),
];

/// The move of one partition in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) partition: Partition,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Everything that one transaction writes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Sorted by partition, so that two workers lock them in the same order.
    pub(crate) moves: Vec<Move>,
    pub(crate) spans: Spans,
    tables: BTreeMap<Table, Vec<RecordBatch>>,
}

impl Plan {
    /// Drops rows before the positions, which are committed already. Refuses a gap.
    pub(crate) fn of(held: &Positions, batches: &[Arc<Batch>]) -> Result<Self, SinkError> {
        let mut plan = Self::default();
        let mut reached = held.clone();
        for batch in batches {
            let Some(slice) = batch.after(&reached)? else { continue };
            for (table, rows) in slice.tables() {
                plan.tables.entry(table).or_default().push(rows);
            }
            plan.spans.add(slice.span());
            reached.advance(slice.partition(), slice.to());
        }
        let moves = reached.iter().map(|(partition, to)| Move { partition: partition.clone(), from: held.next(partition), to });
        plan.moves = moves.filter(|moved| moved.from < moved.to).collect();
        Ok(plan)
    }

    /// Rows without a move: those of replayed letters.
    pub(crate) fn of_rows(rows: impl IntoIterator<Item = (Table, RecordBatch)>) -> Self {
        let mut plan = Self::default();
        for (table, rows) in rows {
            if rows.num_rows() > 0 {
                plan.tables.entry(table).or_default().push(rows);
            }
        }
        plan
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    pub(crate) fn rows(&self, table: Table) -> &[RecordBatch] {
        self.tables.get(&table).map(Vec::as_slice).unwrap_or_default()
    }

    /// The earliest ingest time of its rows, µs UTC; `None`: it has no rows.
    pub(crate) fn ingested_from(&self) -> Option<i64> {
        let batches = self.tables.iter().flat_map(|(table, rows)| rows.iter().map(|rows| Columns { table: *table, rows }));
        batches.filter_map(|columns| columns.get(lineage::ingested_at).ok()).flat_map(|times| times.values()).min().copied()
    }

    /// The days of a fact's rows.
    pub(crate) fn days(&self, table: Table, column: &'static str) -> BTreeSet<i32> {
        let keys = self.rows(table).iter().filter_map(|rows| Columns { table, rows }.named::<i32>(column).ok());
        let mut days = BTreeSet::new();
        let mut last = None;
        for day in keys.flat_map(|keys| keys.values()) {
            if last != Some(*day) {
                days.insert(*day);
                last = Some(*day);
            }
        }
        days
    }
}
