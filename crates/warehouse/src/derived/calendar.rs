//! The days and minutes of the shop's calendar, over the years of the facts.

use std::ops::RangeInclusive;

use kassa_analytics::calendar::{EDITION, YEARS};
use kassa_analytics::derived::{date_rows, time_rows};
use kassa_model::key::{hash, positive};
use kassa_model::{Positions, Shop, Table};

use super::seen::{Seen, widened};
use super::{State, replace, state};
use crate::WarehouseError;
use crate::plan::FACTS;
use crate::read::Snapshot;

/// Returns the tables that were written again, and their years.
pub(super) fn bring_up(
    snapshot: &mut Snapshot<'_>,
    shop: &Shop,
    seen: &Seen,
) -> Result<(Vec<&'static str>, RangeInclusive<i16>), WarehouseError> {
    let years = years(snapshot, seen)?;
    let definition = definition(shop, &years);
    if State::of(snapshot, "dim_date")?.is_some_and(|held| held.definition == definition) {
        return Ok((Vec::new(), years));
    }
    replace(&mut snapshot.transaction, "dwh.dim_date", &[date_rows(shop, years.clone()).map_err(WarehouseError::corrupt)?])?;
    replace(&mut snapshot.transaction, "dwh.dim_time", &[time_rows().map_err(WarehouseError::corrupt)?])?;
    state(snapshot, "dim_date", &Positions::default(), definition)?;
    Ok((vec!["dim_date", "dim_time"], years))
}

fn definition(shop: &Shop, years: &RangeInclusive<i16>) -> i64 {
    let parts = [shop.zone_name.as_str(), shop.country.unwrap_or_default(), &EDITION.to_string(), &format!("{years:?}")];
    positive(hash("calendar", &parts))
}

/// The years of the calendar, widened by decades to include those of the facts: of all facts if all
/// were read, otherwise of the existing calendar and the new facts.
fn years(snapshot: &mut Snapshot<'_>, seen: &Seen) -> Result<RangeInclusive<i16>, WarehouseError> {
    let days = match seen {
        Seen::All => all_days(snapshot)?,
        Seen::Nothing => held_days(snapshot)?,
        Seen::Days(days) => held_days(snapshot)?.into_iter().chain(*days).reduce(widened),
    };
    let decade = |day: i32| i16::try_from(day / 100_000 * 10).unwrap_or(0);
    let from = days.map_or(*YEARS.start(), |(first, _)| decade(first).min(*YEARS.start()));
    let to = days.map_or(*YEARS.end(), |(_, last)| (decade(last) + 9).max(*YEARS.end()));
    Ok(from..=to)
}

/// The years in the calendar.
pub(super) fn held_years(snapshot: &mut Snapshot<'_>) -> Result<Option<RangeInclusive<i16>>, WarehouseError> {
    let year = |day: i32| i16::try_from(day / 10_000).unwrap_or(0);
    Ok(held_days(snapshot)?.map(|(first, last)| year(first)..=year(last)))
}

fn held_days(snapshot: &mut Snapshot<'_>) -> Result<Option<(i32, i32)>, WarehouseError> {
    bounds(snapshot, "SELECT min(date_key), max(date_key) FROM dwh.dim_date")
}

fn all_days(snapshot: &mut Snapshot<'_>) -> Result<Option<(i32, i32)>, WarehouseError> {
    let columns = FACTS.into_iter().chain([(Table::FactSales, "order_date_key")]);
    let each: Vec<String> =
        columns.map(|(table, day)| format!("SELECT min({day}) AS first, max({day}) AS last FROM dwh.{}", table.name())).collect();
    bounds(snapshot, &format!("SELECT min(first), max(last) FROM ({}) days", each.join(" UNION ALL ")))
}

fn bounds(snapshot: &mut Snapshot<'_>, sql: &str) -> Result<Option<(i32, i32)>, WarehouseError> {
    let row = snapshot.transaction.query_one(sql, &[])?;
    Ok(row.get::<_, Option<i32>>(0).zip(row.get(1)))
}
