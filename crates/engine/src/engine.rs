//! The running pipeline: takes records from its feed and pushes them through the topology.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kassa_lake::Store;
use kassa_model::Positions;
use kassa_pipeline::Batch;

use crate::checkpoint::Desk;
use crate::committer::{Cadence, SinkHandle};
use crate::feed::{Feed, Next};
use crate::handoff::Host;
use crate::memory::{Contracts, Known, Memory};
use crate::refill::{Wanted, note_lost, refill};
use crate::ticks::Ticks;
use crate::topology::{FULL, Topology};

/// How often the feed gets the positions that every sink has committed.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// When sinks that were asked have mostly settled.
const SETTLED: Duration = Duration::from_millis(200);
/// How long an idle feed waits if it misses a signal.
const IDLE: Duration = Duration::from_millis(200);

/// Durable sinks.
#[derive(Debug, Clone, Copy)]
pub struct Durable {
    pub archive: bool,
    pub lake: bool,
    pub warehouse: bool,
}

impl Durable {
    pub const ALL: Self = Self { archive: true, lake: true, warehouse: true };
}

/// Observers of the pipeline.
pub struct Watch<'w> {
    /// The durable sinks among those that are fed.
    pub fed: Durable,
    pub shown: &'w [SinkHandle],
    /// Called with every batch, before the sinks have committed it.
    pub observer: Box<dyn FnMut(&Batch)>,
    /// Where the stage's memory is handed to the writer of checkpoints, if there is one.
    pub desk: Option<Arc<Desk>>,
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("fed", &self.fed).finish_non_exhaustive()
    }
}

/// The pipeline at work. One thread calls [`Engine::work`], or [`Engine::step`] again and again.
pub struct Engine {
    topology: Topology,
    feed: Box<dyn Feed>,
    /// The lake's store.
    store: Arc<dyn Store>,
    ticks: Arc<dyn Ticks>,
    acknowledge_at: Duration,
    observer: Box<dyn FnMut(&Batch)>,
    desk: Option<Arc<Desk>>,
    /// How far the stage's memory goes.
    known: Known,
    /// How far this engine has read the partitions that it owns.
    read: Positions,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("topology", &self.topology).field("feed", &self.feed).finish_non_exhaustive()
    }
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Every sink has taken the next batch.
    Read,
    /// A sink has no room for the next batch: the next step offers it again.
    Full,
    /// There was nothing to read.
    Idle,
    /// The partitions of this process change: the pipeline must restart.
    Moved,
}

/// An engine that has stopped.
#[derive(Debug)]
pub struct Stopped {
    pub feed: Box<dyn Feed>,
    /// `None`: some of the read records are not committed, so the stage is ahead of the sinks.
    pub memory: Option<Memory>,
    pub read: Positions,
    pub outcome: anyhow::Result<()>,
}

impl Engine {
    /// `watch.shown` are existing handles for sinks of these names; they are reused.
    pub fn start(
        host: &Host,
        (store, contracts): (&Arc<dyn Store>, &Contracts),
        mut feed: Box<dyn Feed>,
        sinks: Vec<Cadence>,
        memory: Memory,
        watch: Watch<'_>,
    ) -> anyhow::Result<Self> {
        let Memory { stage, known } = memory;
        let mut topology = Topology::start(stage, sinks, watch.shown, host)?;
        refilled(&mut topology, feed.as_mut(), (store.as_ref(), contracts), watch.fed)?;
        topology.stage.evict_events(Arc::clone(&host.clock));
        feed.begin(&topology.reached())?;
        Ok(Self {
            topology,
            feed,
            store: Arc::clone(store),
            ticks: Arc::clone(&host.ticks),
            acknowledge_at: host.ticks.now() + ACKNOWLEDGE,
            observer: watch.observer,
            desk: watch.desk,
            known,
            read: Positions::default(),
        })
    }

    pub fn handles(&self) -> Vec<SinkHandle> {
        self.topology.handles()
    }

    /// Processes the feed's next item, or offers the last batch again to a sink that had no room for it.
    pub fn step(&mut self) -> anyhow::Result<Step> {
        if self.topology.is_handing_over() {
            return self.hand_over();
        }
        if let Some(desk) = &self.desk {
            desk.serve(&mut self.topology.stage, &self.known, &self.read);
        }
        let next = self.feed.next()?;
        self.acknowledge()?;
        if let Next::Lost(batch) = &next {
            note_lost(self.store.as_ref(), batch)?;
        }
        let is_moved = matches!(next, Next::Moved);
        match self.topology.shape(next)? {
            Some(batch) => {
                self.note(&batch);
                (self.observer)(&batch);
                self.hand_over()
            }
            None if is_moved => Ok(Step::Moved),
            None => self.topology.check().map(|()| Step::Idle),
        }
    }

    /// Tells the source what is committed: from time to time, and at once and again soon if it has no room.
    fn acknowledge(&mut self) -> anyhow::Result<()> {
        let (now, is_pressed) = (self.ticks.now(), self.feed.is_pressed());
        if self.acknowledge_at <= now || is_pressed {
            if is_pressed {
                self.topology.settle();
            }
            self.acknowledge_at = now + if is_pressed { SETTLED } else { ACKNOWLEDGE };
            self.feed.committed(&self.topology.reached())?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> anyhow::Result<Step> {
        if self.topology.hand_over()? {
            return Ok(Step::Read);
        }
        self.feed.keep()?;
        Ok(Step::Full)
    }

    /// Works until `ended` returns true. `false`: the pipeline must restart.
    pub fn work(&mut self, ended: &dyn Fn() -> bool) -> anyhow::Result<bool> {
        while !ended() {
            match self.step()? {
                Step::Read => {}
                Step::Full => self.ticks.wait(FULL),
                Step::Idle => self.feed.wait(IDLE),
                Step::Moved => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The program ends: a store that does not answer gets this time, also while this engine catches up.
    pub fn hurry(&mut self, patience: Duration) {
        self.topology.hurry(patience);
    }

    /// Reads to the end and returns when everything is committed. `false`: the pipeline must restart first.
    pub fn catch_up(&mut self) -> anyhow::Result<bool> {
        self.catch_up_until(&|| false)
    }

    /// The same, but stops reading once `ended` returns true. What was read by then is committed.
    pub fn catch_up_until(&mut self, ended: &dyn Fn() -> bool) -> anyhow::Result<bool> {
        while !ended() {
            match self.step()? {
                Step::Read => {}
                Step::Full => self.ticks.wait(FULL),
                Step::Idle if self.feed.is_at_end()? => break,
                Step::Idle => self.feed.wait(IDLE),
                Step::Moved => return Ok(false),
            }
        }
        self.topology.flush()?;
        Ok(true)
    }

    /// Records how far the stage has read.
    fn note(&mut self, batch: &Batch) {
        let (partition, to) = (&batch.records().partition, batch.to());
        self.known.index.advance(partition, to);
        self.known.members.set(partition.clone(), to);
        self.read.set(partition.clone(), to);
    }

    /// Commits the read records, as far as the sinks can, and returns feed and memory for another engine or a last checkpoint.
    pub fn stop(self) -> Stopped {
        let is_handed_over = !self.topology.is_handing_over();
        let (stage, outcome) = self.topology.finish();
        let memory = (is_handed_over && outcome.is_ok()).then_some(Memory { stage, known: self.known });
        Stopped { feed: self.feed, memory, read: self.read, outcome }
    }
}

/// Feeds the sinks from the archive with records that the source no longer has.
fn refilled(topology: &mut Topology, feed: &mut dyn Feed, lake: (&dyn Store, &Contracts), fed: Durable) -> anyhow::Result<()> {
    let reached = topology.reached();
    // All sinks have the same positions, so the source need not be asked where it begins.
    if fed.archive && reached.by_any.iter().all(|(partition, next)| reached.by_all.next(partition) == next) {
        return Ok(());
    }
    let starts = feed.starts(&reached)?;
    let behind = starts.iter().map(|(partition, start)| (partition.clone(), reached.by_all.next(partition), start));
    let wanted: Positions =
        behind.filter(|(_, next, start)| next < start).map(|(partition, next, _)| (partition, next)).collect();
    if wanted.iter().next().is_none() {
        return Ok(());
    }
    let count = refill(lake, fed.lake, Wanted::Of(&wanted), &mut |next| topology.take(next, &mut || feed.keep()).map(drop))?;
    if count > 0 {
        tracing::info!(records = count, "sinks were given from the archive what the source has no more");
        topology.flush()?;
    }
    Ok(())
}
