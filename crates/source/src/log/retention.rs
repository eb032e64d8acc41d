use std::fs;
use std::sync::atomic::Ordering;

use kassa_model::{Positions, crash};

use super::error::IoContext;
use super::{Log, LogError, LogOptions, PartitionLog, SegmentInfo, Shared, folder, held};

/// The result of [`Log::retain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retained {
    pub segments: u64,
    pub bytes: u64,
}

impl Log {
    /// Takes the lowest position that every sink has committed, by partition. Frees that part of
    /// the capacity, and deletes segments wholly below it that exceed the retention's size or age,
    /// oldest first. The segment being written stays.
    pub fn retain(&self, committed: &Positions) -> Result<Retained, LogError> {
        let logs: Vec<_> = held(&self.shared.partitions).values().cloned().collect();
        if let Some(log) = logs.iter().find(|log| committed.next(&log.partition) > log.durable()) {
            let (asked, end) = (committed.next(&log.partition), log.durable());
            return Err(LogError::Lost { partition: log.partition.clone(), asked, end });
        }
        held(&self.shared.committed).clone_from(committed);
        let mut retained = Retained::default();
        let (now, options) = (self.shared.clock.now(), &self.shared.options);
        for log in &logs {
            let is_due = |total_bytes, age| expired(options, total_bytes, age);
            delete_oldest(log, (committed.next(&log.partition), now), is_due, &mut retained)?;
        }
        self.shared.queue.set_backlog(unread_bytes(&self.shared, committed));
        if self.shared.is_pressed.swap(false, Ordering::AcqRel) {
            self.shared.queue.seal();
        }
        Ok(retained)
    }
}

/// Deletes segments that every sink has committed, whatever their age, until there is enough room.
pub(super) fn free(shared: &Shared, is_enough: impl Fn() -> bool) -> Result<(), LogError> {
    let logs: Vec<_> = held(&shared.partitions).values().cloned().collect();
    let committed = held(&shared.committed).clone();
    let now = shared.clock.now();
    for log in &logs {
        delete_oldest(log, (committed.next(&log.partition), now), |_, _| !is_enough(), &mut Retained::default())?;
    }
    Ok(())
}

/// Deletes committed segments while `is_due` says so of the partition's bytes and the age of the segment's last record in µs, if it is
/// known.
fn delete_oldest(
    log: &PartitionLog,
    (committed, now): (i64, i64),
    is_due: impl Fn(u64, Option<i64>) -> bool,
    retained: &mut Retained,
) -> Result<(), LogError> {
    let before = retained.segments;
    let mut segments = held(&log.segments);
    while let [oldest, next, ref later @ ..] = segments[..] {
        let total_bytes = segments.iter().map(|segment| segment.bytes).sum();
        let age = end_of(oldest, next, later, now).map(|end| now.saturating_sub(end));
        if next.first > committed || !is_due(total_bytes, age) {
            break;
        }
        let path = folder::segment_file(&log.dir, oldest.first);
        crash::point("log.before_retention_delete");
        log.start.store(next.first, Ordering::Release);
        fs::remove_file(&path).during("remove", &path)?;
        segments.remove(0);
        log.disk_bytes.fetch_sub(oldest.bytes, Ordering::AcqRel);
        retained.segments += 1;
        retained.bytes += oldest.bytes;
        tracing::info!(file = %path.display(), "deleted a segment that every sink has committed");
    }
    if retained.segments > before { folder::sync(&log.dir) } else { Ok(()) }
}

/// When a segment's last record came at the latest: before the next segment began, and not before its own begin. Times ahead of the
/// clock are of a clock that was wrong and say nothing; then the first later segment counts that began at a plausible time. `None`:
/// there is none yet.
fn end_of(segment: SegmentInfo, next: SegmentInfo, later: &[SegmentInfo], now: i64) -> Option<i64> {
    let mut begins = std::iter::once(&next).chain(later).map(|segment| segment.created_at);
    let end = begins.find(|at| *at <= now)?;
    Some(if segment.created_at <= now { end.max(segment.created_at) } else { end })
}

/// `age` is that of the last record in µs, if it is known.
fn expired(options: &LogOptions, total_bytes: u64, age: Option<i64>) -> bool {
    let limit = options.retention_age.and_then(|limit| i64::try_from(limit.as_micros()).ok());
    options.retention_bytes.is_some_and(|bytes| total_bytes > bytes) || age.zip(limit).is_some_and(|(age, limit)| age >= limit)
}

/// Bytes on disk beyond the committed positions; proportional for a partly read segment.
pub(super) fn unread_bytes(shared: &Shared, committed: &Positions) -> u64 {
    let unread = |log: &PartitionLog| {
        let segments = held(&log.segments);
        let ends = segments.iter().skip(1).map(|next| next.first).chain([log.durable()]);
        segments.iter().zip(ends).map(|(segment, end)| unread_of(segment, end, committed.next(&log.partition))).sum::<u64>()
    };
    held(&shared.partitions).values().map(|log| unread(log)).sum()
}

fn unread_of(segment: &SegmentInfo, end: i64, committed: i64) -> u64 {
    let records = u128::from((end - segment.first).max(0).unsigned_abs());
    let unread = u128::from((end - committed.max(segment.first)).max(0).unsigned_abs());
    let share = (u128::from(segment.bytes) * unread).checked_div(records).unwrap_or(0);
    u64::try_from(share).unwrap_or(u64::MAX)
}
