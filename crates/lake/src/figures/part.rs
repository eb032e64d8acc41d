//! The rows of a table before a cut: which files may hold them, and which of a file's rows they are.

use arrow_array::RecordBatch;
use kassa_model::{Positions, Table};

use crate::delta::table::partition_of;
use crate::delta::{Add, LogError, Snapshot};
use crate::read::{self, folder_of};
use crate::store::Store;

pub(crate) fn positions(snapshot: &Snapshot) -> Positions {
    snapshot.txns.iter().filter_map(|(app, version)| Some((partition_of(app)?, *version))).collect()
}

/// The rows of a table that stem from before a cut.
pub(crate) struct Part<'s> {
    pub(crate) store: &'s dyn Store,
    pub(crate) table: Table,
    pub(crate) snapshot: Snapshot,
    pub(crate) cut: &'s Positions,
}

impl Part<'_> {
    /// The files that may hold such rows.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Add> {
        self.snapshot.files.values().filter(|add| Lies::of(add, self.cut) != Lies::Beyond)
    }
}

/// Where the rows of a file lie, seen from a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    Before,
    Beyond,
    Unknown,
}

impl Lies {
    pub(crate) fn of(add: &Add, cut: &Positions) -> Self {
        let Some(ranges) = add.positions() else { return Lies::Unknown };
        if ranges.iter().all(|(partition, range)| range.end <= cut.next(partition)) {
            Lies::Before
        } else if ranges.iter().all(|(partition, range)| range.start >= cut.next(partition)) {
            Lies::Beyond
        } else {
            Lies::Unknown
        }
    }
}

/// Hands on the named columns of the rows of a table that stem from before the cut.
pub(crate) fn each_before(
    store: &dyn Store,
    (table, snapshot): (Table, &Snapshot),
    columns: &[&str],
    cut: &Positions,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    for add in snapshot.files.values() {
        each_of_file_before(store, (table, snapshot), add, columns, cut, take)?;
    }
    Ok(())
}

/// The same, of one of its files.
pub(crate) fn each_of_file_before(
    store: &dyn Store,
    (table, snapshot): (Table, &Snapshot),
    add: &Add,
    columns: &[&str],
    cut: &Positions,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    if Lies::of(add, cut) == Lies::Beyond {
        return Ok(());
    }
    let (is_cut, wanted) = with_lineage(add, snapshot, columns, cut);
    read::file(store, &folder_of(table), add, &table.schema(), &wanted, &mut |rows| {
        take(if is_cut { kassa_pipeline::cut::before(&rows, cut).map_err(LogError::corrupt)? } else { rows })
    })
}

/// Whether rows of a file may lie beyond a cut, and the columns to be read of it: where they do, with those that say so.
pub(crate) fn with_lineage<'c>(add: &Add, snapshot: &Snapshot, columns: &[&'c str], cut: &Positions) -> (bool, Vec<&'c str>) {
    let is_ahead = || positions(snapshot).iter().any(|(partition, next)| cut.next(partition) < next);
    let is_cut = Lies::of(add, cut) != Lies::Before && is_ahead();
    // No columns named are all of them.
    let missing =
        kassa_pipeline::cut::COLUMNS.into_iter().filter(|name| is_cut && !columns.is_empty() && !columns.contains(name));
    (is_cut, columns.iter().copied().chain(missing).collect())
}
