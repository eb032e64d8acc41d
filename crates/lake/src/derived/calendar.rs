//! `dim_date` and `dim_time`: the shop's calendar, written once and again when it changes.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use kassa_analytics::calendar::{self, Day, EDITION, YEARS};
use kassa_model::key::{hash, positive};
use kassa_model::{Shop, Table};
use kassa_pipeline::rows::Rows;

use super::Basis;
use super::output::Output;
use super::years::Years;
use crate::delta::{Add, DeltaTable, LogError};

/// What a table's rows are true of, as versions in its log.
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

/// Stands for zone, country and rules.
fn definition(shop: &Shop) -> i64 {
    let parts = [shop.zone_name.as_str(), shop.country.unwrap_or_default(), &EDITION.to_string()];
    positive(hash("calendar", &parts))
}

/// The years that a table states.
fn stated_years(table: &DeltaTable) -> Option<RangeInclusive<i16>> {
    let year = |name| table.snapshot().txns.get(name).and_then(|year| i16::try_from(*year).ok());
    Some(year(FIRST)?..=year(LAST)?)
}

impl CalendarTables {
    pub(super) fn new(basis: Basis, dates: DeltaTable, times: DeltaTable) -> Self {
        Self { basis, dates, times, years: Years::default() }
    }

    /// Takes in what other processes have written.
    pub(super) fn take_in(&mut self) -> Result<(), LogError> {
        self.dates.refresh()?;
        self.times.refresh()
    }

    /// The tables that had to be written, with the files that they had before.
    pub(super) fn refresh(&mut self) -> Result<Vec<(&mut DeltaTable, Vec<Add>)>, LogError> {
        let mut written = Vec::new();
        self.years.look(self.basis.store.as_ref())?;
        let held = stated_years(&self.dates);
        let wanted = self.years.covered_by(held.clone().unwrap_or(YEARS));
        let said = definition(&self.basis.shop);
        if held != Some(wanted.clone()) || self.dates.snapshot().txns.get(DEFINITION) != Some(&said) {
            let rows = date_rows(&self.basis.shop, wanted.clone())?;
            let year = |name: &str, year: i16| (name.to_owned(), i64::from(year));
            let stated = vec![(DEFINITION.to_owned(), said), year(FIRST, *wanted.start()), year(LAST, *wanted.end())];
            let replaced = replace(&mut self.dates, (Table::DimDate, self.basis.zstd_level), &rows, stated)?;
            written.push((&mut self.dates, replaced));
        }
        if self.times.snapshot().txns.get(DEFINITION) != Some(&EDITION) {
            let stated = vec![(DEFINITION.to_owned(), EDITION)];
            let replaced = replace(&mut self.times, (Table::DimTime, self.basis.zstd_level), &time_rows()?, stated)?;
            written.push((&mut self.times, replaced));
        }
        Ok(written)
    }
}

fn replace(
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

fn encode(error: arrow_schema::ArrowError) -> LogError {
    LogError::Encode(error.to_string())
}

/// The rows of `dim_date` for whole years.
pub(crate) fn date_rows(shop: &Shop, years: RangeInclusive<i16>) -> Result<RecordBatch, LogError> {
    let days = calendar::days(shop, years);
    let ints = |of: &dyn Fn(&Day) -> i32| -> ArrayRef { Arc::new(Int32Array::from_iter_values(days.iter().map(of))) };
    let columns: Vec<ArrayRef> = vec![
        ints(&|day| day.date_key),
        Arc::new(Date32Array::from_iter_values(days.iter().map(|day| day.date))),
        ints(&|day| day.year),
        ints(&|day| day.quarter),
        ints(&|day| day.month),
        ints(&|day| day.day),
        ints(&|day| day.iso_year),
        ints(&|day| day.iso_week),
        ints(&|day| day.weekday),
        Arc::new(StringArray::from_iter_values(days.iter().map(|day| day.weekday_name))),
        Arc::new(StringArray::from_iter_values(days.iter().map(|day| day.month_name))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(days.iter().map(|day| day.starts_at)).with_timezone("UTC")),
        ints(&|day| day.hours),
        Arc::new(StringArray::from_iter(days.iter().map(|day| day.holiday.as_deref()))),
    ];
    RecordBatch::try_new(Table::DimDate.schema(), columns).map_err(encode)
}

/// The rows of `dim_time`.
pub(crate) fn time_rows() -> Result<RecordBatch, LogError> {
    let mut rows = Rows::new(Table::DimTime);
    for minute in calendar::minutes() {
        let _row = rows.row().i32(minute.time_key).i32(minute.hour).i32(minute.minute).i32(minute.quarter_hour);
    }
    rows.finish().map_err(encode)
}
