//! The figures by what the warehouse holds: its rows, the one definition.

use kassa_analytics::Figures;
use kassa_model::{Positions, Shop, Table};

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
    let mut figures = Figures::new(shop);
    for table in Table::ALL {
        let columns = Figures::columns(table);
        if !columns.is_empty() {
            snapshot.each(table, columns, &mut |rows| {
                figures.apply(table, &rows).map_err(|error| WarehouseError::Corrupt(format!("{}: {error}", table.name())))
            })?;
        }
    }
    Ok(figures)
}
