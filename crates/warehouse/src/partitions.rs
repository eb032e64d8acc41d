//! The partitions of the facts: one per day near today, one per year (or its free part) elsewhere,
//! so that decades of history or a record with a strange date create few.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::Date;
use kassa_analytics::RATE_DAYS;
use kassa_model::Table;
use kassa_model::time::{DAY, date_key, date_of};
use postgres::Client;

use crate::WarehouseError;
use crate::plan::{FACTS, Plan};

/// Days before today with partitions of their own.
const NEAR_BEFORE: i32 = 400;
/// Days after today with partitions of their own, created ahead.
const AHEAD: i32 = 7;

/// The ranges of days, half open, with partitions of each fact.
#[derive(Debug, Default)]
pub(crate) struct Partitions {
    held: Vec<(Table, Range<i32>)>,
    /// The last prepared day.
    ahead_of: Option<Date>,
}

pub(crate) fn today(now: i64) -> Date {
    let days = i32::try_from(now.div_euclid(DAY)).unwrap_or(0);
    jiff::civil::date(1970, 1, 1).checked_add(days.days()).unwrap_or(Date::ZERO)
}

impl Partitions {
    /// Creates missing partitions for the rows of the plan.
    pub(crate) fn prepare(&mut self, client: &mut Client, plan: &Plan, now: i64) -> Result<(), WarehouseError> {
        let today = today(now);
        for (table, column) in FACTS {
            let missing: BTreeSet<i32> = plan.days(table, column).into_iter().filter(|day| !self.has(table, *day)).collect();
            self.add(client, table, &missing, today)?;
        }
        Ok(())
    }

    /// Creates the partitions of the coming days, once a day.
    pub(crate) fn make_ahead(&mut self, client: &mut Client, now: i64) -> Result<(), WarehouseError> {
        let today = today(now);
        if self.ahead_of == Some(today) {
            return Ok(());
        }
        let coming: BTreeSet<i32> = (0..=AHEAD).filter_map(|ahead| today.checked_add(ahead.days()).ok()).map(date_key).collect();
        for (table, _) in FACTS {
            self.add(client, table, &coming, today)?;
        }
        self.ahead_of = Some(today);
        Ok(())
    }

    /// Marks the known partitions as stale: they are read again before use.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    fn has(&self, table: Table, day: i32) -> bool {
        self.held.iter().any(|(of, range)| *of == table && range.contains(&day))
    }

    fn add(&mut self, client: &mut Client, table: Table, days: &BTreeSet<i32>, today: Date) -> Result<(), WarehouseError> {
        if days.iter().all(|day| self.has(table, *day)) {
            return Ok(());
        }
        self.load(client)?;
        for day in days {
            let ranges = self.held.iter().filter(|(of, _)| *of == table).map(|(_, range)| range.clone());
            let Some(range) = missing(&ranges.collect::<Vec<_>>(), *day, today) else { continue };
            let name = table.name();
            client.query("SELECT kassa.add_partition($1, $2, $3)", &[&name, &range.start, &range.end])?;
            tracing::debug!(table = name, from = range.start, to = range.end, "made a partition");
            self.held.push((table, range));
        }
        Ok(())
    }

    fn load(&mut self, client: &mut Client) -> Result<(), WarehouseError> {
        self.held.clear();
        for (table, _, range) in all(client)? {
            self.held.push((table, range));
        }
        Ok(())
    }
}

/// Every existing partition: fact, name, days.
pub(crate) fn all(client: &mut Client) -> Result<Vec<(Table, String, Range<i32>)>, WarehouseError> {
    let rows = client.query("SELECT table_name, partition_name, bounds[1], bounds[2] FROM kassa.partitions", &[])?;
    let known = rows.iter().filter_map(|row| Some((Table::from_name(row.get(0))?, row.get(1), row.get(2)..row.get(3))));
    Ok(known.collect())
}

/// The partition to create for a day, next to the existing ones.
fn missing(held: &[Range<i32>], day: i32, today: Date) -> Option<Range<i32>> {
    if held.iter().any(|range| range.contains(&day)) {
        return None;
    }
    let is_near = date_of(day).is_some_and(|date| {
        let away = (date - today).get_days();
        (-NEAR_BEFORE..=AHEAD).contains(&away)
    });
    if is_near {
        return Some(day..day + 1);
    }
    let year = day / 10_000 * 10_000;
    let from = held.iter().map(|range| range.end).filter(|end| *end <= day).max().unwrap_or(i32::MIN);
    let to = held.iter().map(|range| range.start).filter(|start| *start > day).min().unwrap_or(i32::MAX);
    // Days near today get their own partition when they are needed.
    let near = (
        today.checked_sub(NEAR_BEFORE.days()).ok().map(date_key),
        today.checked_add(AHEAD.days()).ok().map(|day| date_key(day) + 1),
    );
    let from = from.max(near.1.filter(|end| *end <= day).unwrap_or(i32::MIN));
    let to = to.min(near.0.filter(|start| *start > day).unwrap_or(i32::MAX));
    Some((year + 101).max(from)..(year + 10_101).min(to))
}

/// Drops the partitions whose days all lie before `day` (yyyymmdd); those of rates a week later.
/// For the role `kassa_erase`. Returns the names and row counts of the dropped partitions.
pub fn drop_before(client: &mut Client, day: i32) -> Result<Vec<(String, i64)>, WarehouseError> {
    drop_by(client, day, "SELECT kassa.drop_partition($1, $2)")
}

/// The same for the role `kassa_ingest`; the database protects the last 31 days from it.
pub(crate) fn retire_before(client: &mut Client, day: i32) -> Result<Vec<(String, i64)>, WarehouseError> {
    drop_by(client, day, "SELECT kassa.retire_partition($1, $2)")
}

fn drop_by(client: &mut Client, day: i32, sql: &str) -> Result<Vec<(String, i64)>, WarehouseError> {
    let mut dropped = Vec::new();
    // The first remaining days are converted by rates of the days before.
    let rates = date_of(day).and_then(|date| date.checked_sub(RATE_DAYS.days()).ok()).map_or(day, date_key);
    let until = |table: Table| if table == Table::FactFxRate { rates } else { day };
    for (table, name, _) in all(client)?.into_iter().filter(|(table, _, range)| range.end <= until(*table)) {
        let gone: Option<i64> = client.query_one(sql, &[&table.name(), &name])?.get(0);
        dropped.extend(gone.map(|rows| (name, rows)));
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests;
