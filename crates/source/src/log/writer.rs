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
use super::mark::Acknowledged;
use super::queue::{Request, Work};
use super::segment::Segment;
use super::{LogError, PartitionLog, Receipt, SegmentInfo, Shared, cutback, folder, held, retention};

/// Encoded frames are written in chunks of about this size.
const WRITE_BYTES: usize = 1 << 20;

pub(super) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let writer = Writer { shared, partitions: HashMap::new(), torn: Vec::new() };
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
    mark: Option<Acknowledged>,
    next: i64,
    last_ingested_at: i64,
}

impl Written {
    /// Continues at the end of the recovered log.
    fn resume(log: Arc<PartitionLog>) -> Result<Self, LogError> {
        let next = log.durable();
        let last = held(&log.segments).last().copied();
        let tail = last.map(|last| reopen(&log, last, next)).transpose()?;
        Ok(Self { tail, mark: None, next, last_ingested_at: log.last_ingested_at.load(Ordering::Acquire), log })
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

    /// The time, or that of the last record if it is later. `None`: that one is further ahead than clocks differ.
    fn not_before_last(&self, now: i64) -> Option<i64> {
        (self.last_ingested_at.saturating_sub(now) <= AHEAD).then(|| now.max(self.last_ingested_at))
    }

    /// The ingest time of the next records. It does not fall below the last one, unless that one is further ahead than clocks differ: the
    /// clock was wrong then. The time goes back in a new segment, so that a segment's end is known by the next one's begin.
    fn time_of_receipt(&mut self, now: i64) -> Result<i64, LogError> {
        if let Some(at) = self.not_before_last(now) {
            return Ok(at);
        }
        let last = self.last_ingested_at;
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
            self.mark.as_ref().map_or(Ok(()), Acknowledged::sync)?;
            self.log.resize(tail.first, tail.bytes);
        }
        let previous = self.tail.take().map(|tail| tail.first);
        self.tail = Some(create(&self.log, Header { first: self.next, previous, created_at })?);
        Ok(())
    }

    /// Marks what is before `next` as acknowledged, before anybody is answered.
    fn acknowledge(&mut self, next: i64) -> Result<(), LogError> {
        if self.mark.is_none() {
            self.mark = Some(Acknowledged::open(&self.log.dir, self.log.durable())?);
        }
        self.mark.as_ref().map_or(Ok(()), |mark| mark.set(next))
    }

    fn publish(&mut self) {
        if let Some(tail) = &self.tail {
            self.log.resize(tail.first, tail.bytes);
        }
        self.log.last_ingested_at.store(self.last_ingested_at, Ordering::Release);
        self.log.durable.store(self.next, Ordering::Release);
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
    log.add(SegmentInfo { first, bytes: size, created_at: header.created_at });
    let seed = Header::parse(&bytes).map_or(0, |(_, seed)| seed);
    Ok(Tail { file, path, seed, first, index: 0, bytes: size, pending: Vec::new(), unsynced: false })
}

#[derive(Debug)]
struct Writer {
    shared: Arc<Shared>,
    partitions: HashMap<Partition, Written>,
    /// Partitions whose files may have more than what is durable, after a failure.
    torn: Vec<Arc<PartitionLog>>,
}

impl Writer {
    fn run(mut self) {
        let _stop = StopOnPanic(self.shared.clone());
        loop {
            let (group, worked) = match self.shared.queue.take() {
                Work::Write(group) => match self.commit(&group) {
                    Ok(receipts) => {
                        self.answer(group, receipts);
                        continue;
                    }
                    Err(error) => (group, Err(error)),
                },
                Work::Seal => (Vec::new(), self.seal()),
                Work::Repair => (Vec::new(), self.repair()),
                Work::End => break,
            };
            match worked {
                Err(error) if error.passes() => self.suspend(group, &error),
                Err(error) => return self.stop(group, &error),
                Ok(()) => {}
            }
        }
        // All of it was answered already: a mark that does not reach the disk only knows less.
        for mark in self.partitions.values().filter_map(|written| written.mark.as_ref()) {
            if let Err(error) = mark.sync() {
                tracing::warn!(%error, "the mark of the acknowledged end may be older after a power failure");
            }
        }
    }

    fn answer(&self, group: Vec<Request>, receipts: Vec<Receipt>) {
        let sum = |of: fn(&Request) -> u64| group.iter().map(of).sum();
        self.shared.queue.finished(sum(|request| request.bytes), sum(|request| request.disk_bytes));
        self.shared.signal.raise();
        group.into_iter().zip(receipts).for_each(|(request, receipt)| (request.done)(Ok(receipt)));
    }

    /// Closes the open segments that every sink has committed, and deletes them.
    fn seal(&mut self) -> Result<(), LogError> {
        let logs: Vec<_> = held(&self.shared.partitions).values().cloned().collect();
        let committed = held(&self.shared.committed).clone();
        for log in logs {
            let is_read = committed.next(&log.partition) >= log.durable();
            if is_read && held(&log.segments).last().is_some_and(|last| last.first < log.durable()) {
                let now = self.shared.clock.now();
                let written = self.written(&log)?;
                written.roll(written.not_before_last(now).unwrap_or(now))?;
            }
        }
        retention::free(&self.shared, || false)
    }

    /// Cuts off what was not acknowledged, and tries whether the disk can be written.
    fn repair(&mut self) -> Result<(), LogError> {
        while let Some(log) = self.torn.last() {
            cutback::cut_back(log)?;
            self.torn.pop();
        }
        cutback::probe(&self.shared.dir)?;
        self.shared.queue.resume();
        tracing::info!("the log writes again");
        Ok(())
    }

    /// Nothing can be written for now: answers all who wait, and refuses more until [`Writer::repair`] succeeds.
    fn suspend(&mut self, group: Vec<Request>, error: &LogError) {
        let why = error.in_words();
        if self.shared.queue.unavailable().is_none() {
            tracing::warn!(%why, "the log cannot write for now");
        }
        self.torn.extend(self.partitions.drain().map(|(_, written)| written.log));
        let unavailable = LogError::Unavailable { code: error.code(), why };
        answer(group.into_iter().chain(self.shared.queue.suspend(&unavailable)), &unavailable);
        if error.is_out_of_space() {
            self.shared.is_pressed.store(true, Ordering::Release);
            if let Err(cause) = retention::free(&self.shared, || false) {
                tracing::warn!(%cause, "could not delete segments that every sink has committed");
            }
        }
    }

    fn written(&mut self, log: &Arc<PartitionLog>) -> Result<&mut Written, LogError> {
        if !self.partitions.contains_key(&log.partition) {
            self.partitions.insert(log.partition.clone(), Written::resume(log.clone())?);
        }
        self.partitions.get_mut(&log.partition).ok_or_else(|| ended("no partition"))
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
        if let Err(error) = touched.iter_mut().try_for_each(|written| written.acknowledge(written.next)) {
            // Nobody of the group is answered: no mark may be ahead of what is.
            for written in touched {
                written.acknowledge(written.log.durable()).unwrap_or_else(|error| tracing::warn!(%error, "a mark is ahead"));
            }
            return Err(error);
        }
        touched.into_iter().for_each(Written::publish);
        Ok(receipts)
    }

    fn write(&mut self, request: &Request) -> Result<Receipt, LogError> {
        let (now, segment_bytes) = (self.shared.clock.now(), self.shared.options.segment_bytes);
        let written = self.written(&request.log)?;
        let ingested_at = written.time_of_receipt(now)?;
        let from = written.next;
        for record in &request.records {
            let frame = Frame { ingested_at, key: record.key.as_deref(), value: &record.value };
            written.write(&frame, segment_bytes)?;
        }
        written.last_ingested_at = ingested_at;
        Ok(Receipt { partition: request.log.partition.clone(), from, to: written.next, ingested_at })
    }

    /// The contents of the disk are unknown now: a second fsync may succeed without the data. From
    /// now on nothing is acknowledged.
    fn stop(&self, group: Vec<Request>, error: &LogError) {
        let why = error.in_words();
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
