use kassa_model::Partition;
use rdkafka::consumer::Consumer;

use super::{Held, KafkaSource};
use crate::KafkaError;

/// How far a partition is read. What is unknown is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub partition: Partition,
    /// The next offset to be given out.
    pub next: i64,
    pub log_start: Option<i64>,
    /// What was last noted in the group for this partition ([`KafkaSource::hint_committed`]).
    pub committed: Option<i64>,
    /// Up to here transactions are settled: what can be read.
    pub stable_end: Option<i64>,
    pub end: Option<i64>,
    /// Offsets that could be read and were not yet; those of markers and aborted records count until the client has passed over them.
    pub behind: Option<i64>,
    /// All that can be read was read, and what comes next waits for a transaction that is still open.
    pub blocked_by_transaction: bool,
    pub paused: bool,
}

impl KafkaSource {
    /// Of the partitions being read, as of the last statistics (one second old at most).
    pub fn lag(&self) -> Vec<Lag> {
        let (seen, numbers) = self.consumer.context().statistics();
        // Nothing was left in the client's queue since these statistics came.
        let drained = self.idle_at == seen && !self.turns_wait();
        let known = |offset: i64| (offset >= 0).then_some(offset);
        let reading = self
            .held
            .iter()
            .filter_map(|(place, held)| if let Held::Reading(reading) = held { Some((place, reading)) } else { None });
        reading
            .map(|(place, reading)| {
                let numbers = numbers.get(place);
                let stable_end = numbers.and_then(|of| known(of.ls_offset));
                let end = numbers.and_then(|of| known(of.hi_offset));
                // The client has passed over markers at the end that no record came of.
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

    /// Whether all that could be read when this was asked has been given out: exact, as it looks at what is left. It asks the cluster, so it
    /// is for the end of a run, not for every poll.
    pub fn caught_up(&mut self) -> Result<bool, KafkaError> {
        if self.turns_wait() || self.held.values().any(|held| matches!(held, Held::Waiting | Held::Revoked)) {
            return Ok(false);
        }
        let Self { held, cluster, .. } = self;
        for (place, held) in held {
            let Held::Reading(reading) = held else { continue };
            let end = cluster.bounds(&place.0, place.1)?.stable_end;
            let reached = reading.next.max(reading.proven_empty);
            if reached >= end {
                continue;
            }
            if !cluster.is_empty(&place.0, place.1, reached, end)? {
                return Ok(false);
            }
            reading.proven_empty = end;
        }
        Ok(true)
    }
}
