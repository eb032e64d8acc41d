//! The port of a running pipeline's source.

use std::fmt;
use std::time::Duration;

use kassa_model::{Partition, Positions, Records};
use kassa_pipeline::Batch;

/// Records and bytes that are read at once; a batch is no larger.
pub const BATCH_RECORDS: usize = 8_192;
pub const BATCH_BYTES: usize = 2 << 20;

/// The next item of a feed.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once a batch")]
pub enum Next {
    /// Records of one partition, and the position that they were read from.
    Records(Records, i64),
    /// A range that the source has lost.
    Lost(Batch),
    /// The partition assignment changed. The caller commits all delivered records and restarts the pipeline.
    Moved,
    /// There are no records now.
    Idle,
}

/// Records of all partitions that this process owns, a partition at a time. One thread uses it.
pub trait Feed: fmt::Debug {
    /// Where the source begins now, for each partition that is about to be read.
    fn starts(&mut self, reached: &Reached) -> anyhow::Result<Positions>;

    fn begin(&mut self, reached: &Reached) -> anyhow::Result<()>;

    fn next(&mut self) -> anyhow::Result<Next>;

    /// Whether all records that exist at the time of the call have been delivered.
    fn is_at_end(&mut self) -> anyhow::Result<bool>;

    /// Waits for more records, at most this long.
    fn wait(&mut self, longest: Duration);

    /// Called repeatedly while a sink's hand-off is full and nothing is read.
    fn keep(&mut self) -> anyhow::Result<()>;

    /// Notifies the source of the positions that every sink has committed.
    fn committed(&mut self, reached: &Reached) -> anyhow::Result<()>;

    /// Whether it needs to know now what every sink has committed, because it has no room left.
    fn is_pressed(&self) -> bool {
        false
    }

    /// Forgets what was given out, some of which was not committed: all is to begin where the sinks are.
    fn reset(&mut self) -> anyhow::Result<()>;
}

/// How far the sinks are.
#[derive(Debug, Clone, Default)]
pub struct Reached {
    /// Positions that all of them have committed; 0 for a partition that one of them does not have.
    pub by_all: Positions,
    /// Positions that any of them has committed.
    pub by_any: Positions,
}

/// Where a partition begins and ends in its source. Unknown values are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub partition: Partition,
    pub start: Option<i64>,
    pub end: Option<i64>,
}

/// The marks for observers on other threads.
pub trait Marks: fmt::Debug + Send + Sync {
    fn marks(&self) -> Vec<Mark>;

    /// Why the source does not work, if so.
    fn trouble(&self) -> Option<String>;

    /// Why it takes nothing until the program is started again, if so. Takes no lock.
    fn ended(&self) -> Option<String> {
        None
    }
}
