//! The star schema and the current state in PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kassa_config::Config;
use kassa_lake::prove::Progress;
use kassa_model::time::Clock;
use kassa_pipeline::Sink;

use super::registration::{Proven, Registration};
use crate::doctor::check::Store;
use crate::doctor::warehouse::examine;
use crate::proof::warehouse::findings;
use crate::warehouse::{Held, days_kept, sink};
use crate::wiring::{Durable, Lake};

#[derive(Debug)]
pub struct Warehouse;

impl Registration for Warehouse {
    fn name(&self) -> &'static str {
        "warehouse"
    }

    fn flag<'f>(&self, fed: &'f mut Durable) -> Option<&'f mut bool> {
        Some(&mut fed.warehouse)
    }

    fn is_configured(&self, config: &Config) -> bool {
        config.warehouse.is_some()
    }

    fn has_star(&self) -> bool {
        true
    }

    fn interval(&self, config: &Config) -> Duration {
        config.warehouse.as_ref().map_or(config.lake.commit_interval, |warehouse| warehouse.commit_interval)
    }

    /// Migrates the schema first, if the login may.
    fn open(&self, lake: &Lake, config: &Config) -> anyhow::Result<Option<Box<dyn Sink>>> {
        let Some(target) = &lake.warehouse else { return Ok(None) };
        Ok(Some(Box::new(sink(target, &lake.clock)?.keeping(days_kept(config)))))
    }

    fn held(&self, lake: &Lake) -> anyhow::Result<Option<Box<dyn kassa_engine::Held>>> {
        let Some(target) = &lake.warehouse else { return Ok(None) };
        Ok(Some(Box::new(Held::open(target)?)))
    }

    fn derive(&self, lake: &Lake, config: &Config) -> anyhow::Result<()> {
        let Some(target) = &lake.warehouse else { return Ok(()) };
        kassa_warehouse::derived::refresh(target, &config.shop)
            .context("could not bring the warehouse's derived tables up to date")?;
        Ok(())
    }

    fn prove(&self, lake: &Lake, config: &Config, (at_work, progress): (bool, &dyn Progress)) -> anyhow::Result<Proven> {
        let Some(target) = &lake.warehouse else { return Ok(Proven::default()) };
        progress.step(self.name(), None);
        let (findings, rows) = findings(lake.store.as_ref(), (target, &config.shop), at_work)?;
        Ok(Proven { findings, rows })
    }

    fn examine(&self, config: &Config, clock: &Arc<dyn Clock>) -> Option<Store> {
        Some(examine(config, clock))
    }
}
