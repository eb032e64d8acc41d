//! The rows of derived tables.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use kassa_analytics::calendar::{self, Day};
use kassa_analytics::{Basis, Figure, Figures, Query, SessionRow, catalogue};
use kassa_model::{Amount, Shop, Table};
use kassa_pipeline::rows::Rows;

use super::Credits;
use crate::WarehouseError;

fn corrupt(error: ArrowError) -> WarehouseError {
    WarehouseError::Corrupt(error.to_string())
}

pub(super) fn sessions(sessions: &[SessionRow], credits: &Credits) -> Result<RecordBatch, WarehouseError> {
    let mut rows = Rows::new(Table::FactSession);
    for session in sessions {
        let counts = |(order, at): &&(i64, i64)| {
            credits.get(order).filter(|(claim, _)| (claim.at, claim.session_key) == (*at, session.session_key))
        };
        let revenue: i128 = session.orders.iter().filter_map(|order| counts(&order)).map(|(_, sum)| sum).sum();
        let revenue = Amount::from_scaled(revenue, 6)
            .map_err(|error| WarehouseError::Corrupt(format!("the revenue of session {}: {error}", session.session_key)))?;
        let _row = rows
            .row()
            .i64(session.session_key)
            .text(session.session_id.as_deref())
            .i64(session.person_key)
            .i64(session.customer_key)
            .i32(session.date_key)
            .i64(session.started_at)
            .i64(session.ended_at)
            .text(session.entry_url.as_deref())
            .text(session.exit_url.as_deref())
            .i64(session.events)
            .bool(session.reached >= 1)
            .bool(session.reached >= 2)
            .bool(session.reached >= 3)
            .bool(session.reached >= 4)
            .bool(session.converted)
            .bool(session.abandoned)
            .decimal(revenue);
    }
    rows.finish().map_err(corrupt)
}

pub(super) fn dates(shop: &Shop, years: RangeInclusive<i16>) -> Result<RecordBatch, WarehouseError> {
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
    RecordBatch::try_new(Table::DimDate.schema(), columns).map_err(corrupt)
}

pub(super) fn times() -> Result<RecordBatch, WarehouseError> {
    let mut rows = Rows::new(Table::DimTime);
    for minute in calendar::minutes() {
        let _row = rows.row().i32(minute.time_key).i32(minute.hour).i32(minute.minute).i32(minute.quarter_hour);
    }
    rows.finish().map_err(corrupt)
}

/// Every figure on all its bases, in all its groupings: what the views of `kassa sql` show.
pub(super) fn figures(figures: &Figures) -> Result<RecordBatch, WarehouseError> {
    let mut columns: [Vec<Option<String>>; 6] = Default::default();
    for figure in catalogue() {
        for basis in bases(figure) {
            for by in figure.groupings.iter().map(|by| by.name()) {
                let Ok(query) = Query::parse(figure.name, Some(by), None, None, basis) else { continue };
                let Ok(answer) = figures.answer(&query) else { continue };
                for row in answer.rows {
                    let named = [Some(figure.name.to_owned()), basis.map(str::to_owned), Some(by.to_owned())];
                    let cells = named.into_iter().chain([Some(row.key), Some(row.label), row.value]);
                    columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
                }
            }
        }
    }
    let fields = ["figure", "basis", "by", "key", "label", "value"].map(|name| Field::new(name, DataType::Utf8, true));
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), arrays).map_err(corrupt)
}

fn bases(figure: &Figure) -> Vec<Option<&'static str>> {
    if figure.bases.is_empty() { vec![None] } else { figure.bases.iter().map(|basis: &Basis| Some(basis.name())).collect() }
}
