//! The records that wait for the writer, limited in bytes.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::frame::FRAME_BYTES_MIN;
use super::{LogError, LogRecord, PartitionLog, Receipt, held};

/// The disk empties the queue within a second; the sinks need longer.
const RETRY_AFTER_DISK: Duration = Duration::from_secs(1);
const RETRY_AFTER_SINKS: Duration = Duration::from_secs(5);

type Done = Box<dyn FnOnce(Result<Receipt, LogError>) + Send>;

pub(super) struct Request {
    pub(super) log: Arc<PartitionLog>,
    pub(super) records: Vec<LogRecord>,
    pub(super) bytes: u64,
    pub(super) done: Done,
}

impl Request {
    pub(super) fn new(log: Arc<PartitionLog>, records: Vec<LogRecord>, done: Done) -> Self {
        let bytes = records.iter().map(|record| record.len() + FRAME_BYTES_MIN).sum::<usize>();
        Self { log, records, bytes: bytes as u64, done }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("partition", &self.log.partition).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Request>,
    /// The bytes of waiting requests and of those that are being written.
    queued_bytes: u64,
    backlog_bytes: u64,
    stopped: Option<LogError>,
    closed: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    queue_bytes: u64,
    capacity_bytes: u64,
    state: Mutex<State>,
    arrived: Condvar,
}

impl Queue {
    pub(super) fn new(queue_bytes: u64, capacity_bytes: u64) -> Self {
        Self { queue_bytes, capacity_bytes, state: Mutex::default(), arrived: Condvar::new() }
    }

    /// A request that is larger than a limit is accepted if the queue is empty, otherwise it would
    /// always be refused.
    pub(super) fn push(&self, request: Request) -> Result<(), LogError> {
        let mut state = held(&self.state);
        if let Some(stopped) = &state.stopped {
            return Err(stopped.clone());
        }
        let full = |held: u64, bound: u64| held > 0 && held + request.bytes > bound;
        if full(state.queued_bytes, self.queue_bytes) {
            return Err(LogError::Full { retry_after: RETRY_AFTER_DISK });
        }
        if full(state.backlog_bytes, self.capacity_bytes) {
            return Err(LogError::Full { retry_after: RETRY_AFTER_SINKS });
        }
        state.queued_bytes += request.bytes;
        state.backlog_bytes += request.bytes;
        state.waiting.push(request);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for requests and takes all of them; `None` when the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Request>> {
        let state = self.arrived.wait_while(held(&self.state), |state| state.waiting.is_empty() && !state.closed);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        Some(std::mem::take(&mut state.waiting)).filter(|group| !group.is_empty())
    }

    pub(super) fn finished(&self, bytes: u64) {
        let mut state = held(&self.state);
        state.queued_bytes = state.queued_bytes.saturating_sub(bytes);
    }

    /// Refuses all further requests; returns the waiting ones.
    pub(super) fn stop(&self, stopped: &LogError) -> Vec<Request> {
        let mut state = held(&self.state);
        state.stopped.get_or_insert_with(|| stopped.clone());
        std::mem::take(&mut state.waiting)
    }

    pub(super) fn close(&self) {
        held(&self.state).closed = true;
        self.arrived.notify_all();
    }

    pub(super) fn stopped(&self) -> Option<LogError> {
        held(&self.state).stopped.clone()
    }

    pub(super) fn queued_bytes(&self) -> u64 {
        held(&self.state).queued_bytes
    }

    pub(super) fn backlog_bytes(&self) -> u64 {
        held(&self.state).backlog_bytes
    }

    /// Sets the unread bytes on disk; queued bytes are added.
    pub(super) fn set_backlog(&self, on_disk_bytes: u64) {
        let mut state = held(&self.state);
        state.backlog_bytes = on_disk_bytes + state.queued_bytes;
    }
}
