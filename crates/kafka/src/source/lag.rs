use kassa_model::Partition;
use rdkafka::consumer::Consumer;

use super::{Assignment, KafkaSource};
use crate::KafkaError;

/// The reading progress of a partition. Unknown values are `None`, never 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub partition: Partition,
    /// The next offset to hand out.
    pub next: i64,
    pub log_start: Option<i64>,
    /// The group's last offset for this partition ([`KafkaSource::hint_committed`]).
    pub committed: Option<i64>,
    /// The last stable offset: everything before it can be read.
    pub stable_end: Option<i64>,
    pub end: Option<i64>,
    /// Readable offsets that were not read yet. Offsets of markers and aborted records count until
    /// the client has skipped them.
    pub behind: Option<i64>,
    /// Everything readable was read, and the next records wait for an open transaction.
    pub blocked_by_transaction: bool,
    pub paused: bool,
}

impl KafkaSource {
    /// The partitions being read, as of the last statistics (at most one second old).
    pub fn lag(&self) -> Vec<Lag> {
        let (seen, numbers) = self.consumer.context().statistics();
        // The client's queue was empty after these statistics arrived.
        let drained = self.idle_at == seen && !self.turns_wait();
        let known = |offset: i64| (offset >= 0).then_some(offset);
        let reading = self.assignments.iter().filter_map(|(topic_partition, assignment)| {
            if let Assignment::Reading(reading) = assignment { Some((topic_partition, reading)) } else { None }
        });
        reading
            .map(|(topic_partition, reading)| {
                let numbers = numbers.get(topic_partition);
                let stable_end = numbers.and_then(|of| known(of.ls_offset));
                let end = numbers.and_then(|of| known(of.hi_offset));
                // The client has skipped markers at the end, which produce no records.
                let passed = numbers.map_or(0, |of| if reading.paused { 0 } else { of.next_offset });
                let passed_all = drained && stable_end.is_some_and(|end| passed >= end);
                let reached = reading.next.max(reading.proven_empty);
                let behind = stable_end.map(|end| if passed_all { 0 } else { (end - reached).max(0) });
                Lag {
                    partition: reading.partition.clone(),
                    next: reading.next,
                    log_start: numbers.and_then(|of| known(of.lo_offset)),
                    committed: numbers.and_then(|of| known(of.committed_offset)),
                    blocked_by_transaction: behind == Some(0) && end > stable_end,
                    behind,
                    stable_end,
                    end,
                    paused: reading.paused,
                }
            })
            .collect()
    }

    fn turns_wait(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Whether everything that was readable at the time of the call has been handed out. This is
    /// exact, because it checks what is left. It queries the cluster, so use it at the end of a
    /// run, not for every poll.
    pub fn caught_up(&mut self) -> Result<bool, KafkaError> {
        if self.turns_wait()
            || self.assignments.values().any(|assignment| matches!(assignment, Assignment::Waiting | Assignment::Revoked))
        {
            return Ok(false);
        }
        let Self { assignments, cluster, .. } = self;
        for (topic_partition, assignment) in assignments {
            let Assignment::Reading(reading) = assignment else { continue };
            let end = cluster.bounds(&topic_partition.0, topic_partition.1)?.stable_end;
            let reached = reading.next.max(reading.proven_empty);
            if reached >= end {
                continue;
            }
            if !cluster.is_empty(&topic_partition.0, topic_partition.1, reached, end)? {
                return Ok(false);
            }
            reading.proven_empty = end;
        }
        Ok(true)
    }
}
