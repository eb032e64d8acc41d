//! Derived tables: sessions, rates and the calendar. They are refreshed from one snapshot, in one
//! transaction that also states their positions.
//!
//! ```text
//!  kassa.commits ─► rows beyond the stated positions ─┬─► days with new rates ─► their rates resolved again ─► dim_fx_rate
//!                                                     │                                └─► orders whose rates changed ─┐
//!                                                     ├─► session ids touched ◄────────────────────────────────────────┘
//!                                                     │      └─► sessions recomputed ─► fact_session, kassa.claims
//!                                                     └─► years ─► dim_date, dim_time     when they, the zone or the country change
//! ```

mod calendar;
mod claims;
mod rates;
mod seen;
mod sessions;
mod windows;

use arrow_array::RecordBatch;
use kassa_model::key::{hash, positive};
use kassa_model::{Positions, Shop};
use postgres::Transaction;

pub use self::rates::rates_as_stated;
use self::seen::Seen;
use crate::WarehouseError;
use crate::read::{Reader, Snapshot};
use crate::statements::copy_in;
use crate::url::Target;

/// Increase this when the same facts would give other rows.
const SESSIONS: &str = "2";

const ZONE: &str = "INSERT INTO kassa.shop AS held (zone) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET zone = excluded.zone
    WHERE held.zone <> excluded.zone";

/// Refreshes every derived table to the committed positions. Returns the names of the changed
/// tables.
///
/// One refresh at a time: a concurrent one waits and then finds nothing to do.
pub fn refresh(target: &Target, shop: &Shop) -> Result<Vec<&'static str>, WarehouseError> {
    let mut reader = Reader::open(target)?;
    // Before the snapshot, so that the snapshot contains the other refresh's changes.
    reader.lock("kassa derived")?;
    let mut snapshot = reader.begin(false)?;
    let made = bring_up(&mut snapshot, shop)?;
    snapshot.transaction.commit()?;
    Ok(made)
}

fn bring_up(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Vec<&'static str>, WarehouseError> {
    let mut made = Vec::new();
    let cut = snapshot.positions().clone();
    let rates = rates::bring_up(snapshot, shop)?;
    let definition = sessions_definition(snapshot, shop)?;
    let seen = match State::since(snapshot, "fact_session", definition)? {
        Some(held) if held == cut && rates.prices.is_empty() => Seen::Nothing,
        Some(held) => sessions::follow(snapshot, shop, &held, &rates.prices)?,
        None => sessions::compute_all(snapshot, shop)?,
    };
    if !matches!(seen, Seen::Nothing) {
        state(snapshot, "fact_session", &cut, definition)?;
        made.push("fact_session");
    }
    snapshot.transaction.execute(ZONE, &[&shop.zone_name])?;
    let (calendar, years) = calendar::bring_up(snapshot, shop, &seen)?;
    let has_other_years = rates.is_full || !calendar.is_empty();
    if has_other_years {
        rates::of_own_currency(snapshot, shop, years)?;
    }
    if has_other_years || rates.is_changed {
        made.push("dim_fx_rate");
    }
    made.extend(calendar);
    Ok(made)
}

/// The changes that affect derived rows without moving a position: days dropped by retention, and replayed dead letters.
fn without_positions(snapshot: &mut Snapshot<'_>) -> Result<[String; 2], WarehouseError> {
    let sql = "SELECT coalesce(max(dropped_at)::text, ''), (SELECT count(*)::text FROM kassa.dead_letters WHERE replayed_at IS NOT NULL) FROM kassa.dropped";
    let row = snapshot.transaction.query_one(sql, &[])?;
    Ok([row.get(0), row.get(1)])
}

fn sessions_definition(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<i64, WarehouseError> {
    let [dropped, replayed] = without_positions(snapshot)?;
    Ok(positive(hash("sessions", &[SESSIONS, &shop.zone_name, shop.currency.code(), &dropped, &replayed])))
}

/// The stated definition and positions of a derived table.
struct State {
    definition: i64,
    positions: Positions,
}

impl State {
    fn of(snapshot: &mut Snapshot<'_>, table: &str) -> Result<Option<Self>, WarehouseError> {
        let sql = "SELECT topic, partition, next, definition FROM kassa.derived WHERE table_name = $1";
        let said = snapshot.transaction.query(sql, &[&table])?;
        let Some(definition) = said.first().map(|row| row.get(3)) else { return Ok(None) };
        let positions = said
            .iter()
            .filter(|row| !row.get::<_, String>(0).is_empty())
            .map(|row| (kassa_model::Partition::new(row.get::<_, String>(0), row.get(1)), row.get(2)))
            .collect();
        Ok(Some(Self { definition, positions }))
    }

    /// The positions that a table states, from which it can be refreshed. `None`: it must be
    /// computed again, because it does not exist, its definition changed, or positions are lower
    /// than before.
    fn since(snapshot: &mut Snapshot<'_>, table: &str, definition: i64) -> Result<Option<Positions>, WarehouseError> {
        let held = Self::of(snapshot, table)?.filter(|held| held.definition == definition);
        let cut = snapshot.positions();
        let went_back = |held: &Self| held.positions.iter().any(|(partition, next)| cut.next(partition) < next);
        Ok(held.filter(|held| !went_back(held)).map(|held| held.positions))
    }
}

/// States the definition and positions of a table. The row without a topic stands for a table that
/// depends on no record.
fn state(snapshot: &mut Snapshot<'_>, table: &str, cut: &Positions, definition: i64) -> Result<(), WarehouseError> {
    let (mut topics, mut numbers, mut nexts) = (vec![""], vec![0], vec![0]);
    for (partition, next) in cut.iter() {
        topics.push(&partition.topic);
        numbers.push(partition.number);
        nexts.push(next);
    }
    let transaction = &mut snapshot.transaction;
    transaction.execute("DELETE FROM kassa.derived WHERE table_name = $1", &[&table])?;
    let insert = "INSERT INTO kassa.derived (table_name, topic, partition, next, definition, refreshed_at)
        SELECT $1, s.topic, s.partition, s.next, $5, now() FROM unnest($2::text[], $3::int8[], $4::int8[]) AS s (topic, partition, next)";
    transaction.execute(insert, &[&table, &topics, &numbers, &nexts, &definition])?;
    Ok(())
}

fn replace(transaction: &mut Transaction<'_>, table: &str, rows: &[RecordBatch]) -> Result<(), WarehouseError> {
    transaction.batch_execute(&format!("DELETE FROM {table}"))?;
    copy_in(transaction, table, rows, None).map(drop)
}

#[cfg(test)]
mod growth;
#[cfg(test)]
mod tests;
