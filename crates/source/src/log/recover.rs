//! The checks when a partition is opened: its segments must follow one another, and the last one's
//! frames must be whole.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kassa_model::{Partition, crash};

use super::error::IoContext;
use super::loss::Losses;
use super::segment::{Next, Segment};
use super::{LogError, PartitionLog, SegmentInfo, folder, mark};

pub(super) fn recover(log_dir: &Path, partition: &Partition, disk_bytes: &Arc<AtomicU64>) -> Result<PartitionLog, LogError> {
    let dir = folder::partition_dir(log_dir, partition)?;
    let (acknowledged, losses) = (mark::read(&dir)?, Losses::read(&dir)?);
    let mut segments = open_all(&dir, acknowledged, &losses)?;
    let (mut next, mut last_ingested_at) = (0, i64::MIN);
    if let Some(last) = segments.last_mut() {
        last_ingested_at = last.header.created_at.max(end_of(last, acknowledged)?);
        next = last.offset();
        folder::sync(&dir)?;
    }
    match acknowledged {
        Some(acknowledged) if acknowledged > next => {
            return Err(LogError::Cut { partition: partition.clone(), acknowledged, end: next });
        }
        // Readers may hand on all that is synced now.
        known if !segments.is_empty() && known != Some(next) => mark::write(&dir, next)?,
        _ => {}
    }
    let segments = segments.iter().map(info).collect::<Result<Vec<_>, _>>()?;
    let start = segments.first().map_or(0, |first| losses.begin(first.first));
    disk_bytes.fetch_add(segments.iter().map(|segment| segment.bytes).sum(), Ordering::AcqRel);
    Ok(PartitionLog {
        partition: partition.clone(),
        dir,
        losses,
        start: AtomicI64::new(start),
        durable: AtomicI64::new(next),
        last_ingested_at: AtomicI64::new(last_ingested_at),
        segments: Mutex::new(segments),
        disk_bytes: Arc::clone(disk_bytes),
        cuts: AtomicU64::new(0),
    })
}

fn info(segment: &Segment) -> Result<SegmentInfo, LogError> {
    let bytes = fs::metadata(segment.path()).during("read", segment.path())?.len();
    Ok(SegmentInfo { first: segment.header.first, bytes, created_at: segment.header.created_at })
}

/// The segments in order; each one names its predecessor.
fn open_all(dir: &Path, acknowledged: Option<i64>, losses: &Losses) -> Result<Vec<Segment>, LogError> {
    let firsts = folder::segments(dir)?;
    let mut segments: Vec<Segment> = Vec::with_capacity(firsts.len());
    for (place, &first) in firsts.iter().enumerate() {
        let path = folder::segment_file(dir, first);
        match Segment::open(&path)? {
            Some(segment) => {
                follows(&segment, first, segments.last(), losses)?;
                segments.push(segment);
            }
            // A crash occurred between the creation of the segment and its first sync: nothing in
            // it was acknowledged.
            None if place + 1 == firsts.len() && acknowledged.is_none_or(|end| end <= first) => remove(dir, &path)?,
            None => return Err(LogError::Corrupt { file: path, byte: 0, offset: first, what: "the header is missing" }),
        }
    }
    Ok(segments)
}

/// Checks that a segment matches its name and follows `before`. The first one may follow a deleted
/// segment. A repair may have added segments before it, or given up the one that it names.
pub(super) fn follows(segment: &Segment, first: i64, before: Option<&Segment>, losses: &Losses) -> Result<(), LogError> {
    if segment.header.first != first {
        return Err(segment.corrupt("the name differs from the first offset in the file"));
    }
    match (before, segment.header.previous) {
        (None, _) => Ok(()),
        (Some(before), Some(previous)) if previous == before.header.first => Ok(()),
        (Some(before), Some(previous)) if !losses.is_empty() && previous < before.header.first => Ok(()),
        (Some(_), Some(previous)) if losses.at(previous).is_some() => Ok(()),
        (Some(_), Some(previous)) => {
            let dir = segment.path().parent().unwrap_or(segment.path());
            Err(LogError::Missing { file: folder::segment_file(dir, previous) })
        }
        (Some(_), None) => Err(segment.corrupt("another log begins here")),
    }
}

fn remove(dir: &Path, path: &Path) -> Result<(), LogError> {
    tracing::warn!(file = %path.display(), "removing a segment without a header, left by a crash");
    fs::remove_file(path).during("remove", path)?;
    folder::sync(dir)
}

/// Goes to the end of the last segment, cuts a torn tail left by a crash, and makes the rest
/// durable. Returns the ingest time of the last record. Bytes of an acknowledged record are no torn
/// tail and are not cut.
fn end_of(segment: &mut Segment, acknowledged: Option<i64>) -> Result<i64, LogError> {
    let mut last_ingested_at = i64::MIN;
    let torn = loop {
        match segment.next()? {
            Next::Frame(frame) => {
                last_ingested_at = frame.ingested_at;
                let bytes = frame.len();
                segment.pass(bytes);
            }
            Next::End => break None,
            Next::Bad(why) => break Some(why),
        }
    };
    let file = OpenOptions::new().write(true).open(segment.path()).during("open", segment.path())?;
    if let Some(why) = torn {
        if acknowledged.is_some_and(|end| end > segment.offset()) || segment.goes_on_beyond()? {
            return Err(segment.corrupt(why));
        }
        if acknowledged.is_none() {
            // A version without marks wrote this: whether these records were acknowledged is unknown.
            let evidence = folder::keep_aside(segment.path(), segment.byte())?;
            tracing::warn!(evidence = %evidence.display(), "the log has no mark of what was acknowledged; its torn tail is kept aside");
        }
        let length = file.metadata().during("read", segment.path())?.len();
        let cut_bytes = length.saturating_sub(segment.byte());
        tracing::warn!(file = %segment.path().display(), byte = segment.byte(), cut_bytes, why, "cutting a torn tail");
        file.set_len(segment.byte()).during("cut", segment.path())?;
    }
    file.sync_all().during("sync", segment.path())?;
    if torn.is_some() {
        crash::point("log.after_truncate_tail");
    }
    Ok(last_ingested_at)
}
