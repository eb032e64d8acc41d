//! The jobs. One more is one more line of [`JOBS`]: a name, what it does, a function.

mod redshift;
mod shelf;
mod upkeep;

use kassa_config::Config;
use serde_json::Value;

/// Work that is run to its end now and then, and may be repeated whenever nobody knows whether it was done.
pub struct Job {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Config) -> anyhow::Result<Done>,
}

/// What a job did.
pub struct Done {
    pub is_changed: bool,
    pub words: String,
    pub detail: Value,
}

pub const JOBS: &[Job] = &[
    Job { name: "derive", about: "Bring sessions and calendar up to what they follow from", run: upkeep::derive },
    Job {
        name: "compact",
        about: "Merge the small files of archive and lake, write checkpoints, delete what was replaced",
        run: upkeep::compact,
    },
    Job { name: "redshift", about: "Export to Amazon Redshift what the lake accounts for", run: redshift::export },
];
