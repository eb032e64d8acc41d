//! The port of a running pipeline's source.

use std::fmt;
use std::time::Duration;

use kassa_model::{Partition, Positions, Records};
use kassa_pipeline::Batch;

/// Records and bytes read at once: what a batch is cut from.
pub const BATCH_RECORDS: usize = 8_192;
pub const BATCH_BYTES: usize = 2 << 20;

/// What a feed has to say next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once a batch")]
pub enum Next {
    /// Records of one partition, and the position that they were read from.
    Records(Records, i64),
    /// What the source itself has lost.
    Lost(Batch),
    /// The partitions that this process owns have changed, or are to: all that was given out is to be committed, and the pipeline
    /// begun anew from what the sinks hold then.
    Moved,
    /// There is nothing now.
    Idle,
}

/// Records of all partitions that this process owns, a partition at a time. One thread uses it.
pub trait Feed: fmt::Debug {
    /// Where the source begins now, for each partition that is to be begun.
    fn starts(&mut self, reached: &Reached) -> anyhow::Result<Positions>;

    fn begin(&mut self, reached: &Reached) -> anyhow::Result<()>;

    fn next(&mut self) -> anyhow::Result<Next>;

    /// Whether all that there was when this is asked has been given out.
    fn is_at_end(&mut self) -> anyhow::Result<bool>;

    /// Waits for more, no longer than that.
    fn wait(&mut self, longest: Duration);

    /// Called again and again while a sink's hand-off is full and nothing is taken.
    fn keep(&mut self) -> anyhow::Result<()>;

    /// Takes note of what every sink has committed.
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
    /// What all of them have committed; 0 for a partition that one of them does not know.
    pub by_all: Positions,
    /// What any of them has committed.
    pub by_any: Positions,
}

/// Where a partition begins and ends in its source. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub partition: Partition,
    pub start: Option<i64>,
    pub end: Option<i64>,
}

/// The same for those who watch, on threads of their own.
pub trait Marks: fmt::Debug + Send + Sync {
    fn marks(&self) -> Vec<Mark>;

    /// Why the source takes or gives nothing, if it does not.
    fn trouble(&self) -> Option<String>;

    /// Why it takes nothing until the program is started again, if so. Takes no lock.
    fn ended(&self) -> Option<String> {
        None
    }
}
