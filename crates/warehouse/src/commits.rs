//! Where the rows of each commit are, so that rows beyond given positions are found without reading
//! the others.

use std::collections::BTreeSet;

use hashbrown::HashSet;
use kassa_model::{Partition, Positions};
use postgres::Transaction;

use crate::WarehouseError;
use crate::plan::{FACTS, Plan};
use crate::statements::Statements;

const PUT: &str = "INSERT INTO kassa.commits AS held (topic, partition, from_offset, to_offset, ingested_from, days)
    SELECT c.topic, c.partition, c.from_offset, c.to_offset, 'epoch'::timestamptz + $5::int8 * interval '1 microsecond', $6::int4[]
    FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) AS c (topic, partition, from_offset, to_offset)
    ON CONFLICT (topic, partition, to_offset, from_offset) DO UPDATE SET
      ingested_from = least(held.ingested_from, excluded.ingested_from), days = held.days || excluded.days";

/// Records the rows of a commit for each partition that it moves.
pub(crate) fn put(transaction: &mut Transaction<'_>, statements: &mut Statements, plan: &Plan) -> Result<(), WarehouseError> {
    let spans: Vec<_> =
        plan.moves.iter().map(|step| (&*step.partition.topic, step.partition.number, step.from, step.to)).collect();
    write(transaction, statements, plan, &spans)
}

/// Records the rows of replayed letters: they lie at the letters' offsets, which other commits have
/// passed.
pub(crate) fn put_replayed(
    transaction: &mut Transaction<'_>,
    statements: &mut Statements,
    plan: &Plan,
    letters: &HashSet<(String, i64, i64)>,
) -> Result<(), WarehouseError> {
    let spans: Vec<_> = letters.iter().map(|(topic, number, at)| (topic.as_str(), *number, at + 1, at + 1)).collect();
    write(transaction, statements, plan, &spans)
}

fn write(
    transaction: &mut Transaction<'_>,
    statements: &mut Statements,
    plan: &Plan,
    spans: &[(&str, i64, i64, i64)],
) -> Result<(), WarehouseError> {
    let days: BTreeSet<i32> = FACTS.iter().flat_map(|(table, column)| plan.days(*table, column)).collect();
    let days: Vec<i32> = days.into_iter().collect();
    let topics: Vec<&str> = spans.iter().map(|(topic, ..)| *topic).collect();
    let numbers: Vec<i64> = spans.iter().map(|(_, number, ..)| *number).collect();
    let from: Vec<i64> = spans.iter().map(|(.., from, _)| *from).collect();
    let to: Vec<i64> = spans.iter().map(|(.., to)| *to).collect();
    statements.execute(transaction, PUT, &[&topics, &numbers, &from, &to, &plan.ingested_from(), &days]).map(drop)
}

/// Where rows beyond given positions may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// No commit beyond the positions has added rows.
    Nowhere,
    /// Unknown: some commits are from before this table existed, or from an older kassa.
    Anywhere,
    /// Ingested at or after this time (a PostgreSQL literal); facts on these days.
    Within { ingested_from: String, days: Vec<i32> },
}

/// With more days than this, they are not listed: the ingest time alone limits the rows.
const DAYS: usize = 1_000;

/// The commits of a partition are known if those beyond its position are contiguous up to the
/// snapshot's position.
const COMMITS: &str = "WITH beyond AS (
      SELECT a.next, a.until, c.from_offset, c.to_offset, c.ingested_from, c.days, a.nth
      FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) WITH ORDINALITY AS a (topic, partition, next, until, nth)
      LEFT JOIN kassa.commits c ON c.topic = a.topic AND c.partition = a.partition AND c.to_offset > a.next),
    known AS (
      SELECT coalesce(min(from_offset) <= next AND max(to_offset) >= until AND sum(to_offset - from_offset) = max(to_offset) - min(from_offset), false) AS is_known
      FROM beyond GROUP BY nth, next, until)
    SELECT (SELECT bool_and(is_known) FROM known) AND NOT coalesce(bool_or(ingested_from IS NOT NULL AND days IS NULL), false), min(ingested_from)::text,
      ARRAY(SELECT DISTINCT unnest(days) FROM beyond ORDER BY 1)
    FROM beyond";

/// The location of the rows between two positions.
pub(crate) fn bounds(transaction: &mut Transaction<'_>, from: &Positions, until: &Positions) -> Result<Bounds, WarehouseError> {
    let beyond: Vec<(&Partition, i64)> = until.iter().filter(|(partition, next)| from.next(partition) < *next).collect();
    if beyond.is_empty() {
        return Ok(Bounds::Nowhere);
    }
    // All rows are wanted: finding them by their commits would cost more.
    if until.iter().all(|(partition, _)| from.next(partition) == 0) {
        return Ok(Bounds::Anywhere);
    }
    let topics: Vec<&str> = beyond.iter().map(|(partition, _)| partition.topic.as_ref()).collect();
    let numbers: Vec<i64> = beyond.iter().map(|(partition, _)| partition.number).collect();
    let nexts: Vec<i64> = beyond.iter().map(|(partition, _)| from.next(partition)).collect();
    let until: Vec<i64> = beyond.iter().map(|(_, next)| *next).collect();
    let row = transaction.query_one(COMMITS, &[&topics, &numbers, &nexts, &until])?;
    let (is_known, ingested_from): (bool, Option<String>) = (row.get(0), row.get(1));
    Ok(match ingested_from {
        _ if !is_known => Bounds::Anywhere,
        None => Bounds::Nowhere,
        Some(ingested_from) => Bounds::Within { ingested_from, days: row.get(2) },
    })
}

impl Bounds {
    /// An SQL condition: a row may lie beyond the positions. `day` is the fact's partition column.
    /// `None`: no row can.
    pub(crate) fn condition(&self, day: Option<&str>) -> Option<String> {
        match self {
            Bounds::Nowhere => None,
            Bounds::Anywhere => Some("true".to_owned()),
            Bounds::Within { ingested_from, days } => {
                let mut condition = format!("ingested_at >= '{ingested_from}'");
                if let Some(day) = day.filter(|_| days.len() <= DAYS) {
                    condition += &format!(" AND {day} = ANY ('{{{}}}'::int4[])", join(days));
                }
                Some(condition)
            }
        }
    }

    /// The first and the last day, if known.
    pub(crate) fn days(&self) -> Option<(i32, i32)> {
        match self {
            Bounds::Within { days, .. } => days.first().copied().zip(days.last().copied()),
            _ => None,
        }
    }
}

fn join(days: &[i32]) -> String {
    days.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}
