//! The records that wait for the writer, limited in bytes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::frame::{FRAME_BYTES_MIN, HEADER_BYTES};
use super::{LogError, LogOptions, LogRecord, PartitionLog, Receipt, held};

/// The disk empties the queue within a second; the sinks need longer.
const RETRY_AFTER_DISK: Duration = Duration::from_secs(1);
pub(super) const RETRY_AFTER_SINKS: Duration = Duration::from_secs(5);
/// How often a log that cannot write tries again.
const REPAIR_INTERVAL: Duration = Duration::from_millis(250);

type Done = Box<dyn FnOnce(Result<Receipt, LogError>) + Send>;

pub(super) struct Request {
    pub(super) log: Arc<PartitionLog>,
    pub(super) records: Vec<LogRecord>,
    pub(super) bytes: u64,
    /// The most that the segment files can grow by.
    pub(super) disk_bytes: u64,
    pub(super) done: Done,
}

impl Request {
    pub(super) fn new(log: Arc<PartitionLog>, records: Vec<LogRecord>, segment_bytes: u64, done: Done) -> Self {
        let bytes = records.iter().map(|record| record.len() + FRAME_BYTES_MIN).sum::<usize>() as u64;
        // Two neighbours among the new segments have more than the bytes of one.
        let segments = (records.len() as u64).min(2 + 2 * bytes / segment_bytes.max(1));
        Self { log, records, bytes, disk_bytes: bytes + segments * HEADER_BYTES as u64, done }
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
    /// What the segment files may grow by until these requests are written.
    reserved_bytes: u64,
    backlog_bytes: u64,
    /// Why nothing can be written for now.
    unavailable: Option<LogError>,
    /// Whether open segments that every sink has committed shall be closed, so that they can be deleted.
    sealing: bool,
    closed: bool,
}

/// What the writer has to do.
#[derive(Debug)]
pub(super) enum Work {
    Write(Vec<Request>),
    Seal,
    Repair,
    End,
}

#[derive(Debug)]
pub(super) struct Queue {
    queue_bytes: u64,
    capacity_bytes: u64,
    /// The bytes of all segment files.
    disk_bytes: Arc<AtomicU64>,
    state: Mutex<State>,
    stopped: OnceLock<LogError>,
    arrived: Condvar,
}

impl Queue {
    pub(super) fn new(options: &LogOptions, disk_bytes: Arc<AtomicU64>) -> Self {
        let LogOptions { queue_bytes, capacity_bytes, .. } = *options;
        Self {
            queue_bytes,
            capacity_bytes,
            disk_bytes,
            state: Mutex::default(),
            stopped: OnceLock::new(),
            arrived: Condvar::new(),
        }
    }

    /// A request that is larger than the queue is accepted if the queue is empty, otherwise it would
    /// always be refused. `slack` bytes of the capacity stay free. Returns a request that has no
    /// room on the disk.
    pub(super) fn push(&self, request: Request, slack: u64) -> Result<Option<Request>, LogError> {
        if let Some(stopped) = self.stopped.get() {
            return Err(stopped.clone());
        }
        let (bytes, capacity) = (request.disk_bytes + slack, self.capacity_bytes);
        if bytes > capacity {
            return Err(LogError::OverCapacity { bytes, capacity });
        }
        let mut state = held(&self.state);
        if let Some(unavailable) = &state.unavailable {
            return Err(unavailable.clone());
        }
        if state.queued_bytes > 0 && state.queued_bytes + request.bytes > self.queue_bytes {
            return Err(LogError::Full { retry_after: RETRY_AFTER_DISK });
        }
        if !self.fits(&state, bytes) {
            return Ok(Some(request));
        }
        state.queued_bytes += request.bytes;
        state.reserved_bytes += request.disk_bytes;
        state.backlog_bytes += request.bytes;
        state.waiting.push(request);
        self.arrived.notify_one();
        Ok(None)
    }

    fn fits(&self, state: &State, bytes: u64) -> bool {
        self.disk_bytes.load(Ordering::Acquire) + state.reserved_bytes + bytes <= self.capacity_bytes
    }

    /// Whether the segment files may grow by this much.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.fits(&held(&self.state), bytes)
    }

    /// Asks the writer to close open segments that every sink has committed.
    pub(super) fn seal(&self) {
        held(&self.state).sealing = true;
        self.arrived.notify_one();
    }

    /// Waits for work.
    pub(super) fn take(&self) -> Work {
        let mut state = held(&self.state);
        loop {
            if state.closed && (state.waiting.is_empty() || state.unavailable.is_some()) {
                return Work::End;
            }
            if state.unavailable.is_some() {
                let waited = self.arrived.wait_timeout_while(state, REPAIR_INTERVAL, |state| !state.closed);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
                return Work::Repair;
            }
            if !state.waiting.is_empty() {
                return Work::Write(std::mem::take(&mut state.waiting));
            }
            if std::mem::take(&mut state.sealing) {
                return Work::Seal;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn finished(&self, bytes: u64, disk_bytes: u64) {
        let mut state = held(&self.state);
        state.queued_bytes = state.queued_bytes.saturating_sub(bytes);
        state.reserved_bytes = state.reserved_bytes.saturating_sub(disk_bytes);
    }

    /// Refuses requests until [`Queue::resume`]; returns the waiting ones. Those being written have failed.
    pub(super) fn suspend(&self, unavailable: &LogError) -> Vec<Request> {
        let mut state = held(&self.state);
        state.unavailable = Some(unavailable.clone());
        state.backlog_bytes = state.backlog_bytes.saturating_sub(state.queued_bytes);
        (state.queued_bytes, state.reserved_bytes) = (0, 0);
        std::mem::take(&mut state.waiting)
    }

    pub(super) fn resume(&self) {
        held(&self.state).unavailable = None;
    }

    pub(super) fn unavailable(&self) -> Option<LogError> {
        held(&self.state).unavailable.clone()
    }

    /// Refuses all further requests; returns the waiting ones.
    pub(super) fn stop(&self, stopped: &LogError) -> Vec<Request> {
        let mut state = held(&self.state);
        self.stopped.get_or_init(|| stopped.clone());
        std::mem::take(&mut state.waiting)
    }

    pub(super) fn close(&self) {
        held(&self.state).closed = true;
        self.arrived.notify_all();
    }

    /// Takes no lock.
    pub(super) fn stopped(&self) -> Option<LogError> {
        self.stopped.get().cloned()
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
