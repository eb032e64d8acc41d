//! Where reading begins, and the reasons why it cannot begin there.

use std::sync::Arc;

use kassa_model::Partition;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::{Assignment, Cause, Gap, KafkaSource, Reading, Reset, Start, Turn};
use crate::KafkaError;
use crate::client::{TopicPartition, unassign};
use crate::cluster::Standing;

impl KafkaSource {
    /// Begins to read assigned partitions (all of one turn together), or continues one that was
    /// reset. After an error of kind `Unavailable`, nothing has begun: retry.
    pub fn begin(&mut self, starts: &[Start]) -> Result<(), KafkaError> {
        let mut begun = Vec::with_capacity(starts.len());
        for start in starts {
            let topic_partition = self.topic_partition(&start.partition)?;
            match self.assignments.get(&topic_partition) {
                Some(Assignment::Waiting) => {}
                // The partition was lost and came back before the notice was handled.
                Some(Assignment::Reading(_)) => self.unassign(&topic_partition),
                // It was revoked since: that turn comes next.
                Some(Assignment::Revoked) | None => continue,
            }
            let bounds = self.cluster.bounds(&topic_partition.0, topic_partition.1)?;
            let recreated = self.recreated(start)?;
            begun.push((start, topic_partition, bounds, recreated));
        }
        let mut list = TopicPartitionList::new();
        for (start, topic_partition, bounds, recreated) in begun {
            let next = match (recreated, bounds.standing(start.next)) {
                (None, Standing::At(next)) => next,
                (None, Standing::Behind { to }) => {
                    self.turns.push_back(gap(&start.partition, start.next.unwrap_or(0), to));
                    to
                }
                (recreated, standing) => {
                    let cause = recreated.unwrap_or(Cause::Truncated);
                    let held = start.next.unwrap_or(if let Standing::At(next) = standing { next } else { 0 });
                    self.turns.push_back(Turn::Reset(Reset {
                        partition: start.partition.clone(),
                        held,
                        bounds: Some(bounds),
                        cause,
                    }));
                    continue;
                }
            };
            self.checked(list.add_partition_offset(&topic_partition.0, topic_partition.1, Offset::Offset(next)))?;
            self.assignments.insert(topic_partition, Assignment::Reading(Box::new(Reading::new(start.partition.clone(), next))));
        }
        self.call("taking over partitions", |consumer| consumer.incremental_assign(&list))
    }

    /// Whether the topic was recreated after the position was stored. Unknown ids are ignored.
    fn recreated(&self, start: &Start) -> Result<Option<Cause>, KafkaError> {
        let Some(before) = &start.topic_id else { return Ok(None) };
        let now = self.cluster.topic(&start.partition.topic)?.id;
        Ok(now.filter(|now| now != before).map(|now| Cause::Recreated { before: before.clone(), now }))
    }

    /// The topic was recreated while it was read.
    pub(super) fn halt_recreated(&mut self, topic: &str, before: &str, now: &str) {
        let topic_partitions =
            self.assignments.keys().filter(|topic_partition| &*topic_partition.0 == topic).cloned().collect::<Vec<_>>();
        for topic_partition in topic_partitions {
            self.halt(&topic_partition, Cause::Recreated { before: before.into(), now: now.into() });
        }
    }

    /// Stops reading a partition until the next `begin`, and reports why.
    fn halt(&mut self, topic_partition: &TopicPartition, cause: Cause) {
        let Some(Assignment::Reading(reading)) = self.assignments.get(topic_partition) else { return };
        let (partition, held) = (reading.partition.clone(), reading.next);
        let bounds = self.cluster.bounds(&topic_partition.0, topic_partition.1).ok();
        self.assignments.insert(topic_partition.clone(), Assignment::Waiting);
        self.unassign(topic_partition);
        self.turns.push_back(Turn::Reset(Reset { partition, held, bounds, cause }));
    }

    fn unassign(&mut self, topic_partition: &TopicPartition) {
        if let Err(error) =
            self.call("stopping a partition", |consumer| unassign(consumer, std::slice::from_ref(topic_partition)))
        {
            self.errors.push_back(error);
        }
    }

    /// Continues at another offset.
    fn reassign(&mut self, topic_partition: &TopicPartition, next: i64) {
        self.unassign(topic_partition);
        let mut list = TopicPartitionList::new();
        let assigned = self
            .checked(list.add_partition_offset(&topic_partition.0, topic_partition.1, Offset::Offset(next)).map(drop))
            .and_then(|()| self.call("going on with a partition", |consumer| consumer.incremental_assign(&list)));
        if let Err(error) = assigned {
            self.errors.push_back(error);
        }
        if let Some(Assignment::Reading(reading)) = self.assignments.get_mut(topic_partition) {
            reading.next = next;
            reading.paused = false;
        }
    }

    /// Requests a record again that was polled but not taken.
    pub(super) fn read_again(&mut self, topic_partition: &TopicPartition, offset: i64) {
        if let Some(Assignment::Reading(reading)) = self.assignments.get(topic_partition)
            && offset >= reading.next
        {
            let next = reading.next;
            self.reassign(topic_partition, next);
        }
    }

    /// A partition's position is out of range. The ends of all partitions show which one, except if
    /// a log was truncated and has grown again.
    pub(super) fn find_out_of_range(&mut self, reason: &str) {
        let mut found = false;
        for topic_partition in self.assignments.keys().cloned().collect::<Vec<_>>() {
            let Some(Assignment::Reading(reading)) = self.assignments.get(&topic_partition) else { continue };
            let (next, partition) = (reading.next, reading.partition.clone());
            match self.cluster.bounds(&topic_partition.0, topic_partition.1).map(|bounds| bounds.standing(Some(next))) {
                Ok(Standing::At(_)) => {}
                Ok(Standing::Behind { to }) => {
                    found = true;
                    self.turns.push_back(gap(&partition, next, to));
                    self.reassign(&topic_partition, to);
                }
                Ok(Standing::Beyond) => {
                    found = true;
                    self.halt(&topic_partition, Cause::Truncated);
                }
                Err(error) => self.errors.push_back(error),
            }
        }
        if !found {
            self.suspected = Some((self.consumer.context().statistics().0, reason.into()));
        }
    }

    /// Uses newer statistics to find the partition that librdkafka has stopped.
    pub(super) fn find_suspected(&mut self) {
        let (seen, numbers) = self.consumer.context().statistics();
        let Some((since, reason)) = self.suspected.take() else { return };
        if seen < since + 2 {
            self.suspected = Some((since, reason));
            return;
        }
        let stopped = |topic_partition: &&TopicPartition| numbers.get(*topic_partition).is_some_and(|numbers| !numbers.fetching);
        let stopped = self.assignments.keys().filter(stopped).cloned().collect::<Vec<_>>();
        tracing::warn!(reason, partitions = stopped.len(), "the log was truncated before a position");
        for topic_partition in stopped {
            self.halt(&topic_partition, Cause::Truncated);
        }
    }
}

impl Reading {
    fn new(partition: Partition, next: i64) -> Self {
        Self { partition, next, proven_empty: next, paused: false, run: super::Run::default() }
    }
}

fn gap(partition: &Partition, from: i64, to: i64) -> Turn {
    let partition = Partition::new(Arc::clone(&partition.topic), partition.number);
    Turn::Gap(Gap { partition, from, to, cause: Cause::Retention })
}
