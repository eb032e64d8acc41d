use kassa_model::{Partition, Records};

use crate::Bounds;

/// What a poll brought.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is nearly all of them, and each stands for thousands of records")]
pub enum Turn {
    /// Records of one partition, in order. `from` is the position that they follow: everything from there up to `records.next` that is
    /// not among them does not exist (transactions' markers, aborted records, records compacted away).
    Records { records: Records, from: i64 },
    /// To be answered by [`crate::KafkaSource::begin`], with the position that the sinks hold.
    Assigned(Vec<Partition>),
    /// To be answered by [`crate::KafkaSource::release`], after the sinks have committed what was read. Nothing more comes of them.
    Revoked(Vec<Partition>),
    /// Another member has them already; what is not committed will be read there.
    Lost(Vec<Partition>),
    /// Records were lost before they could be read. Reading goes on behind them.
    Gap(Gap),
    /// The partition is not the one that was read before. Reading has stopped: [`crate::KafkaSource::begin`] goes on with it, under its
    /// [`next_incarnation`].
    Reset(Reset),
    /// Nothing for now.
    Idle,
}

/// Where reading shall begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub partition: Partition,
    /// The position that the sinks hold. `None`: the topic was never read, and is read from the first record that it still has. A
    /// partition that was added to a topic that the sinks know begins at 0, lest records that expired meanwhile be passed over.
    pub next: Option<i64>,
    /// The id that the topic had when the position was taken ([`crate::KafkaSource::topic_id`]), where it was kept.
    pub topic_id: Option<String>,
}

impl Start {
    pub fn at(partition: Partition, next: Option<i64>) -> Self {
        Self { partition, next, topic_id: None }
    }
}

/// Why a position cannot be read on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Retention, or somebody, deleted records at the start of the log.
    Retention,
    /// The log ends before the position: the broker has lost records that were read, or the topic was made anew.
    Truncated,
    /// The topic was deleted and made anew.
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
    /// The position that cannot be gone on from: what was beyond it in the old log, if anything, is lost, and nobody knows how much.
    pub held: i64,
    /// Where the log begins and ends now, if that could be asked.
    pub bounds: Option<Bounds>,
    pub cause: Cause,
}

/// Kafka's partition numbers have 32 bits, ours 64: the upper ones count how often a partition has begun anew, so that each (topic,
/// partition, offset) names one record for ever.
const INCARNATION_BITS: u32 = 32;

/// How often the partition has begun anew.
pub fn incarnation(partition: &Partition) -> i64 {
    partition.number >> INCARNATION_BITS
}

/// The partition as Kafka numbers it; `None` if it is not one of Kafka's.
pub fn kafka_partition(partition: &Partition) -> Option<i32> {
    i32::try_from(partition.number & 0xffff_ffff).ok().filter(|_| partition.number >= 0)
}

/// The same partition of Kafka's, as a new one of ours.
pub fn next_incarnation(partition: &Partition) -> Partition {
    Partition::new(partition.topic.clone(), partition.number + (1 << INCARNATION_BITS))
}
