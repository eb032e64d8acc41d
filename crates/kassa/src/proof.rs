//! The proof of a configuration's source, lake and other sinks, for `kassa prove` and for a running pipeline.

mod progress;
mod source;
pub mod warehouse;

use anyhow::Context;
use kassa_config::{Config, Source};
use kassa_lake::prove::{self, NoLog, Progress, Proof, SourceLog, Subject};

pub use self::progress::Bar;
use self::source::{Collected, Kept};
use crate::feed::refused;
use crate::settings;
use crate::sinks::{self, Proven};
use crate::wiring::Lake;

/// Which records Kafka is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Every record that it still has.
    Kafka,
    /// None: reading all of them every hour would be too much.
    Nothing,
}

const UNASKED: &str = "could not ask Kafka what it still has (`--without-kafka` proves the rest)";

/// The scope of a proof, and the display of its progress.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'s> {
    /// Whether a pipeline may be writing, so that one sink may lag behind another.
    pub at_work: bool,
    pub asks: Asks,
    /// The first ingest day (UTC, such as 2026-01-31) of the records that are proven. `None`: all records, and also the other
    /// sinks.
    pub since: Option<&'s str>,
    pub progress: &'s dyn Progress,
}

/// Proves the lake of a configuration and, unless the proof begins with a day, the other sinks.
pub fn proof(config: &Config, scope: Scope<'_>) -> anyhow::Result<Proof> {
    let Scope { at_work, asks, since, progress } = scope;
    let config = &settings::with_known_topics(config.clone())?;
    let lake = Lake::of(config)?;
    let is_sparse = matches!(config.source, Source::Kafka(_));
    let (store, contracts) = (lake.store.as_ref(), &lake.contracts);
    let subject = Subject { store, shop: &config.shop, contracts, at_work, is_sparse, since, progress };
    let prove = |source: &mut dyn SourceLog| -> anyhow::Result<Proof> {
        Ok(prove::prove(subject, source, &mut lake.bare_stage(config, None)?)?)
    };
    let mut proof = match &config.source {
        Source::Log => prove(&mut Collected(config.data_dir.clone()))?,
        Source::Kafka(_) if asks == Asks::Nothing => prove(&mut NoLog)?,
        Source::Kafka(kafka) => {
            let mut kept = Kept::open(config, kafka, &lake).context(UNASKED)?;
            let proof = prove(&mut kept);
            kept.failed.map_or(proof, |error| Err(refused(error).context(UNASKED)))?
        }
    };
    for sink in sinks::ALL.into_iter().filter(|_| since.is_none()) {
        let Proven { findings, rows } = sink.prove(&lake, config, (at_work, progress))?;
        proof.ok &= findings.is_empty();
        proof.findings.extend(findings);
        proof.rows += rows;
    }
    // Tables that were exchanged meanwhile are from different stars.
    lake.refuse_unfinished()?;
    Ok(proof)
}
