//! Queries of a cluster with a separate client that reads nothing for the group: the topics, the
//! start and end of a partition, and whether anything is left to read.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::Message;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Context;
use crate::{Connection, KafkaError};

/// The time limit for one try of a query, before the pending errors are checked.
pub(crate) const TRY: Duration = Duration::from_millis(500);

/// How long to poll librdkafka's callbacks, and how many errors it may report at once.
pub(crate) const HEAR: Duration = Duration::from_millis(5);
const TOLD_MAX: usize = 64;
const DRAINED_MAX: usize = 16;
/// How often to poll after a query for a topic: in a large cluster, its id is among many log lines.
const HEAR_ID: usize = 4;

/// A topic and its partition numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: Arc<str>,
    pub partitions: Vec<i32>,
    /// The topic's id, if known. A recreated topic has another id.
    pub id: Option<String>,
}

/// The start of a partition, and the end of what can be read: the last stable offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub start: i64,
    pub stable_end: i64,
}

/// A position relative to a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    At(i64),
    /// Records before the log's start were not read.
    Behind {
        to: i64,
    },
    /// The log ends before the position.
    Beyond,
}

impl Bounds {
    /// Compares a position with the log. Without a position, reading begins at the log's start.
    pub fn standing(self, next: Option<i64>) -> Standing {
        match next {
            None => Standing::At(self.start),
            Some(next) if next > self.stable_end => Standing::Beyond,
            Some(next) if next < self.start => Standing::Behind { to: self.start },
            Some(next) => Standing::At(next),
        }
    }
}

pub struct Cluster {
    pub(crate) client: BaseConsumer<Context>,
    /// How long a query is retried.
    pub(crate) patience: Duration,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cluster").field("connection", self.client.context().connection()).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Does not connect until the first query. It never joins `group`, but reading
    /// ([`Cluster::is_empty`]) needs the name.
    pub fn new(connection: &Connection, group: &str, patience: Duration) -> Result<Self, KafkaError> {
        let context = Context::new(connection, group);
        let mut config = connection.client_config()?;
        if !group.is_empty() {
            config.set("group.id", group);
        }
        config.set("enable.auto.commit", "false").set("auto.offset.reset", "error");
        config
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
        config.set("queued.max.messages.kbytes", "1024").set("topic.metadata.refresh.interval.ms", "-1");
        let outside = Context::new(connection, group);
        let client =
            BaseConsumer::from_config_and_context(&config, context).map_err(|error| outside.failed("a Kafka client", &error))?;
        Ok(Self { client, patience })
    }

    /// Retries until there is an answer, a permanent error, or the patience ends.
    pub(crate) fn ask<T>(&self, what: &str, question: impl Fn(Duration) -> Result<T, ClientError>) -> Result<T, KafkaError> {
        let context = self.client.context();
        self.drain();
        // Earlier errors are unrelated to this query.
        drop(context.take());
        let started = Instant::now();
        loop {
            let answer = question(TRY.min(self.patience));
            self.hear();
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => context.take_error().unwrap_or_else(|| context.failed(what, &error)),
            };
            if error.kind() != crate::ErrorKind::Unavailable || started.elapsed() >= self.patience {
                return Err(error);
            }
        }
    }

    /// Takes events that were collected between queries, mostly log lines, which librdkafka stores
    /// without a limit.
    pub(crate) fn drain(&self) {
        for _ in 0..DRAINED_MAX {
            if self.client.poll(Duration::ZERO).is_some() {
                break;
            }
        }
    }

    /// Polls librdkafka's callbacks.
    fn hear(&self) {
        for _ in 0..TOLD_MAX {
            if self.client.poll(HEAR).is_none() {
                break;
            }
        }
    }

    /// The topics that this client may see, without Kafka's internal ones.
    pub fn topics(&self) -> Result<Vec<Topic>, KafkaError> {
        let metadata = self.ask("the list of topics", |limit| self.client.fetch_metadata(None, limit))?;
        let seen = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
        Ok(seen.map(|topic| self.described(topic.name(), topic.partitions().iter().map(|of| of.id()).collect())).collect())
    }

    pub fn topic(&self, name: &str) -> Result<Topic, KafkaError> {
        let metadata = self.ask(&format!("topic {name}"), |limit| self.client.fetch_metadata(Some(name), limit))?;
        for _ in 0..HEAR_ID {
            self.hear();
        }
        let context = self.client.context();
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        let error = topic.map_or(Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), |topic| topic.error());
        match (topic, error) {
            (Some(topic), None) if !topic.partitions().is_empty() => {
                Ok(self.described(name, topic.partitions().iter().map(|of| of.id()).collect()))
            }
            (_, Some(error)) => Err(context
                .explain(error.into(), name)
                .unwrap_or_else(|| context.failed(name, &ClientError::MetadataFetch(error.into())))),
            (_, None) => Err(KafkaError::UnknownTopic { at: context.connection().at(), topic: name.into() }),
        }
    }

    fn described(&self, name: &str, partitions: Vec<i32>) -> Topic {
        Topic { name: name.into(), partitions, id: self.client.context().topic_id(name) }
    }

    pub fn bounds(&self, topic: &str, partition: i32) -> Result<Bounds, KafkaError> {
        let what = format!("the ends of partition {partition} of {topic}");
        let (start, stable_end) = self.ask(&what, |limit| {
            self.client.fetch_watermarks(topic, partition, limit).inspect_err(|_| {
                // The partition may be newer than the client's cached metadata of the topic.
                self.client.fetch_metadata(Some(topic), limit).ok();
            })
        })?;
        Ok(Bounds { start, stable_end })
    }

    /// Whether there is nothing to read from `from` to `to`: all offsets there belong to
    /// transaction markers, aborted records and compacted records. Reads the partition from `from`
    /// to find out.
    pub fn is_empty(&self, topic: &str, partition: i32, from: i64, to: i64) -> Result<bool, KafkaError> {
        Ok(self.first(topic, partition, from)?.is_none_or(|(offset, _)| offset >= to))
    }

    /// The first record from an offset on, and its time (ms since 1970).
    pub(crate) fn first(&self, topic: &str, partition: i32, from: i64) -> Result<Option<(i64, Option<i64>)>, KafkaError> {
        let context = self.client.context();
        let failed = |error: &ClientError| context.failed("reading the end of a partition", error);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(from)).map_err(|error| failed(&error))?;
        self.client.assign(&list).map_err(|error| failed(&error))?;
        let found = self.next_record();
        self.client.unassign().map_err(|error| failed(&error))?;
        found
    }

    fn next_record(&self) -> Result<Option<(i64, Option<i64>)>, KafkaError> {
        let context = self.client.context();
        let started = Instant::now();
        while started.elapsed() < self.patience {
            match self.client.poll(TRY) {
                Some(Ok(message)) => return Ok(Some((message.offset(), message.timestamp().to_millis()))),
                Some(Err(ClientError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) => context.denied("reading the end of a partition", &error)?,
                None => {}
            }
            if let Some(error) = context.take_error().filter(|error| error.kind() != crate::ErrorKind::Unavailable) {
                return Err(error);
            }
        }
        Err(KafkaError::Unavailable {
            at: context.connection().at(),
            why: "the end of a partition could not be read in time".into(),
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.client.context().close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_stands_somewhere() {
        let stands = |next| Bounds { start: 10, stable_end: 20 }.standing(next);
        assert_eq!(stands(None), Standing::At(10));
        assert_eq!((stands(Some(10)), stands(Some(20))), (Standing::At(10), Standing::At(20)));
        assert_eq!((stands(Some(0)), stands(Some(9))), (Standing::Behind { to: 10 }, Standing::Behind { to: 10 }));
        assert_eq!(stands(Some(21)), Standing::Beyond);
    }
}
