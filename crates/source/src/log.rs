//! The collector's durable log: records answered with 202 are here, fsynced, until every sink has
//! them.
//!
//! ```text
//!  append ──► queue (≤ queue_bytes) ──► writer thread ──► segments ──► readers, up to the durable end
//!                                         │ takes all waiting records, writes them, one fdatasync per touched segment,
//!                                         └ publishes the durable end, raises the signal, answers
//! ```
//!
//! - An offset is answered and visible to readers only when its bytes are synced. If the disk is full
//!   or no file descriptor is free, the log cuts back to the last synced record, and goes on as soon
//!   as it can write again. After any other failed write or sync it stops.
//! - The segment files never have more than `capacity_bytes`.
//! - Opening cuts a torn tail: bytes after the last acknowledged record (`mark`). Any other damage is
//!   an error and nothing is cut. [`repair()`] keeps the damaged bytes aside, records what is lost,
//!   and lets the log go on after it.
//! - A segment is deleted only when every sink has committed all of it: when its retention ends, or when its room is needed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use kassa_model::time::Clock;
use kassa_model::{Partition, Positions};

mod cutback;
mod error;
mod folder;
mod frame;
mod loss;
mod mark;
mod queue;
mod reader;
mod recover;
mod retention;
mod salvage;
mod segment;
mod shared;
mod signal;
mod verify;
mod writer;

pub use error::LogError;
pub use loss::Loss;
pub use reader::LogReader;
pub use retention::Retained;
pub use salvage::{Repaired, repair};
pub use signal::Signal;
pub use verify::{Problem, ProblemKind, Verification, Verified, verify, verify_from};

use error::IoContext;
use queue::{Queue, Request};
use shared::{PartitionLog, SegmentInfo, Shared};

/// The log's limits. Sizes in bytes.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// A segment is closed if the next record would exceed this size.
    pub segment_bytes: u64,
    /// A partition keeps about this much data that every sink has committed; `None`: no limit by
    /// size.
    pub retention_bytes: Option<u64>,
    /// Committed segments older than this are deleted; `None`: no limit by age.
    pub retention_age: Option<Duration>,
    /// The largest sum of key and value.
    pub max_record_bytes: usize,
    /// The most that all segment files may have together.
    pub capacity_bytes: u64,
    /// The data that may wait for the disk before appends are refused.
    pub queue_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            retention_bytes: Some(1 << 30),
            retention_age: Some(Duration::from_secs(7 * 86_400)),
            max_record_bytes: 1 << 20,
            capacity_bytes: 8 << 30,
            queue_bytes: 32 << 20,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    pub key: Option<Bytes>,
    pub value: Bytes,
}

impl LogRecord {
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { key: None, value: value.into() }
    }

    fn len(&self) -> usize {
        self.key.as_ref().map_or(0, Bytes::len) + self.value.len()
    }
}

/// The offsets of an append, half open. Its records are on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub partition: Partition,
    pub from: i64,
    pub to: i64,
    /// µs UTC; less than that of the previous record only where the clock was ahead before and has gone back.
    pub ingested_at: i64,
}

/// The log, open for writing by one process at a time.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    _lock: File,
}

impl Log {
    /// Opens `<data_dir>/log`, verifies each partition's last segment, cuts its torn tail if nothing
    /// in it was acknowledged, and starts the writer.
    pub fn open(data_dir: &Path, options: LogOptions, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        if options.max_record_bytes > frame::RECORD_BYTES_MAX {
            return Err(LogError::BadLimit { bytes: options.max_record_bytes, limit: frame::RECORD_BYTES_MAX });
        }
        let dir = folder::log_dir(data_dir);
        fs::create_dir_all(&dir).during("create", &dir)?;
        folder::sync(data_dir)?;
        let lock = lock(&dir)?;
        let disk_bytes = Arc::<AtomicU64>::default();
        let mut partitions = BTreeMap::new();
        for partition in folder::partitions(&dir)? {
            partitions.insert(partition.clone(), Arc::new(recover::recover(&dir, &partition, &disk_bytes)?));
        }
        let shared = Arc::new(Shared {
            queue: Queue::new(&options, Arc::clone(&disk_bytes)),
            dir,
            options,
            clock,
            partitions: Mutex::new(partitions),
            signal: Signal::default(),
            disk_bytes,
            committed: Mutex::default(),
            is_pressed: AtomicBool::new(false),
        });
        shared.queue.set_backlog(retention::unread_bytes(&shared, &Positions::default()));
        let writer = writer::start(shared.clone()).during("start the writer of", &shared.dir)?;
        Ok(Self { shared, writer: Some(writer), _lock: lock })
    }

    /// States that the sinks have committed a partition up to `committed`; call it before the first
    /// append. A deleted log continues there and does not reuse the offsets. If only the log's end
    /// was lost, this is an error.
    pub fn continue_from(&self, partition: &Partition, committed: i64) -> Result<(), LogError> {
        let log = self.shared.partition(partition)?;
        let segments = held(&log.segments);
        let end = log.durable();
        if committed <= end {
            return Ok(());
        }
        if !segments.is_empty() {
            return Err(LogError::Lost { partition: partition.clone(), asked: committed, end });
        }
        tracing::info!(topic = %partition.topic, partition = partition.number, offset = committed, "the log starts over");
        log.start.store(committed, Ordering::Release);
        log.durable.store(committed, Ordering::Release);
        Ok(())
    }

    /// Hands records to the writer and returns immediately. `done` is called on the writer's thread
    /// when they are on disk, or have failed for good. All records of a call get consecutive
    /// offsets. After an error here, nothing was stored.
    pub fn append(
        &self,
        partition: &Partition,
        records: Vec<LogRecord>,
        done: impl FnOnce(Result<Receipt, LogError>) + Send + 'static,
    ) -> Result<(), LogError> {
        let limit = self.shared.options.max_record_bytes;
        let too_large = records.iter().map(LogRecord::len).enumerate().find(|(_, bytes)| *bytes > limit);
        if let Some((index, bytes)) = too_large {
            return Err(LogError::TooLarge { index, bytes, limit });
        }
        let shared = &self.shared;
        let request = Request::new(shared.partition(partition)?, records, shared.options.segment_bytes, Box::new(done));
        // Room for an empty segment of each partition, so that those that are open can be closed and deleted.
        let slack = (held(&shared.partitions).len() * frame::HEADER_BYTES) as u64;
        let Some(request) = shared.queue.push(request, slack)? else { return Ok(()) };
        let bytes = request.disk_bytes + slack;
        retention::free(shared, || shared.queue.has_room(bytes))?;
        match shared.queue.push(request, slack)? {
            None => Ok(()),
            Some(_) => {
                shared.is_pressed.store(true, Ordering::Release);
                // A reader that waits for records must say first what is committed.
                shared.signal.raise();
                Err(LogError::Full { retry_after: queue::RETRY_AFTER_SINKS })
            }
        }
    }

    /// Whether an append was refused for lack of room since the last [`Log::retain`]: what every sink has committed is needed now.
    pub fn is_pressed(&self) -> bool {
        self.shared.is_pressed.load(Ordering::Acquire)
    }

    /// [`Log::append`] for a thread that may block.
    pub fn append_and_wait(&self, partition: &Partition, records: Vec<LogRecord>) -> Result<Receipt, LogError> {
        let (sender, answer) = mpsc::sync_channel(1);
        // The receiver below outlives the call.
        self.append(partition, records, move |result| sender.send(result).unwrap_or_default())?;
        answer.recv().unwrap_or_else(|_| Err(writer::ended("the writer ended")))
    }

    /// Reads a partition from an offset.
    pub fn reader(&self, partition: &Partition, from: i64) -> Result<LogReader, LogError> {
        LogReader::of_partition(self.shared.partition(partition)?, from)
    }

    pub fn partitions(&self) -> Vec<Partition> {
        held(&self.shared.partitions).keys().cloned().collect()
    }

    /// The first stored offset, by partition.
    pub fn starts(&self) -> Positions {
        self.shared.positions(PartitionLog::start)
    }

    /// The offset after the last durable record, by partition.
    pub fn ends(&self) -> Positions {
        self.shared.positions(PartitionLog::durable)
    }

    /// The offset after the last record that a repair gave up; `None`: there is none.
    pub fn lost_to(&self, partition: &Partition) -> Option<i64> {
        held(&self.shared.partitions).get(partition).and_then(|log| log.losses.end())
    }

    /// Raised when records become durable.
    pub fn signal(&self) -> &Signal {
        &self.shared.signal
    }

    /// Why the log cannot write for now, if so.
    pub fn unavailable(&self) -> Option<LogError> {
        self.shared.queue.unavailable()
    }

    /// The bytes of all segment files.
    pub fn disk_bytes(&self) -> u64 {
        self.shared.disk_bytes.load(Ordering::Acquire)
    }

    /// Why the log has stopped, if it has. Takes no lock.
    pub fn stopped(&self) -> Option<LogError> {
        self.shared.queue.stopped()
    }

    /// The bytes of accepted records that are not on disk yet.
    pub fn queued_bytes(&self) -> u64 {
        self.shared.queue.queued_bytes()
    }

    /// The bytes that wait for the sinks, as of the last [`Log::retain`], plus newer ones.
    pub fn backlog_bytes(&self) -> u64 {
        self.shared.queue.backlog_bytes()
    }
}

impl Drop for Log {
    /// Writes and answers the accepted records.
    fn drop(&mut self) {
        self.shared.queue.close();
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the log's writer panicked");
        }
    }
}

const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join(".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).during("open", &path)?;
    // While a child process starts, it has copies of its parent's file descriptors for a moment,
    // including locks.
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error).during("lock", &path),
        }
    }
    Err(LogError::InUse { dir: dir.to_owned() })
}

/// A panic elsewhere cannot leave the state behind these locks inconsistent.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
