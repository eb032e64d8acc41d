//! How far reading has come, by ingest time: entries well before that in every partition can be evicted.
//!
//! A partition that is being read has reached the newest time of its last batch. A log's times only grow (except after a clock that
//! was ahead), so nothing older follows. Times that Kafka's producers set can go back: for them events are kept for a second window
//! (see [`super::Index::has_read`]), and an event that comes even later counts as ingested at the horizon. A time in the future
//! counts as now. A partition that gave no batch during ten minutes of reading has no records waiting: its later records are new,
//! so it does not hold the others back. While a sink has no room, nothing is read, so such pauses do not count; nor do jumps of
//! the clock.

use std::collections::HashMap;

use kassa_model::time::{HOUR, SECOND};

use super::entry::steps;
use super::places::PartitionId;
use super::{Index, MONEY};

/// After this much reading (µs) without a batch, a partition has no records waiting. It is also the time after a start within
/// which each partition with waiting records gives its first batch.
pub(super) const QUIET: i64 = 600 * SECOND;
/// The maximum time (µs) between two batches that counts as reading: in a longer pause a sink had no room, the machine was
/// suspended or the clock was set, and no partition could give a batch.
const PAUSE: i64 = 60 * SECOND;
/// The minimum time (µs of reading) between two moves of the horizon.
const PACE: i64 = 1 << 24;

#[derive(Debug)]
pub(super) struct Reading {
    /// When the last batch came (µs UTC).
    seen: i64,
    /// µs of reading so far.
    spent: i64,
    /// The value of `spent` when the horizon moved last.
    moved: i64,
    partitions: HashMap<PartitionId, Reached>,
}

#[derive(Debug)]
struct Reached {
    ingested_at: i64,
    /// The value of `spent` at that time.
    read_at: i64,
}

impl Reading {
    /// Times are in µs UTC.
    pub(super) fn begin(now: i64) -> Self {
        Self { seen: now, spent: 0, moved: 0, partitions: HashMap::new() }
    }

    /// Records a batch; `ingested_at` is the newest time in it.
    pub(super) fn note(&mut self, partition: PartitionId, ingested_at: i64, now: i64) {
        let since = now.saturating_sub(std::mem::replace(&mut self.seen, now));
        self.spent += since.clamp(0, PAUSE);
        self.partitions.insert(partition, Reached { ingested_at, read_at: self.spent });
    }

    /// The ingest time that all partitions have reached, if it is known and the horizon may move again.
    pub(super) fn reached(&mut self, now: i64) -> Option<i64> {
        let spent = self.spent;
        if spent < QUIET || spent - self.moved < PACE {
            return None;
        }
        self.moved = spent;
        self.partitions.retain(|_, reached| spent - reached.read_at < QUIET);
        Some(self.partitions.values().map(|reached| reached.ingested_at).fold(now, i64::min))
    }
}

impl Index {
    /// From now (µs UTC) on, [`has_read`](Self::has_read) evicts events that are past their window.
    pub fn evict_from(&mut self, now: i64) {
        self.reading = Some(Reading::begin(now));
    }

    /// Evicts nothing until [`evict_from`](Self::evict_from) is called: older records will be read, or the partitions change.
    pub fn evict_nothing(&mut self) {
        self.reading = None;
    }

    /// Call it after a batch of events was decided on; `ingested_at` is the newest time in it. Evicts the events that are outside
    /// the window of every row that is less than a window (at least an hour) behind the time that every partition has reached.
    ///
    /// A row further behind is late: it counts as ingested at that horizon, and is compared with what the index holds then.
    pub fn has_read(&mut self, partition: PartitionId, ingested_at: i64, now: i64) {
        let Some(reading) = &mut self.reading else { return };
        reading.note(partition, ingested_at, now);
        let reached = reading.reached(now).map(steps);
        self.lower_floors(steps(now));
        let Some(reached) = reached else { return };
        self.raise_floors(|window| reached.saturating_sub(window.max(steps(HOUR))));
        self.report_late(partition);
    }

    /// A floor ahead of the clock was raised by a clock that has gone back since: it would make every row late until then.
    fn lower_floors(&mut self, now: u64) {
        for keys in self.classes.iter_mut().skip(MONEY + 1).filter(|keys| keys.floor > now) {
            keys.lower_floor();
        }
    }

    /// Logs late rows, once for each move of the horizon.
    fn report_late(&mut self, partition: PartitionId) {
        let late = self.late - std::mem::replace(&mut self.late_reported, self.late);
        if late > 0 {
            let topic = self.partition_of(partition).map(|partition| partition.topic);
            tracing::warn!(events = late, ?topic, "events came long after their ingest time: some may repeat evicted ones");
        }
    }

    /// No later record has an earlier ingest time: events too old to affect later ones are evicted.
    #[cfg(test)]
    pub(super) fn forget_before(&mut self, ingested_at: i64) {
        self.raise_floors(|_| steps(ingested_at));
    }

    fn raise_floors(&mut self, floor: impl Fn(u64) -> u64) {
        let (money, events) = self.classes.split_at_mut(MONEY + 1);
        debug_assert!(money.iter().all(|keys| keys.window.is_none()), "money is kept for good");
        let crowded = events.iter().map(|keys| keys.table.memory_bytes()).sum::<usize>() > self.memory_bytes / 2;
        for keys in events {
            let floor = floor(keys.window.unwrap_or(0));
            keys.raise_floor(&mut self.files, floor, crowded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * SECOND;
    const START: i64 = 1_767_614_400_000_000;

    /// Reads a batch of a partition in each of these minutes after the start, as new as its minute.
    fn read(reading: &mut Reading, partition: PartitionId, minutes: std::ops::RangeInclusive<i64>) -> i64 {
        let last = START + minutes.end() * MINUTE;
        minutes.map(|minute| START + minute * MINUTE).for_each(|now| reading.note(partition, now, now));
        last
    }

    #[test]
    fn the_partition_that_is_furthest_behind_decides_while_it_is_read() {
        let mut reading = Reading::begin(START);
        let (one, other) = (PartitionId(1), PartitionId(2));
        let now = read(&mut reading, one, 0..=9);
        assert_eq!(reading.reached(now), None, "not every partition may have been read yet");
        reading.note(other, START - 500 * MINUTE, now);
        let now = read(&mut reading, one, 10..=10);
        assert_eq!(reading.reached(now), Some(START - 500 * MINUTE));
        reading.note(other, START - 400 * MINUTE, now + PACE - 1);
        assert_eq!(reading.reached(now + PACE - 1), None, "a while between two moves");
        reading.note(other, START - 400 * MINUTE, now + PACE);
        assert_eq!(reading.reached(now + PACE), Some(START - 400 * MINUTE));
    }

    #[test]
    fn a_quiet_partition_holds_nobody_back() {
        let mut reading = Reading::begin(START);
        let (one, other) = (PartitionId(1), PartitionId(2));
        read(&mut reading, one, 1..=1);
        let now = read(&mut reading, other, 2..=10);
        assert_eq!(reading.reached(now), Some(START + MINUTE), "it may have records that wait");
        let now = read(&mut reading, other, 11..=11);
        assert_eq!(reading.reached(now), Some(now), "what comes next is new");
    }

    /// A sink had no room for two hours, or the clock was set.
    #[test]
    fn a_partition_is_not_quiet_because_nothing_was_read() {
        for jump in [120 * MINUTE, 100_000 * MINUTE, -120 * MINUTE] {
            let mut reading = Reading::begin(START);
            let (one, other) = (PartitionId(1), PartitionId(2));
            let before = read(&mut reading, one, 0..=11);
            reading.note(other, START - 5_000 * MINUTE, before);
            assert_eq!(reading.reached(before), Some(START - 5_000 * MINUTE));
            let now = before + jump;
            reading.note(one, now, now);
            assert_ne!(reading.reached(now), Some(now), "{jump}: the other has a backlog");
            reading.note(one, now + MINUTE, now + MINUTE);
            assert_eq!(reading.reached(now + MINUTE), Some(START - 5_000 * MINUTE), "{jump}");
        }
    }

    #[test]
    fn a_time_in_the_future_counts_as_now() {
        let mut reading = Reading::begin(START);
        let now = read(&mut reading, PartitionId(2), 1..=10);
        reading.note(PartitionId(1), START + 1_000_000 * MINUTE, now);
        reading.note(PartitionId(2), START + 1_000_000 * MINUTE, now);
        assert_eq!(reading.reached(now), Some(now));
    }
}
