//! The proof of a configuration's source, lake and other sinks, for `kassa prove` and for a running pipeline.

mod progress;
mod source;
pub mod warehouse;

use anyhow::Context;
use kassa_config::{Config, Source};
use kassa_lake::prove::{self, NoLog, NotCompared, Progress, Proof, SourceLog, Subject};
use kassa_model::Code;

pub use self::progress::Bar;
use self::source::{Collected, Kept};
use crate::feed::refused;
use crate::sinks::{self, Proven};
use crate::wiring::Lake;
use crate::{failure, settings};

/// Which records Kafka is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Every record that it still has.
    Kafka,
    /// None: reading all of them every hour would be too much.
    Nothing,
}

const UNASKED: &str = "could not ask Kafka what it still has (`--without-kafka` does not ask)";

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

/// Proves the lake of a configuration and, unless the proof begins with a day, the other sinks. A system beside the lake that does not
/// answer is not compared, and the rest is proven.
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
    let mut not_compared = Vec::new();
    let mut proof = match &config.source {
        Source::Log => prove(&mut Collected(config.data_dir.clone()))?,
        Source::Kafka(_) if asks == Asks::Nothing => prove(&mut NoLog)?,
        Source::Kafka(kafka) => {
            let ask = || {
                let mut kept = Kept::open(config, kafka, &lake).context(UNASKED)?;
                let proof = prove(&mut kept);
                kept.failed.map_or(proof, |error| Err(refused(error).context(UNASKED)))
            };
            match ask() {
                Err(error) => {
                    not_compared.push(away("kafka", error)?);
                    prove(&mut NoLog)?
                }
                proof => proof?,
            }
        }
    };
    for sink in sinks::ALL.into_iter().filter(|_| since.is_none()) {
        match sink.prove(&lake, config, (at_work, progress)) {
            Ok(Proven { findings, rows }) => {
                proof.findings.extend(findings);
                proof.rows += rows;
            }
            Err(error) => not_compared.push(away(sink.name(), error)?),
        }
    }
    proof.ok = proof.findings.is_empty() && not_compared.is_empty();
    proof.not_compared = not_compared;
    // Tables that were exchanged meanwhile do not fit each other.
    lake.refuse_unfinished()?;
    Ok(proof)
}

/// What is said of a system that does not answer, or refuses its login. Any other error is one of the proof.
fn away(system: &'static str, error: anyhow::Error) -> anyhow::Result<NotCompared> {
    let (code, fix) = failure::judge(&error);
    match code {
        Code::StoreUnreachable | Code::StoreRefused | Code::SourceUnreachable | Code::SourceRefused => {
            Ok(NotCompared { system, code: code.code(), why: failure::chain(&error), fix })
        }
        _ => Err(error),
    }
}
