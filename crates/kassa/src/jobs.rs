//! The jobs. To add one, add an entry to [`JOBS`]: name, description, function.

mod redshift;
mod shelf;
mod upkeep;

use kassa_config::Config;
use serde_json::Value;

/// Work that runs to completion occasionally, and may be repeated if its outcome is unknown.
pub struct Job {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Config) -> anyhow::Result<Done>,
}

/// The result of a job.
pub struct Done {
    pub is_changed: bool,
    pub words: String,
    pub detail: Value,
}

pub const JOBS: &[Job] = &[
    Job { name: "derive", about: "Bring sessions and calendar up to date with the facts", run: upkeep::derive },
    Job {
        name: "compact",
        about: "Merge small files of archive and lake, write checkpoints, delete replaced files",
        run: upkeep::compact,
    },
    Job { name: "redshift", about: "Export the lake to Amazon Redshift", run: redshift::export },
];
