//! The program's interface to a sink.

use std::sync::Arc;
use std::time::Duration;

use kassa_config::Config;
use kassa_lake::prove::{Finding, Progress};
use kassa_model::time::Clock;
use kassa_pipeline::Sink;

use crate::doctor::check::Store;
use crate::wiring::{Durable, Lake};

/// A sink, and the functions that the program needs besides committing. Each has a default for sinks that lack it.
pub trait Registration: Sync {
    /// As in `--sinks`, in metrics and in messages.
    fn name(&self) -> &'static str;

    /// Its flag among those of the sinks that a command feeds. `None`: the server feeds it by itself.
    fn flag<'f>(&self, _: &'f mut Durable) -> Option<&'f mut bool> {
        None
    }

    /// Adds it to those that a command feeds.
    fn feed(&self, fed: &mut Durable) {
        self.flag(fed).into_iter().for_each(|flag| *flag = true);
    }

    /// Whether the configuration has it.
    fn is_configured(&self, _: &Config) -> bool {
        true
    }

    /// Whether a command feeds it.
    fn is_fed(&self, mut fed: Durable) -> bool {
        self.flag(&mut fed).is_some_and(|flag| *flag)
    }

    /// Whether it holds the star schema: a checkpoint must not be ahead of it.
    fn has_star(&self) -> bool {
        false
    }

    /// The longest time between two commits of a running pipeline.
    fn interval(&self, config: &Config) -> Duration {
        config.lake.commit_interval
    }

    /// Opens it for commits. `None`: it is not configured, or the server opens it.
    fn open(&self, _: &Lake, _: &Config) -> anyhow::Result<Option<Box<dyn Sink>>> {
        Ok(None)
    }

    /// Access to its star schema, to complete a memory: it may be ahead of the lake.
    fn held(&self, _: &Lake) -> anyhow::Result<Option<Box<dyn kassa_engine::Held>>> {
        Ok(None)
    }

    /// Brings its derived tables, besides those of the lake, up to date.
    fn derive(&self, _: &Lake, _: &Config) -> anyhow::Result<()> {
        Ok(())
    }

    /// Proves it against the lake, whose own proof comes first. The flag: whether it may lag behind, because a pipeline is at work.
    fn prove(&self, _: &Lake, _: &Config, _: (bool, &dyn Progress)) -> anyhow::Result<Proven> {
        Ok(Proven::default())
    }

    /// Checks its store for `kassa doctor`. `None`: it is in the store of another sink.
    fn examine(&self, _: &Config, _: &Arc<dyn Clock>) -> Option<Store> {
        None
    }
}

/// The findings of a sink's own proof.
#[derive(Debug, Default)]
pub struct Proven {
    pub findings: Vec<Finding>,
    /// The number of rows that were counted.
    pub rows: i64,
}
