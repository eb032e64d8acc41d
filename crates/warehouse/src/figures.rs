//! The figures by what the warehouse holds: its rows, the one definition.

use kassa_analytics::Figures;
use kassa_model::{Positions, Shop, Table};
use kassa_pipeline::cut;

use crate::WarehouseError;
use crate::read::{Reader, Snapshot};
use crate::url::Target;

/// Folds all rows at one snapshot, and says at which positions that was.
pub fn figures(target: &Target, shop: &Shop) -> Result<(Figures, Positions), WarehouseError> {
    let mut reader = Reader::open(target)?;
    let mut snapshot = reader.snapshot()?;
    let figures = of(&mut snapshot, shop)?;
    Ok((figures, snapshot.positions().clone()))
}

/// The figures of a snapshot.
pub fn of(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Figures, WarehouseError> {
    fold(snapshot, shop, None)
}

/// The figures of a snapshot's rows before a cut, none of whose positions lies beyond the snapshot's own.
pub fn figures_before(snapshot: &mut Snapshot<'_>, shop: &Shop, cut: &Positions) -> Result<Figures, WarehouseError> {
    fold(snapshot, shop, Some(cut))
}

fn fold(snapshot: &mut Snapshot<'_>, shop: &Shop, cut: Option<&Positions>) -> Result<Figures, WarehouseError> {
    let mut figures = Figures::new(shop);
    for table in Table::ALL.into_iter().filter(|table| !Figures::columns(*table).is_empty()) {
        let own = Figures::columns(table);
        let lineage = cut::COLUMNS.into_iter().filter(|name| cut.is_some() && !own.contains(name));
        let columns: Vec<&str> = own.iter().copied().chain(lineage).collect();
        let corrupt = |error: &dyn std::fmt::Display| WarehouseError::Corrupt(format!("{}: {error}", table.name()));
        snapshot.each(table, &columns, &mut |rows| {
            let rows = match cut {
                Some(cut) => cut::before(&rows, cut).map_err(|error| corrupt(&error))?,
                None => rows,
            };
            figures.apply(table, &rows).map_err(|error| corrupt(&error))
        })?;
    }
    Ok(figures)
}
