//! The topology: a stage reads and shapes, and each sink commits on its own.
//!
//! ```text
//!  feed (log or Kafka) ─Records─► Stage ─Arc<Batch>─┬─[2 batches]─► archive     one commit per interval, or at a commit's records or bytes
//!     ≤ 8,192 records, ≤ 2 MiB      decode … shape  ├─[2 batches]─► lake        the same
//!                                                   ├─[2 batches]─► warehouse   the same, with an interval of its own
//!                                                   └─[2 batches]─► live        at once
//! ```
//!
//! A sink that is behind fills its hand-off. Then reading waits, and the source keeps the records. A sink whose store does not
//! answer tries again until it does (`committer`); any other failure stops the program with that error. The program runs each committer
//! in a thread (`threads`), the seeded tests run all of them in one.

use std::sync::Arc;
use std::time::Duration;

use kassa_model::Partition;
use kassa_pipeline::{Batch, SinkError, Stage};

use crate::committer::{Cadence, Committer, SinkHandle};
use crate::feed::{Next, Reached};
use crate::handoff::{HandOff, Host};
use crate::ticks::Ticks;

/// The longest wait for room in a sink's hand-off before the feed gets a turn.
pub const FULL: Duration = Duration::from_millis(1);

/// Called repeatedly while a hand-off is full.
pub type Keep<'k> = &'k mut dyn FnMut() -> anyhow::Result<()>;

/// A stage and its running sinks.
#[derive(Debug)]
pub struct Topology {
    pub stage: Stage,
    sinks: Vec<Box<dyn HandOff>>,
    /// A batch that some sinks have not taken yet: their indexes.
    offered: Option<(Arc<Batch>, Vec<usize>)>,
    ticks: Arc<dyn Ticks>,
}

impl Topology {
    /// `shown` are handles of an earlier start: those of the same names are reused.
    pub fn start(stage: Stage, sinks: Vec<Cadence>, shown: &[SinkHandle], host: &Host) -> anyhow::Result<Self> {
        let start = |cadence: Cadence| {
            let name = cadence.sink.name();
            let handle = shown.iter().find(|handle| handle.name == name).cloned();
            let handle = handle.unwrap_or_else(|| SinkHandle::new(name));
            (host.start)(Committer::new(cadence, handle, Arc::clone(&host.clock), Arc::clone(&host.ticks)))
        };
        let sinks = sinks.into_iter().map(start).collect::<Result<_, _>>()?;
        Ok(Self { stage, sinks, offered: None, ticks: Arc::clone(&host.ticks) })
    }

    pub fn handles(&self) -> Vec<SinkHandle> {
        self.sinks.iter().map(|sink| sink.handle().clone()).collect()
    }

    /// Where reading a partition must begin: the lowest of the sinks' committed positions.
    pub fn position(&self, partition: &Partition) -> i64 {
        self.sinks.iter().map(|sink| sink.handle().state().positions.next(partition)).min().unwrap_or(0)
    }

    /// The sinks' positions in all partitions that any of them has.
    pub fn reached(&self) -> Reached {
        let mut reached = Reached::default();
        for sink in &self.sinks {
            for (partition, next) in sink.handle().state().positions.iter() {
                reached.by_any.advance(partition, next);
            }
        }
        reached.by_all = reached.by_any.iter().map(|(partition, _)| (partition.clone(), self.position(partition))).collect();
        reached
    }

    /// Shapes the next item of a feed or of the archive, for the hand-over; returns the batch, if there is one.
    pub fn shape(&mut self, next: Next) -> anyhow::Result<Option<Arc<Batch>>> {
        let batch = Arc::new(match next {
            Next::Records(records, from) => self.stage.run(records, from)?,
            Next::Lost(batch) => batch,
            Next::Moved | Next::Idle => return Ok(None),
        });
        self.offered = Some((Arc::clone(&batch), (0..self.sinks.len()).collect()));
        Ok(Some(batch))
    }

    /// Whether a sink has not taken the last batch yet.
    pub fn is_handing_over(&self) -> bool {
        self.offered.is_some()
    }

    /// Offers the last batch to the sinks that have not taken it. `false`: one of them has no room.
    pub fn hand_over(&mut self) -> anyhow::Result<bool> {
        let Some((batch, lacking)) = &mut self.offered else { return Ok(true) };
        let mut refused = Vec::new();
        for nth in lacking.drain(..) {
            let sink = &mut self.sinks[nth];
            if !sink.offer(batch).map_err(|error| stopped(sink.as_ref(), error))? {
                refused.push(nth);
            }
        }
        *lacking = refused;
        let is_done = lacking.is_empty();
        self.offered = self.offered.take().filter(|_| !is_done);
        Ok(is_done)
    }

    /// Shapes the next item and waits until every sink has accepted it; returns the batch, if there is one.
    pub fn take(&mut self, next: Next, keep: Keep<'_>) -> anyhow::Result<Option<Arc<Batch>>> {
        let batch = self.shape(next)?;
        while !self.hand_over()? {
            self.ticks.wait(FULL);
            keep()?;
        }
        Ok(batch)
    }

    /// Returns the failure of a sink that has stopped by itself, which nothing else would notice without a batch to hand over.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.check().map_err(|error| stopped(sink.as_ref(), error)))
    }

    /// Returns when every sink has committed everything that it was handed.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.flush().map_err(|error| stopped(sink.as_ref(), error)))?;
        self.sinks.iter_mut().try_for_each(|sink| sink.flushed().map_err(|error| stopped(sink.as_ref(), error)))
    }

    /// Asks all sinks to settle their positions soon.
    pub fn settle(&mut self) {
        self.sinks.iter_mut().for_each(|sink| sink.settle());
    }

    /// The program ends: a store that does not answer gets this time.
    pub fn hurry(&mut self, patience: Duration) {
        self.sinks.iter_mut().for_each(|sink| sink.hurry(patience));
    }

    /// Commits the rest and stops the sinks. Returns the stage; its memory is committed completely only if nothing failed.
    pub fn finish(mut self) -> (Stage, anyhow::Result<()>) {
        self.sinks.iter_mut().for_each(|sink| sink.close());
        let join = |sink: &mut Box<dyn HandOff>| sink.join().map_err(|error| stopped(sink.as_ref(), error));
        let ended = self.sinks.iter_mut().map(join).fold(Ok(()), Result::and);
        (self.stage, ended)
    }
}

fn stopped(sink: &dyn HandOff, error: SinkError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("the {} stopped", sink.handle().name))
}
