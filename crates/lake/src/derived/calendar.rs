//! `dim_date` and `dim_time`: the shop's calendar, written again when it changes.

use std::ops::RangeInclusive;

use arrow_array::RecordBatch;
use kassa_analytics::calendar::{EDITION, YEARS};
use kassa_analytics::derived::{date_rows, time_rows};
use kassa_model::key::{hash, positive};
use kassa_model::{Shop, Table};

use super::Basis;
use super::output::Output;
use super::years::Years;
use crate::delta::{Add, DeltaTable, LogError, Snapshot};

/// The inputs of the rows, stored as versions in the table's log.
const DEFINITION: &str = "kassa-calendar";
const FIRST: &str = "kassa-calendar-from";
const LAST: &str = "kassa-calendar-to";

#[derive(Debug)]
pub(super) struct CalendarTables {
    basis: Basis,
    dates: DeltaTable,
    times: DeltaTable,
    years: Years,
}

/// A hash of zone, country and rules.
fn definition(shop: &Shop) -> i64 {
    let parts = [shop.zone_name.as_str(), shop.country.unwrap_or_default(), &EDITION.to_string()];
    positive(hash("calendar", &parts))
}

/// The years that a table states.
pub(crate) fn stated_years(table: &Snapshot) -> Option<RangeInclusive<i16>> {
    let year = |name| table.txns.get(name).and_then(|year| i16::try_from(*year).ok());
    Some(year(FIRST)?..=year(LAST)?)
}

pub(super) fn years_as_stated(years: &RangeInclusive<i16>) -> [(String, i64); 2] {
    [(FIRST.to_owned(), i64::from(*years.start())), (LAST.to_owned(), i64::from(*years.end()))]
}

impl CalendarTables {
    pub(super) fn new(basis: Basis, dates: DeltaTable, times: DeltaTable) -> Self {
        Self { basis, dates, times, years: Years::default() }
    }

    /// Applies the commits of other processes.
    pub(super) fn take_in(&mut self) -> Result<(), LogError> {
        self.dates.refresh()?;
        self.times.refresh()
    }

    /// The years in `dim_date`.
    pub(super) fn years(&self) -> RangeInclusive<i16> {
        stated_years(self.dates.snapshot()).unwrap_or(YEARS)
    }

    /// The tables that were written, with the files that they had before.
    pub(super) fn refresh(&mut self) -> Result<Vec<(&mut DeltaTable, Vec<Add>)>, LogError> {
        let mut written = Vec::new();
        self.years.look(self.basis.store.as_ref())?;
        let held = stated_years(self.dates.snapshot());
        let wanted = self.years.covered_by(held.clone().unwrap_or(YEARS));
        let said = definition(&self.basis.shop);
        if held != Some(wanted.clone()) || self.dates.snapshot().txns.get(DEFINITION) != Some(&said) {
            let rows = date_rows(&self.basis.shop, wanted.clone()).map_err(LogError::corrupt)?;
            let stated = std::iter::once((DEFINITION.to_owned(), said)).chain(years_as_stated(&wanted)).collect();
            let replaced = replace(&mut self.dates, (Table::DimDate, self.basis.zstd_level), &rows, stated)?;
            written.push((&mut self.dates, replaced));
        }
        if self.times.snapshot().txns.get(DEFINITION) != Some(&EDITION) {
            let stated = vec![(DEFINITION.to_owned(), EDITION)];
            let replaced = replace(
                &mut self.times,
                (Table::DimTime, self.basis.zstd_level),
                &time_rows().map_err(LogError::corrupt)?,
                stated,
            )?;
            written.push((&mut self.times, replaced));
        }
        Ok(written)
    }
}

pub(super) fn replace(
    table: &mut DeltaTable,
    (of, zstd_level): (Table, i32),
    rows: &RecordBatch,
    stated: Vec<(String, i64)>,
) -> Result<Vec<Add>, LogError> {
    let replaced: Vec<Add> = table.snapshot().files.values().cloned().collect();
    let mut output = Output::new(table, of, zstd_level);
    output.write(rows)?;
    let added = output.finish()?;
    table.exchange(&replaced, added, stated)?;
    Ok(replaced)
}
