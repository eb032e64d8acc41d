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

pub mod check;
mod clock;
mod kafka;
pub mod lake;
mod machine;
mod positions;
mod registry;
mod seen;
mod settings;
#[cfg(test)]
mod tests;
mod topics;
pub mod warehouse;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use kassa_config::Config;
use kassa_model::time::Clock;

use self::check::Store;
pub use self::check::{Check, Report, Verdict};
use crate::sinks;

/// Runs all checks of a valid configuration.
pub fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut checks = settings::checks(config);
    checks.extend(machine::checks(config));
    thread::scope(|scope| {
        let kafka = scope.spawn(|| kafka::examine(config));
        let registry = scope.spawn(|| registry::checks(config));
        let examine = |sink: &'static dyn sinks::Registration| (sink.name(), scope.spawn(move || sink.examine(config, clock)));
        let stores = sinks::ALL.map(examine);
        let (from_kafka, seen) = kafka.join().unwrap_or_else(|_| (vec![panicked("kafka")], None));
        checks.extend(from_kafka);
        checks.extend(registry.join().unwrap_or_else(|_| vec![panicked("registry")]));
        let (mut sinks, mut topic_ids) = (Vec::new(), HashMap::new());
        for (name, store) in stores {
            let broken = || Store { checks: vec![panicked(name)], ..Store::default() };
            let Some(store) = store.join().unwrap_or_else(|_| Some(broken())) else { continue };
            checks.extend(store.checks);
            sinks.extend(store.sinks);
            topic_ids.extend(store.topic_ids);
        }
        if let Some(seen) = seen {
            checks.extend(positions::checks(&seen, &sinks, &topic_ids, clock.now()));
        }
    });
    Report::new(checks)
}

/// A panic in a check is a defect; the other checks are reported nevertheless.
fn panicked(system: &'static str) -> Check {
    Check::wrong(system, "doctor", "this program", "a check panicked: this is a defect of kassa")
        .fix("report it, with the output above")
}
