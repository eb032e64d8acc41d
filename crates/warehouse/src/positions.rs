//! The positions in PostgreSQL: read, and moved by compare-and-set.

use std::time::Duration;

use kassa_model::{Partition, Positions};
use postgres::{GenericClient, Transaction};

use crate::WarehouseError;
use crate::plan::Move;
use crate::statements::Statements;

pub(crate) fn read(client: &mut impl GenericClient) -> Result<Positions, WarehouseError> {
    let rows = client.query("SELECT topic, partition, next FROM kassa.positions", &[])?;
    Ok(rows.iter().map(|row| (Partition::new(row.get::<_, String>(0), row.get(1)), row.get(2))).collect())
}

const MOVE: &str = "UPDATE kassa.positions p SET next = m.next, moved_at = now()
    FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) AS m (topic, partition, held, next)
    WHERE p.topic = m.topic AND p.partition = m.partition AND p.next = m.held";
const BEGIN: &str = "INSERT INTO kassa.positions (topic, partition, next, moved_at)
    SELECT m.topic, m.partition, m.next, now() FROM unnest($1::text[], $2::int8[], $3::int8[]) AS m (topic, partition, next)
    ON CONFLICT DO NOTHING";

/// Whether every partition was at the start of its move. Partitions that `held` does not contain
/// are created here.
///
/// A second worker on one of them waits here until this one commits or fails, and then sees the
/// result.
pub(crate) fn shift(
    transaction: &mut Transaction<'_>,
    statements: &mut Statements,
    moves: &[Move],
    held: &Positions,
) -> Result<bool, WarehouseError> {
    let (known, new): (Vec<&Move>, Vec<&Move>) = moves.iter().partition(|step| held.get(&step.partition).is_some());
    let mut moved = 0;
    if !known.is_empty() {
        let (topics, numbers, nexts) = columns(&known);
        let from: Vec<i64> = known.iter().map(|step| step.from).collect();
        moved += statements.execute(transaction, MOVE, &[&topics, &numbers, &from, &nexts])?;
    }
    if !new.is_empty() {
        let (topics, numbers, nexts) = columns(&new);
        moved += statements.execute(transaction, BEGIN, &[&topics, &numbers, &nexts])?;
    }
    Ok(moved == moves.len() as u64)
}

/// A commit of another worker that has waited for its client longer than a statement may take.
const OVERDUE: &str = "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.usename = current_user AND a.application_name = 'kassa' AND a.pid <> pg_backend_pid()
      AND a.wait_event_type = 'Client' AND a.query_start < clock_timestamp() - make_interval(secs => $1)
      AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.mode = 'RowExclusiveLock'
                  AND l.relation = 'kassa.positions'::regclass)";

/// Terminates the commits of workers that stopped during a COPY, so that the workers with their
/// partitions need not wait for them. PostgreSQL ends an idle transaction and a slow statement, but
/// not one that waits for its client's rows. Returns their number.
pub(crate) fn end_overdue(client: &mut impl GenericClient, statement_timeout: Duration) -> Result<usize, WarehouseError> {
    if statement_timeout.is_zero() {
        return Ok(0);
    }
    Ok(client.query(OVERDUE, &[&statement_timeout.as_secs_f64()])?.len())
}

fn columns<'m>(moves: &[&'m Move]) -> (Vec<&'m str>, Vec<i64>, Vec<i64>) {
    let topics = moves.iter().map(|step| step.partition.topic.as_ref()).collect();
    (topics, moves.iter().map(|step| step.partition.number).collect(), moves.iter().map(|step| step.to).collect())
}

/// The positions relative to a commit whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// As before the commit.
    Before,
    /// As after the commit.
    After,
    /// Lower than what was read or acknowledged.
    Behind,
    /// Anything else.
    Moved,
}

pub(crate) fn compare(moves: &[Move], held: &Positions) -> Found {
    let all = |of: fn(&Move) -> i64| moves.iter().all(|step| held.next(&step.partition) == of(step));
    if all(|step| step.from) {
        Found::Before
    } else if all(|step| step.to) {
        Found::After
    } else if moves.iter().any(|step| held.next(&step.partition) < step.from) {
        Found::Behind
    } else {
        Found::Moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_settled_by_where_the_positions_lie() {
        let step = |number, from, to| Move { partition: Partition::new("t", number), from, to };
        let held = |at: &[i64]| (0..).zip(at).map(|(number, next)| (Partition::new("t", number), *next)).collect::<Positions>();
        let moves = [step(0, 5, 9), step(1, 0, 3)];
        for (at, found) in [
            (&[5, 0][..], Found::Before),
            (&[9, 3], Found::After),
            (&[4, 0], Found::Behind),
            (&[4, 3], Found::Behind),
            (&[9, 0], Found::Moved),
            (&[7, 0], Found::Moved),
            (&[5], Found::Before),
        ] {
            assert_eq!(compare(&moves, &held(at)), found, "{at:?}");
        }
    }
}
