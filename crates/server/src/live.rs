//! The live sink: the figures in memory, at their positions.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use kassa_analytics::{Answer, ApplyError, Basis, Figures, Query, QueryError};
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
}

/// Figures that follow the batches, and a notification of each change.
pub struct Live {
    held: Mutex<Held>,
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
        Self { held: Mutex::new(Held { figures, positions }), changes: watch::Sender::new(0) }
    }

    /// The answer, and the positions that it was computed at.
    pub fn answer(&self, query: &Query) -> Result<(Answer, Positions), QueryError> {
        let held = self.held();
        Ok((held.figures.answer(query)?, held.positions.clone()))
    }

    pub fn positions(&self) -> Positions {
        self.held().positions.clone()
    }

    /// The current figures and their positions.
    pub fn snapshot(&self) -> (Figures, Positions) {
        let held = self.held();
        (held.figures.clone(), held.positions.clone())
    }

    /// Replaces the figures with others that contain exactly the rows before `positions`.
    pub fn replace(&self, figures: Figures, positions: Positions) {
        *self.held() = Held { figures, positions };
        self.changes.send_modify(|count| *count += 1);
    }

    /// Folds the rows beyond the positions and advances the positions. Earlier rows were folded
    /// already.
    pub fn apply(&self, batches: &[Arc<Batch>]) -> Result<(), LiveError> {
        let mut held = self.held();
        for batch in batches {
            held.take(batch)?;
        }
        drop(held);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Folds rows between two positions that other workers have written. Returns `false` and does
    /// nothing if the own positions differ from the first ones.
    pub fn follow(&self, rows: &[(Table, RecordBatch)], (from, to): (&Positions, &Positions)) -> Result<bool, LiveError> {
        let mut held = self.held();
        if to.iter().any(|(partition, _)| held.positions.next(partition) != from.next(partition)) {
            return Ok(false);
        }
        for (table, rows) in rows {
            held.figures.apply(*table, rows)?;
        }
        to.iter().for_each(|(partition, next)| held.positions.advance(partition, next));
        drop(held);
        self.changes.send_modify(|count| *count += 1);
        Ok(true)
    }

    pub(crate) fn show(&self, basis: Basis) -> Shown {
        let held = self.held();
        // Read under the lock, so that a later change is never taken for one that is shown.
        let change = *self.changes.borrow();
        Shown { figures: held.figures.live(basis), event_time: held.figures.event_time(), change }
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
