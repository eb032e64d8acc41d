//! The last proof, kept below `data_dir` so that the dashboard of a running kassa shows it. Deleting it changes nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use kassa_config::Config;
use kassa_lake::prove::Proof;
use kassa_server::{Finding, Proof as Shown};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wiring::Lock;

/// Findings that are kept; `kassa prove` prints them all.
const FINDINGS_MAX: usize = 100;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// µs UTC.
    at: i64,
    ok: bool,
    findings: Vec<Value>,
}

fn path(config: &Config) -> PathBuf {
    config.data_dir.join("state/proof.json")
}

/// Keeps a proof made at `at`, µs UTC. A folder that cannot be written is proved all the same. What was found while another kassa was writing
/// is no verdict: rows that came between two reads look like findings.
pub fn keep(config: &Config, proof: &Proof, at: i64) {
    if !proof.ok && Lock::is_held(&config.data_dir) {
        return;
    }
    if let Err(error) = write(&path(config), proof, at) {
        tracing::warn!(%error, "could not keep the proof for the dashboard");
    }
}

fn write(path: &Path, proof: &Proof, at: i64) -> anyhow::Result<()> {
    let findings: Result<_, _> = proof.findings.iter().take(FINDINGS_MAX).map(serde_json::to_value).collect();
    let kept = serde_json::to_vec(&Kept { at, ok: proof.ok, findings: findings? })?;
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let beside = path.with_extension("json.new");
    fs::write(&beside, kept)?;
    Ok(fs::rename(beside, path)?)
}

/// Reads the last proof whenever it has changed.
#[derive(Debug)]
pub struct LastProof {
    path: PathBuf,
    held: Mutex<(Option<SystemTime>, Option<Shown>)>,
}

impl LastProof {
    pub fn of(config: &Config) -> Self {
        Self { path: path(config), held: Mutex::default() }
    }

    pub fn read(&self) -> Option<Shown> {
        let changed = fs::metadata(&self.path).and_then(|file| file.modified()).ok();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 != changed {
            *held = (changed, fs::read(&self.path).ok().and_then(|kept| shown(&kept)));
        }
        held.1.clone()
    }
}

fn shown(kept: &[u8]) -> Option<Shown> {
    let kept: Kept = serde_json::from_slice(kept).ok()?;
    let finding = |found: &Value| {
        let word = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        Finding {
            kind: word("kind"),
            sink: word("sink"),
            table: word("table"),
            topic: word("topic"),
            partition: word("partition"),
            from: word("from"),
            to: word("to"),
            detail: word("detail"),
        }
    };
    Some(Shown { at: kept.at, ok: kept.ok, findings: kept.findings.iter().map(finding).collect() })
}
