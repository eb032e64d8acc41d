//! The figures by what the lake holds, at one cut through all its tables.

pub mod follow;

use arrow_array::RecordBatch;
use kassa_analytics::Figures;
use kassa_model::{Positions, Shop, Table};

use crate::beyond::{Wanted, beyond};
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

/// Folds the lake's rows up to the accounted positions. Rows beyond them, of a commit under way, are left out, so that all
/// tables are seen at the same positions. No file is deleted meanwhile.
pub fn figures(store: &dyn Store, shop: &Shop) -> Result<(Figures, Positions), LogError> {
    let cut = accounted(store)?;
    Ok((figures_before(store, Figures::new(shop), &cut)?, cut))
}

/// Folds into empty figures the rows before a cut, none of whose positions lies beyond the accounted ones.
pub fn figures_before(store: &dyn Store, mut figures: Figures, cut: &Positions) -> Result<Figures, LogError> {
    let _lease = Lease::take(store)?;
    for table in Table::ALL {
        let columns = figures.reads(table);
        if columns.is_empty() {
            continue;
        }
        let snapshot = Snapshot::load(store, &folder_of(table))?;
        each_before(store, (table, &snapshot), columns, cut, &mut |rows| {
            figures.apply(table, &rows).map_err(|error| LogError::Corrupt(format!("{}: {error}", table.name())))
        })?;
    }
    Ok(figures)
}

/// Folds into figures the rows between the positions that they have seen and others, which the lake accounts for.
pub fn figures_between(
    store: &dyn Store,
    mut figures: Figures,
    (from, to): (&Positions, &Positions),
) -> Result<Figures, LogError> {
    for table in Table::ALL {
        let columns = figures.reads(table);
        if columns.is_empty() {
            continue;
        }
        let corrupt = |error: kassa_analytics::ApplyError| LogError::Corrupt(format!("{}: {error}", table.name()));
        let wanted = Wanted { from, to: Some(to) };
        beyond(store, table, columns, wanted, &mut |rows| figures.apply(table, &rows).map_err(corrupt))?;
    }
    Ok(figures)
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
    let ahead = positions(snapshot).iter().any(|(partition, next)| cut.next(partition) < next);
    // No columns named are all of them.
    let missing = kassa_pipeline::cut::COLUMNS.iter().filter(|name| ahead && !columns.is_empty() && !columns.contains(name));
    let wanted: Vec<&str> = columns.iter().chain(missing).copied().collect();
    read::file(store, &folder_of(table), add, &table.schema(), &wanted, &mut |rows| {
        take(if ahead { kassa_pipeline::cut::before(&rows, cut).map_err(corrupt)? } else { rows })
    })
}

pub(crate) fn corrupt(error: arrow_schema::ArrowError) -> LogError {
    LogError::Corrupt(error.to_string())
}
