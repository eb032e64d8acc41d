//! Reads a whole topic outside the group, for data that every worker needs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kassa_model::time::Clock;
use kassa_model::{Partition, Records};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Context, beside_the_group};
use crate::source::Run;
use crate::{Cluster, Connection, KafkaError};

/// The time limit for one try of a query.
const TRY: Duration = Duration::from_millis(500);
/// After this time without a record, check whether there are more records at all.
const QUIET: Duration = Duration::from_millis(100);
/// How often to look for new partitions.
const LOOK: Duration = Duration::from_secs(30);
/// The prefetch limit.
const QUEUED_KILOBYTES: &str = "1024";

/// All partitions of one topic. It is not in any group.
pub struct Tail {
    consumer: BaseConsumer<Context>,
    cluster: Cluster,
    topic: Arc<str>,
    clock: Arc<dyn Clock>,
    parts: BTreeMap<i32, Part>,
    looked_at: Instant,
    patience: Duration,
}

#[derive(Debug, Default)]
struct Part {
    next: i64,
    run: Run,
    /// Nothing is left to read before the partition's end at the last query.
    at_end: bool,
}

impl fmt::Debug for Tail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tail").field("topic", &self.topic).field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Tail {
    /// It never joins `group`, but the reader needs a group name that it has a right to. It reads
    /// nothing yet.
    pub fn open(
        connection: &Connection,
        group: &str,
        topic: &str,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> Result<Self, KafkaError> {
        // If a position no longer exists, everything is read again; repeats are harmless.
        let consumer = beside_the_group(connection, group, QUEUED_KILOBYTES)?;
        let cluster = Cluster::new(connection, group, patience)?;
        let parts = BTreeMap::new();
        let mut tail = Self { consumer, cluster, topic: topic.into(), clock, parts, looked_at: Instant::now(), patience };
        tail.look()?;
        Ok(tail)
    }

    /// Starts reading new partitions.
    fn look(&mut self) -> Result<(), KafkaError> {
        self.looked_at = Instant::now();
        let known = self.parts.len();
        for number in self.cluster.topic(&self.topic)?.partitions {
            self.parts.entry(number).or_default();
        }
        if self.parts.len() == known {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for (number, part) in &self.parts {
            let offset = if part.next == 0 { Offset::Beginning } else { Offset::Offset(part.next) };
            list.add_partition_offset(&self.topic, *number, offset).map_err(|error| self.failed(&error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.failed(&error))
    }

    /// All new records up to the topic's current end. Every record that was in the topic at the
    /// call is included, or was returned before.
    pub fn read(&mut self) -> Result<Vec<Records>, KafkaError> {
        if self.looked_at.elapsed() >= LOOK {
            self.look()?;
        }
        // Records that are fetched already, and events of ends that were reached before.
        while self.take(&BTreeMap::new(), Duration::ZERO)? {}
        let deadline = Instant::now() + self.patience;
        let ends = self.parts.keys().map(|number| Ok((*number, self.end(*number, deadline)?)));
        let ends = ends.collect::<Result<BTreeMap<i32, i64>, KafkaError>>()?;
        for (number, part) in &mut self.parts {
            let end = ends.get(number).copied().unwrap_or(0);
            // The topic was recreated and is shorter than what was read of the old one.
            part.next = if part.next > end { 0 } else { part.next };
            part.at_end = part.next >= end;
        }
        while self.parts.values().any(|part| !part.at_end) {
            self.take(&ends, QUIET)?;
            if Instant::now() >= deadline {
                return Err(self.late());
            }
        }
        let now = self.clock.now();
        let runs = self
            .parts
            .iter_mut()
            .filter_map(|(number, part)| part.run.finish(&Partition::new(Arc::clone(&self.topic), i64::from(*number)), now));
        Ok(runs.collect())
    }

    /// Takes a record or an end-of-partition event; returns whether there was one.
    fn take(&mut self, ends: &BTreeMap<i32, i64>, wait: Duration) -> Result<bool, KafkaError> {
        match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                let number = message.partition();
                if let Some(part) = self.parts.get_mut(&number) {
                    if part.run.follows(message.offset()) {
                        part.run.push(&message);
                        part.next = message.offset() + 1;
                    }
                    part.at_end = ends.get(&number).is_some_and(|end| part.next >= *end);
                }
                Ok(true)
            }
            // This may be an earlier end, so the rest is checked.
            Some(Err(ClientError::PartitionEOF(number))) => {
                self.pass_over(ends, Some(number))?;
                Ok(true)
            }
            Some(Err(_)) | None => {
                let error = self.consumer.context().take_error();
                error.filter(|error| error.kind() != crate::ErrorKind::Unavailable).map_or(Ok(()), Err)?;
                self.pass_over(ends, None)?;
                Ok(false)
            }
        }
    }

    /// Skips transaction markers and aborted records if nothing else is left before the end,
    /// because they produce no record.
    fn pass_over(&mut self, ends: &BTreeMap<i32, i64>, only: Option<i32>) -> Result<(), KafkaError> {
        for (number, part) in &mut self.parts {
            let Some(end) = ends.get(number).filter(|_| !part.at_end && only.is_none_or(|only| only == *number)) else {
                continue;
            };
            if self.cluster.is_empty(&self.topic, *number, part.next, *end)? {
                part.next = *end;
                part.at_end = true;
            }
        }
        Ok(())
    }

    fn end(&self, number: i32, deadline: Instant) -> Result<i64, KafkaError> {
        loop {
            let error = match self.consumer.fetch_watermarks(&self.topic, number, TRY) {
                Ok((_, end)) => return Ok(end),
                Err(error) => self.failed(&error),
            };
            if error.kind() != crate::ErrorKind::Unavailable || Instant::now() >= deadline {
                return Err(error);
            }
        }
    }

    fn failed(&self, error: &ClientError) -> KafkaError {
        self.consumer.context().failed(&format!("reading {}", self.topic), error)
    }

    fn late(&self) -> KafkaError {
        let why = format!("{} could not be read to its end in time", self.topic);
        KafkaError::Unavailable { at: self.consumer.context().connection().at(), why }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}
