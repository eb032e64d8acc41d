//! Figures computed from the lake, with all tables at the same positions.

mod before;
mod days;
pub mod follow;
mod watermark;

use arrow_array::RecordBatch;
use kassa_analytics::{Figures, Wanted};
use kassa_model::{Positions, Shop, Table};

use self::before::RowsBefore;
pub(crate) use self::before::{Side, each_before, each_of_file_before, positions};
use crate::beyond::beyond;
use crate::delta::{LogError, Snapshot};
use crate::lease::Lease;
use crate::read::{self, folder_of};
use crate::store::Store;

/// The positions that the spans account for. Every table contains all rows before them.
pub fn accounted(store: &dyn Store) -> Result<Positions, LogError> {
    Ok(positions(&Snapshot::load(store, &folder_of(Table::Spans))?))
}

/// The bytes of all data files of the star schema's tables.
pub fn bytes(store: &dyn Store) -> Result<u64, LogError> {
    let of_table = |table| {
        let snapshot = Snapshot::load(store, &folder_of(table))?;
        Ok(snapshot.files.values().filter_map(|add| u64::try_from(add.size).ok()).sum::<u64>())
    };
    Table::ALL.into_iter().map(of_table).sum()
}

/// Adds the lake's rows up to the accounted positions to figures. Rows beyond them, of a commit in
/// progress, are left out, so that all tables are read at the same positions. No file is deleted
/// meanwhile.
pub fn figures(store: &dyn Store, shop: &Shop) -> Result<(Figures, Positions), LogError> {
    let cut = accounted(store)?;
    Ok((figures_before(store, Figures::new(shop), &cut)?, cut))
}

/// Adds the rows before a position, which must not be beyond the accounted one, to empty figures:
/// only the rows that the query needs.
pub fn figures_before(store: &dyn Store, mut figures: Figures, cut: &Positions) -> Result<Figures, LogError> {
    let _lease = Lease::take(store)?;
    let mut dated = Vec::new();
    for table in Table::ALL {
        if figures.reads(table).is_empty() {
            continue;
        }
        let before = RowsBefore { store, table, snapshot: Snapshot::load(store, &folder_of(table))?, cut };
        let is_folded = figures.times(table).is_none();
        if is_folded {
            days::fold(&before, &mut figures)?;
        }
        // Skipped rows also count for the watermark.
        if !is_folded || figures.wanted(table) != Wanted::All {
            dated.push(before);
        }
    }
    figures.saw_until(watermark::latest(&dated, figures.event_time(), figures.plausible_until())?);
    Ok(figures)
}

/// Adds the rows between the figures' own positions and others, which the lake accounts for.
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
        let corrupt = |error: kassa_analytics::ApplyError| LogError::corrupt_at(table.name(), error);
        let wanted = crate::beyond::Wanted { from, to: Some(to) };
        beyond(store, table, columns, wanted, &mut |rows| figures.apply(table, &rows).map_err(corrupt))?;
    }
    Ok(figures)
}

/// Passes on all columns of a table's rows before a position, as plain arrays. No file is deleted
/// meanwhile.
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
