//! The rows of the tables that follow from others, as every sink writes them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::ArrowError;
use kassa_model::time::date_key;
use kassa_model::{Rate, Shop, Table};

use crate::calendar::{self, Day, Minute};
use crate::rates::{Derivation, RateDay, Rates, Resolved};
use crate::{Credits, SessionRow};

/// Why rows could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DerivedError {
    #[error("rows of {table}: {why}")]
    Rows { table: &'static str, why: ArrowError },
}

fn batch(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch, DerivedError> {
    RecordBatch::try_new(table.schema(), columns).map_err(|why| DerivedError::Rows { table: table.name(), why })
}

fn micros(times: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
}

fn decimals(table: Table, values: impl Iterator<Item = i128>, (precision, scale): (u8, i8)) -> Result<ArrayRef, DerivedError> {
    let values = Decimal128Array::from_iter_values(values).with_precision_and_scale(precision, scale);
    values.map(|values| Arc::new(values) as ArrayRef).map_err(|why| DerivedError::Rows { table: table.name(), why })
}

/// Rows of `fact_session`.
pub fn session_rows(sessions: &[SessionRow], credits: &Credits) -> Result<RecordBatch, DerivedError> {
    let longs = |of: fn(&SessionRow) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(sessions.iter().map(of))) };
    let texts =
        |of: fn(&SessionRow) -> &Option<String>| -> ArrayRef { Arc::new(sessions.iter().map(of).collect::<StringArray>()) };
    let flags = |of: &dyn Fn(&SessionRow) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from(sessions.iter().map(of).collect::<Vec<_>>()))
    };
    let revenues = sessions.iter().map(|session| credits.revenue(session));
    let columns = vec![
        longs(|session| session.session_key),
        texts(|session| &session.session_id),
        longs(|session| session.person_key),
        longs(|session| session.customer_key),
        Arc::new(Int32Array::from_iter_values(sessions.iter().map(|session| session.date_key))),
        micros(sessions.iter().map(|session| session.started_at)),
        micros(sessions.iter().map(|session| session.ended_at)),
        texts(|session| &session.entry_url),
        texts(|session| &session.exit_url),
        longs(|session| session.events),
        flags(&|session| session.reached >= 1),
        flags(&|session| session.reached >= 2),
        flags(&|session| session.reached >= 3),
        flags(&|session| session.reached >= 4),
        flags(&|session| session.converted),
        flags(&|session| session.abandoned),
        decimals(Table::FactSession, revenues, (38, 15))?,
    ];
    batch(Table::FactSession, columns)
}

/// Rows of `dim_date` for whole years.
pub fn date_rows(shop: &Shop, years: RangeInclusive<i16>) -> Result<RecordBatch, DerivedError> {
    let days = calendar::days(shop, years);
    let ints = |of: fn(&Day) -> i32| -> ArrayRef { Arc::new(Int32Array::from_iter_values(days.iter().map(of))) };
    let columns = vec![
        ints(|day| day.date_key),
        Arc::new(Date32Array::from_iter_values(days.iter().map(|day| day.date))),
        ints(|day| day.year),
        ints(|day| day.quarter),
        ints(|day| day.month),
        ints(|day| day.day),
        ints(|day| day.iso_year),
        ints(|day| day.iso_week),
        ints(|day| day.weekday),
        Arc::new(StringArray::from_iter_values(days.iter().map(|day| day.weekday_name))),
        Arc::new(StringArray::from_iter_values(days.iter().map(|day| day.month_name))),
        micros(days.iter().map(|day| day.starts_at)),
        ints(|day| day.hours),
        Arc::new(days.iter().map(|day| day.holiday.as_deref()).collect::<StringArray>()),
    ];
    batch(Table::DimDate, columns)
}

/// Rows of `dim_fx_rate`: of each currency the days that have a rate, and of the shop's own all days of whole years.
pub fn rate_rows(shop: &Shop, rates: &Rates, years: RangeInclusive<i16>) -> Result<RecordBatch, DerivedError> {
    rate_days(&own_rates(shop, years).chain(rates.each()).collect::<Vec<_>>())
}

/// Of these rows those of the shop's own currency.
pub fn own_rate_rows(shop: &Shop, years: RangeInclusive<i16>) -> Result<RecordBatch, DerivedError> {
    rate_days(&own_rates(shop, years).collect::<Vec<_>>())
}

fn own_rates(shop: &Shop, years: RangeInclusive<i16>) -> impl Iterator<Item = RateDay> {
    let one = Resolved { rate: Rate::from_units(Rate::ONE), derivation: Derivation::Own };
    let days = years
        .flat_map(|year| jiff::civil::date(year, 1, 1).series(jiff::ToSpan::day(1)).take_while(move |day| day.year() == year));
    let currency = shop.currency;
    days.map(date_key).map(move |day| (currency, day, day, one))
}

/// Rates as rows of `dim_fx_rate`.
pub fn rate_days(rows: &[RateDay]) -> Result<RecordBatch, DerivedError> {
    let codes = |code: &dyn Fn(&Resolved) -> Option<&'static str>| -> ArrayRef {
        Arc::new(rows.iter().map(|(.., resolved)| code(resolved)).collect::<DictionaryArray<Int32Type>>())
    };
    let through = |resolved: &Resolved| match &resolved.derivation {
        Derivation::Through(common) => Some(common.code()),
        _ => None,
    };
    let columns = vec![
        Arc::new(rows.iter().map(|(currency, ..)| Some(currency.code())).collect::<DictionaryArray<Int32Type>>()) as ArrayRef,
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(_, day, ..)| *day))),
        decimals(Table::DimFxRate, rows.iter().map(|(.., resolved)| i128::from(resolved.rate.0)), (18, 9))?,
        codes(&|resolved| Some(resolved.derivation.name())),
        codes(&through),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(_, _, of, _)| *of))),
    ];
    batch(Table::DimFxRate, columns)
}

/// Rows of `dim_time`.
pub fn time_rows() -> Result<RecordBatch, DerivedError> {
    let minutes: Vec<Minute> = calendar::minutes().collect();
    let ints = |of: fn(&Minute) -> i32| -> ArrayRef { Arc::new(Int32Array::from_iter_values(minutes.iter().map(of))) };
    let columns = vec![
        ints(|minute| minute.time_key),
        ints(|minute| minute.hour),
        ints(|minute| minute.minute),
        ints(|minute| minute.quarter_hour),
    ];
    batch(Table::DimTime, columns)
}
