//! The rows of the tables that follow from others, as every sink writes them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::ArrowError;
use kassa_model::decimal::DecimalError;
use kassa_model::{Shop, Table};

use crate::calendar::{self, Day, Minute};
use crate::{Credits, SessionRow};

/// Why rows could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DerivedError {
    #[error("the revenue of session {session_key}: {why}")]
    Revenue { session_key: i64, why: DecimalError },
    #[error("rows of {table}: {why}")]
    Rows { table: &'static str, why: ArrowError },
}

fn batch(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch, DerivedError> {
    RecordBatch::try_new(table.schema(), columns).map_err(|why| DerivedError::Rows { table: table.name(), why })
}

fn micros(times: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
}

/// Rows of `fact_session`.
pub fn session_rows(sessions: &[SessionRow], credits: &Credits) -> Result<RecordBatch, DerivedError> {
    let longs = |of: fn(&SessionRow) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(sessions.iter().map(of))) };
    let texts =
        |of: fn(&SessionRow) -> &Option<String>| -> ArrayRef { Arc::new(sessions.iter().map(of).collect::<StringArray>()) };
    let flags = |of: &dyn Fn(&SessionRow) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from(sessions.iter().map(of).collect::<Vec<_>>()))
    };
    let mut revenues = Vec::with_capacity(sessions.len());
    for session in sessions {
        let revenue = credits.revenue(session);
        let revenue = revenue.map_err(|why| DerivedError::Revenue { session_key: session.session_key, why })?;
        revenues.push(i128::from(revenue.0));
    }
    let refused = |why| DerivedError::Rows { table: Table::FactSession.name(), why };
    let revenues = Decimal128Array::from(revenues).with_precision_and_scale(18, 6).map_err(refused)?;
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
        Arc::new(revenues),
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
