//! Tables that follow from the facts: sessions and the calendar. Brought up to one snapshot, in one transaction that also says what they are true of.
//!
//! ```text
//!  kassa.commits ─► rows beyond the stated positions ─► session ids touched ─► their sessions anew ─► fact_session, kassa.claims
//!                                                 └───► years ───────────────► dim_date, dim_time     when they, the zone or the country change
//! ```

mod calendar;
mod claims;
mod sessions;
mod windows;

use arrow_array::RecordBatch;
use kassa_analytics::ApplyError;
use kassa_analytics::derived::DerivedError;
use kassa_model::key::{hash, positive};
use kassa_model::{Positions, Shop};
use postgres::Transaction;

use self::sessions::Seen;
use crate::WarehouseError;
use crate::read::{Reader, Snapshot};
use crate::statements::copy_in;
use crate::url::Target;

/// Changes whenever the same facts would give other rows.
const SESSIONS: &str = "2";

const ZONE: &str = "INSERT INTO kassa.shop AS held (zone) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET zone = excluded.zone
    WHERE held.zone <> excluded.zone";

/// Brings every derived table up to what is committed. The names of those that had to be changed.
///
/// One at a time: whoever comes second finds nothing to do.
pub fn refresh(target: &Target, shop: &Shop) -> Result<Vec<&'static str>, WarehouseError> {
    let mut reader = Reader::open(target)?;
    // Before the snapshot is taken, so that it sees what the other has done.
    reader.lock("kassa derived")?;
    let mut snapshot = reader.begin(false)?;
    let made = bring_up(&mut snapshot, shop)?;
    snapshot.transaction.commit()?;
    Ok(made)
}

fn bring_up(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<Vec<&'static str>, WarehouseError> {
    let mut made = Vec::new();
    let cut = snapshot.positions().clone();
    let definition = sessions_definition(snapshot, shop)?;
    let held = State::of(snapshot, "fact_session")?.filter(|held| held.definition == definition);
    let went_back = |held: &Positions| held.iter().any(|(partition, next)| cut.next(partition) < next);
    let seen = match held {
        Some(held) if held.positions == cut => Seen::Nothing,
        Some(held) if !went_back(&held.positions) => sessions::follow(snapshot, shop, &held.positions)?,
        _ => sessions::make_all(snapshot, shop)?,
    };
    if !matches!(seen, Seen::Nothing) {
        state(snapshot, "fact_session", &cut, definition)?;
        made.push("fact_session");
    }
    snapshot.transaction.execute(ZONE, &[&shop.zone_name])?;
    made.extend(calendar::bring_up(snapshot, shop, &seen)?);
    Ok(made)
}

/// What follows from the facts goes with those that retention drops, and comes with those of replayed letters. Neither moves a position.
fn sessions_definition(snapshot: &mut Snapshot<'_>, shop: &Shop) -> Result<i64, WarehouseError> {
    let sql = "SELECT coalesce(max(dropped_at)::text, ''), (SELECT count(*)::text FROM kassa.dead_letters WHERE replayed_at IS NOT NULL) FROM kassa.dropped";
    let row = snapshot.transaction.query_one(sql, &[])?;
    Ok(positive(hash("sessions", &[SESSIONS, &shop.zone_name, row.get(0), row.get(1)])))
}

/// What a derived table says that it is true of.
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
}

/// Says what a table is true of. The row without a topic stands for a table that follows from no record.
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

fn misread(error: ApplyError) -> WarehouseError {
    WarehouseError::Corrupt(error.to_string())
}

fn unmade(error: DerivedError) -> WarehouseError {
    WarehouseError::Corrupt(error.to_string())
}

#[cfg(test)]
mod growth;
#[cfg(test)]
mod tests;
