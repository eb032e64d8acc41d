//! The warehouse sink: one transaction per commit, which also moves the positions.
//!
//! ```text
//!  batches ─► Plan ─► partitions that are missing (own transactions)
//!                 └─► BEGIN · positions from → to · facts by COPY · dimensions · ods · sums · spans · dead letters · COMMIT
//!                       │ not where they were: fenced, or gone back     │ no answer, or a passing refusal
//!                       ▼                                               ▼
//!                     caller                         connect again, read the positions: done, or once more
//! ```

use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use kassa_model::time::{Clock, date_key};
use kassa_model::{Positions, crash};
use kassa_pipeline::{Batch, Sink, SinkError};
use postgres::Client;

use crate::WarehouseError;
use crate::connect::connect;
use crate::declared::refuse_lacking;
use crate::fill::fill;
use crate::migrate::refuse_newer;
use crate::partitions::{Partitions, retire_before, today};
use crate::plan::{Move, Plan};
use crate::positions::{self, Found};
use crate::rebuild::refuse_unfinished;
use crate::statements::Statements;
use crate::url::Target;

/// The number of attempts of a transaction before its caller gets the error, and the first pause,
/// which doubles each time.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub tries: u32,
    pub first_wait: Duration,
}

impl Default for Patience {
    /// 50 + 100 + 200 + 400 + 800 ms.
    fn default() -> Self {
        Self { tries: 6, first_wait: Duration::from_millis(50) }
    }
}

/// Counters for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub commits: u64,
    pub rows: u64,
    /// Transactions that were retried.
    pub retries: u64,
    /// Commits whose answer was lost and whose outcome was read back.
    pub settled: u64,
    pub connections: u64,
}

/// PostgreSQL as a sink.
pub struct WarehouseSink {
    target: Target,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patience: Patience,
    /// Days that facts are kept; `None`: forever.
    retention: Option<u32>,
    /// The last day on which retention was applied.
    retired_on: Option<Date>,
    connection: Option<Connection>,
    partitions: Partitions,
    positions: Positions,
    /// A commit that was sent and whose outcome is unknown.
    in_doubt: Option<Vec<Move>>,
    counts: Counts,
}

pub(crate) struct Connection {
    pub(crate) client: Client,
    statements: Statements,
}

impl std::fmt::Debug for WarehouseSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WarehouseSink").field("target", &self.target).field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl WarehouseSink {
    /// Connects and reads the positions. The schema must exist: see [`migrate`](crate::migrate).
    pub fn open(target: Target, clock: Arc<dyn Clock>) -> Result<Self, WarehouseError> {
        let mut sink = Self {
            target,
            clock,
            patience: Patience::default(),
            retention: None,
            retired_on: None,
            connection: None,
            partitions: Partitions::default(),
            positions: Positions::default(),
            in_doubt: None,
            counts: Counts::default(),
        };
        let now = sink.clock.now();
        let client = &mut connected(&mut sink.connection, &sink.target, &mut sink.counts)?.client;
        refuse_newer(client, &sink.target)?;
        refuse_unfinished(client, &sink.target)?;
        sink.positions = positions::read(client)?;
        refuse_lacking(client, &sink.target)?;
        sink.partitions.make_ahead(client, now)?;
        Ok(sink)
    }

    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Drops facts that are older than this number of days, once a day.
    #[must_use]
    pub fn keeping(self, days: Option<u32>) -> Self {
        Self { retention: days, ..self }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn connected(&mut self) -> Result<(&mut Connection, &mut Partitions), WarehouseError> {
        let connection = connected(&mut self.connection, &self.target, &mut self.counts)?;
        Ok((connection, &mut self.partitions))
    }

    /// Closes the connection, whose state is unknown, and drops the cached partitions, which may
    /// have caused the failure.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.partitions.forget();
    }

    fn commit_once(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        let plan = Plan::of(&self.positions, batches)?;
        if plan.is_empty() {
            return Ok(());
        }
        self.apply(&plan)?;
        self.in_doubt = None;
        plan.moves.iter().for_each(|step| self.positions.set(step.partition.clone(), step.to));
        Ok(())
    }

    /// Whether the commit with unknown outcome is the one that moved the positions, by those just
    /// read. The outcome is known afterwards in either case.
    fn was_made_after_all(&mut self) -> bool {
        let Some(moves) = self.in_doubt.take() else { return false };
        let was_made = positions::compare(&moves, &self.positions) == Found::After;
        self.counts.settled += u64::from(was_made);
        was_made
    }

    fn apply(&mut self, plan: &Plan) -> Result<(), WarehouseError> {
        let mut was_sent = false;
        let mut wait = self.patience.first_wait;
        for nth in 1.. {
            let failed = match self.attempt(plan, &mut was_sent) {
                Ok(Outcome::Committed) => return Ok(()),
                Ok(Outcome::NotThere) => None,
                Err(WarehouseError::Unavailable(why)) => Some(why),
                Err(error) => return Err(error),
            };
            match self.resolve_outcome(plan) {
                Ok(Found::After) if was_sent => {
                    self.counts.settled += 1;
                    return Ok(());
                }
                Ok(Found::Before) => {}
                Ok(Found::Behind) => {
                    return Err(WarehouseError::Rewound(self.message("the warehouse holds less than it had acknowledged")));
                }
                Ok(Found::After | Found::Moved) => {
                    return Err(WarehouseError::Fenced(self.message("another worker has moved the warehouse's positions")));
                }
                Err(WarehouseError::Unavailable(_)) => {}
                Err(error) => return Err(error),
            }
            if nth >= self.patience.tries {
                self.in_doubt = was_sent.then(|| plan.moves.clone()).or(self.in_doubt.take());
                return Err(WarehouseError::Unavailable(
                    failed.unwrap_or_else(|| "two writers are changing the positions of its tables".to_owned()),
                ));
            }
            tracing::warn!(
                attempt = nth,
                why = failed.as_deref().unwrap_or("positions"),
                "the warehouse's transaction is retried"
            );
            self.counts.retries += 1;
            std::thread::sleep(wait);
            wait *= 2;
        }
        Ok(())
    }

    fn message(&self, what: &str) -> String {
        format!("{}: {what}; reading continues from its positions", self.target.place())
    }

    /// Reads the positions on a working connection.
    fn resolve_outcome(&mut self, plan: &Plan) -> Result<Found, WarehouseError> {
        self.partitions.forget();
        let client = &mut connected(&mut self.connection, &self.target, &mut self.counts)?.client;
        let read = positions::end_overdue(client, self.target.statement_timeout).and_then(|ended| {
            if ended > 0 {
                tracing::warn!(ended, "terminated the commits of workers that stopped during them");
            }
            positions::read(client)
        });
        let held = read.inspect_err(|_| self.connection = None)?;
        // Our commit may exist while earlier acknowledged commits of partitions that it did not
        // move are missing.
        let has_lost = self.positions.iter().any(|(partition, next)| held.next(partition) < next);
        let found = if has_lost { Found::Behind } else { positions::compare(&plan.moves, &held) };
        if found != Found::Before {
            self.positions = held;
        }
        Ok(found)
    }

    /// Drops what retention allows. It does not wait for long readers, and a refusal does not block
    /// rows: it is retried with the next commit of positions.
    fn retire(&mut self, now: i64) {
        let today = today(now);
        let Some(days) = self.retention.filter(|_| self.retired_on != Some(today)) else { return };
        let Ok(first) = today.checked_sub(i64::from(days).days()) else { return };
        let dropped = connected(&mut self.connection, &self.target, &mut self.counts)
            .and_then(|connection| retire_before(&mut connection.client, date_key(first)));
        match dropped {
            Ok(dropped) => {
                self.retired_on = Some(today);
                if !dropped.is_empty() {
                    let rows: i64 = dropped.iter().map(|(_, rows)| rows).sum();
                    tracing::info!(partitions = dropped.len(), rows, before = date_key(first), "retention dropped facts");
                    self.partitions.forget();
                }
            }
            Err(error) => {
                tracing::warn!(%error, before = date_key(first), "retention could not drop facts; trying again");
                self.disconnect();
            }
        }
    }

    fn attempt(&mut self, plan: &Plan, was_sent: &mut bool) -> Result<Outcome, WarehouseError> {
        let now = self.clock.now();
        let held = &self.positions;
        let done = connected(&mut self.connection, &self.target, &mut self.counts).and_then(|connection| {
            self.partitions.prepare(&mut connection.client, plan, now)?;
            let statements = &mut connection.statements;
            let mut transaction = connection.client.transaction()?;
            if !positions::shift(&mut transaction, statements, &plan.moves, held)? {
                transaction.rollback()?;
                return Ok(None);
            }
            crash::point("warehouse.after_positions");
            let rows = fill(&mut transaction, statements, plan, now)?;
            *was_sent = true;
            crash::point("warehouse.before_commit");
            transaction.commit()?;
            crash::point("warehouse.after_commit");
            Ok(Some(rows))
        });
        match done {
            Ok(Some(rows)) => {
                self.counts.commits += 1;
                self.counts.rows += rows;
                Ok(Outcome::Committed)
            }
            Ok(None) => Ok(Outcome::NotThere),
            Err(error) => {
                // The state of the old connection is unknown, so use a new one.
                self.connection = None;
                Err(error)
            }
        }
    }
}

enum Outcome {
    Committed,
    /// The positions were not at the start of the plan.
    NotThere,
}

fn connected<'c>(
    held: &'c mut Option<Connection>,
    target: &Target,
    counts: &mut Counts,
) -> Result<&'c mut Connection, WarehouseError> {
    if held.as_ref().is_none_or(|connection| connection.client.is_closed()) {
        *held = None;
        counts.connections += 1;
        let client = connect(target)?;
        return Ok(held.insert(Connection { client, statements: Statements::default() }));
    }
    held.as_mut().ok_or_else(|| WarehouseError::Unavailable("no connection".to_owned()))
}

impl Sink for WarehouseSink {
    fn name(&self) -> &'static str {
        "warehouse"
    }

    fn positions(&self) -> Positions {
        self.positions.clone()
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        let done = self.commit_once(batches);
        if matches!(done, Err(SinkError::Fenced(_))) && self.was_made_after_all() {
            // We moved the positions ourselves: the rest of the batches continues from there.
            return self.commit_once(batches);
        }
        done
    }

    /// Every commit moves all of its partitions, so only the partitions of the coming days remain
    /// to be done.
    fn settle(&mut self) -> Result<(), SinkError> {
        let now = self.clock.now();
        let made = connected(&mut self.connection, &self.target, &mut self.counts)
            .and_then(|connection| self.partitions.make_ahead(&mut connection.client, now));
        if let Err(error) = made {
            self.connection = None;
            return Err(error.into());
        }
        self.retire(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
