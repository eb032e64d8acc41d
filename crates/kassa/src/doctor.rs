//! `kassa doctor`: asks everything that is configured, and says of each check what was found, and of what is wrong how to mend it.
//!
//! ```text
//!  Config ─┬─► settings   two that fight
//!          ├─► machine    data folder, disk, address to listen on
//!          ├─► lake       folder or bucket ──────────► positions ─┐
//!          ├─► warehouse  PostgreSQL ────────────────► positions ─┼─► positions  what the sinks have, beside what Kafka has
//!          ├─► registry                                           │
//!          └─► kafka      brokers, topics, group ────► Seen ──────┘
//! ```
//!
//! The servers are asked at once, each by a thread of its own: one that does not answer holds up nothing else. Nothing that stays is made.

mod check;
mod clock;
mod kafka;
mod lake;
mod machine;
mod positions;
mod registry;
mod settings;
#[cfg(test)]
mod tests;
mod topics;
mod warehouse;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use kassa_config::Config;
use kassa_model::Positions;
use kassa_model::time::Clock;

pub use self::check::{Check, Report, Verdict};

/// What a store's checks found.
#[derive(Default)]
struct Store {
    checks: Vec<Check>,
    /// How far its sinks are, as far as that could be read.
    sinks: Vec<(&'static str, Positions)>,
    /// The ids of Kafka's topics when they were read.
    topic_ids: HashMap<String, String>,
}

/// Every check of a configuration that is right by itself.
pub fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut checks = settings::checks(config);
    checks.extend(machine::checks(config));
    thread::scope(|scope| {
        let kafka = scope.spawn(|| kafka::examine(config));
        let registry = scope.spawn(|| registry::checks(config));
        let lake = scope.spawn(|| lake::examine(config, clock));
        let warehouse = scope.spawn(|| warehouse::examine(config, clock));
        let (from_kafka, seen) = kafka.join().unwrap_or_else(|_| (vec![broke_off("kafka")], None));
        checks.extend(from_kafka);
        checks.extend(registry.join().unwrap_or_else(|_| vec![broke_off("registry")]));
        let broken = |system| Store { checks: vec![broke_off(system)], ..Store::default() };
        let lake = lake.join().unwrap_or_else(|_| broken("lake"));
        let warehouse = warehouse.join().unwrap_or_else(|_| broken("warehouse"));
        checks.extend(lake.checks);
        checks.extend(warehouse.checks);
        if let Some(seen) = seen {
            let sinks: Vec<_> = lake.sinks.into_iter().chain(warehouse.sinks).collect();
            checks.extend(positions::checks(&seen, &sinks, &lake.topic_ids, clock.now()));
        }
    });
    Report::new(checks)
}

/// A thread that panicked is a defect, and no reason not to tell of the others.
fn broke_off(system: &'static str) -> Check {
    Check::wrong(system, "doctor", "this program", "a check broke off: this is a defect of kassa")
        .mend("report it, with what stands above")
}
