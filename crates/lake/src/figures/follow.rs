//! Delivers rows that other processes add to the lake, each once, to readers that do not write
//! them.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use kassa_model::{Partition, Positions, Table};

use super::before::positions;
use crate::beyond::{each_row, lineage};
use crate::delta::{Add, LogError, Snapshot};
use crate::lease::Lease;
use crate::read::{self, folder_of};
use crate::store::Store;

/// The lake's positions, for repeated queries.
#[derive(Debug, Default)]
pub struct Accounts(Snapshot);

impl Accounts {
    /// The positions that the spans account for now.
    pub fn now(&mut self, store: &dyn Store) -> Result<Positions, LogError> {
        self.0.advance(store, &folder_of(Table::Spans))?;
        self.0.removed.clear();
        Ok(positions(&self.0))
    }
}

/// Tracks which files of some tables have no more new rows.
#[derive(Debug)]
pub struct Follower(Vec<Followed>);

#[derive(Debug)]
struct Followed {
    table: Table,
    columns: Vec<&'static str>,
    /// The state at the last look.
    snapshot: Snapshot,
    /// Files whose rows have all been delivered.
    done: BTreeSet<String>,
}

impl Follower {
    /// Follows these columns of tables; all columns if empty.
    pub fn new(tables: impl IntoIterator<Item = (Table, &'static [&'static str])>) -> Self {
        let followed = |(table, columns): (Table, &'static [&'static str])| {
            let missing = lineage(table).into_iter().filter(|name| !columns.is_empty() && !columns.contains(name));
            let columns = columns.iter().copied().chain(missing).collect();
            Followed { table, columns, snapshot: Snapshot::default(), done: BTreeSet::new() }
        };
        Self(tables.into_iter().map(followed).collect())
    }

    /// Marks all files as not delivered, because the last delivery failed.
    pub fn forget(&mut self) {
        self.0.iter_mut().for_each(|followed| followed.done.clear());
    }

    /// Passes on the rows between two positions. The second must not be beyond the accounted
    /// position. The next call begins there.
    pub fn rows(
        &mut self,
        store: &dyn Store,
        between: (&Positions, &Positions),
        take: &mut dyn FnMut(Table, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let _lease = Lease::take(store)?;
        self.0.iter_mut().try_for_each(|followed| followed.rows(store, between, take))
    }
}

impl Followed {
    fn rows(
        &mut self,
        store: &dyn Store,
        (from, to): (&Positions, &Positions),
        take: &mut dyn FnMut(Table, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let (table, folder) = (self.table, folder_of(self.table));
        self.snapshot.advance(store, &folder)?;
        self.snapshot.removed.clear();
        self.done.retain(|path| self.snapshot.files.contains_key(path));
        // No rows lie beyond the requested positions, so all files are done without opening each.
        let is_behind = positions(&self.snapshot).iter().all(|(partition, next)| next <= from.next(partition));
        for (path, add) in &self.snapshot.files {
            if self.done.contains(path) {
                continue;
            }
            let stated = Stated::of(add, (from, to));
            let mut is_done = stated != Some(Stated::Beyond);
            if !is_behind && stated.is_none() {
                read::file(store, &folder, add, &table.schema(), &self.columns, &mut |rows| {
                    let (between, beyond) = sorted_out(&rows, table, (from, to))?;
                    is_done &= !beyond;
                    let rows = filter_record_batch(&rows, &between).map_err(LogError::corrupt)?;
                    if rows.num_rows() == 0 { Ok(()) } else { take(table, rows) }
                })?;
            }
            if is_done {
                self.done.insert(path.clone());
            }
        }
        Ok(())
    }
}

/// The result of comparing a file's stated positions, where it makes opening the file unnecessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stated {
    /// No row is wanted, now or later.
    Done,
    /// No row is wanted now.
    Beyond,
}

impl Stated {
    fn of(add: &Add, (from, to): (&Positions, &Positions)) -> Option<Self> {
        let ranges = add.positions()?;
        let end = |partition: &Partition| to.get(partition).unwrap_or(from.next(partition));
        let is_between =
            |partition: &Partition, range: &Range<i64>| range.start.max(from.next(partition)) < range.end.min(end(partition));
        if ranges.iter().any(|(partition, range)| is_between(partition, range)) {
            return None;
        }
        let is_done = ranges.iter().all(|(partition, range)| range.end <= end(partition));
        Some(if is_done { Stated::Done } else { Stated::Beyond })
    }
}

/// Selects the rows between the positions, and whether any lie beyond.
fn sorted_out(rows: &RecordBatch, table: Table, (from, to): (&Positions, &Positions)) -> Result<(BooleanArray, bool), LogError> {
    let range = |partition: &Partition| {
        let first = from.next(partition);
        first..to.get(partition).unwrap_or(first)
    };
    let mut beyond = false;
    let between = each_row(rows, table, range, |range, offset| {
        beyond |= offset >= range.end;
        range.contains(&offset)
    })?;
    Ok((between, beyond))
}

#[cfg(test)]
mod tests;
