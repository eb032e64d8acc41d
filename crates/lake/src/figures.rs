//! The figures by what the lake holds, at one cut through all its tables.

mod days;
pub mod follow;
mod watermark;

use arrow_array::RecordBatch;
use kassa_analytics::{Figures, Wanted};
use kassa_model::{Positions, Shop, Table};

use crate::delta::table::partition_of;
use crate::delta::{Add, LogError, Snapshot};
use crate::lease::Lease;
use crate::read::{self, folder_of};
use crate::store::Store;

/// The positions that the spans account for: every table holds all rows before them.
pub fn accounted(store: &dyn Store) -> Result<Positions, LogError> {
    Ok(positions(&Snapshot::load(store, &folder_of(Table::Spans))?))
}

pub(crate) fn positions(snapshot: &Snapshot) -> Positions {
    snapshot.txns.iter().filter_map(|(app, version)| Some((partition_of(app)?, *version))).collect()
}

/// The bytes of all data files of the star schema's tables.
pub fn bytes(store: &dyn Store) -> Result<u64, LogError> {
    let of_table = |table| {
        let snapshot = Snapshot::load(store, &folder_of(table))?;
        Ok(snapshot.files.values().filter_map(|add| u64::try_from(add.size).ok()).sum::<u64>())
    };
    Table::ALL.into_iter().map(of_table).sum()
}

/// Folds the lake's rows up to the accounted positions. Rows beyond them, of a commit under way, are left out, so that all
/// tables are seen at the same positions. No file is deleted meanwhile.
pub fn figures(store: &dyn Store, shop: &Shop) -> Result<(Figures, Positions), LogError> {
    let cut = accounted(store)?;
    Ok((figures_before(store, Figures::new(shop), &cut)?, cut))
}

/// Folds into empty figures the rows before a cut, none of whose positions lies beyond the accounted ones: those that the question is
/// about that the figures are folded for.
pub fn figures_before(store: &dyn Store, mut figures: Figures, cut: &Positions) -> Result<Figures, LogError> {
    let _lease = Lease::take(store)?;
    let mut dated = Vec::new();
    for table in Table::ALL {
        if figures.reads(table).is_empty() {
            continue;
        }
        let part = Part { store, table, snapshot: Snapshot::load(store, &folder_of(table))?, cut };
        let is_folded = figures.times(table).is_none();
        if is_folded {
            days::fold(&part, &mut figures)?;
        }
        // Rows that are left out count for the watermark too.
        if !is_folded || figures.wanted(table) != Wanted::All {
            dated.push(part);
        }
    }
    figures.saw_until(watermark::latest(&dated, figures.event_time())?);
    Ok(figures)
}

/// The rows of a table that stem from before a cut.
pub(crate) struct Part<'s> {
    store: &'s dyn Store,
    table: Table,
    snapshot: Snapshot,
    cut: &'s Positions,
}

impl Part<'_> {
    /// The files that may hold such rows.
    fn files(&self) -> impl Iterator<Item = &Add> {
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

/// Hands on all columns of the rows of a table that stem from before a cut, plain. No file is deleted meanwhile.
pub fn rows_before(
    store: &dyn Store,
    table: Table,
    cut: &Positions,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let _lease = Lease::take(store)?;
    let snapshot = Snapshot::load(store, &folder_of(table))?;
    each_before(store, (table, &snapshot), &[], cut, &mut |rows| take(read::plain(&rows)?))
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
        take(if is_cut { kassa_pipeline::cut::before(&rows, cut).map_err(corrupt)? } else { rows })
    })
}

/// Whether rows of a file may lie beyond a cut, and the columns to be read of it: where they do, with those that say so.
fn with_lineage<'c>(add: &Add, snapshot: &Snapshot, columns: &[&'c str], cut: &Positions) -> (bool, Vec<&'c str>) {
    let is_ahead = || positions(snapshot).iter().any(|(partition, next)| cut.next(partition) < next);
    let is_cut = Lies::of(add, cut) != Lies::Before && is_ahead();
    // No columns named are all of them.
    let missing =
        kassa_pipeline::cut::COLUMNS.into_iter().filter(|name| is_cut && !columns.is_empty() && !columns.contains(name));
    (is_cut, columns.iter().copied().chain(missing).collect())
}

pub(crate) fn corrupt(error: arrow_schema::ArrowError) -> LogError {
    LogError::Corrupt(error.to_string())
}
