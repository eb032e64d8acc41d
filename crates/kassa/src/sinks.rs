//! The sinks of a run: a file each, and a line each in [`ALL`]. Opening, completing a memory, deriving, proving and examining use
//! this list. (What else names a sink: ARCHITECTURE.md, "What to change".)

mod archive;
mod lake;
mod live;
mod registration;
mod warehouse;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use kassa_config::Config;
use kassa_engine::checkpoint::{Desk, Manifest, Place};
use kassa_engine::{Cadence, Memory, recall};
use kassa_pipeline::Sink;

pub use self::live::LIVE;
pub use self::registration::{Proven, Registration};
use crate::away::is_away;
use crate::budget::Budget;
use crate::failure;
use crate::wiring::{self, Durable, Lake};

/// In the order of the data flow.
pub const ALL: [&dyn Registration; 4] = [&archive::Archive, &lake::Star, &warehouse::Warehouse, &live::Figures];

/// Nothing waits for the rows of a replay or a rebuild, so their commits are large.
const BULK: Duration = Duration::from_secs(5);

/// How long a command waits for a store that does not answer.
pub const PATIENCE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(1);

/// The durable sinks that a command feeds and the configuration has.
pub fn fed_by(config: &Config, fed: Durable) -> impl Iterator<Item = &'static dyn Registration> {
    ALL.into_iter().filter(move |sink| sink.is_fed(fed) && sink.is_configured(config))
}

/// Opens something; a store that does not answer is asked again for a minute.
pub fn patiently<T>(mut open: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(error) if is_away(&error) && Instant::now() < deadline => {
                tracing::warn!(error = failure::chain(&error), "a store does not answer; trying again");
                thread::sleep(RETRY);
            }
            opened => return opened,
        }
    }
}

/// How a running pipeline commits to a sink.
pub fn cadence(config: &Config, sink: Box<dyn Sink>) -> Cadence {
    let registered = ALL.into_iter().find(|known| known.name() == sink.name());
    let interval = registered.map_or(config.lake.commit_interval, |known| known.interval(config));
    Cadence { interval, ..bulk(config, sink) }
}

/// Whether the sink of this name holds the star schema.
pub fn has_star(name: &str) -> bool {
    ALL.into_iter().any(|sink| sink.name() == name && sink.has_star())
}

/// How a replay or a rebuild commits to a sink.
pub fn bulk(config: &Config, sink: Box<dyn Sink>) -> Cadence {
    Cadence { sink, interval: BULK, records: config.lake.commit_rows, bytes: Budget::of(config).sink }
}

impl Lake {
    /// Opens the durable sinks that a command feeds. A store that does not answer is asked again for a minute.
    pub fn sinks(&self, config: &Config, fed: Durable) -> anyhow::Result<Vec<Box<dyn Sink>>> {
        self.begin(config, fed)?;
        let opened = fed_by(config, fed).map(|sink| patiently(|| sink.open(self, config)));
        opened.filter_map(Result::transpose).collect()
    }

    /// Brings the derived tables up to the lake's positions.
    pub fn derive(&self, config: &Config) -> anyhow::Result<()> {
        self.derived(config)?.refresh().context("could not bring the derived tables up to date")?;
        self.derive_beside(config)
    }

    /// Brings the derived tables of the other sinks up to date.
    pub fn derive_beside(&self, config: &Config) -> anyhow::Result<()> {
        ALL.into_iter().try_for_each(|sink| sink.derive(self, config))
    }

    /// The memory of the last checkpoint, or none, completed by what the sinks hold.
    pub fn recalled(
        &self,
        (config, fed): (&Config, Durable),
        places: (&Place, &Desk),
        manifest: Option<Manifest>,
    ) -> anyhow::Result<Memory> {
        let options = wiring::index_options(config, Some(&wiring::index_dir(config)))?;
        let stage = |index| self.stage_of(config, index);
        recall::memory(places, manifest, &options, &stage, &mut |memory| self.complete(fed, memory))
    }

    /// Completes a stage's memory from sinks that are ahead of it; `None`: the memory is ahead of one of them.
    pub fn complete(&self, fed: Durable, memory: Memory) -> anyhow::Result<Option<Memory>> {
        let held = ALL.into_iter().filter(|sink| sink.is_fed(fed)).map(|sink| sink.held(self)).filter_map(Result::transpose);
        let mut held = held.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(memory.complete((self.store.as_ref(), &self.contracts), &mut held)?)
    }
}

#[cfg(test)]
mod tests;
