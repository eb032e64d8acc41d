//! Proves while the pipeline runs: soon after the start, and then at an interval, on a thread with low priority.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use kassa_config::Config;
use kassa_lake::prove;
use kassa_server::{FindingStatus, Proof};

use crate::failure;
use crate::proof::{Asks, Scope, proof};
use crate::wiring;

/// The nice value of the thread; 19 is the maximum.
const NICENESS: i32 = 15;

/// The last proof, for observers.
#[derive(Debug, Default)]
pub struct Last(Mutex<Option<Proof>>);

impl Last {
    pub fn get(&self) -> Option<Proof> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, proof: Proof) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof);
    }
}

/// The thread that proves. When this is dropped, it ends after the current proof; the program's end does not wait for it, because
/// it only reads.
pub struct Proving {
    _ends: Sender<()>,
}

impl Proving {
    /// Shows each proof in `last`.
    pub fn start(config: Config, last: Arc<Last>) -> anyhow::Result<Self> {
        let (ends, ended) = channel();
        thread::Builder::new().name("proof".to_owned()).spawn(move || work(&config, &ended, &last))?;
        Ok(Self { _ends: ends })
    }
}

fn work(config: &Config, ended: &Receiver<()>, last: &Last) {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "the proof does not yield to the pipeline");
    }
    let mut wait = config.proof.delay;
    while matches!(ended.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
        last.set(judged(config));
        wait = config.proof.interval;
    }
}

/// Proves once. A failed attempt counts as a proof that is not ok.
fn judged(config: &Config) -> Proof {
    let at = wiring::clock().now();
    let found = proof(config, Scope { at_work: true, asks: Asks::Nothing, since: None, progress: &prove::Silent });
    match &found {
        Ok(proof) if proof.ok => tracing::info!(records = proof.records, rows = proof.rows, "proven"),
        Ok(proof) if proof.findings.is_empty() => {
            for away in &proof.not_compared {
                tracing::warn!(system = away.system, why = away.why, "proven but for a system that could not be asked");
            }
        }
        Ok(proof) => tracing::error!(findings = proof.findings.len(), "the proof found contradictions: run `kassa prove`"),
        Err(error) => tracing::error!(%error, "could not prove"),
    }
    match found {
        Ok(proof) => {
            let away = proof.not_compared.into_iter().map(|away| unproven(away.system, away.why));
            Proof { at, ok: proof.ok, findings: proof.findings.into_iter().map(shown).chain(away).collect() }
        }
        Err(error) => Proof { at, ok: false, findings: vec![unproven("", failure::chain(&error))] },
    }
}

fn shown(finding: prove::Finding) -> FindingStatus {
    FindingStatus {
        kind: finding.kind.name().to_owned(),
        sink: finding.sink.to_owned(),
        table: finding.table,
        topic: finding.topic.unwrap_or_default(),
        partition: finding.partition.unwrap_or_default(),
        from: finding.from.unwrap_or_default(),
        to: finding.to.unwrap_or_default(),
        detail: finding.detail,
    }
}

fn unproven(system: &str, detail: String) -> FindingStatus {
    let none = String::new;
    FindingStatus {
        kind: "unproven".to_owned(),
        sink: system.to_owned(),
        table: none(),
        topic: none(),
        partition: none(),
        from: none(),
        to: none(),
        detail,
    }
}
