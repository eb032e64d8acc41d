//! Virtual time, and sinks without threads: the run decides when a committer takes a step.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kassa_engine::committer::Step;
use kassa_engine::handoff::HAND_OFF;
use kassa_engine::{Committer, HandOff, SinkHandle, Ticks};
use kassa_pipeline::{Batch, SinkError};

use super::faulty::Faulty;

/// Monotonic time that only waiting moves on, in µs.
#[derive(Debug, Default)]
pub(crate) struct Virtual(AtomicU64);

impl Ticks for Virtual {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn wait(&self, pause: Duration) {
        self.0.fetch_add(u64::try_from(pause.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

/// A sink of a process.
#[derive(Debug, Clone)]
pub(crate) struct Inline {
    handle: SinkHandle,
    lane: Rc<RefCell<Lane>>,
}

#[derive(Debug)]
struct Lane {
    committer: Committer,
    waiting: VecDeque<Arc<Batch>>,
    /// After a crash of the process its sinks do nothing.
    store: Arc<Faulty>,
    ticks: Arc<dyn Ticks>,
    has_stopped: bool,
    /// What has stopped it, until the engine has taken it.
    failure: Option<SinkError>,
}

impl Inline {
    pub(crate) fn new(committer: Committer, store: Arc<Faulty>, ticks: Arc<dyn Ticks>) -> Self {
        let (handle, waiting) = (committer.handle().clone(), VecDeque::new());
        let lane = Lane { committer, waiting, store, ticks, has_stopped: false, failure: None };
        Self { handle, lane: Rc::new(RefCell::new(lane)) }
    }

    /// Does what the sink's thread does between two waits.
    pub(crate) fn step(&self) {
        self.lane.borrow_mut().step();
    }

    /// Commits everything handed over, unless the sink fails: then the engine learns of it later.
    pub(crate) fn drain(&self) {
        let mut lane = self.lane.borrow_mut();
        lane.take_all();
        lane.committer.flush();
        lane.run(|lane| !lane.committer.is_flushing());
    }
}

impl Lane {
    /// When the next step is due; `None` if there is none.
    fn step(&mut self) -> Option<Duration> {
        if self.has_stopped {
            return None;
        }
        if self.store.has_crashed() {
            return self.stop(SinkError::Unavailable("the process has crashed".to_owned()));
        }
        match self.committer.step() {
            Ok(Step::Wait { takes: true, .. }) if !self.waiting.is_empty() => {
                self.waiting.pop_front().into_iter().for_each(|batch| self.committer.take(batch));
                Some(self.ticks.now())
            }
            Ok(Step::Wait { until, .. }) => Some(until),
            Ok(Step::Ended) => {
                self.has_stopped = true;
                None
            }
            Err(error) => self.stop(error),
        }
    }

    fn stop(&mut self, error: SinkError) -> Option<Duration> {
        (self.has_stopped, self.failure) = (true, Some(error));
        None
    }

    fn take_all(&mut self) {
        self.waiting.drain(..).for_each(|batch| self.committer.take(batch));
    }

    /// Steps, and lets time pass, until `is_done` or until it stops.
    fn run(&mut self, is_done: impl Fn(&Self) -> bool) {
        while !is_done(self) {
            let Some(until) = self.step() else { return };
            self.ticks.wait(until.saturating_sub(self.ticks.now()));
        }
    }

    fn failure(&mut self) -> SinkError {
        self.failure.take().unwrap_or_else(|| SinkError::Corrupt("it had stopped before".into()))
    }

    fn check(&mut self) -> Result<(), SinkError> {
        if self.has_stopped { Err(self.failure()) } else { Ok(()) }
    }
}

impl HandOff for Inline {
    fn handle(&self) -> &SinkHandle {
        &self.handle
    }

    /// A full hand-off makes the sink take a step, so that an engine that waits for room gets it.
    fn offer(&mut self, batch: &Arc<Batch>) -> Result<bool, SinkError> {
        let mut lane = self.lane.borrow_mut();
        lane.check()?;
        if lane.waiting.len() < HAND_OFF {
            lane.waiting.push_back(Arc::clone(batch));
            return Ok(true);
        }
        lane.step();
        Ok(false)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let mut lane = self.lane.borrow_mut();
        lane.take_all();
        lane.committer.flush();
        lane.check()
    }

    fn flushed(&mut self) -> Result<(), SinkError> {
        let mut lane = self.lane.borrow_mut();
        lane.run(|lane| !lane.committer.is_flushing());
        lane.check()
    }

    fn settle(&mut self) {
        self.lane.borrow_mut().committer.settle_soon();
    }

    fn check(&mut self) -> Result<(), SinkError> {
        self.lane.borrow_mut().check()
    }

    fn hurry(&mut self, patience: Duration) {
        self.lane.borrow_mut().committer.hurry(patience);
    }

    fn close(&mut self) {
        let mut lane = self.lane.borrow_mut();
        lane.take_all();
        lane.committer.close();
    }

    fn join(&mut self) -> Result<(), SinkError> {
        let mut lane = self.lane.borrow_mut();
        lane.run(|lane| lane.has_stopped);
        lane.failure.take().map_or(Ok(()), Err)
    }
}
