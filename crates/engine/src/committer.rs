//! The commits of one sink, as a state machine: no thread, no channel, no sleep. Each step sends at most one request to the sink.
//!
//! ```text
//!              take                due, full, flushed or ending
//!  batches ───────────► gathered ──────────────────────────────► commit ──ok──► settled every 30 s, when asked, flushed, at the end
//!                          ▲                                       │
//!                          └───────── the store does not answer: again after 0.1 s … 5 s
//! ```

mod commits;
mod shown;

use std::sync::Arc;
use std::time::Duration;

use kassa_model::time::Clock;
use kassa_pipeline::{Batch, Sink, SinkError};

pub use self::commits::Commits;
pub use self::shown::{SinkHandle, SinkState};
use crate::ticks::Ticks;

/// The bytes of records and rows at which a sink commits before its interval is over, unless the memory limit requires less.
/// Larger commits are no faster.
pub const COMMIT_BYTES: usize = 48 << 20;
/// A batch that comes after a pause waits this long for others, not for the whole interval.
const LINGER: Duration = Duration::from_millis(20);
/// A store that does not answer is retried after the first of these, then after twice as long, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long a sink that is closed waits for a store that does not answer, unless the end of the program says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often positions of tables that get no rows move on, so that a restart reads little again.
const SETTLE: Duration = Duration::from_secs(30);

/// A sink, and how often it commits.
#[derive(Debug)]
pub struct Cadence {
    pub sink: Box<dyn Sink>,
    pub interval: Duration,
    /// Records after which it commits before the interval is over. A batch is not split.
    pub records: usize,
    /// The limit of gathered bytes of records and rows: a batch that could exceed it waits. One batch is always accepted.
    pub bytes: usize,
}

/// What to do before the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Another step at this time, or after the next batch. `takes`: whether it takes one before.
    Wait { until: Duration, takes: bool },
    /// Nothing: everything is committed, and no batch will come.
    Ended,
}

/// A request to the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Commit,
    Settle,
}

/// A request that the store has not answered.
#[derive(Debug, Clone, Copy)]
struct Retry {
    request: Request,
    /// When it was sent first.
    began: Duration,
    at: Duration,
    pause: Duration,
    /// When the committer gives up; set once the program ends.
    deadline: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    No,
    /// The program ends: a store that does not answer has limited time.
    Soon,
    /// No batch will come.
    Closed,
    Done,
}

#[derive(Debug)]
pub struct Committer {
    cadence: Cadence,
    handle: SinkHandle,
    clock: Arc<dyn Clock>,
    ticks: Arc<dyn Ticks>,
    gathered: Vec<Arc<Batch>>,
    records: usize,
    bytes: usize,
    /// Bytes of the largest batch so far, as an estimate for the next one.
    largest: usize,
    /// When the gathered batches must be committed.
    due: Option<Duration>,
    /// When the interval after the last commit is over.
    rested: Duration,
    settle_at: Duration,
    retry: Option<Retry>,
    is_flushing: bool,
    ending: Ending,
    /// How long the end of the program waits for a store that does not answer. The next start reads again what the store lacks.
    patience: Duration,
}

impl Committer {
    /// The handle of an earlier committer of this sink may be used again.
    pub fn new(cadence: Cadence, handle: SinkHandle, clock: Arc<dyn Clock>, ticks: Arc<dyn Ticks>) -> Self {
        let positions = cadence.sink.positions();
        let now = ticks.now();
        handle.update(|state| *state = SinkState { committed: positions.clone(), positions, ..SinkState::default() });
        Self {
            cadence,
            handle,
            clock,
            ticks,
            gathered: Vec::new(),
            records: 0,
            bytes: 0,
            largest: 0,
            due: None,
            rested: now,
            settle_at: now + SETTLE,
            retry: None,
            is_flushing: false,
            ending: Ending::No,
            patience: PATIENCE,
        }
    }

    pub fn handle(&self) -> &SinkHandle {
        &self.handle
    }

    /// Gathers a batch.
    pub fn take(&mut self, batch: Arc<Batch>) {
        self.records += batch.records().len();
        self.bytes += batch.bytes();
        self.largest = self.largest.max(batch.bytes());
        self.gathered.push(batch);
        self.handle.update(|state| state.gathered_bytes = self.bytes);
        let soon = self.ticks.now() + LINGER.min(self.cadence.interval);
        self.due = self.due.or(Some(self.rested.max(soon)));
    }

    /// Commits everything gathered, and settles, with the next steps.
    pub fn flush(&mut self) {
        self.is_flushing = true;
    }

    /// Settles with the next step, or right after what is being committed.
    pub fn settle_soon(&mut self) {
        self.settle_at = self.ticks.now();
    }

    /// Whether a flush is not complete yet.
    pub fn is_flushing(&self) -> bool {
        self.is_flushing
    }

    /// The program ends: from now on a store that does not answer has this time.
    pub fn hurry(&mut self, patience: Duration) {
        (self.ending, self.patience) = (self.ending.max(Ending::Soon), patience);
    }

    /// No batch will come: the next steps commit what is gathered, and settle.
    pub fn close(&mut self) {
        self.ending = self.ending.max(Ending::Closed);
    }

    /// Sends the request that is due, if there is one.
    ///
    /// # Errors
    /// Returns permanent failures at once, and `Unavailable` only after the shutdown deadline.
    pub fn step(&mut self) -> Result<Step, SinkError> {
        let now = self.ticks.now();
        if self.ending < Ending::Done && self.until() <= now {
            self.send(self.request(now), now)?;
        }
        Ok(self.rest())
    }

    fn rest(&self) -> Step {
        if self.ending == Ending::Done {
            return Step::Ended;
        }
        // While a store does not answer, the sink accepts batches as long as it has room, so that the other sinks can continue.
        let takes = self.ending < Ending::Closed && (self.retry.is_none() || !self.has_no_room());
        Step::Wait { until: self.until(), takes }
    }

    /// When the next request is due.
    fn until(&self) -> Duration {
        match &self.retry {
            Some(retry) => retry.at,
            None if self.is_urgent() => Duration::ZERO,
            None => self.due.unwrap_or(self.settle_at).min(self.settle_at),
        }
    }

    fn is_urgent(&self) -> bool {
        let is_full = self.has_no_room() || (self.records >= self.cadence.records && !self.gathered.is_empty());
        self.is_flushing || self.ending == Ending::Closed || is_full
    }

    /// Whether one more batch, as large as the largest, would exceed the bound.
    fn has_no_room(&self) -> bool {
        !self.gathered.is_empty() && self.bytes + self.largest > self.cadence.bytes
    }

    fn request(&self, now: Duration) -> Request {
        let commits = || !self.gathered.is_empty() && (self.is_urgent() || self.due.is_some_and(|due| due <= now));
        match &self.retry {
            Some(retry) => retry.request,
            None if commits() => Request::Commit,
            None => Request::Settle,
        }
    }

    fn send(&mut self, request: Request, now: Duration) -> Result<(), SinkError> {
        let sink = &mut self.cadence.sink;
        let answer = match request {
            Request::Commit => sink.commit(&self.gathered),
            Request::Settle => sink.settle(),
        };
        let retry = self.retry.take();
        match answer {
            Ok(()) => self.done(request, retry.map_or(now, |retry| retry.began)),
            Err(SinkError::Unavailable(why)) => self.retry = Some(self.later((request, now), retry, why)?),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn done(&mut self, request: Request, began: Duration) {
        let now = self.ticks.now();
        match request {
            Request::Commit => {
                (self.records, self.bytes, self.due) = (0, 0, None);
                self.rested = now + self.cadence.interval;
                let committed = std::mem::take(&mut self.gathered);
                self.handle.update(|state| {
                    state.commits.took(now.saturating_sub(began));
                    state.gathered_bytes = 0;
                });
                self.show(&committed);
            }
            Request::Settle => {
                self.settle_at = now + SETTLE;
                self.show(&[]);
                // Batches that came while the store did not answer are committed first.
                if self.gathered.is_empty() {
                    self.is_flushing = false;
                    self.ending = if self.ending == Ending::Closed { Ending::Done } else { self.ending };
                }
            }
        }
    }

    /// The retry and its time; or the failure, once the shutdown deadline has passed.
    fn later(&self, (request, sent): (Request, Duration), before: Option<Retry>, why: String) -> Result<Retry, SinkError> {
        let now = self.ticks.now();
        let pause = before.map_or(RETRY.0, |before| (before.pause * 2).min(RETRY.1));
        let mut deadline = before.and_then(|before| before.deadline);
        if self.ending > Ending::No && *deadline.get_or_insert(now + self.patience) <= now {
            return Err(SinkError::Unavailable(why));
        }
        tracing::warn!(sink = self.handle.name, why, ?pause, "the store does not answer; trying again");
        self.handle.update(|state| state.waiting = Some(why));
        Ok(Retry { request, began: before.map_or(sent, |before| before.began), at: now + pause, pause, deadline })
    }

    fn show(&self, committed: &[Arc<Batch>]) {
        let positions = self.cadence.sink.positions();
        self.handle.update(|state| {
            (state.positions, state.waiting) = (positions, None);
            for batch in committed {
                state.committed.advance(&batch.records().partition, batch.to());
                state.committed_at = Some(self.clock.now());
            }
        });
    }
}

#[cfg(test)]
mod tests;
