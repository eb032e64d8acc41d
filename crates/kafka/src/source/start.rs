//! Where reading begins, and what it means that it cannot begin there.

use std::sync::Arc;

use kassa_model::Partition;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::{Cause, Gap, Held, KafkaSource, Reading, Reset, Start, Turn};
use crate::KafkaError;
use crate::client::{Place, unassign};
use crate::cluster::Standing;

impl KafkaSource {
    /// Begins to read assigned partitions (all of a turn's at once), or goes on with one that was reset. On an error of kind `Unavailable`
    /// nothing has begun; to be tried again.
    pub fn begin(&mut self, starts: &[Start]) -> Result<(), KafkaError> {
        let mut begun = Vec::with_capacity(starts.len());
        for start in starts {
            let place = self.place(&start.partition)?;
            match self.held.get(&place) {
                Some(Held::Waiting) => {}
                // It was lost and came back before this was heard.
                Some(Held::Reading(_)) => self.unassign(&place),
                // It was revoked since: that is the next to be heard.
                Some(Held::Revoked) | None => continue,
            }
            let bounds = self.cluster.bounds(&place.0, place.1)?;
            let recreated = self.recreated(start)?;
            begun.push((start, place, bounds, recreated));
        }
        let mut list = TopicPartitionList::new();
        for (start, place, bounds, recreated) in begun {
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
            self.checked(list.add_partition_offset(&place.0, place.1, Offset::Offset(next)))?;
            self.held.insert(place, Held::Reading(Box::new(Reading::new(start.partition.clone(), next))));
        }
        self.call("taking over partitions", |consumer| consumer.incremental_assign(&list))
    }

    /// Whether the topic is another than when the position was taken. Unknown ids say nothing.
    fn recreated(&self, start: &Start) -> Result<Option<Cause>, KafkaError> {
        let Some(before) = &start.topic_id else { return Ok(None) };
        let now = self.cluster.topic(&start.partition.topic)?.id;
        Ok(now.filter(|now| now != before).map(|now| Cause::Recreated { before: before.clone(), now }))
    }

    /// The topic was deleted and made anew while it was read.
    pub(super) fn halt_recreated(&mut self, topic: &str, before: &str, now: &str) {
        let places = self.held.keys().filter(|place| &*place.0 == topic).cloned().collect::<Vec<_>>();
        for place in places {
            self.halt(&place, Cause::Recreated { before: before.into(), now: now.into() });
        }
    }

    /// Stops reading a partition, which waits for `begin` again, and says why.
    fn halt(&mut self, place: &Place, cause: Cause) {
        let Some(Held::Reading(reading)) = self.held.get(place) else { return };
        let (partition, held) = (reading.partition.clone(), reading.next);
        let bounds = self.cluster.bounds(&place.0, place.1).ok();
        self.held.insert(place.clone(), Held::Waiting);
        self.unassign(place);
        self.turns.push_back(Turn::Reset(Reset { partition, held, bounds, cause }));
    }

    fn unassign(&mut self, place: &Place) {
        if let Err(error) = self.call("stopping a partition", |consumer| unassign(consumer, std::slice::from_ref(place))) {
            self.errors.push_back(error);
        }
    }

    /// Goes on at another offset.
    fn reassign(&mut self, place: &Place, next: i64) {
        self.unassign(place);
        let mut list = TopicPartitionList::new();
        let assigned = self
            .checked(list.add_partition_offset(&place.0, place.1, Offset::Offset(next)).map(drop))
            .and_then(|()| self.call("going on with a partition", |consumer| consumer.incremental_assign(&list)));
        if let Err(error) = assigned {
            self.errors.push_back(error);
        }
        if let Some(Held::Reading(reading)) = self.held.get_mut(place) {
            reading.next = next;
            reading.paused = false;
        }
    }

    /// A record that was polled and not taken.
    pub(super) fn read_again(&mut self, place: &Place, offset: i64) {
        if let Some(Held::Reading(reading)) = self.held.get(place)
            && offset >= reading.next
        {
            let next = reading.next;
            self.reassign(place, next);
        }
    }

    /// Some partition's position is out of range: the ends of all tell which, but for a log that was cut and has grown again.
    pub(super) fn find_out_of_range(&mut self, reason: &str) {
        let mut found = false;
        for place in self.held.keys().cloned().collect::<Vec<_>>() {
            let Some(Held::Reading(reading)) = self.held.get(&place) else { continue };
            let (next, partition) = (reading.next, reading.partition.clone());
            match self.cluster.bounds(&place.0, place.1).map(|bounds| bounds.standing(Some(next))) {
                Ok(Standing::At(_)) => {}
                Ok(Standing::Behind { to }) => {
                    found = true;
                    self.turns.push_back(gap(&partition, next, to));
                    self.reassign(&place, to);
                }
                Ok(Standing::Beyond) => {
                    found = true;
                    self.halt(&place, Cause::Truncated);
                }
                Err(error) => self.errors.push_back(error),
            }
        }
        if !found {
            self.suspected = Some((self.consumer.context().statistics().0, reason.into()));
        }
    }

    /// Asks the statistics that came since which partition librdkafka has stopped.
    pub(super) fn find_suspected(&mut self) {
        let (seen, numbers) = self.consumer.context().statistics();
        let Some((since, reason)) = self.suspected.take() else { return };
        if seen < since + 2 {
            self.suspected = Some((since, reason));
            return;
        }
        let stopped = |place: &&Place| numbers.get(*place).is_some_and(|numbers| !numbers.fetching);
        let stopped = self.held.keys().filter(stopped).cloned().collect::<Vec<_>>();
        tracing::warn!(reason, partitions = stopped.len(), "the log was cut behind a position");
        for place in stopped {
            self.halt(&place, Cause::Truncated);
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
