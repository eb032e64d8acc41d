//! The writer's thread: group commit.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use kassa_model::code::Code;
use kassa_model::time::{AHEAD, SECOND};
use kassa_model::{Partition, crash};

use super::error::IoContext;
use super::frame::{Frame, HEADER_BYTES, Header};
use super::queue::Request;
use super::segment::Segment;
use super::{LogError, PartitionLog, Receipt, SegmentInfo, Shared, folder, held};

/// Encoded frames are written in chunks of about this size.
const WRITE_BYTES: usize = 1 << 20;

pub(super) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let writer = Writer { shared, partitions: HashMap::new() };
    thread::Builder::new().name("kassa-log".into()).spawn(move || writer.run())
}

/// The segment being written.
#[derive(Debug)]
struct Tail {
    file: File,
    path: PathBuf,
    seed: u32,
    first: i64,
    index: u32,
    /// Including pending frames.
    bytes: u64,
    pending: Vec<u8>,
    unsynced: bool,
}

impl Tail {
    fn flush(&mut self) -> Result<(), LogError> {
        self.file.write_all(&self.pending).during("write", &self.path)?;
        self.unsynced |= !self.pending.is_empty();
        self.pending.clear();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data().during("sync", &self.path)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Written {
    log: Arc<PartitionLog>,
    tail: Option<Tail>,
    next: i64,
    last_ingested_at: i64,
}

impl Written {
    /// Continues at the end of the recovered log.
    fn resume(log: Arc<PartitionLog>) -> Result<Self, LogError> {
        let next = log.durable();
        let last = held(&log.segments).last().copied();
        let tail = last.map(|last| reopen(&log, last, next)).transpose()?;
        Ok(Self { tail, next, last_ingested_at: log.last_ingested_at.load(Ordering::Acquire), log })
    }

    fn write(&mut self, frame: &Frame<'_>, segment_bytes: u64) -> Result<(), LogError> {
        let bytes = frame.len() as u64;
        let full = |tail: &Tail| tail.index > 0 && (tail.bytes + bytes > segment_bytes || tail.index == u32::MAX);
        if self.tail.as_ref().is_none_or(full) {
            self.roll(frame.ingested_at)?;
        }
        let Some(tail) = &mut self.tail else { return Ok(()) };
        frame.encode(tail.seed, tail.index, &mut tail.pending);
        tail.index += 1;
        tail.bytes += bytes;
        self.next += 1;
        if tail.pending.len() >= WRITE_BYTES { tail.flush() } else { Ok(()) }
    }

    /// The ingest time of the next records. It does not fall below the last one, unless that one is further ahead than clocks differ: the
    /// clock was wrong then. The time goes back in a new segment, so that a segment's end is known by the next one's begin.
    fn time_of_receipt(&mut self, now: i64) -> Result<i64, LogError> {
        let last = self.last_ingested_at;
        if last.saturating_sub(now) <= AHEAD {
            return Ok(now.max(last));
        }
        tracing::warn!(topic = %self.log.partition.topic, partition = self.log.partition.number, ahead_seconds = (last - now) / SECOND,
            "the last ingest time is ahead of the clock; the log continues with the clock's time");
        if self.tail.as_ref().is_some_and(|tail| tail.index > 0) {
            self.roll(now)?;
        }
        Ok(now)
    }

    /// Closes the tail durably, and only then starts the next segment, so that a segment with a
    /// successor is never torn.
    fn roll(&mut self, created_at: i64) -> Result<(), LogError> {
        if let Some(tail) = &mut self.tail {
            tail.flush()?;
            tail.sync()?;
            note_bytes(&self.log, tail.first, tail.bytes);
        }
        let previous = self.tail.take().map(|tail| tail.first);
        self.tail = Some(create(&self.log, Header { first: self.next, previous, created_at })?);
        Ok(())
    }

    fn publish(&mut self) {
        if let Some(tail) = &self.tail {
            note_bytes(&self.log, tail.first, tail.bytes);
        }
        self.log.last_ingested_at.store(self.last_ingested_at, Ordering::Release);
        self.log.durable.store(self.next, Ordering::Release);
    }
}

fn note_bytes(log: &PartitionLog, first: i64, bytes: u64) {
    if let Some(segment) = held(&log.segments).iter_mut().rfind(|segment| segment.first == first) {
        segment.bytes = bytes;
    }
}

fn reopen(log: &PartitionLog, last: SegmentInfo, next: i64) -> Result<Tail, LogError> {
    let path = folder::segment_file(&log.dir, last.first);
    let segment = Segment::open(&path)?.ok_or_else(|| LogError::Missing { file: path.clone() })?;
    let file = OpenOptions::new().append(true).open(&path).during("open", &path)?;
    let index = u32::try_from(next - last.first).unwrap_or(u32::MAX);
    Ok(Tail {
        file,
        path,
        seed: segment.seed(),
        first: last.first,
        index,
        bytes: last.bytes,
        pending: Vec::new(),
        unsynced: false,
    })
}

/// Creates a segment with a durable header and name.
fn create(log: &PartitionLog, header: Header) -> Result<Tail, LogError> {
    if header.previous.is_none() {
        let log_dir = log.dir.ancestors().nth(2).unwrap_or(&log.dir);
        folder::create(log_dir, &log.dir)?;
    }
    let path = folder::segment_file(&log.dir, header.first);
    let mut file = OpenOptions::new().append(true).create_new(true).open(&path).during("create", &path)?;
    crash::point("log.segment_created");
    let bytes = header.encode();
    file.write_all(&bytes).and_then(|()| file.sync_data()).during("write", &path)?;
    folder::sync(&log.dir)?;
    let first = header.first;
    let size = HEADER_BYTES as u64;
    held(&log.segments).push(SegmentInfo { first, bytes: size, created_at: header.created_at });
    let seed = Header::parse(&bytes).map_or(0, |(_, seed)| seed);
    Ok(Tail { file, path, seed, first, index: 0, bytes: size, pending: Vec::new(), unsynced: false })
}

#[derive(Debug)]
struct Writer {
    shared: Arc<Shared>,
    partitions: HashMap<Partition, Written>,
}

impl Writer {
    fn run(mut self) {
        let _stop = StopOnPanic(self.shared.clone());
        while let Some(group) = self.shared.queue.take() {
            let bytes = group.iter().map(|request| request.bytes).sum();
            match self.commit(&group) {
                Ok(receipts) => {
                    self.shared.queue.finished(bytes);
                    self.shared.signal.raise();
                    group.into_iter().zip(receipts).for_each(|(request, receipt)| (request.done)(Ok(receipt)));
                }
                Err(error) => return self.stop(group, &error),
            }
        }
    }

    /// Writes and syncs a group. Nothing of it is published unless all of it is durable.
    fn commit(&mut self, group: &[Request]) -> Result<Vec<Receipt>, LogError> {
        crash::point("log.before_write");
        let receipts = group.iter().map(|request| self.write(request)).collect::<Result<Vec<_>, _>>()?;
        let mut touched: Vec<_> = self.partitions.values_mut().filter(|written| written.next > written.log.durable()).collect();
        for tail in touched.iter_mut().filter_map(|written| written.tail.as_mut()) {
            tail.flush()?;
        }
        crash::point("log.after_write");
        for tail in touched.iter_mut().filter_map(|written| written.tail.as_mut()) {
            tail.sync()?;
        }
        crash::point("log.after_fsync");
        touched.into_iter().for_each(Written::publish);
        Ok(receipts)
    }

    fn write(&mut self, request: &Request) -> Result<Receipt, LogError> {
        let partition = &request.log.partition;
        if !self.partitions.contains_key(partition) {
            self.partitions.insert(partition.clone(), Written::resume(request.log.clone())?);
        }
        let written = self.partitions.get_mut(partition).ok_or_else(|| ended("no partition"))?;
        let ingested_at = written.time_of_receipt(self.shared.clock.now())?;
        let from = written.next;
        for record in &request.records {
            let frame = Frame { ingested_at, key: record.key.as_deref(), value: &record.value };
            written.write(&frame, self.shared.options.segment_bytes)?;
        }
        written.last_ingested_at = ingested_at;
        Ok(Receipt { partition: partition.clone(), from, to: written.next, ingested_at })
    }

    /// The contents of the disk are unknown now: a second fsync may succeed without the data. From
    /// now on nothing is acknowledged.
    fn stop(&self, group: Vec<Request>, error: &LogError) {
        let why: Arc<str> = match error {
            LogError::Io { source, .. } => format!("{error}: {source}").into(),
            other => other.to_string().into(),
        };
        tracing::error!(%why, "the log has stopped; restart kassa when the disk works");
        let stopped = LogError::Stopped { code: error.code(), why };
        answer(group.into_iter().chain(self.shared.queue.stop(&stopped)), &stopped);
    }
}

fn answer(requests: impl Iterator<Item = Request>, stopped: &LogError) {
    requests.for_each(|request| (request.done)(Err(stopped.clone())));
}

/// The writer has ended for its own reason.
pub(super) fn ended(why: &str) -> LogError {
    LogError::Stopped { code: Code::StorageFailed, why: why.into() }
}

/// If the writer's thread panics, its callers get an error instead of waiting forever.
#[derive(Debug)]
struct StopOnPanic(Arc<Shared>);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            let stopped = ended("the writer panicked");
            answer(self.0.queue.stop(&stopped).into_iter(), &stopped);
        }
    }
}
