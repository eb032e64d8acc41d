//! A running pipeline proves itself: soon after the start, and then at its interval, on a thread that yields to all others.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use kassa_config::Config;
use kassa_lake::prove;
use kassa_server::{FindingStatus, Proof};

use crate::failure;
use crate::proof::{Asks, Scope, proof};
use crate::wiring;

/// How much the thread yields: 19 is all there is.
const NICENESS: i32 = 15;

/// The last proof, for those who show it.
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

/// The thread that proves. It ends after the proof at hand once this is dropped; the program's end does not wait for it, since it
/// only reads.
pub struct Proving {
    last: Arc<Last>,
    _ends: Sender<()>,
}

impl Proving {
    pub fn start(config: Config) -> anyhow::Result<Self> {
        let (ends, ended) = channel();
        let last = Arc::new(Last::default());
        let shown = Arc::clone(&last);
        thread::Builder::new().name("proof".to_owned()).spawn(move || work(&config, &ended, &shown))?;
        Ok(Self { last, _ends: ends })
    }

    pub fn last(&self) -> Arc<Last> {
        Arc::clone(&self.last)
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

/// Proves once. A proof that could not be made is no proof.
fn judged(config: &Config) -> Proof {
    let at = wiring::clock().now();
    let found = proof(config, Scope { at_work: true, asks: Asks::Nothing, since: None, progress: &prove::Silent });
    match &found {
        Ok(proof) if proof.ok => tracing::info!(records = proof.records, rows = proof.rows, "proven"),
        Ok(proof) => tracing::error!(findings = proof.findings.len(), "the proof found contradictions: run `kassa prove`"),
        Err(error) => tracing::error!(%error, "could not prove"),
    }
    match found {
        Ok(proof) => Proof { at, ok: proof.ok, findings: proof.findings.into_iter().map(shown).collect() },
        Err(error) => Proof { at, ok: false, findings: vec![unproven(&error)] },
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

fn unproven(error: &anyhow::Error) -> FindingStatus {
    let none = String::new;
    FindingStatus {
        kind: "unproven".to_owned(),
        sink: none(),
        table: none(),
        topic: none(),
        partition: none(),
        from: none(),
        to: none(),
        detail: failure::chain(error),
    }
}
