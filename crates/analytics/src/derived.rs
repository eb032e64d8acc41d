//! The rows of derived tables, as every sink writes them.

use std::ops::RangeInclusive;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use kassa_model::star::{dim_date, dim_fx_rate, dim_time, fact_session};
use kassa_model::time::date_key;
use kassa_model::{Key, Rate, Shop, Table};

use crate::calendar;
use crate::rates::{Derivation, RateDay, Rates, Resolved};
use crate::{Credits, SessionRow};

/// Why rows could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum DerivedError {
    #[error("rows of {table}: {why}")]
    Rows { table: &'static str, why: ArrowError },
}

fn of(table: Table, rows: Result<RecordBatch, ArrowError>) -> Result<RecordBatch, DerivedError> {
    rows.map_err(|why| DerivedError::Rows { table: table.name(), why })
}

/// Rows of `fact_session`.
pub fn session_rows(sessions: &[SessionRow], credits: &Credits) -> Result<RecordBatch, DerivedError> {
    let mut rows = fact_session::Builder::sized(sessions.len());
    for session in sessions {
        rows.push(&fact_session::Row {
            session_key: Key::from_stored(session.session_key),
            session_id: session.session_id.as_deref(),
            person_key: Key::from_stored(session.person_key),
            customer_key: Key::from_stored(session.customer_key),
            session_date_key: session.date_key,
            started_at: session.started_at,
            ended_at: session.ended_at,
            entry_url: session.entry_url.as_deref(),
            exit_url: session.exit_url.as_deref(),
            events: session.events,
            viewed: session.reached >= 1,
            added: session.reached >= 2,
            checkout: session.reached >= 3,
            paid: session.reached >= 4,
            converted: session.converted,
            abandoned: session.abandoned,
            revenue_reporting: credits.revenue(session),
        });
    }
    of(Table::FactSession, rows.finish())
}

/// Rows of `dim_date` for whole years.
pub fn date_rows(shop: &Shop, years: RangeInclusive<i16>) -> Result<RecordBatch, DerivedError> {
    let days = calendar::days(shop, years);
    let mut rows = dim_date::Builder::sized(days.len());
    for day in &days {
        rows.push(&dim_date::Row {
            date_key: day.date_key,
            date: day.date,
            year: day.year,
            quarter: day.quarter,
            month: day.month,
            day: day.day,
            iso_year: day.iso_year,
            iso_week: day.iso_week,
            weekday: day.weekday,
            weekday_name: day.weekday_name,
            month_name: day.month_name,
            starts_at: day.starts_at,
            hours: day.hours,
            holiday: day.holiday.as_deref(),
        });
    }
    of(Table::DimDate, rows.finish())
}

/// Rows of `dim_fx_rate`: for each currency the days that have a rate, and for the shop's own all days of whole years.
pub fn rate_rows(shop: &Shop, rates: &Rates, years: RangeInclusive<i16>) -> Result<RecordBatch, DerivedError> {
    rate_days(&own_rates(shop, years).chain(rates.each()).collect::<Vec<_>>())
}

/// The rows of `dim_fx_rate` for the shop's own currency only.
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
pub fn rate_days(rates: &[RateDay]) -> Result<RecordBatch, DerivedError> {
    let mut rows = dim_fx_rate::Builder::sized(rates.len());
    for (currency, date_key, rate_date_key, resolved) in rates {
        let via = match &resolved.derivation {
            Derivation::Through(common) => Some(common.code()),
            _ => None,
        };
        rows.push(&dim_fx_rate::Row {
            currency: currency.code(),
            date_key: *date_key,
            rate: resolved.rate,
            derivation: resolved.derivation.name(),
            via,
            rate_date_key: *rate_date_key,
        });
    }
    of(Table::DimFxRate, rows.finish())
}

/// Rows of `dim_time`.
pub fn time_rows() -> Result<RecordBatch, DerivedError> {
    let mut rows = dim_time::Builder::sized(24 * 60);
    for minute in calendar::minutes() {
        rows.push(&dim_time::Row {
            time_key: minute.time_key,
            hour: minute.hour,
            minute: minute.minute,
            quarter_hour: minute.quarter_hour,
        });
    }
    of(Table::DimTime, rows.finish())
}
