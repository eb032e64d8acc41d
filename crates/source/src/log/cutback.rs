//! After a failed write: cuts a partition back to its last durable record.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::error::{IoContext, LogError};
use super::segment::{Next, Segment};
use super::{PartitionLog, folder, held};

/// Removes segments that begin beyond the durable end, checks the frames of the last one up to that end, and cuts off the rest.
/// Nothing of it was acknowledged.
pub(super) fn cut_back(log: &PartitionLog) -> Result<(), LogError> {
    let durable = log.durable();
    // An empty segment at the end is complete if its header is: only then was it noted.
    let is_noted = |first: i64| held(&log.segments).iter().any(|segment| segment.first == first);
    let firsts = folder::segments(&log.dir)?;
    let is_surplus = |first: &&i64| **first > durable || (**first == durable && !is_noted(**first));
    let mut removed = false;
    // The last one first: a crash leaves no gap.
    for first in firsts.iter().rev().take_while(is_surplus) {
        let path = folder::segment_file(&log.dir, *first);
        fs::remove_file(&path).during("remove", &path)?;
        removed = true;
    }
    if removed {
        folder::sync(&log.dir)?;
    }
    log.remove(|segment| segment.first > durable);
    let last = held(&log.segments).last().map(|segment| segment.first);
    if let Some(first) = last {
        log.resize(first, cut(&folder::segment_file(&log.dir, first), durable)?);
    }
    log.cuts.fetch_add(1, Ordering::AcqRel);
    Ok(())
}

/// Cuts a segment at the offset `end`; returns its bytes. If a record before that is damaged, nothing is cut.
fn cut(path: &Path, end: i64) -> Result<u64, LogError> {
    let mut segment = Segment::open(path)?.ok_or_else(|| LogError::Missing { file: path.to_owned() })?;
    while segment.offset() < end {
        let bytes = match segment.next()? {
            Next::Frame(frame) => frame.len(),
            Next::Bad(why) => return Err(segment.corrupt(why)),
            Next::End => return Err(segment.corrupt("the segment ends before its last record")),
        };
        segment.pass(bytes);
    }
    let file = OpenOptions::new().write(true).open(path).during("open", path)?;
    file.set_len(segment.byte()).during("cut", path)?;
    file.sync_all().during("sync", path)?;
    Ok(segment.byte())
}

/// Writes a small file and removes it again.
pub(super) fn probe(log_dir: &Path) -> Result<(), LogError> {
    let path = log_dir.join(".probe");
    let written = File::create(&path).during("create", &path).and_then(|mut file| {
        file.write_all(&[0; 4096]).during("write", &path)?;
        file.sync_all().during("sync", &path)
    });
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => written.and(Err(error).during("remove", &path)),
        _ => written,
    }
}
