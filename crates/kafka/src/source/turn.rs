use kassa_model::{Partition, Records};

use crate::Bounds;

/// The result of a poll.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all values are the large variant, and each contains thousands of records")]
pub enum Turn {
    /// Records of one partition, in order. `from` is the position before them: offsets from there
    /// to `records.next` that are missing do not exist (transaction markers, aborted records,
    /// compacted records).
    Records { records: Records, from: i64 },
    /// Answer with [`crate::KafkaSource::begin`] and the sinks' positions.
    Assigned(Vec<Partition>),
    /// Answer with [`crate::KafkaSource::release`] after the sinks have committed all records. No
    /// more records follow.
    Revoked(Vec<Partition>),
    /// Another member already has them and will read what is not committed.
    Lost(Vec<Partition>),
    /// Records were lost before they could be read. Reading continues after them.
    Gap(Gap),
    /// The partition is not the one that was read before. Reading has stopped.
    /// [`crate::KafkaSource::begin`] continues it with its [`next_incarnation`].
    Reset(Reset),
    /// Nothing to read now.
    Idle,
}

/// Where reading begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub partition: Partition,
    /// The sinks' position. `None`: the topic was never read; reading begins at its first existing
    /// record. A partition that was added to a known topic begins at 0, so that records that
    /// expired meanwhile are reported.
    pub next: Option<i64>,
    /// The topic's id when the position was stored ([`crate::KafkaSource::topic_id`]), if it was
    /// stored.
    pub topic_id: Option<String>,
}

impl Start {
    pub fn at(partition: Partition, next: Option<i64>) -> Self {
        Self { partition, next, topic_id: None }
    }
}

/// Why reading cannot continue at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Retention, or an operator, deleted records at the start of the log.
    Retention,
    /// The log ends before the position: the broker has lost records that were read, or the topic
    /// was recreated.
    Truncated,
    /// The topic was deleted and recreated.
    Recreated { before: String, now: String },
}

/// Offsets that nobody has read and nobody can read any more, half open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub partition: Partition,
    pub from: i64,
    pub to: i64,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    pub partition: Partition,
    /// The position at which reading cannot continue. Records beyond it in the old log are lost;
    /// their number is unknown.
    pub held: i64,
    /// The current start and end of the log, if the query succeeded.
    pub bounds: Option<Bounds>,
    pub cause: Cause,
}

/// Kafka's partition numbers have 32 bits, ours 64. The upper bits count how often a partition has
/// started over, so that (topic, partition, offset) identifies one record forever.
const INCARNATION_BITS: u32 = 32;

/// How often the partition has started over.
pub fn incarnation(partition: &Partition) -> i64 {
    partition.number >> INCARNATION_BITS
}

/// Kafka's number of the partition; `None` if it is not a Kafka partition.
pub fn kafka_partition(partition: &Partition) -> Option<i32> {
    i32::try_from(partition.number & 0xffff_ffff).ok().filter(|_| partition.number >= 0)
}

/// The same Kafka partition as a new partition of ours.
pub fn next_incarnation(partition: &Partition) -> Partition {
    Partition::new(partition.topic.clone(), partition.number + (1 << INCARNATION_BITS))
}
