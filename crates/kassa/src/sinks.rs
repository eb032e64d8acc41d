//! The sinks of a run: a file each, and a line each in [`ALL`]. What goes over all sinks (opening, completing a memory, proving, examining)
//! goes over this list, and names none.

mod archive;
mod lake;
mod live;
mod registration;
mod warehouse;

use anyhow::Context;
use kassa_config::Config;
use kassa_engine::Memory;
use kassa_lake::format;
use kassa_pipeline::Sink;

pub use self::live::LIVE;
pub use self::registration::{Proven, Registration};
use crate::wiring::{Durable, Lake};

/// In the order of the data flow.
pub const ALL: [&dyn Registration; 4] = [&archive::Archive, &lake::Star, &warehouse::Warehouse, &live::Figures];

impl Lake {
    /// Opens the durable sinks that a command feeds.
    pub fn sinks(&self, config: &Config, fed: Durable) -> anyhow::Result<Vec<Box<dyn Sink>>> {
        if fed.archive || fed.lake {
            self.may_write()?;
            format::state(self.store.as_ref()).context("could not open the lake")?;
        }
        let opened = ALL.into_iter().filter(|sink| sink.is_fed(fed)).map(|sink| sink.open(self, config));
        opened.filter_map(Result::transpose).collect()
    }

    /// Brings the derived tables up to what the lake accounts for.
    pub fn derive(&self, config: &Config) -> anyhow::Result<()> {
        self.derived(config)?.refresh().context("could not bring the derived tables up to date")?;
        self.derive_beside(config)
    }

    /// Brings the derived tables of the other sinks up to date.
    pub fn derive_beside(&self, config: &Config) -> anyhow::Result<()> {
        ALL.into_iter().try_for_each(|sink| sink.derive(self, config))
    }

    /// Completes a stage's memory by what the sinks hold beyond what it knows; `None`: it knows more than one of them holds.
    pub fn complete(&self, fed: Durable, memory: Memory) -> anyhow::Result<Option<Memory>> {
        // The memory is completed by the lake and by one sink beside it.
        let held = ALL.into_iter().filter(|sink| sink.is_fed(fed)).map(|sink| sink.held(self)).find_map(Result::transpose);
        let mut held = held.transpose()?;
        let held = held.as_mut().map(|held| held.as_mut() as &mut dyn kassa_engine::Held);
        Ok(memory.complete((self.store.as_ref(), &self.contracts), held)?)
    }
}

#[cfg(test)]
mod tests;
