//! Reads topics as a member of a consumer group, batch by batch, on the caller's thread.
//!
//! The group decides who reads which partition, but never **where** reading begins. When partitions
//! are assigned, the caller gets the positions from its sinks and calls [`KafkaSource::begin`].
//! When they are revoked, it commits its records and calls [`KafkaSource::release`]. Between the
//! two, nobody else reads the partition, so the next owner's sinks already have everything from
//! this owner. The group's own offsets are written as a hint for lag and never read.
//!
//! A position that the broker cannot serve is always reported: [`Turn::Gap`] if retention deleted
//! records that nobody had read, [`Turn::Reset`] if the partition is not the one of the position.

mod connect;
mod headers;
mod lag;
mod options;
mod run;
mod start;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kassa_model::Partition;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Context, Notice, TopicPartition, unassign};
use crate::{Cluster, KafkaError};
pub(crate) use run::Run;

pub use lag::Lag;
pub use options::{Profile, SourceOptions, Subscription};
pub use turn::{Cause, Gap, Reset, Start, Turn, incarnation, kafka_partition, next_incarnation};

/// The state of an assigned partition.
#[derive(Debug)]
enum Assignment {
    /// Waits for `begin`.
    Waiting,
    Reading(Box<Reading>),
    /// Waits for `release`.
    Revoked,
}

#[derive(Debug)]
struct Reading {
    partition: Partition,
    /// The next offset to hand out.
    next: i64,
    /// Nothing is left to read before this offset, even if `next` is lower: the offsets between are
    /// transaction markers and the like.
    proven_empty: i64,
    paused: bool,
    run: Run,
}

pub struct KafkaSource {
    consumer: BaseConsumer<Context>,
    cluster: Cluster,
    options: SourceOptions,
    assignments: HashMap<TopicPartition, Assignment>,
    /// Partitions with records in their runs, in the order of their first record.
    filled: Vec<TopicPartition>,
    /// Finished turns that were not taken yet: the runs of one poll, and later events of
    /// partitions.
    turns: VecDeque<Turn>,
    errors: VecDeque<KafkaError>,
    /// The log of an unknown partition was truncated. The number of statistics at that time, and
    /// the reason; the next statistics show which partition it is.
    suspected: Option<(u64, String)>,
    /// The number of statistics when there was last nothing left to read.
    idle_at: u64,
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaSource")
            .field("options", &self.options)
            .field("assignments", &self.assignments.len())
            .finish_non_exhaustive()
    }
}

impl KafkaSource {
    /// The next records or event, waiting at most `timeout`. Call it often, even if everything is
    /// paused, so that the group coordinator does not remove this member. An error of kind
    /// `Unavailable` is for display: the client reconnects by itself.
    pub fn poll(&mut self, timeout: Duration) -> Result<Turn, KafkaError> {
        if self.turns.is_empty() && self.errors.is_empty() {
            self.gather(timeout);
            self.finish_runs();
        }
        match self.turns.pop_front() {
            Some(turn) => Ok(turn),
            None => self.errors.pop_front().map_or(Ok(Turn::Idle), Err),
        }
    }

    /// Fills the runs until there is nothing to read, or a poll's limit is reached.
    fn gather(&mut self, timeout: Duration) {
        self.cluster.drain();
        if self.suspected.is_some() {
            self.find_suspected();
        }
        let (mut wait, mut records, mut bytes) = (timeout, 0, 0);
        while records < self.options.records_max && bytes < self.options.bytes_max {
            let Self { consumer, assignments, filled, .. } = self;
            let polled = consumer.poll(wait);
            if consumer.context().dirty() {
                // These notices preceded this record. The record is read again if it is still
                // wanted.
                let lost = polled
                    .and_then(Result::ok)
                    .map(|message| ((Arc::<str>::from(message.topic()), message.partition()), message.offset()));
                self.hear();
                if let Some((topic_partition, offset)) = lost {
                    self.read_again(&topic_partition, offset);
                }
                return;
            }
            let Some(Ok(message)) = polled else {
                self.idle_at = self.consumer.context().statistics_seen();
                return;
            };
            wait = Duration::ZERO;
            let Some(taken) = take(assignments, filled, &message) else { continue };
            records += 1;
            bytes += taken;
        }
    }

    /// Converts the runs to turns.
    fn finish_runs(&mut self) {
        for topic_partition in self.filled.drain(..) {
            let Some(Assignment::Reading(reading)) = self.assignments.get_mut(&topic_partition) else { continue };
            let from = reading.next;
            if let Some(records) = reading.run.finish(&reading.partition) {
                reading.next = records.next;
                self.turns.push_back(Turn::Records { records, from });
            }
        }
    }

    /// Handles librdkafka's notices, after the records that preceded them.
    fn hear(&mut self) {
        self.finish_runs();
        for notice in self.consumer.context().take() {
            match notice {
                Notice::Assigned(topic_partitions) => {
                    let assigned = topic_partitions
                        .iter()
                        .map(|topic_partition| Partition::new(Arc::clone(&topic_partition.0), topic_partition.1.into()))
                        .collect();
                    self.assignments
                        .extend(topic_partitions.into_iter().map(|topic_partition| (topic_partition, Assignment::Waiting)));
                    self.turns.push_back(Turn::Assigned(assigned));
                }
                Notice::Revoked(topic_partitions) => {
                    let revoked = topic_partitions
                        .into_iter()
                        .map(|topic_partition| self.give_up(topic_partition, Some(Assignment::Revoked)))
                        .collect();
                    self.turns.push_back(Turn::Revoked(revoked));
                }
                Notice::Lost(topic_partitions) => {
                    let lost = topic_partitions.into_iter().map(|topic_partition| self.give_up(topic_partition, None)).collect();
                    self.turns.push_back(Turn::Lost(lost));
                }
                Notice::Recreated { topic, before, now } => self.halt_recreated(&topic, &before, &now),
                Notice::OutOfRange(reason) => self.find_out_of_range(&reason),
                Notice::Failed(error) => self.errors.push_back(error),
            }
        }
    }

    /// Stops reading a partition. Returns the caller's name of it.
    fn give_up(&mut self, topic_partition: TopicPartition, becomes: Option<Assignment>) -> Partition {
        let plain = Partition::new(Arc::clone(&topic_partition.0), topic_partition.1.into());
        let assignment = match becomes {
            Some(assignment) => self.assignments.insert(topic_partition, assignment),
            None => self.assignments.remove(&topic_partition),
        };
        if let Some(Assignment::Reading(reading)) = assignment { reading.partition } else { plain }
    }

    /// Returns revoked partitions to the group. Call it when their records are committed.
    pub fn release(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let topic_partitions =
            partitions.iter().map(|partition| self.topic_partition(partition)).collect::<Result<Vec<_>, _>>()?;
        self.assignments.retain(|topic_partition, assignment| {
            !(matches!(assignment, Assignment::Revoked) && topic_partitions.contains(topic_partition))
        });
        self.call("giving back partitions", |consumer| unassign(consumer, &topic_partitions))
    }

    /// Stops fetching, for backpressure, until `resume`. Keep polling meanwhile.
    pub fn pause(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let list = self.set_paused(partitions, true)?;
        self.call("pausing", |consumer| consumer.pause(&list))
    }

    pub fn resume(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let list = self.set_paused(partitions, false)?;
        self.call("resuming", |consumer| consumer.resume(&list))
    }

    fn set_paused(&mut self, partitions: &[Partition], paused: bool) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let topic_partition = self.topic_partition(partition)?;
            if let Some(Assignment::Reading(reading)) = self.assignments.get_mut(&topic_partition)
                && reading.paused != paused
            {
                reading.paused = paused;
                list.add_partition(&topic_partition.0, topic_partition.1);
            }
        }
        Ok(list)
    }

    /// Writes the sinks' positions to the group, for external tools that show lag. They are never
    /// read back.
    pub fn hint_committed(&self, positions: &[(Partition, i64)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in positions {
            let topic_partition = self.topic_partition(partition)?;
            if matches!(self.assignments.get(&topic_partition), Some(Assignment::Reading(reading)) if reading.partition == *partition)
            {
                self.checked(list.add_partition_offset(&topic_partition.0, topic_partition.1, Offset::Offset(*next)))?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.call("writing the group's offsets", |consumer| consumer.commit(&list, CommitMode::Async))
    }

    /// The partitions that are being read.
    pub fn reading(&self) -> impl Iterator<Item = &Partition> {
        self.assignments
            .values()
            .filter_map(|assignment| if let Assignment::Reading(reading) = assignment { Some(&reading.partition) } else { None })
    }

    /// The id of a topic, once known. It is stored with the sinks' positions and shows at the next
    /// start whether the topic is still the same.
    pub fn topic_id(&self, topic: &str) -> Option<String> {
        self.consumer.context().topic_id(topic)
    }

    /// For queries of the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn topic_partition(&self, partition: &Partition) -> Result<TopicPartition, KafkaError> {
        kafka_partition(partition)
            .map(|number| (Arc::clone(&partition.topic), number))
            .ok_or_else(|| KafkaError::Invalid { what: format!("{partition:?}"), why: "it is not a Kafka partition".into() })
    }

    fn call(
        &self,
        what: &str,
        call: impl Fn(&BaseConsumer<Context>) -> rdkafka::error::KafkaResult<()>,
    ) -> Result<(), KafkaError> {
        call(&self.consumer).map_err(|error| self.consumer.context().failed(what, &error))
    }

    fn checked<T>(&self, result: rdkafka::error::KafkaResult<T>) -> Result<T, KafkaError> {
        result.map_err(|error| self.consumer.context().failed("a list of partitions", &error))
    }
}

/// Adds a record to its partition's run. Returns its size in bytes, or `None` if it is not wanted.
fn take(
    assignments: &mut HashMap<TopicPartition, Assignment>,
    filled: &mut Vec<TopicPartition>,
    message: &BorrowedMessage<'_>,
) -> Option<usize> {
    // Consecutive records mostly belong to one partition, so check the previous one first.
    let last = filled
        .last()
        .filter(|topic_partition| topic_partition.1 == message.partition() && &*topic_partition.0 == message.topic());
    let searched;
    let topic_partition = match last {
        Some(topic_partition) => topic_partition,
        None => {
            searched = (Arc::from(message.topic()), message.partition());
            &searched
        }
    };
    let Some(Assignment::Reading(reading)) = assignments.get_mut(topic_partition) else { return None };
    if message.offset() < reading.next || !reading.run.follows(message.offset()) {
        return None;
    }
    if reading.run.is_empty() {
        let topic_partition = topic_partition.clone();
        filled.push(topic_partition);
    }
    Some(reading.run.push(message))
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.consumer.context().close();
        let revoked = self
            .assignments
            .iter()
            .filter(|(_, assignment)| matches!(assignment, Assignment::Revoked))
            .map(|(topic_partition, _)| topic_partition.clone())
            .collect::<Vec<_>>();
        if !revoked.is_empty() {
            unassign(&self.consumer, &revoked).ok();
        }
    }
}
