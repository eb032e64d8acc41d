//! The rows of a table before a position: the files that may contain them, and their rows.

use arrow_array::RecordBatch;
use kassa_model::{Positions, Table};

use crate::delta::table::partition_of;
use crate::delta::{Add, LogError, Snapshot};
use crate::read::{self, folder_of};
use crate::store::Store;

pub(crate) fn positions(snapshot: &Snapshot) -> Positions {
    snapshot.txns.iter().filter_map(|(app, version)| Some((partition_of(app)?, *version))).collect()
}

/// The rows of a table before a position.
pub(crate) struct RowsBefore<'s> {
    pub(crate) store: &'s dyn Store,
    pub(crate) table: Table,
    pub(crate) snapshot: Snapshot,
    pub(crate) cut: &'s Positions,
}

impl RowsBefore<'_> {
    /// The files that may contain such rows.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Add> {
        self.snapshot.files.values().filter(|add| Side::of(add, self.cut) != Side::Beyond)
    }
}

/// The rows of a file relative to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    Beyond,
    Unknown,
}

impl Side {
    pub(crate) fn of(add: &Add, cut: &Positions) -> Self {
        let Some(ranges) = add.positions() else { return Side::Unknown };
        if ranges.iter().all(|(partition, range)| range.end <= cut.next(partition)) {
            Side::Before
        } else if ranges.iter().all(|(partition, range)| range.start >= cut.next(partition)) {
            Side::Beyond
        } else {
            Side::Unknown
        }
    }
}

/// Passes on the named columns of a table's rows before the position.
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

/// The same for one of its files.
pub(crate) fn each_of_file_before(
    store: &dyn Store,
    (table, snapshot): (Table, &Snapshot),
    add: &Add,
    columns: &[&str],
    cut: &Positions,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    if Side::of(add, cut) == Side::Beyond {
        return Ok(());
    }
    let (is_cut, wanted) = with_lineage(add, snapshot, columns, cut);
    read::file(store, &folder_of(table), add, &table.schema(), &wanted, &mut |rows| {
        take(if is_cut { kassa_pipeline::cut::before(&rows, cut).map_err(LogError::corrupt)? } else { rows })
    })
}

/// Whether a file may have rows beyond a position, and the columns to read: with the lineage if it
/// may.
pub(crate) fn with_lineage<'c>(add: &Add, snapshot: &Snapshot, columns: &[&'c str], cut: &Positions) -> (bool, Vec<&'c str>) {
    let is_ahead = || positions(snapshot).iter().any(|(partition, next)| cut.next(partition) < next);
    let is_cut = Side::of(add, cut) != Side::Before && is_ahead();
    // An empty list means all columns.
    let missing =
        kassa_pipeline::cut::COLUMNS.into_iter().filter(|name| is_cut && !columns.is_empty() && !columns.contains(name));
    (is_cut, columns.iter().copied().chain(missing).collect())
}
