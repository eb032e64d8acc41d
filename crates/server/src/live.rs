//! The live sink: the figures in memory, at their positions.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use kassa_analytics::{Answer, ApplyError, Basis, Figures, Query, QueryError};
use kassa_model::time::Clock;
use kassa_model::{Cause, Positions, Table};
use kassa_pipeline::{Batch, Gap, Sink, SinkError};
use tokio::sync::watch;

/// Why batches could not be folded. The figures are then invalid and must be rebuilt from the lake.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error(transparent)]
    Gap(#[from] Gap),
    #[error("could not fold rows: {0}")]
    Rows(#[from] ApplyError),
}

struct Held {
    figures: Figures,
    positions: Positions,
    /// The number of changes so far.
    change: u64,
    /// The snapshot of this change, if one was requested.
    snapshot: Option<Arc<Snapshot>>,
}

/// The figures at one moment between two commits. It never changes, and shares unchanged parts with later figures.
#[derive(Debug)]
pub struct Snapshot {
    pub figures: Figures,
    /// The figures contain exactly the rows before these.
    pub positions: Positions,
    /// The number of earlier changes.
    change: u64,
}

/// Figures that follow the batches, and a notification of each change.
///
/// Every answer is computed on a [`Snapshot`]: the lock is held for as long as rows are folded or a snapshot is taken, never while a
/// query runs.
pub struct Live {
    held: Mutex<Held>,
    /// Which times are plausible; without it, all are.
    clock: Option<Arc<dyn Clock>>,
    /// The number of changes.
    changes: watch::Sender<u64>,
}

/// Today's figures at one moment between two batches.
pub(crate) struct Shown {
    pub(crate) figures: kassa_analytics::Live,
    pub(crate) event_time: Option<i64>,
    /// The number of earlier changes.
    pub(crate) change: u64,
}

impl Live {
    /// `figures` must contain exactly the rows before `positions`.
    pub fn new(figures: Figures, positions: Positions) -> Self {
        let held = Held { figures, positions, change: 0, snapshot: None };
        Self { held: Mutex::new(held), clock: None, changes: watch::Sender::new(0) }
    }

    /// Lets no record that is ahead of this clock move the watermark, and so the day that is shown.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    fn now(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| clock.now())
    }

    /// The answer, and the positions that it was computed at.
    pub fn answer(&self, query: &Query) -> Result<(Answer, Positions), QueryError> {
        let snapshot = self.current();
        Ok((snapshot.figures.answer(query)?, snapshot.positions.clone()))
    }

    pub fn positions(&self) -> Positions {
        self.held().positions.clone()
    }

    /// The current figures and their positions, as an own copy.
    pub fn snapshot(&self) -> (Figures, Positions) {
        let current = self.current();
        (current.figures.clone(), current.positions.clone())
    }

    /// The current snapshot. All requests between two changes get the same one.
    pub fn current(&self) -> Arc<Snapshot> {
        let now = self.now();
        let mut held = self.held();
        let Held { figures, positions, change, snapshot } = &mut *held;
        if now.is_some_and(|now| figures.set_now(now)) {
            *snapshot = None;
        }
        let taken = || Arc::new(Snapshot { figures: figures.clone(), positions: positions.clone(), change: *change });
        Arc::clone(snapshot.get_or_insert_with(taken))
    }

    /// Replaces the figures with others that contain exactly the rows before `positions`.
    pub fn replace(&self, figures: Figures, positions: Positions) {
        self.change(self.held(), |held| {
            (held.figures, held.positions) = (figures, positions);
        });
    }

    /// Folds the rows beyond the positions and advances the positions. Earlier rows were folded
    /// already.
    pub fn apply(&self, batches: &[Arc<Batch>]) -> Result<(), LiveError> {
        self.change(self.held(), |held| batches.iter().try_for_each(|batch| held.take(batch)))
    }

    /// Folds rows between two positions that other workers have written. Returns `false` and does
    /// nothing if the own positions differ from the first ones.
    pub fn follow(&self, rows: &[(Table, RecordBatch)], (from, to): (&Positions, &Positions)) -> Result<bool, LiveError> {
        let held = self.held();
        if to.iter().any(|(partition, _)| held.positions.next(partition) != from.next(partition)) {
            return Ok(false);
        }
        self.change(held, |held| {
            for (table, rows) in rows {
                held.figures.apply(*table, rows)?;
            }
            to.iter().for_each(|(partition, next)| held.positions.advance(partition, next));
            Ok(true)
        })
    }

    /// Changes the figures and notifies of it.
    fn change<T>(&self, mut held: MutexGuard<'_, Held>, change: impl FnOnce(&mut Held) -> T) -> T {
        // Otherwise a change would copy the parts that it shares with a snapshot that is no longer used.
        held.snapshot = None;
        if let Some(now) = self.now() {
            held.figures.set_now(now);
        }
        let changed = change(&mut held);
        held.change += 1;
        // Under the lock, so that a displayed change is never confused with a later one.
        self.changes.send_replace(held.change);
        changed
    }

    pub(crate) fn show(&self, basis: Basis) -> Shown {
        let snapshot = self.current();
        let figures = snapshot.figures.live(basis);
        Shown { figures, event_time: snapshot.figures.event_time(), change: snapshot.change }
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn take(&mut self, batch: &Batch) -> Result<(), LiveError> {
        let Some(slice) = batch.after(&self.positions)? else { return Ok(()) };
        for (table, rows) in slice.tables().filter(|(table, _)| !Figures::columns(*table).is_empty()) {
            self.figures.apply(table, &rows)?;
        }
        self.positions.advance(slice.partition(), slice.to());
        Ok(())
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("changes", &*self.changes.borrow()).finish_non_exhaustive()
    }
}

/// [`Live`] as a sink. It stores nothing on disk: at start it is rebuilt from the lake.
#[derive(Debug, Clone)]
pub struct LiveSink(pub Arc<Live>);

impl Sink for LiveSink {
    fn name(&self) -> &'static str {
        "live"
    }

    fn positions(&self) -> Positions {
        self.0.positions()
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        self.0.apply(batches).map_err(|error| SinkError::Corrupt(Cause::of(error)))
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
