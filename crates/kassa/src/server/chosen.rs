//! The sinks that a run has, and what follows from them.

use std::sync::Arc;

use kassa_config::Config;
use kassa_engine::deriver::Deriver;
use kassa_engine::ticks::SystemTicks;

use crate::feed::{self, KafkaFeed, KafkaMarks};
use crate::wiring::{Durable, Lake};

/// The sinks that a run has.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    pub durable: Durable,
    pub live: bool,
}

impl Chosen {
    pub const ALL: Self = Self { durable: Durable::ALL, live: true };

    /// What keeps the derived tables up to date, of a process that has the lake.
    pub fn deriver(&self, config: &Config, lake: &Lake) -> anyhow::Result<Option<Deriver>> {
        if !self.durable.lake {
            return Ok(None);
        }
        let warehouse = lake.warehouse.clone().filter(|_| self.durable.warehouse).map(|target| (target, config.shop.clone()));
        let mut derived = lake.derived(config)?;
        let refresh = move || -> anyhow::Result<bool> {
            let changed = derived.refresh()?;
            if let Some((target, shop)) = &warehouse {
                kassa_warehouse::derived::refresh(target, shop)?;
            }
            Ok(changed)
        };
        Ok(Some(Deriver::start(Box::new(refresh), config.lake.commit_interval, Arc::new(SystemTicks::default()))?))
    }

    /// Kafka, if the configuration reads it.
    pub fn feed(&self, config: &Config, lake: &Lake, marks: &Arc<KafkaMarks>) -> anyhow::Result<Option<KafkaFeed>> {
        feed::kafka_feed(config, lake, |group| self.group(config, group), marks)
    }

    /// The consumer group of a process with these sinks: processes with others read the same records for themselves.
    fn group(&self, config: &Config, group: &str) -> String {
        let Durable { archive, lake, warehouse } = self.durable;
        let has_warehouse = config.warehouse.is_some();
        if archive && lake && self.live && (warehouse || !has_warehouse) {
            return group.to_owned();
        }
        let sinks = [("archive", archive), ("lake", lake), ("warehouse", warehouse && has_warehouse), ("live", self.live)];
        let names: Vec<&str> = sinks.into_iter().filter(|(_, chosen)| *chosen).map(|(name, _)| name).collect();
        format!("{group}.{}", names.join("."))
    }
}
