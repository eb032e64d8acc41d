//! The session that an order counts for: the first one that reported it. `kassa.claims` contains
//! the claims of all events.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use kassa_analytics::{Claim, Claims, Credits, SessionRow};
use kassa_model::{Shop, Table};

use super::windows::Windows;
use super::{rates, replace};
use crate::WarehouseError;
use crate::read::Snapshot;

/// With more keys than this, rows are selected here and not by PostgreSQL: versions before 14
/// compare a row with each key.
const KEYS: usize = 100;

const ADD: &str = "INSERT INTO kassa.claims (order_key, session_key, claimed_at)
    SELECT c.order_key, c.session_key, 'epoch'::timestamptz + c.at * interval '1 microsecond'
    FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS c (order_key, session_key, at) ON CONFLICT DO NOTHING";
const OF_ORDERS: &str = "SELECT DISTINCT session_key FROM kassa.claims WHERE order_key = ANY ($1)";
const WINNERS: &str = "SELECT DISTINCT ON (order_key) order_key, session_key, (extract(epoch FROM claimed_at) * 1000000)::int8
    FROM kassa.claims WHERE order_key = ANY ($1) ORDER BY order_key, claimed_at, session_key";
const LEDGER: &str = "SELECT (extract(epoch FROM moved_at) * 1000000)::int8 FROM ods.order_details WHERE order_key = ANY ($1)";

/// Computes the table from all events. Returns the claims, the earliest of each order first.
pub(super) fn compute_all(snapshot: &mut Snapshot<'_>) -> Result<Vec<Claim>, WarehouseError> {
    let mut claims = Vec::new();
    snapshot.each_where(Table::FactEvent, Claims::COLUMNS, "WHERE type = 'order_completed'", &mut |rows| {
        Claims::read(&rows, |_, claim| claims.push(claim)).map_err(WarehouseError::corrupt)
    })?;
    claims.sort_unstable();
    claims.dedup();
    replace(&mut snapshot.transaction, "kassa.claims", &[rows(&claims)?])?;
    Ok(claims)
}

fn rows(claims: &[Claim]) -> Result<RecordBatch, WarehouseError> {
    let longs = |of: fn(&Claim) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(claims.iter().map(of))) };
    let times = TimestampMicrosecondArray::from_iter_values(claims.iter().map(|claim| claim.at));
    let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
    RecordBatch::try_from_iter([
        ("order_key", longs(|claim| claim.order_key)),
        ("session_key", longs(|claim| claim.session_key)),
        ("claimed_at", times),
    ])
    .map_err(WarehouseError::corrupt)
}

pub(super) fn add(snapshot: &mut Snapshot<'_>, claims: &[Claim]) -> Result<(), WarehouseError> {
    let column = |of: fn(&Claim) -> i64| -> Vec<i64> { claims.iter().map(of).collect() };
    let (orders, sessions, times) =
        (column(|claim| claim.order_key), column(|claim| claim.session_key), column(|claim| claim.at));
    if !claims.is_empty() {
        snapshot.transaction.execute(ADD, &[&orders, &sessions, &times])?;
    }
    Ok(())
}

/// The sessions that claim one of these orders.
pub(super) fn sessions_of(snapshot: &mut Snapshot<'_>, orders: &HashSet<i64>) -> Result<Vec<i64>, WarehouseError> {
    let orders: Vec<i64> = orders.iter().copied().collect();
    Ok(snapshot.transaction.query(OF_ORDERS, &[&orders])?.iter().map(|row| row.get(0)).collect())
}

/// The ledger's values of the orders that these sessions report.
pub(super) fn credits_of(snapshot: &mut Snapshot<'_>, shop: &Shop, sessions: &[SessionRow]) -> Result<Credits, WarehouseError> {
    let orders: HashSet<i64> = sessions.iter().flat_map(|session| &session.orders).map(|(order, _)| *order).collect();
    let orders: Vec<i64> = orders.into_iter().collect();
    let claim = |row: &postgres::Row| Claim { order_key: row.get(0), session_key: row.get(1), at: row.get(2) };
    let winners: Vec<Claim> = snapshot.transaction.query(WINNERS, &[&orders])?.iter().map(claim).collect();
    let mut credits = Credits::of(winners.iter());
    let mut windows = Windows::default();
    // The current state has every line of an order with its time; the ledger has its amounts.
    for row in snapshot.transaction.query(LEDGER, &[&orders])? {
        windows.add(row.get(0), row.get(0));
    }
    let rates = rates::at(snapshot, shop, &windows)?;
    for filter in within(&windows, ("moved_at", "movement_date_key"), ("order_key", &orders)) {
        snapshot.each_where(Table::FactSales, Credits::COLUMNS, &filter, &mut |rows| {
            credits.apply(&rows, &rates).map_err(WarehouseError::corrupt)
        })?;
    }
    Ok(credits)
}

/// A `WHERE` for each window: the row lies in it and, if there are few keys, has one of them.
pub(super) fn within(windows: &Windows, (time, day): (&str, &str), (key, keys): (&str, &[i64])) -> Vec<String> {
    let texts: Vec<String> = keys.iter().map(i64::to_string).collect();
    let has_key = if keys.len() > KEYS { String::new() } else { format!(" AND {key} = ANY ('{{{}}}'::int8[])", texts.join(",")) };
    windows.conditions(time, day).into_iter().map(|condition| format!("WHERE {condition}{has_key}")).collect()
}
