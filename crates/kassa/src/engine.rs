//! The running pipeline: takes records from its feed and pushes them through the topology.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kassa_config::Config;
use kassa_lake::Store;
use kassa_model::Positions;
use kassa_pipeline::{Batch, Sink};

use crate::feed::{Feed, Next};
use crate::refill::{Wanted, note_lost, refill};
use crate::topology::{Cadence, SinkHandle, Topology};
use crate::wiring::{self, Durable, Lake};

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
}

/// The pipeline at work. One thread calls [`Engine::work`].
pub struct Engine {
    topology: Topology,
    feed: Box<dyn Feed>,
    /// The lake's.
    store: Arc<dyn Store>,
    acknowledge_at: Instant,
    observer: Box<dyn FnMut(&Batch)>,
}

impl Engine {
    /// `shown` are handles that others hold on sinks of these names: they go on showing them.
    pub fn start(
        config: &Config,
        lake: &Lake,
        mut feed: Box<dyn Feed>,
        sinks: Vec<Box<dyn Sink>>,
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
        let mut topology =
            Topology::start(lake.stage(config, watch.fed, &wiring::index_dir(config))?, cadences, watch.shown, &lake.clock)?;
        refilled(&mut topology, feed.as_mut(), lake, watch.fed)?;
        feed.begin(&topology.reached())?;
        Ok(Self {
            topology,
            feed,
            store: Arc::clone(&lake.store),
            acknowledge_at: Instant::now() + ACKNOWLEDGE,
            observer: watch.observer,
        })
    }

    pub fn handles(&self) -> Vec<SinkHandle> {
        self.topology.handles()
    }

    /// Takes what the feed has next.
    fn step(&mut self) -> anyhow::Result<Step> {
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

    /// Commits what was read, as far as the sinks can, and gives the feed back, for another engine.
    pub fn stop(self) -> (Box<dyn Feed>, anyhow::Result<()>) {
        (self.feed, self.topology.finish())
    }

    pub fn finish(self) -> anyhow::Result<()> {
        self.topology.finish()
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
