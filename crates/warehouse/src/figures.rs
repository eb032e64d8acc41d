//! Figures computed from the warehouse's rows.

use kassa_analytics::Figures;
use kassa_model::{Cause, Positions, Shop, Table};
use kassa_pipeline::cut;

use crate::WarehouseError;
use crate::read::{Reader, Snapshot};
use crate::url::Target;

/// Adds all rows of one snapshot to figures; returns the snapshot's positions.
pub fn figures(target: &Target, shop: &Shop) -> Result<(Figures, Positions), WarehouseError> {
    let mut reader = Reader::open(target)?;
    let mut snapshot = reader.snapshot()?;
    let figures = of(&mut snapshot, Figures::new(shop))?;
    Ok((figures, snapshot.positions().clone()))
}

/// Adds all rows of a snapshot to empty figures.
pub fn of(snapshot: &mut Snapshot<'_>, figures: Figures) -> Result<Figures, WarehouseError> {
    fold(snapshot, figures, None)
}

/// The same for the rows before a position, which must not be beyond the snapshot's.
pub fn figures_before(snapshot: &mut Snapshot<'_>, figures: Figures, cut: &Positions) -> Result<Figures, WarehouseError> {
    let is_ahead = snapshot.positions().iter().any(|(partition, next)| cut.next(partition) < next);
    fold(snapshot, figures, is_ahead.then_some(cut))
}

fn fold(snapshot: &mut Snapshot<'_>, mut figures: Figures, cut: Option<&Positions>) -> Result<Figures, WarehouseError> {
    for table in Table::ALL {
        if let Some(times) = figures.times(table) {
            figures.saw_until(snapshot.latest(table, times, (cut, figures.plausible_until()))?);
            continue;
        }
        let own = figures.reads(table);
        if own.is_empty() {
            continue;
        }
        let lineage = cut::COLUMNS.into_iter().filter(|name| cut.is_some() && !own.contains(name));
        let columns: Vec<&str> = own.iter().copied().chain(lineage).collect();
        snapshot.each(table, &columns, &mut |rows| {
            let rows = match cut {
                Some(cut) => cut::before(&rows, cut).map_err(|error| WarehouseError::Corrupt(Cause::at(table.name(), error)))?,
                None => rows,
            };
            figures.apply(table, &rows).map_err(|error| WarehouseError::Corrupt(Cause::at(table.name(), error)))
        })?;
    }
    Ok(figures)
}
