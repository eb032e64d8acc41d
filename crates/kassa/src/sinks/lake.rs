//! The star schema in the lake. The other sinks are compared with it, so its proof and its memory are not here.

use std::sync::Arc;

use anyhow::Context;
use kassa_config::Config;
use kassa_lake::StarSink;
use kassa_model::time::Clock;
use kassa_pipeline::Sink;

use super::registration::Registration;
use crate::doctor::check::Store;
use crate::doctor::lake::examine;
use crate::wiring::{Durable, Lake, maintenance};

#[derive(Debug)]
pub struct Star;

impl Registration for Star {
    fn name(&self) -> &'static str {
        "lake"
    }

    fn flag<'f>(&self, fed: &'f mut Durable) -> Option<&'f mut bool> {
        Some(&mut fed.lake)
    }

    fn has_star(&self) -> bool {
        true
    }

    fn open(&self, lake: &Lake, config: &Config) -> anyhow::Result<Option<Box<dyn Sink>>> {
        let star = StarSink::open(&lake.store, lake.contracts.clone(), Arc::clone(&lake.clock));
        Ok(Some(Box::new(star.context("could not open the lake")?.maintained(maintenance(config)))))
    }

    /// Together with the archive, which is in the same store.
    fn examine(&self, config: &Config, clock: &Arc<dyn Clock>) -> Option<Store> {
        Some(examine(config, clock))
    }
}
