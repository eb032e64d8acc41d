//! `kassa doctor`: checks everything in the configuration, and reports what it found and how to fix
//! problems.
//!
//! ```text
//!  Config ─┬─► settings   settings that contradict each other
//!          ├─► machine    data folder, disk, listen address
//!          ├─► lake       folder or bucket ──────────► positions ─┐
//!          ├─► warehouse  PostgreSQL ────────────────► positions ─┼─► positions  the sinks' positions against Kafka's
//!          ├─► registry                                           │
//!          └─► kafka      brokers, topics, group ────► Seen ──────┘
//! ```
//!
//! The servers are checked in parallel, one thread each, so that one without an answer does not
//! block the others. The checks leave nothing behind.

mod check;
mod clock;
mod kafka;
mod lake;
mod machine;
mod positions;
mod registry;
mod seen;
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

/// The results of a store's checks.
#[derive(Default)]
struct Store {
    checks: Vec<Check>,
    /// The positions of its sinks, as far as they could be read.
    sinks: Vec<(&'static str, Positions)>,
    /// The ids of Kafka's topics at the time of reading.
    topic_ids: HashMap<String, String>,
}

/// Runs all checks of a valid configuration.
pub fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut checks = settings::checks(config);
    checks.extend(machine::checks(config));
    thread::scope(|scope| {
        let kafka = scope.spawn(|| kafka::examine(config));
        let registry = scope.spawn(|| registry::checks(config));
        let lake = scope.spawn(|| lake::examine(config, clock));
        let warehouse = scope.spawn(|| warehouse::examine(config, clock));
        let (from_kafka, seen) = kafka.join().unwrap_or_else(|_| (vec![panicked("kafka")], None));
        checks.extend(from_kafka);
        checks.extend(registry.join().unwrap_or_else(|_| vec![panicked("registry")]));
        let broken = |system| Store { checks: vec![panicked(system)], ..Store::default() };
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

/// A panic in a check is a defect; the other checks are reported nevertheless.
fn panicked(system: &'static str) -> Check {
    Check::wrong(system, "doctor", "this program", "a check panicked: this is a defect of kassa")
        .fix("report it, with the output above")
}
