use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_buffer::NullBuffer;
use kassa_model::{Headers, Partition, Records};

use super::frame::Frame;
use super::loss::Losses;
use super::segment::{Next, Segment};
use super::{LogError, PartitionLog, folder};
use crate::column::{Column, RUN_BYTES_MAX};

/// The current end of reading.
#[derive(Debug)]
enum End {
    /// In the writer's process: the last durable record.
    Durable(Arc<PartitionLog>),
    /// In another process: the last whole frame.
    LastWhole,
}

/// Reads a partition of the log forward. It has at most one segment open, and a buffer of one frame
/// or a quarter MiB.
#[derive(Debug)]
pub struct LogReader {
    partition: Partition,
    dir: PathBuf,
    losses: Losses,
    end: End,
    next: i64,
    segment: Option<Segment>,
    /// The cuts of the log before `segment` was opened.
    cuts: u64,
    /// Records and bytes of the last run, as an estimate for the next one, because growing a buffer
    /// costs more than filling it.
    last: (usize, usize),
}

impl LogReader {
    /// Reads the log of another process, or one without a writer. It takes no lock and changes
    /// nothing.
    pub fn open(data_dir: &Path, partition: &Partition, from: i64) -> Result<Self, LogError> {
        let dir = folder::partition_dir(&folder::log_dir(data_dir), partition)?;
        let (partition, losses) = (partition.clone(), Losses::read(&dir)?);
        Ok(Self { partition, dir, losses, end: End::LastWhole, next: from, segment: None, cuts: 0, last: (0, 0) })
    }

    pub(super) fn of_partition(log: Arc<PartitionLog>, from: i64) -> Result<Self, LogError> {
        let partition = log.partition.clone();
        if from < log.start() {
            return Err(LogError::Gone { partition, asked: from, start: log.start() });
        }
        if from > log.durable() {
            return Err(LogError::Lost { partition, asked: from, end: log.durable() });
        }
        let (dir, losses, cuts) = (log.dir.clone(), log.losses.clone(), log.cuts.load(Ordering::Acquire));
        Ok(Self { partition, dir, losses, end: End::Durable(log), next: from, segment: None, cuts, last: (0, 0) })
    }

    /// The offset of the next record that [`LogReader::read`] returns.
    pub fn next_offset(&self) -> i64 {
        self.next
    }

    /// Skips records at the current position that a repair gave up, and returns their offsets.
    pub fn skip_lost(&mut self) -> Option<Range<i64>> {
        let lost = self.losses.at(self.next)?;
        (self.next, self.segment) = (lost.end, None);
        Some(lost)
    }

    /// The next records, or `None` if there are none for now. A run ends with the record that
    /// reaches `max_bytes` of values, and before lost ones; those are skipped.
    pub fn read(&mut self, max_records: usize, max_bytes: usize) -> Result<Option<Records>, LogError> {
        while self.skip_lost().is_some() {}
        let limit = self.limit();
        let mut run = Run::sized(self.last);
        while self.next < limit
            && self.losses.at(self.next).is_none()
            && run.offsets.len() < max_records
            && run.values.bytes() < max_bytes.min(RUN_BYTES_MAX)
        {
            if self.segment.is_none() {
                self.segment = self.find()?;
            }
            let Some(segment) = &mut self.segment else { break };
            match segment.next()? {
                Next::Frame(frame) => {
                    let (offset, bytes) = (self.next, frame.len());
                    run.push(offset, &frame);
                    segment.pass(bytes);
                    self.next += 1;
                }
                Next::End => {
                    if !self.roll()? {
                        break;
                    }
                }
                Next::Bad(why) => {
                    self.must_be_tail(why)?;
                    break;
                }
            }
        }
        self.last = (run.offsets.len(), run.values.bytes());
        Ok(run.finish(&self.partition, self.next))
    }

    /// Where reading ends for now. The end is loaded before the cuts: if it covers records that were written after a cut, the
    /// cut is seen too, and the buffer with what was cut off is dropped.
    fn limit(&mut self) -> i64 {
        let End::Durable(log) = &self.end else { return i64::MAX };
        let limit = log.durable();
        let cuts = log.cuts.load(Ordering::Acquire);
        if cuts != self.cuts {
            (self.cuts, self.segment) = (cuts, None);
        }
        limit
    }

    /// The segment of the next record, positioned at that record; `None` if nothing was written
    /// there yet.
    fn find(&self) -> Result<Option<Segment>, LogError> {
        let firsts = folder::segments(&self.dir)?;
        let Some(&first) = firsts.iter().rfind(|first| **first <= self.next) else {
            return match firsts.first() {
                Some(&start) => Err(LogError::Gone { partition: self.partition.clone(), asked: self.next, start }),
                None if matches!(self.end, End::Durable(_)) => {
                    Err(LogError::Missing { file: folder::segment_file(&self.dir, self.next) })
                }
                None => Ok(None),
            };
        };
        let Some(mut segment) = self.open_segment(first)? else { return Ok(None) };
        while segment.offset() < self.next {
            let bytes = match segment.next()? {
                Next::Frame(frame) => frame.len(),
                Next::Bad(why) => return Err(segment.corrupt(why)),
                Next::End => {
                    return Err(LogError::Lost { partition: self.partition.clone(), asked: self.next, end: segment.offset() });
                }
            };
            segment.pass(bytes);
        }
        Ok(Some(segment))
    }

    /// `None` if another process has not written the header yet. In this process, it is durable
    /// before any record is.
    fn open_segment(&self, first: i64) -> Result<Option<Segment>, LogError> {
        let file = folder::segment_file(&self.dir, first);
        match (Segment::open(&file)?, &self.end) {
            (None, End::Durable(_)) => Err(LogError::Corrupt { file, byte: 0, offset: first, what: "the header is missing" }),
            (segment, _) => Ok(segment),
        }
    }

    /// At the end of a segment: continues with the next one, if there is one.
    fn roll(&mut self) -> Result<bool, LogError> {
        let path = folder::segment_file(&self.dir, self.next);
        let Some(current) = &self.segment else { return Ok(false) };
        if current.index() > 0 && path.exists() {
            let Some(following) = self.open_segment(self.next)? else { return Ok(false) };
            super::recover::follows(&following, self.next, Some(current), &self.losses)?;
            self.segment = Some(following);
            return Ok(true);
        }
        self.must_be_tail("the segment ends before its last record")?;
        Ok(false)
    }

    /// There is no whole frame at the next record's position: this is correct only at the end of
    /// the log.
    fn must_be_tail(&self, why: &'static str) -> Result<(), LogError> {
        let Some(segment) = &self.segment else { return Ok(()) };
        let last = folder::segments(&self.dir)?.last().is_none_or(|last| *last <= segment.header.first);
        match self.end {
            End::LastWhole if last && !segment.goes_on_beyond()? => Ok(()),
            _ => Err(segment.corrupt(why)),
        }
    }
}

#[derive(Debug)]
struct Run {
    offsets: Vec<i64>,
    ingested_at: Vec<i64>,
    values: Column,
    keys: Column,
    has_key: Vec<bool>,
}

impl Run {
    fn sized((records, bytes): (usize, usize)) -> Self {
        Self {
            offsets: Vec::with_capacity(records),
            ingested_at: Vec::with_capacity(records),
            values: Column::with_capacity(records, bytes + bytes / 16),
            keys: Column::with_capacity(records, 0),
            has_key: Vec::with_capacity(records),
        }
    }

    fn push(&mut self, offset: i64, frame: &Frame<'_>) {
        self.offsets.push(offset);
        self.ingested_at.push(frame.ingested_at);
        self.values.push(frame.value);
        self.keys.push(frame.key.unwrap_or_default());
        self.has_key.push(frame.key.is_some());
    }

    fn finish(self, partition: &Partition, next: i64) -> Option<Records> {
        if self.offsets.is_empty() {
            return None;
        }
        let keys = self.has_key.contains(&true).then(|| self.keys.finish(Some(NullBuffer::from(self.has_key))));
        Some(Records {
            partition: partition.clone(),
            timestamps: vec![None; self.offsets.len()],
            offsets: self.offsets,
            ingested_at: self.ingested_at,
            keys,
            headers: Headers::None,
            values: self.values.finish(None),
            next,
        })
    }
}
