//! Tables that follow from the facts: sessions, rates, the calendar, and the rows of the figures' views. Made anew from one snapshot and put in
//! the place of what was there, in one transaction that also says what they are true of.

mod figures;

use arrow_array::RecordBatch;
use kassa_analytics::calendar::{EDITION, YEARS};
use kassa_analytics::derived::{DerivedError, date_rows, rate_rows, session_rows, time_rows};
use kassa_analytics::{Claims, Credits, Figures, Rates, SessionRows};
use kassa_model::key::{hash, positive};
use kassa_model::{Positions, Shop, Table};
use postgres::Transaction;

use crate::WarehouseError;
use crate::plan::FACTS;
use crate::read::{Reader, Snapshot};
use crate::statements::copy_in;
use crate::url::Target;

/// Session ids made in one pass over the events: what bounds the memory.
const IDS: i64 = 250_000;
/// Changes whenever the same facts would give other rows.
const SESSIONS: &str = "2";
const RATES: &str = "1";
const FIGURES: &str = "2";

/// Brings every derived table up to what is committed. The names of those that had to be made anew.
///
/// One at a time: whoever comes second finds nothing to do.
pub fn refresh(target: &Target, shop: &Shop) -> Result<Vec<&'static str>, WarehouseError> {
    let mut reader = Reader::open(target)?;
    // Before the snapshot is taken, so that it sees what the other has done.
    reader.lock("kassa derived")?;
    let mut snapshot = reader.begin(false)?;
    let mut made = Vec::new();
    let cut = snapshot.positions().clone();
    let dropped = last_dropped(&mut snapshot)?;
    if !is_true_of(&mut snapshot, "fact_session", &cut, sessions_definition(shop, &dropped))? {
        sessions(&mut snapshot, shop)?;
        state(&mut snapshot, "fact_session", &cut, sessions_definition(shop, &dropped))?;
        made.push("fact_session");
    }
    let years = years(&mut snapshot)?;
    let (held, definition) = rates_held(&mut snapshot, shop, &years)?;
    if !is_true_of(&mut snapshot, "dim_fx_rate", &held, definition)? {
        let rows = rates(&mut snapshot, shop, years.clone())?;
        replace(&mut snapshot.transaction, "dim_fx_rate", &[rows])?;
        state(&mut snapshot, "dim_fx_rate", &held, definition)?;
        made.push("dim_fx_rate");
    }
    let definition = calendar_definition(shop, &years);
    if !is_true_of(&mut snapshot, "dim_date", &Positions::default(), definition)? {
        replace(&mut snapshot.transaction, "dim_date", &[date_rows(shop, years).map_err(unmade)?])?;
        replace(&mut snapshot.transaction, "dim_time", &[time_rows().map_err(unmade)?])?;
        state(&mut snapshot, "dim_date", &Positions::default(), definition)?;
        made.extend(["dim_date", "dim_time"]);
    }
    if !is_true_of(&mut snapshot, "figures", &cut, figures_definition(shop, &dropped))? {
        let rows = figures::of(&crate::figures::of(&mut snapshot, Figures::new(shop))?)?;
        replace(&mut snapshot.transaction, "figures", &[rows])?;
        state(&mut snapshot, "figures", &cut, figures_definition(shop, &dropped))?;
        made.push("figures");
    }
    snapshot.transaction.commit()?;
    Ok(made)
}

fn sessions_definition(shop: &Shop, dropped: &str) -> i64 {
    positive(hash("sessions", &[SESSIONS, &shop.zone_name, shop.currency.code(), dropped]))
}

/// What `dim_fx_rate` follows from: how far the stated rates go, and a definition that stands for all else, their number too.
fn rates_held(
    snapshot: &mut Snapshot<'_>,
    shop: &Shop,
    years: &std::ops::RangeInclusive<i16>,
) -> Result<(Positions, i64), WarehouseError> {
    let sql = "SELECT source_topic, source_partition, max(source_offset) + 1, count(*) FROM dwh.fact_fx_rate GROUP BY 1, 2";
    let (mut held, mut count) = (Positions::default(), 0_i64);
    for row in snapshot.transaction.query(sql, &[])? {
        held.set(kassa_model::Partition::new(row.get::<_, String>(0), row.get(1)), row.get(2));
        count += row.get::<_, i64>(3);
    }
    let parts = [RATES, shop.currency.code(), &count.to_string(), &format!("{years:?}")];
    Ok((held, positive(hash("rates", &parts))))
}

/// The rows that `dim_fx_rate` should have, if it says that it is true of the rates that are held.
pub fn rates_if_current(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Option<RecordBatch>, WarehouseError> {
    let years = years(snapshot)?;
    let (held, definition) = rates_held(snapshot, shop, &years)?;
    if is_true_of(snapshot, "dim_fx_rate", &held, definition)? { rates(snapshot, shop, years).map(Some) } else { Ok(None) }
}

fn figures_definition(shop: &Shop, dropped: &str) -> i64 {
    positive(hash("figures", &[FIGURES, &shop.zone_name, shop.currency.code(), dropped]))
}

/// When retention last dropped facts: it moves no position, and what follows from them is to go with them.
fn last_dropped(snapshot: &mut Snapshot<'_>) -> Result<String, WarehouseError> {
    let sql = "SELECT coalesce(max(dropped_at)::text, '') FROM kassa.dropped";
    Ok(snapshot.transaction.query_one(sql, &[])?.get(0))
}

fn calendar_definition(shop: &Shop, years: &std::ops::RangeInclusive<i16>) -> i64 {
    let parts = [shop.zone_name.as_str(), shop.country.unwrap_or_default(), &EDITION.to_string(), &format!("{years:?}")];
    positive(hash("calendar", &parts))
}

/// Whether a table already says what it would say if it were made now.
fn is_true_of(snapshot: &mut Snapshot<'_>, table: &str, cut: &Positions, definition: i64) -> Result<bool, WarehouseError> {
    let said = snapshot.transaction.query(
        "SELECT topic, partition, next, definition FROM kassa.derived WHERE table_name = $1 ORDER BY topic, partition",
        &[&table],
    )?;
    let held: Positions = said
        .iter()
        .filter(|row| !row.get::<_, String>(0).is_empty())
        .map(|row| (kassa_model::Partition::new(row.get::<_, String>(0), row.get(1)), row.get(2)))
        .collect();
    Ok(!said.is_empty() && said.iter().all(|row| row.get::<_, i64>(3) == definition) && held == *cut)
}

/// Says what a table is true of. The row without a topic stands for a table that follows from no record.
fn state(snapshot: &mut Snapshot<'_>, table: &str, cut: &Positions, definition: i64) -> Result<(), WarehouseError> {
    let transaction = &mut snapshot.transaction;
    transaction.execute("DELETE FROM kassa.derived WHERE table_name = $1", &[&table])?;
    let insert = "INSERT INTO kassa.derived (table_name, topic, partition, next, definition, refreshed_at) VALUES ($1, $2, $3, $4, $5, now())";
    transaction.execute(insert, &[&table, &"", &0_i64, &0_i64, &definition])?;
    for (partition, next) in cut.iter() {
        transaction.execute(insert, &[&table, &partition.topic.as_ref(), &partition.number, &next, &definition])?;
    }
    Ok(())
}

fn replace(transaction: &mut Transaction<'_>, table: &str, rows: &[RecordBatch]) -> Result<(), WarehouseError> {
    transaction.batch_execute(&format!("DELETE FROM dwh.{table}"))?;
    copy_in(transaction, &format!("dwh.{table}"), rows, None).map(drop)
}

fn misread(error: kassa_analytics::ApplyError) -> WarehouseError {
    WarehouseError::Corrupt(error.to_string())
}

fn unmade(error: DerivedError) -> WarehouseError {
    WarehouseError::Corrupt(error.to_string())
}

/// All rates that the source has stated.
fn stated_rates(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Rates, WarehouseError> {
    let mut rates = Rates::new(shop.currency);
    snapshot.each(Table::FactFxRate, Rates::COLUMNS, &mut |rows| rates.apply(&rows).map_err(misread))?;
    Ok(rates)
}

fn rates(snapshot: &mut Snapshot<'_>, shop: &Shop, years: std::ops::RangeInclusive<i16>) -> Result<RecordBatch, WarehouseError> {
    rate_rows(shop, &stated_rates(snapshot, shop)?, years).map_err(unmade)
}

/// The orders that sessions are credited with, and what the ledger says of them.
fn credits(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Credits, WarehouseError> {
    let rates = stated_rates(snapshot, shop)?;
    let mut claims = Claims::default();
    let reported = "WHERE type = 'order_completed'";
    snapshot.each_where(Table::FactEvent, Claims::COLUMNS, reported, &mut |rows| claims.apply(&rows).map_err(misread))?;
    claims.settle();
    let mut credits = Credits::of(claims.winners());
    if !credits.is_empty() {
        snapshot.each(Table::FactSales, Credits::COLUMNS, &mut |rows| credits.apply(&rows, &rates).map_err(misread))?;
    }
    Ok(credits)
}

fn sessions(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<(), WarehouseError> {
    let credits = credits(snapshot, shop)?;
    // An id has at least one event.
    let events: i64 = snapshot.transaction.query_one("SELECT count(*) FROM dwh.fact_event", &[])?.get(0);
    let passes = (events / IDS).max(0) + 1;
    snapshot.transaction.batch_execute("DELETE FROM dwh.fact_session")?;
    for pass in 0..passes {
        let mut sessions = SessionRows::new(shop);
        let share = format!("WHERE session_key % {passes} = {pass}");
        snapshot.each_where(Table::FactEvent, SessionRows::COLUMNS, &share, &mut |rows| {
            sessions.apply(&rows, |_| true).map_err(misread)
        })?;
        let rows = session_rows(&sessions.finish(), &credits).map_err(unmade)?;
        copy_in(&mut snapshot.transaction, "dwh.fact_session", &[rows], None)?;
    }
    Ok(())
}

/// The years that the calendar is to have: widened, by decades, to those of the facts.
fn years(snapshot: &mut Snapshot<'_>) -> Result<std::ops::RangeInclusive<i16>, WarehouseError> {
    let columns = FACTS.into_iter().chain([(Table::FactSales, "order_date_key")]);
    let bounds: Vec<String> =
        columns.map(|(table, day)| format!("SELECT min({day}) AS first, max({day}) AS last FROM dwh.{}", table.name())).collect();
    let sql = format!("SELECT min(first), max(last) FROM ({}) days", bounds.join(" UNION ALL "));
    let row = snapshot.transaction.query_one(&sql, &[])?;
    let decade = |day: i32| i16::try_from(day / 100_000 * 10).unwrap_or(0);
    let (first, last): (Option<i32>, Option<i32>) = (row.get(0), row.get(1));
    let from = first.map_or(*YEARS.start(), |day| decade(day).min(*YEARS.start()));
    let to = last.map_or(*YEARS.end(), |day| (decade(day) + 9).max(*YEARS.end()));
    Ok(from..=to)
}
