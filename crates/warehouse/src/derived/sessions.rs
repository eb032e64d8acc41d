//! `fact_session`, computed from `fact_event`, `fact_sales` and `fact_fx_rate` at the positions
//! that it states.
//!
//! A session depends on the events of its id, on the ledger's rows of its orders, and on the rates
//! of their lines. So the new rows beyond the stated positions determine the ids whose sessions may
//! change: those of new events, and those that claim an order of a new event, of a new line, or of
//! a line whose rate changed. All sessions of these ids are computed again; the rows of all others
//! stay. The table itself shows where their old events are: each lies between the start and the end
//! of a session.

use std::collections::{BTreeSet, HashSet};

use arrow_array::RecordBatch;
use kassa_analytics::derived::session_rows;
use kassa_analytics::{Claim, Claims, Credits, SessionRows};
use kassa_model::star::read::Columns;
use kassa_model::star::{fact_event, fact_sales};
use kassa_model::{Positions, Shop, Table};

use super::claims::{self, within};
use super::rates::{self, Price};
use super::seen::{Seen, widened};
use super::windows::Windows;
use crate::WarehouseError;
use crate::commits::Bounds;
use crate::read::Snapshot;
use crate::statements::copy_in;

/// Session ids computed in one pass over the events, which bounds the memory. If more are touched,
/// all are computed again.
const IDS: usize = 250_000;

/// What the new rows affect.
#[derive(Default)]
struct Touched {
    ids: HashSet<i64>,
    claims: Vec<Claim>,
    /// Orders with a new claim, a new line, or a changed rate.
    orders: HashSet<i64>,
    /// The times of the new events.
    windows: Windows,
    days: Option<(i32, i32)>,
}

impl Touched {
    fn event_rows(&mut self, rows: &RecordBatch) -> Result<(), WarehouseError> {
        let times = Columns { table: Table::FactEvent, rows }.get(fact_event::occurred_at)?;
        SessionRows::keys(rows, |row, key| {
            // Above the limit, only the fact that it is exceeded matters.
            if self.ids.len() <= IDS {
                self.ids.insert(key);
                self.windows.add(times.value(row), times.value(row));
            }
        })
        .map_err(WarehouseError::corrupt)?;
        Claims::read(rows, |_, claim| self.claims.push(claim)).map_err(WarehouseError::corrupt)
    }

    fn line_rows(&mut self, rows: &RecordBatch) -> Result<(), WarehouseError> {
        let columns = Columns { table: Table::FactSales, rows };
        let (orders, days) = (columns.get(fact_sales::order_key)?, columns.get(fact_sales::order_date_key)?);
        self.orders.extend(orders.values());
        self.days = self.days.into_iter().chain(days.values().iter().map(|day| (*day, *day))).reduce(widened);
        Ok(())
    }
}

/// Refreshes the table from the positions that it states. `prices` have changed since.
pub(super) fn follow(
    snapshot: &mut Snapshot<'_>,
    shop: &Shop,
    held: &Positions,
    prices: &BTreeSet<Price>,
) -> Result<Seen, WarehouseError> {
    let bounds = snapshot.bounds(held)?;
    if bounds == Bounds::Anywhere {
        return compute_all(snapshot, shop);
    }
    let mut touched = new_rows(snapshot, held, &bounds)?;
    touched.orders.extend(touched.claims.iter().map(|claim| claim.order_key));
    claims::add(snapshot, &touched.claims)?;
    touched.orders.extend(rates::orders(snapshot, prices)?);
    touched.ids.extend(claims::sessions_of(snapshot, &touched.orders)?);
    if touched.ids.len() > IDS {
        return compute_all(snapshot, shop);
    }
    if !touched.ids.is_empty() {
        replace(snapshot, shop, &mut touched)?;
    }
    Ok(Seen::Days(touched.days.into_iter().chain(bounds.days()).reduce(widened)))
}

fn new_rows(snapshot: &mut Snapshot<'_>, held: &Positions, bounds: &Bounds) -> Result<Touched, WarehouseError> {
    let mut touched = Touched::default();
    snapshot.each_beyond_within(Table::FactEvent, Claims::COLUMNS, (held, bounds), &mut |rows| touched.event_rows(&rows))?;
    let lines = ["order_key", "order_date_key"];
    snapshot.each_beyond_within(Table::FactSales, &lines, (held, bounds), &mut |rows| touched.line_rows(&rows))?;
    Ok(touched)
}

const HELD: &str = "SELECT (extract(epoch FROM started_at) * 1000000)::int8, (extract(epoch FROM ended_at) * 1000000)::int8
    FROM dwh.fact_session WHERE session_key = ANY ($1)";

/// Replaces the rows of the touched ids.
fn replace(snapshot: &mut Snapshot<'_>, shop: &Shop, touched: &mut Touched) -> Result<(), WarehouseError> {
    let ids: Vec<i64> = touched.ids.iter().copied().collect();
    for row in snapshot.transaction.query(HELD, &[&ids])? {
        touched.windows.add(row.get(0), row.get(1));
    }
    let mut sessions = SessionRows::new(shop);
    for filter in within(&touched.windows, ("occurred_at", "event_date_key"), ("session_key", &ids)) {
        snapshot.each_where(Table::FactEvent, SessionRows::COLUMNS, &filter, &mut |rows| {
            sessions.apply(&rows, |key| touched.ids.contains(&key)).map_err(WarehouseError::corrupt)
        })?;
    }
    let sessions = sessions.finish();
    let credits = claims::credits_of(snapshot, shop, &sessions)?;
    snapshot.transaction.execute("DELETE FROM dwh.fact_session WHERE session_key = ANY ($1)", &[&ids])?;
    let rows = session_rows(&sessions, &credits).map_err(WarehouseError::corrupt)?;
    copy_in(&mut snapshot.transaction, "dwh.fact_session", &[rows], None).map(drop)
}

/// Computes the table from all facts.
pub(super) fn compute_all(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Seen, WarehouseError> {
    let claims = claims::compute_all(snapshot)?;
    let winners = claims.chunk_by(|a, b| a.order_key == b.order_key).filter_map(|claims| claims.first());
    let mut credits = Credits::of(winners);
    if !credits.is_empty() {
        let rates = rates::all(snapshot, shop)?;
        snapshot.each(Table::FactSales, Credits::COLUMNS, &mut |rows| {
            credits.apply(&rows, &rates).map_err(WarehouseError::corrupt)
        })?;
    }
    // An id has at least one event.
    let events: i64 = snapshot.transaction.query_one("SELECT count(*) FROM dwh.fact_event", &[])?.get(0);
    let passes = usize::try_from(events).unwrap_or(0) / IDS + 1;
    snapshot.transaction.batch_execute("DELETE FROM dwh.fact_session")?;
    for pass in 0..passes {
        let mut sessions = SessionRows::new(shop);
        let share = format!("WHERE session_key % {passes} = {pass}");
        snapshot.each_where(Table::FactEvent, SessionRows::COLUMNS, &share, &mut |rows| {
            sessions.apply(&rows, |_| true).map_err(WarehouseError::corrupt)
        })?;
        let rows = session_rows(&sessions.finish(), &credits).map_err(WarehouseError::corrupt)?;
        copy_in(&mut snapshot.transaction, "dwh.fact_session", &[rows], None)?;
    }
    Ok(Seen::All)
}
