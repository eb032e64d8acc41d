//! Reads a whole log and reports its contents and its problems, for `kassa prove`.

use std::path::{Path, PathBuf};

use kassa_model::{Partition, Positions};

use super::loss::Losses;
use super::recover::follows;
use super::segment::{ENDS_WITHIN, Next, Segment};
use super::{LogError, folder, mark};

/// A partition of the log, according to its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub partition: Partition,
    /// The first stored offset.
    pub first: i64,
    /// The offset after the last whole record.
    pub next: i64,
    pub segments: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The last segment ends, after the last acknowledged record, with bytes that are not a record. A
    /// crash leaves such bytes, and opening cuts them.
    TornTail,
    /// Bytes that were valid have changed.
    Corrupt,
    /// No segment contains these offsets, and no repair gave them up.
    Missing,
    /// Two segments contain these offsets.
    Overlap,
}

/// A problem and its half-open range of offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub partition: Partition,
    pub kind: ProblemKind,
    pub file: PathBuf,
    pub byte: u64,
    pub from: i64,
    pub to: i64,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    pub partitions: Vec<Verified>,
    pub problems: Vec<Problem>,
}

/// Reads every segment of `<data_dir>/log`, even while it is written. It changes nothing.
pub fn verify(data_dir: &Path) -> Result<Verification, LogError> {
    verify_from(data_dir, &Positions::default())
}

/// Like [`verify`], but reads only the segments with records at or beyond these positions. Of earlier
/// segments it reads only the names.
pub fn verify_from(data_dir: &Path, from: &Positions) -> Result<Verification, LogError> {
    let log_dir = folder::log_dir(data_dir);
    let mut found = Verification::default();
    for partition in folder::partitions(&log_dir)? {
        let from = from.next(&partition);
        let dir = folder::partition_dir(&log_dir, &partition)?;
        // Read before the segments: a writer may add records meanwhile.
        let acknowledged = match mark::read(&dir) {
            Err(LogError::Corrupt { what, .. }) => {
                let (partition, file, detail) = (partition.clone(), mark::path(&dir), what.to_owned());
                found.problems.push(Problem { partition, kind: ProblemKind::Corrupt, file, byte: 0, from: 0, to: 0, detail });
                0
            }
            acknowledged => acknowledged?.unwrap_or(0),
        };
        let losses = Losses::read(&dir)?;
        Walk { dir, partition, acknowledged, losses, problems: &mut found.problems }
            .segments(from)?
            .into_iter()
            .for_each(|verified| found.partitions.push(verified));
    }
    Ok(found)
}

struct Walk<'a> {
    partition: Partition,
    dir: PathBuf,
    /// The offset after the last acknowledged record, as far as known.
    acknowledged: i64,
    losses: Losses,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn segments(&mut self, from: i64) -> Result<Option<Verified>, LogError> {
        let firsts = folder::segments(&self.dir)?;
        let Some(&first) = firsts.first() else {
            self.must_reach(0, 0);
            return Ok(None);
        };
        let mut next = first;
        for (place, &first) in firsts.iter().enumerate() {
            self.must_follow(first, next);
            let following = firsts.get(place + 1).copied();
            next = match following {
                Some(following) if following <= from => following,
                _ => self.segment(first, following)?,
            };
        }
        self.must_reach(firsts.last().copied().unwrap_or(first), next);
        let next = next.max(self.acknowledged);
        Ok(Some(Verified { partition: self.partition.clone(), first, next, segments: firsts.len() }))
    }

    /// The log has all that was acknowledged.
    fn must_reach(&mut self, last: i64, next: i64) {
        if next < self.acknowledged {
            let detail = format!("the log ends at {next}, but records up to {} were acknowledged", self.acknowledged);
            self.problem(ProblemKind::Missing, last, 0, next..self.acknowledged, detail);
        }
    }

    fn must_follow(&mut self, first: i64, next: i64) {
        let detail = format!("the segment begins at offset {first}, the one before ends at {next}");
        match first.cmp(&next) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater if self.losses.cover(next..first) => {}
            std::cmp::Ordering::Greater => self.problem(ProblemKind::Missing, first, 0, next..first, detail),
            std::cmp::Ordering::Less => self.problem(ProblemKind::Overlap, first, 0, first..next, detail),
        }
    }

    /// Reads one segment to its end, or to the first problem; returns the offset after its last
    /// whole record.
    fn segment(&mut self, first: i64, following: Option<i64>) -> Result<i64, LogError> {
        let path = folder::segment_file(&self.dir, first);
        let mut segment = match Segment::open(&path) {
            Ok(Some(segment)) => segment,
            Ok(None) if following.is_none() && self.acknowledged <= first => {
                self.problem(ProblemKind::TornTail, first, 0, first..first, "the header is not written".into());
                return Ok(first);
            }
            Ok(None) => return Ok(self.unreadable(first, following, "the header is missing".into())),
            // Retention deleted it after the folder was listed.
            Err(LogError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(following.unwrap_or(first));
            }
            Err(error @ LogError::Io { .. }) => return Err(error),
            Err(error) => return Ok(self.unreadable(first, following, error.to_string())),
        };
        if let Err(error) = follows(&segment, first, None, &self.losses) {
            return Ok(self.unreadable(first, following, error.to_string()));
        }
        let why = loop {
            match segment.next()? {
                Next::Frame(frame) => {
                    let bytes = frame.len();
                    segment.pass(bytes);
                }
                Next::End => return Ok(segment.offset()),
                Next::Bad(why) => break why,
            }
        };
        let (at, byte) = (segment.offset(), segment.byte());
        let is_end = following.is_none() && !segment.goes_on_beyond()?;
        if is_end && self.acknowledged <= at {
            self.problem(ProblemKind::TornTail, first, byte, at..at, why.into());
            return Ok(at);
        }
        if is_end && why == ENDS_WITHIN {
            // The file was cut, and not exactly between two frames.
            return Ok(at);
        }
        let to = following.unwrap_or_else(|| self.acknowledged.max(at + 1));
        self.problem(ProblemKind::Corrupt, first, byte, at..to, why.into());
        // Records hidden by the damage are reported once, and not again as missing.
        Ok(following.unwrap_or_else(|| self.acknowledged.max(at)))
    }

    fn unreadable(&mut self, first: i64, following: Option<i64>, detail: String) -> i64 {
        let next = following.unwrap_or_else(|| self.acknowledged.max(first));
        self.problem(ProblemKind::Corrupt, first, 0, first..next, detail);
        next
    }

    fn problem(&mut self, kind: ProblemKind, first: i64, byte: u64, offsets: std::ops::Range<i64>, detail: String) {
        let file = folder::segment_file(&self.dir, first);
        let partition = self.partition.clone();
        self.problems.push(Problem { partition, kind, file, byte, from: offsets.start, to: offsets.end, detail });
    }
}
