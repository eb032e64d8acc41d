//! `dim_fx_rate`: the rate of each currency on each day, computed from `fact_fx_rate` at the
//! positions that it states.

use std::ops::RangeInclusive;

use arrow_array::RecordBatch;
use kassa_analytics::Rates;
use kassa_analytics::calendar::YEARS;
use kassa_analytics::derived::rate_rows;
use kassa_model::key::{hash, positive};
use kassa_model::{Positions, Shop, Table};

use super::calendar::{replace, stated_years, years_as_stated};
use super::{Basis, REPLAYED};
use crate::delta::table::app_id;
use crate::delta::{Add, DeltaTable, LogError, Snapshot};
use crate::figures::each_before;
use crate::read::folder_of;
use crate::recover::scan;
use crate::store::Store;

/// The inputs of the rows besides the positions, stored as a version in the table's log.
const DEFINITION: &str = "kassa-rates";
/// Increase this when the same rates would give other rows.
const EDITION: &str = "1";

#[derive(Debug)]
pub(super) struct RateTable {
    basis: Basis,
    pub(super) table: DeltaTable,
}

/// The rates before a position.
pub(crate) fn rates_before(store: &dyn Store, shop: &Shop, cut: &Positions) -> Result<Rates, LogError> {
    let snapshot = Snapshot::load(store, &folder_of(Table::FactFxRate))?;
    let mut rates = Rates::new(shop.currency);
    each_before(store, (Table::FactFxRate, &snapshot), Rates::COLUMNS, cut, &mut |rows| {
        rates.apply(&rows).map_err(LogError::corrupt)
    })?;
    Ok(rates)
}

/// The rows of `dim_fx_rate` computed from all rates in the lake. Queries use them, because they
/// must convert facts by the rates beside them.
pub fn rates_now(store: &dyn Store, shop: &Shop) -> Result<RecordBatch, LogError> {
    let mut rates = Rates::new(shop.currency);
    scan(store, Table::FactFxRate, Rates::COLUMNS, &mut |rows| rates.apply(&rows).map_err(LogError::corrupt))?;
    let years = stated_years(&Snapshot::load(store, &folder_of(Table::DimDate))?);
    rate_rows(shop, &rates, years.unwrap_or(YEARS)).map_err(LogError::corrupt)
}

/// Whether a table's rows were computed by the current rules for the current shop. If not, the next
/// refresh computes them again.
pub(crate) fn is_of_today(table: &Snapshot, shop: &Shop) -> bool {
    table.txns.get(DEFINITION) == Some(&definition(shop))
}

/// A hash of the rules and the shop's currency.
fn definition(shop: &Shop) -> i64 {
    positive(hash("rates", &[EDITION, shop.currency.code()]))
}

impl RateTable {
    pub(super) fn new(basis: Basis, table: DeltaTable) -> Self {
        Self { basis, table }
    }

    /// Refreshes the table to the accounted positions. Returns the replaced files, if anything
    /// changed.
    pub(super) fn refresh(&mut self, years: RangeInclusive<i16>) -> Result<Option<Vec<Add>>, LogError> {
        let cut = self.basis.cut(&[Table::FactFxRate])?;
        let mut stated =
            vec![(DEFINITION.to_owned(), definition(&self.basis.shop)), (REPLAYED.to_owned(), self.basis.replayed()?)];
        stated.extend(years_as_stated(&years));
        let txns = &self.table.snapshot().txns;
        if stated.iter().all(|(name, version)| txns.get(name) == Some(version)) && self.table.positions() == cut {
            return Ok(None);
        }
        let rates = rates_before(self.basis.store.as_ref(), &self.basis.shop, &cut)?;
        let rows = rate_rows(&self.basis.shop, &rates, years).map_err(LogError::corrupt)?;
        stated.extend(cut.iter().map(|(partition, next)| (app_id(partition), next)));
        replace(&mut self.table, (Table::DimFxRate, self.basis.zstd_level), &rows, stated).map(Some)
    }
}
