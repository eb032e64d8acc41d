//! The way on after damage: the bad bytes are kept aside, what is lost is recorded, and the log goes
//! on after it. Whole records after the damage stay.
//!
//! ```text
//!  before  [ 0 1 2 ▒▒▒ 5 6 ]              after  [ 0 1 2 ]  lost 3..5  [ 5 6 ]
//!          one segment                           …0000.seg  lost.ndjson  …0005.seg     and …0000.seg.damaged-<byte>
//! ```
//!
//! Every step is durable before the next, in this order: the evidence, the record of the loss, the
//! new segments, the cut. After a crash in between, the same repair completes it.

use std::fs::{self, OpenOptions};
use std::ops::Range;
use std::path::{Path, PathBuf};

use kassa_model::time::{self, Clock};
use kassa_model::{Partition, Positions};

use super::error::{IoContext, LogError};
use super::folder;
use super::frame::Header;
use super::loss::{Loss, Losses};
use super::mark;
use super::recover::follows;
use super::segment::{Next, Segment};

/// Records that a repair gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    pub partition: Partition,
    /// Half open; empty if it is unknown whether any of these bytes was acknowledged.
    pub from: i64,
    pub to: i64,
    pub file: PathBuf,
    pub why: String,
    /// The copy of the damaged bytes; none if no bytes are left.
    pub evidence: Option<PathBuf>,
}

/// Finds what is damaged in `<data_dir>/log`. With `apply` it keeps the damaged bytes aside, records
/// the loss, and makes the log continue after it; no other process may use the log then.
/// `committed`: the highest position of any sink, by partition; no offset before it is given again.
pub fn repair(data_dir: &Path, committed: &Positions, clock: &dyn Clock, apply: bool) -> Result<Vec<Repaired>, LogError> {
    let log_dir = folder::log_dir(data_dir);
    if !log_dir.is_dir() {
        return Ok(Vec::new());
    }
    let _lock = apply.then(|| super::lock(&log_dir)).transpose()?;
    let mut repaired = Vec::new();
    for partition in folder::partitions(&log_dir)? {
        let dir = folder::partition_dir(&log_dir, &partition)?;
        let plan = Plan::of(&dir, committed.next(&partition))?;
        if apply {
            plan.apply(&dir, &time::format(clock.now()))?;
        }
        let named = |lost: &Lost| Repaired {
            partition: partition.clone(),
            from: lost.offsets.start,
            to: lost.offsets.end,
            file: lost.file.clone(),
            why: lost.why.clone(),
            evidence: lost.damaged_from.map(|byte| folder::evidence_file(&lost.file, byte)),
        };
        repaired.extend(plan.lost.iter().map(named));
    }
    Ok(repaired)
}

#[derive(Debug)]
struct Lost {
    /// Empty if it is unknown whether anything in the damaged bytes was acknowledged.
    offsets: Range<i64>,
    file: PathBuf,
    why: String,
    /// The first damaged byte of the file.
    damaged_from: Option<u64>,
}

/// Whole records of a segment, after damage: they become a segment of their own.
#[derive(Debug)]
struct Kept {
    segment: i64,
    from: i64,
}

#[derive(Debug, Default)]
struct Plan {
    lost: Vec<Lost>,
    kept: Vec<Kept>,
    /// Segments and the byte at which they are cut; at byte 0 the whole file goes.
    cut: Vec<(i64, u64)>,
    /// The offset at which the log goes on, if its end is lost.
    goes_on_at: Option<i64>,
    mark_is_damaged: bool,
    /// The offset after the last record that was acknowledged, or is whole.
    end: i64,
    losses: Losses,
}

impl Plan {
    fn of(dir: &Path, committed: i64) -> Result<Self, LogError> {
        let acknowledged = mark::read(dir);
        let mark_is_damaged = matches!(acknowledged, Err(LogError::Corrupt { .. }));
        let acknowledged = if mark_is_damaged { None } else { acknowledged? };
        let mut plan = Self { losses: Losses::read(dir)?, mark_is_damaged, ..Self::default() };
        let firsts = folder::segments(dir)?;
        let end = acknowledged.unwrap_or(0).max(committed);
        let mut reached = firsts.first().copied().unwrap_or(committed);
        for (place, &first) in firsts.iter().enumerate() {
            if reached < first {
                let why = format!("no segment has these records; the next one begins at {first}");
                plan.lose(reached..first, folder::segment_file(dir, first), why, None);
            }
            reached = plan.examine(dir, first, firsts.get(place + 1).copied(), end)?;
        }
        plan.goes_on_at = plan.lost.last().map(|lost| lost.offsets.end).filter(|at| *at == reached);
        // A log without segments and mark begins again at the sinks' positions by itself.
        if (reached < end && !firsts.is_empty()) || (firsts.is_empty() && acknowledged.is_some()) {
            let file = folder::segment_file(dir, firsts.last().copied().unwrap_or(reached));
            let why = format!("the log ends at {reached}");
            plan.lost.push(Lost { offsets: reached..end, file, why, damaged_from: None });
            plan.goes_on_at = Some(end);
        }
        plan.end = reached.max(end);
        if mark_is_damaged {
            let why = "the mark of the acknowledged end is damaged".to_owned();
            plan.lost.insert(0, Lost { offsets: plan.end..plan.end, file: mark::path(dir), why, damaged_from: Some(0) });
        }
        Ok(plan)
    }

    /// Offsets that an earlier repair gave up are not lost again.
    fn lose(&mut self, offsets: Range<i64>, file: PathBuf, why: String, damaged_from: Option<u64>) {
        if !self.losses.cover(offsets.clone()) || damaged_from.is_some() {
            self.lost.push(Lost { offsets, file, why, damaged_from });
        }
    }

    /// Reads a segment and returns the offset that is reached with it: after its last whole record,
    /// or after what is lost of it.
    fn examine(&mut self, dir: &Path, first: i64, following: Option<i64>, end: i64) -> Result<i64, LogError> {
        let path = folder::segment_file(dir, first);
        let limit = following.unwrap_or(end);
        let opened = match Segment::open(&path) {
            // A crash left it: opening removes it.
            Ok(None) if following.is_none() && limit <= first => return Ok(first),
            Ok(None) => Err("the header is missing".to_owned()),
            Err(error @ (LogError::Io { .. } | LogError::Version { .. })) => return Err(error),
            Err(error) => Err(error.to_string()),
            Ok(Some(segment)) => match follows(&segment, first, None, &self.losses) {
                Ok(()) => Ok(segment),
                Err(error) => Err(error.to_string()),
            },
        };
        let mut segment = match opened {
            Ok(segment) => segment,
            Err(why) => {
                self.cut.push((first, 0));
                self.lose(first..limit.max(first), path, why, Some(0));
                return Ok(limit.max(first));
            }
        };
        let mut cut = None;
        loop {
            let (why, byte, from) = match whole_frames(&mut segment)? {
                None => return Ok(segment.offset()),
                Some(why) => (why, segment.byte(), segment.offset()),
            };
            let goes_on = segment.skip_damage()?;
            let is_tail = !goes_on && following.is_none() && limit <= from;
            if is_tail && cut.is_none() && !self.mark_is_damaged {
                // A crash tore it: opening cuts it.
                return Ok(from);
            }
            if cut.is_none() {
                self.cut.push((first, byte));
            }
            let evidence = *cut.get_or_insert(byte);
            let to = if goes_on { segment.offset() } else { limit.max(from) };
            if from < to || self.mark_is_damaged {
                self.lose(from..to, path.clone(), why.to_owned(), Some(evidence));
            }
            if !goes_on {
                return Ok(to);
            }
            self.kept.push(Kept { segment: first, from: segment.offset() });
        }
    }

    fn apply(&self, dir: &Path, at: &str) -> Result<(), LogError> {
        if self.mark_is_damaged {
            folder::keep_aside(&mark::path(dir), 0)?;
        }
        for (first, byte) in &self.cut {
            folder::keep_aside(&folder::segment_file(dir, *first), *byte)?;
        }
        let name = |lost: &Lost| {
            let evidence = folder::evidence_file(&lost.file, lost.damaged_from?);
            Some(evidence.file_name()?.to_string_lossy().into_owned())
        };
        let loss = |lost: &Lost| Loss {
            from: lost.offsets.start,
            to: lost.offsets.end,
            at: at.to_owned(),
            why: lost.why.clone(),
            evidence: name(lost),
        };
        self.losses.clone().add(dir, self.lost.iter().map(loss))?;
        for kept in &self.kept {
            copy_to_own_segment(dir, kept)?;
        }
        if let Some(at) = self.goes_on_at {
            let created_at = self.created_at(dir)?;
            let removed = |first: &i64| self.cut.contains(&(*first, 0));
            let previous = folder::segments(dir)?.into_iter().rfind(|first| *first < at && !removed(first));
            let path = folder::segment_file(dir, at);
            if removed(&at) || !path.exists() {
                folder::replace(&path, &Header { first: at, previous, created_at }.encode())?;
            }
        }
        for (first, byte) in self.cut.iter().filter(|(first, byte)| *byte > 0 || self.goes_on_at != Some(*first)) {
            cut(&folder::segment_file(dir, *first), *byte)?;
        }
        if self.lost.is_empty() {
            return Ok(());
        }
        folder::sync(dir)?;
        mark::write(dir, self.end)
    }

    /// Ingest times never go back: a new segment is as old as the last whole record.
    fn created_at(&self, dir: &Path) -> Result<i64, LogError> {
        let mut last = 0;
        for first in folder::segments(dir)?.into_iter().rev() {
            let Ok(Some(mut segment)) = Segment::open(&folder::segment_file(dir, first)) else { continue };
            last = last.max(segment.header.created_at);
            while let Next::Frame(frame) = segment.next()? {
                let bytes = frame.len();
                last = last.max(frame.ingested_at);
                segment.pass(bytes);
            }
            break;
        }
        Ok(last)
    }
}

/// Passes the whole frames at the current position; returns what is wrong with the next bytes.
fn whole_frames(segment: &mut Segment) -> Result<Option<&'static str>, LogError> {
    loop {
        let bytes = match segment.next()? {
            Next::Frame(frame) => frame.len(),
            Next::End => return Ok(None),
            Next::Bad(why) => return Ok(Some(why)),
        };
        segment.pass(bytes);
    }
}

/// Writes whole records after damage to a segment of their own, unless an earlier repair did.
fn copy_to_own_segment(dir: &Path, kept: &Kept) -> Result<(), LogError> {
    let path = folder::segment_file(dir, kept.from);
    if path.exists() {
        return Ok(());
    }
    let source = folder::segment_file(dir, kept.segment);
    let Some(mut segment) = Segment::open(&source)? else { return Err(LogError::Missing { file: source }) };
    while segment.offset() < kept.from {
        if whole_frames(&mut segment)?.is_none() || !segment.skip_damage()? {
            return Err(segment.corrupt("it changed during the repair"));
        }
    }
    let previous = folder::segments(dir)?.into_iter().rfind(|first| *first < kept.from);
    let header = Header { first: kept.from, previous, created_at: segment.header.created_at };
    let mut bytes = header.encode().to_vec();
    let seed = Header::parse(&header.encode()).map_or(0, |(_, seed)| seed);
    for index in 0.. {
        let Next::Frame(frame) = segment.next()? else { break };
        frame.encode(seed, index, &mut bytes);
        let length = frame.len();
        segment.pass(length);
    }
    folder::replace(&path, &bytes)
}

fn cut(file: &Path, byte: u64) -> Result<(), LogError> {
    if byte == 0 {
        return fs::remove_file(file).during("remove", file);
    }
    let open = OpenOptions::new().write(true).open(file).during("open", file)?;
    open.set_len(byte).and_then(|()| open.sync_all()).during("cut", file)
}
