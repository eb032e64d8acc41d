//! How far reading has come, by ingest time: what lies well behind that in every partition can be evicted.
//!
//! A partition that is being read has reached the newest time of its last batch. A log's times only grow, so nothing older follows.
//! Times that Kafka's producers set can go back: for them events are kept for a second window (see [`super::Index::has_read`]), and an
//! event that comes even later counts as ingested at the horizon. A time in the future counts as now. A partition that gave nothing
//! for ten minutes has nothing to give: what comes next is new, so it does not hold the others back.

use std::collections::HashMap;

use kassa_model::time::SECOND;

use super::places::PartitionId;

/// After so long (µs) without a batch, a partition has no records that wait. It is also the time after a start in which each
/// partition with such records gives its first batch.
pub(super) const QUIET: i64 = 600 * SECOND;
/// The horizon moves no more often (µs).
const PACE: i64 = 1 << 24;

#[derive(Debug)]
pub(super) struct Reading {
    began: i64,
    moved: i64,
    partitions: HashMap<PartitionId, Reached>,
}

#[derive(Debug)]
struct Reached {
    ingested_at: i64,
    read_at: i64,
}

impl Reading {
    /// Times are in µs UTC.
    pub(super) fn begin(now: i64) -> Self {
        Self { began: now, moved: now, partitions: HashMap::new() }
    }

    /// Takes note of a batch; `ingested_at` is the newest time in it.
    pub(super) fn note(&mut self, partition: PartitionId, ingested_at: i64, now: i64) {
        self.partitions.insert(partition, Reached { ingested_at, read_at: now });
    }

    /// The ingest time that all partitions have reached, if it is known and time to ask again.
    pub(super) fn reached(&mut self, now: i64) -> Option<i64> {
        if now.saturating_sub(self.began) < QUIET || now.saturating_sub(self.moved) < PACE {
            return None;
        }
        self.moved = now;
        self.partitions.retain(|_, reached| now.saturating_sub(reached.read_at) < QUIET);
        Some(self.partitions.values().map(|reached| reached.ingested_at).fold(now, i64::min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * SECOND;
    const START: i64 = 1_767_614_400_000_000;

    #[test]
    fn the_partition_that_is_furthest_behind_decides_while_it_is_read() {
        let mut reading = Reading::begin(START);
        let (one, other) = (PartitionId(1), PartitionId(2));
        reading.note(one, START - 9 * MINUTE, START);
        assert_eq!(reading.reached(START + QUIET - 1), None, "not every partition may have been read yet");
        let now = START + QUIET;
        reading.note(one, now, now);
        reading.note(other, START - 500 * MINUTE, now);
        assert_eq!(reading.reached(now), Some(START - 500 * MINUTE));
        reading.note(other, START - 400 * MINUTE, now + PACE);
        assert_eq!(reading.reached(now + PACE - 1), None, "a while between two moves");
        assert_eq!(reading.reached(now + PACE), Some(START - 400 * MINUTE));
    }

    #[test]
    fn a_quiet_partition_holds_nobody_back() {
        let mut reading = Reading::begin(START);
        reading.note(PartitionId(1), START, START + MINUTE);
        let now = START + MINUTE + QUIET;
        reading.note(PartitionId(2), now - 5, now);
        assert_eq!(reading.reached(now - 1), Some(START), "it may have records that wait");
        assert_eq!(reading.reached(now - 1 + PACE), Some(now - 5));
        assert_eq!(reading.reached(now + QUIET), Some(now + QUIET), "with all of them quiet, what comes next is new");
    }

    #[test]
    fn a_time_in_the_future_counts_as_now() {
        let mut reading = Reading::begin(START);
        let now = START + QUIET;
        reading.note(PartitionId(1), START + 1_000_000 * MINUTE, now);
        assert_eq!(reading.reached(now), Some(now));
    }
}
