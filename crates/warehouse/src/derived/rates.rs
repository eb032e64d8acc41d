//! `dim_fx_rate`: the rate of each currency on each day, computed from `fact_fx_rate` at the
//! positions that it states.
//!
//! A stated rate applies on its day and for a week after it. So new rows of `fact_fx_rate`
//! determine the days whose rates may change. These are resolved again, from the rates stated on
//! them and in the week before them; the rows of all other days stay.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use arrow_array::RecordBatch;
use jiff::ToSpan;
use kassa_analytics::derived::{own_rate_rows, rate_days, rate_rows};
use kassa_analytics::{RATE_DAYS, RateDay, Rates};
use kassa_model::key::{hash, positive};
use kassa_model::star::fact_fx_rate;
use kassa_model::star::read::Columns;
use kassa_model::time::{date_key, date_of};
use kassa_model::{Shop, Table};

use super::windows::Windows;
use super::{State, calendar, state, without_positions};
use crate::WarehouseError;
use crate::commits::Bounds;
use crate::read::Snapshot;
use crate::statements::copy_in;

const TABLE: &str = "dim_fx_rate";
/// Increase this when the same rates would give other rows.
const EDITION: &str = "1";
/// With new rates on more days than this, all rows are computed again.
const DAYS: usize = 400;

/// A currency's code and a day.
pub(super) type Price = (String, i32);

/// The changes of a refresh.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Currencies and days whose rate was changed, added or removed.
    pub(super) prices: BTreeSet<Price>,
    /// Whether rows were written.
    pub(super) is_changed: bool,
    /// Whether all rows were computed again: those of the shop's own currency are still missing.
    pub(super) is_full: bool,
}

fn definition(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<i64, WarehouseError> {
    let [dropped, replayed] = without_positions(snapshot)?;
    Ok(positive(hash("rates", &[EDITION, shop.currency.code(), &dropped, &replayed])))
}

/// Refreshes the rates of all currencies except the shop's own.
pub(super) fn bring_up(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Changes, WarehouseError> {
    let (cut, definition) = (snapshot.positions().clone(), definition(snapshot, shop)?);
    let changes = match State::since(snapshot, TABLE, definition)? {
        Some(held) if held == cut => return Ok(Changes::default()),
        Some(held) => match snapshot.bounds(&held)? {
            Bounds::Anywhere => compute_all(snapshot, shop)?,
            bounds => {
                let mut stated = BTreeSet::new();
                snapshot.each_beyond_within(Table::FactFxRate, &["rate_date_key"], (&held, &bounds), &mut |rows| {
                    let columns = Columns { table: Table::FactFxRate, rows: &rows };
                    stated.extend(columns.get(fact_fx_rate::rate_date_key)?.values());
                    Ok(())
                })?;
                follow(snapshot, shop, &stated)?
            }
        },
        None => compute_all(snapshot, shop)?,
    };
    state(snapshot, TABLE, &cut, definition)?;
    Ok(changes)
}

const HELD: &str = "SELECT currency, date_key, (rate * 1000000000)::int8 FROM dwh.dim_fx_rate WHERE currency <> $1";
const HELD_ON: &str =
    "SELECT currency, date_key, (rate * 1000000000)::int8 FROM dwh.dim_fx_rate WHERE currency <> $1 AND date_key = ANY ($2)";
const DELETE_ON: &str = "DELETE FROM dwh.dim_fx_rate WHERE currency <> $1 AND date_key = ANY ($2)";

/// Resolves again the rates that depend on these days.
fn follow(snapshot: &mut Snapshot<'_>, shop: &Shop, stated: &BTreeSet<i32>) -> Result<Changes, WarehouseError> {
    if stated.is_empty() {
        return Ok(Changes::default());
    }
    if stated.len() > DAYS {
        return compute_all(snapshot, shop);
    }
    let (touched, needed) = (around(stated, 0..=RATE_DAYS), around(stated, -RATE_DAYS..=RATE_DAYS));
    let needed: Vec<String> = needed.iter().map(i32::to_string).collect();
    let mut rates = Rates::new(shop.currency);
    let filter = format!("WHERE rate_date_key = ANY ('{{{}}}'::int4[])", needed.join(","));
    snapshot.each_where(Table::FactFxRate, Rates::COLUMNS, &filter, &mut |rows| {
        rates.apply(&rows).map_err(WarehouseError::corrupt)
    })?;
    let resolved: Vec<RateDay> = rates.each().into_iter().filter(|(_, day, ..)| touched.contains(day)).collect();
    let (own, days) = (shop.currency.code(), touched.into_iter().collect::<Vec<i32>>());
    let before = held(&snapshot.transaction.query(HELD_ON, &[&own, &days])?);
    snapshot.transaction.execute(DELETE_ON, &[&own, &days])?;
    copy_in(&mut snapshot.transaction, "dwh.dim_fx_rate", &[rate_days(&resolved).map_err(WarehouseError::corrupt)?], None)?;
    Ok(Changes { prices: changed(&before, &resolved), is_changed: true, is_full: false })
}

/// The days at these distances from the given days.
fn around(days: &BTreeSet<i32>, span: RangeInclusive<i32>) -> BTreeSet<i32> {
    let shifted = |day: &i32| {
        let date = date_of(*day);
        span.clone().filter_map(move |more| date?.checked_add(more.days()).ok().map(date_key))
    };
    days.iter().flat_map(shifted).collect()
}

fn compute_all(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Changes, WarehouseError> {
    let before = held(&snapshot.transaction.query(HELD, &[&shop.currency.code()])?);
    let resolved = all(snapshot, shop)?.each();
    super::replace(&mut snapshot.transaction, "dwh.dim_fx_rate", &[rate_days(&resolved).map_err(WarehouseError::corrupt)?])?;
    Ok(Changes { prices: changed(&before, &resolved), is_changed: true, is_full: true })
}

fn held(rows: &[postgres::Row]) -> BTreeMap<Price, i64> {
    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

fn changed(before: &BTreeMap<Price, i64>, resolved: &[RateDay]) -> BTreeSet<Price> {
    let now: BTreeMap<Price, i64> =
        resolved.iter().map(|(currency, day, _, resolved)| ((currency.code().to_owned(), *day), resolved.rate.0)).collect();
    let gone = before.keys().filter(|price| !now.contains_key(*price));
    let other = now.iter().filter(|(price, rate)| before.get(*price) != Some(*rate)).map(|(price, _)| price);
    gone.chain(other).cloned().collect()
}

/// The rows of the shop's own currency, on all days of the calendar.
pub(super) fn of_own_currency(
    snapshot: &mut Snapshot<'_>,
    shop: &Shop,
    years: RangeInclusive<i16>,
) -> Result<(), WarehouseError> {
    let rows = own_rate_rows(shop, years).map_err(WarehouseError::corrupt)?;
    snapshot.transaction.execute("DELETE FROM dwh.dim_fx_rate WHERE currency = $1", &[&shop.currency.code()])?;
    copy_in(&mut snapshot.transaction, "dwh.dim_fx_rate", &[rows], None).map(drop)
}

/// All rates.
pub(super) fn all(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Rates, WarehouseError> {
    of_rows(snapshot, shop, "")
}

/// The rates needed to convert amounts at these times.
pub(super) fn at(snapshot: &mut Snapshot<'_>, shop: &Shop, windows: &Windows) -> Result<Rates, WarehouseError> {
    match windows.days("rate_date_key", RATE_DAYS.into()) {
        Some(days) => of_rows(snapshot, shop, &format!("WHERE {days}")),
        None => Ok(Rates::new(shop.currency)),
    }
}

fn of_rows(snapshot: &mut Snapshot<'_>, shop: &Shop, filter: &str) -> Result<Rates, WarehouseError> {
    let mut rates = Rates::new(shop.currency);
    snapshot
        .each_where(Table::FactFxRate, Rates::COLUMNS, filter, &mut |rows| rates.apply(&rows).map_err(WarehouseError::corrupt))?;
    Ok(rates)
}

/// The claimed orders with a line whose rate changed.
pub(super) fn orders(snapshot: &mut Snapshot<'_>, prices: &BTreeSet<Price>) -> Result<Vec<i64>, WarehouseError> {
    if prices.is_empty() {
        return Ok(Vec::new());
    }
    let (currencies, days): (Vec<&str>, Vec<i32>) = prices.iter().map(|(currency, day)| (currency.as_str(), *day)).unzip();
    let listed: Vec<String> = days.iter().collect::<BTreeSet<_>>().into_iter().map(i32::to_string).collect();
    let sql = format!(
        "SELECT DISTINCT s.order_key FROM dwh.fact_sales s
        JOIN unnest($1::text[], $2::int4[]) AS p (currency, day) ON p.currency = s.currency AND p.day = s.movement_date_key
        WHERE s.movement_date_key = ANY ('{{{}}}'::int4[]) AND EXISTS (SELECT FROM kassa.claims c WHERE c.order_key = s.order_key)",
        listed.join(",")
    );
    Ok(snapshot.transaction.query(&sql, &[&currencies, &days])?.iter().map(|row| row.get(0)).collect())
}

/// The rows that `dim_fx_rate` must have by the rates before the positions that it states. `None`:
/// the next refresh computes it again.
pub fn rates_as_stated(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Option<RecordBatch>, WarehouseError> {
    let definition = definition(snapshot, shop)?;
    let (held, years) = (State::since(snapshot, TABLE, definition)?, calendar::held_years(snapshot)?);
    let Some((held, years)) = held.zip(years) else { return Ok(None) };
    let filter = snapshot.beyond(&held).map(|beyond| format!("WHERE NOT ({beyond})")).unwrap_or_default();
    let rates = of_rows(snapshot, shop, &filter)?;
    rate_rows(shop, &rates, years).map(Some).map_err(WarehouseError::corrupt)
}
