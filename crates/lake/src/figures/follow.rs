//! Rows that other processes bring to the lake, each once: for those who fold them in and do not write them.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use kassa_model::{Partition, Positions, Table};

use super::{corrupt, positions};
use crate::delta::{LogError, Snapshot};
use crate::lease::Lease;
use crate::read::{self, folder_of};
use crate::store::Store;

/// Knows which files of some tables hold nothing more that is new.
#[derive(Debug)]
pub struct Follower {
    tables: Vec<(Table, Vec<&'static str>)>,
    /// Files all of whose rows have been handed on.
    done: BTreeMap<Table, BTreeSet<String>>,
}

/// The columns that say where a row stems from.
fn lineage(table: Table) -> [&'static str; 3] {
    match table {
        Table::Spans => ["topic", "partition", "from_offset"],
        Table::Rejected => ["topic", "partition", "offset"],
        _ => kassa_pipeline::cut::COLUMNS,
    }
}

impl Follower {
    /// Follows tables by these columns; without columns, by all.
    pub fn new(tables: impl IntoIterator<Item = (Table, &'static [&'static str])>) -> Self {
        let tables = tables.into_iter().map(|(table, columns)| {
            let missing = lineage(table).into_iter().filter(|name| !columns.is_empty() && !columns.contains(name));
            (table, columns.iter().copied().chain(missing).collect())
        });
        Self { tables: tables.collect(), done: BTreeMap::new() }
    }

    /// Forgets which files are done with: what was handed on last was not taken.
    pub fn forget(&mut self) {
        self.done.clear();
    }

    /// Hands on the rows that stem from between two positions, of which the second lies at most where the lake is accounted for. The
    /// next time begins there.
    pub fn rows(
        &mut self,
        store: &dyn Store,
        (from, to): (&Positions, &Positions),
        take: &mut dyn FnMut(Table, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let _lease = Lease::take(store)?;
        for (table, columns) in &self.tables {
            let folder = folder_of(*table);
            let snapshot = Snapshot::load(store, &folder)?;
            let done = self.done.entry(*table).or_default();
            done.retain(|path| snapshot.files.contains_key(path));
            // Nothing lies beyond what was asked for: then all files are done with, without a look into each.
            let is_behind = positions(&snapshot).iter().all(|(partition, next)| next <= from.next(partition));
            for (path, add) in &snapshot.files {
                if done.contains(path) {
                    continue;
                }
                let mut is_done = true;
                if !is_behind {
                    read::file(store, &folder, add, &table.schema(), columns, &mut |rows| {
                        let (between, beyond) = sorted_out(&rows, *table, (from, to))?;
                        is_done &= !beyond;
                        let rows = filter_record_batch(&rows, &between).map_err(corrupt)?;
                        if rows.num_rows() == 0 { Ok(()) } else { take(*table, rows) }
                    })?;
                }
                if is_done {
                    done.insert(path.clone());
                }
            }
        }
        Ok(())
    }
}

/// Which rows lie between the positions, and whether any lie beyond them.
fn sorted_out(rows: &RecordBatch, table: Table, (from, to): (&Positions, &Positions)) -> Result<(BooleanArray, bool), LogError> {
    let [topic, number, offset] = lineage(table).map(|name| rows.column_by_name(name));
    let (Some(topics), Some(numbers), Some(offsets)) = (topic, number, offset) else {
        return Err(LogError::Corrupt(format!("{}: no lineage", table.name())));
    };
    let topics = topics.as_string_opt::<i32>().ok_or_else(|| LogError::Corrupt("topics of another type".to_owned()))?;
    let (numbers, offsets) = (numbers.as_primitive::<Int64Type>(), offsets.as_primitive::<Int64Type>());
    let mut bounds: BTreeMap<(&str, i64), (i64, i64)> = BTreeMap::new();
    let (mut between, mut beyond) = (Vec::with_capacity(rows.num_rows()), false);
    for row in 0..rows.num_rows() {
        let key = (topics.value(row), numbers.value(row));
        let (first, end) = *bounds.entry(key).or_insert_with(|| {
            let partition = Partition::new(key.0, key.1);
            let first = from.next(&partition);
            (first, to.get(&partition).unwrap_or(first))
        });
        let offset = offsets.value(row);
        between.push((first..end).contains(&offset));
        beyond |= offset >= end;
    }
    Ok((BooleanArray::from(between), beyond))
}

#[cfg(test)]
mod tests;
