//! The running pipeline: takes records from its feed and pushes them through the topology.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kassa_config::Config;
use kassa_engine::checkpoint::Desk;
use kassa_engine::{Known, Memory};
use kassa_lake::Store;
use kassa_model::Positions;
use kassa_pipeline::{Batch, Sink};

use crate::feed::{Feed, Next};
use crate::refill::{Wanted, note_lost, refill};
use crate::topology::{Cadence, SinkHandle, Topology};
use crate::wiring::{Durable, Lake};

/// The feed is told this often what every sink has committed.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// An idle feed looks again after this long, should a signal be missed.
const IDLE: Duration = Duration::from_millis(200);

/// Those who look on.
pub struct Watch<'w> {
    /// The durable sinks among those that are fed.
    pub fed: Durable,
    pub shown: &'w [SinkHandle],
    /// Told of every batch, before the sinks have committed it.
    pub observer: Box<dyn FnMut(&Batch)>,
    /// Where the stage's memory is handed to the writer of checkpoints, if there is one.
    pub desk: Option<Arc<Desk>>,
}

/// The pipeline at work. One thread calls [`Engine::work`].
pub struct Engine {
    topology: Topology,
    feed: Box<dyn Feed>,
    /// The lake's.
    store: Arc<dyn Store>,
    acknowledge_at: Instant,
    observer: Box<dyn FnMut(&Batch)>,
    desk: Option<Arc<Desk>>,
    /// How far the stage's memory goes.
    known: Known,
    /// How far this engine has read the partitions that it owns.
    read: Positions,
}

/// An engine that has stopped.
pub struct Stopped {
    pub feed: Box<dyn Feed>,
    /// `None`: some of what was read is not committed, so the stage remembers what no sink has.
    pub memory: Option<Memory>,
    pub read: Positions,
    pub outcome: anyhow::Result<()>,
}

impl Engine {
    /// `watch.shown` are handles that others hold on sinks of these names: they go on showing them.
    pub fn start(
        config: &Config,
        lake: &Lake,
        mut feed: Box<dyn Feed>,
        sinks: Vec<Box<dyn Sink>>,
        memory: Memory,
        watch: Watch<'_>,
    ) -> anyhow::Result<Self> {
        let cadence = |sink: Box<dyn Sink>| {
            let interval = match (sink.name(), &config.warehouse) {
                ("live", _) => Duration::from_millis(20),
                ("warehouse", Some(warehouse)) => warehouse.commit_interval,
                _ => config.lake.commit_interval,
            };
            Cadence { sink, interval, records: config.lake.commit_rows }
        };
        let cadences = sinks.into_iter().map(cadence).collect();
        let Memory { stage, known } = memory;
        let mut topology = Topology::start(stage, cadences, watch.shown, &lake.clock)?;
        refilled(&mut topology, feed.as_mut(), lake, watch.fed)?;
        topology.stage.evict_events(Arc::clone(&lake.clock));
        feed.begin(&topology.reached())?;
        Ok(Self {
            topology,
            feed,
            store: Arc::clone(&lake.store),
            acknowledge_at: Instant::now() + ACKNOWLEDGE,
            observer: watch.observer,
            desk: watch.desk,
            known,
            read: Positions::default(),
        })
    }

    pub fn handles(&self) -> Vec<SinkHandle> {
        self.topology.handles()
    }

    /// Takes what the feed has next.
    fn step(&mut self) -> anyhow::Result<Step> {
        if let Some(desk) = &self.desk {
            desk.serve(&mut self.topology.stage, &self.known, &self.read);
        }
        let next = self.feed.next()?;
        if self.acknowledge_at <= Instant::now() {
            self.acknowledge_at = Instant::now() + ACKNOWLEDGE;
            self.feed.committed(&self.topology.reached())?;
        }
        if let Next::Lost(batch) = &next {
            note_lost(self.store.as_ref(), batch)?;
        }
        let feed = &mut self.feed;
        let mut keep = || feed.keep();
        let is_moved = matches!(next, Next::Moved);
        match self.topology.take(next, &mut keep)? {
            Some(batch) => {
                self.note(&batch);
                (self.observer)(&batch);
                Ok(Step::Read)
            }
            None if is_moved => Ok(Step::Moved),
            None => self.topology.check().map(|()| Step::Idle),
        }
    }

    /// Works until `ended` says so, or until the pipeline must be begun anew: then says `false`.
    pub fn work(&mut self, ended: &dyn Fn() -> bool) -> anyhow::Result<bool> {
        while !ended() {
            match self.step()? {
                Step::Read => {}
                Step::Idle => self.feed.wait(IDLE),
                Step::Moved => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads to the end and returns when everything is committed; `false` if the pipeline must be begun anew first.
    pub fn catch_up(&mut self) -> anyhow::Result<bool> {
        loop {
            match self.step()? {
                Step::Read => {}
                Step::Idle if self.feed.is_at_end()? => break,
                Step::Idle => self.feed.wait(IDLE),
                Step::Moved => return Ok(false),
            }
        }
        self.topology.flush()?;
        Ok(true)
    }

    /// The stage remembers what was read, at least up to there.
    fn note(&mut self, batch: &Batch) {
        let (partition, to) = (&batch.records().partition, batch.to());
        self.known.index.advance(partition, to);
        self.known.members.set(partition.clone(), to);
        self.read.set(partition.clone(), to);
    }

    /// Commits what was read, as far as the sinks can, and gives feed and memory back, for another engine or a last checkpoint.
    pub fn stop(self) -> Stopped {
        let (stage, outcome) = self.topology.finish();
        let memory = outcome.is_ok().then_some(Memory { stage, known: self.known });
        Stopped { feed: self.feed, memory, read: self.read, outcome }
    }
}

/// Gives the sinks what the source has no more, where the archive still has it.
fn refilled(topology: &mut Topology, feed: &mut dyn Feed, lake: &Lake, fed: Durable) -> anyhow::Result<()> {
    let reached = topology.reached();
    // The archive has nothing that a sink lacks: the source need not be asked where it begins.
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
    let count = refill(lake, fed, Wanted::Of(&wanted), &mut |next| topology.take(next, &mut || feed.keep()).map(drop))?;
    if count > 0 {
        tracing::info!(records = count, "sinks were given from the archive what the source has no more");
        topology.flush()?;
    }
    Ok(())
}

enum Step {
    Read,
    Idle,
    Moved,
}
