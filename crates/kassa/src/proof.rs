//! The proof of a configuration's lake, log and warehouse, for `kassa prove` and for a running pipeline.

mod warehouse;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use kassa_config::{Config, Source};
use kassa_lake::prove::{self, CollectorLog, Finding, Kind, LogState, Proof, Subject};
use kassa_model::{Partition, Records};
use kassa_source::log::{self, LogReader, Problem, ProblemKind};

use crate::settings;
use crate::topology::{BATCH_BYTES, BATCH_RECORDS};
use crate::wiring::Lake;

/// The collector's log below a data folder, read as its files are.
struct LogOf(PathBuf);

impl CollectorLog for LogOf {
    fn states(&mut self) -> Result<(Vec<LogState>, Vec<Finding>), String> {
        if !self.0.join("log").is_dir() {
            return Ok((Vec::new(), Vec::new()));
        }
        let verified = log::verify(&self.0).map_err(|error| error.to_string())?;
        let states = verified.partitions.into_iter();
        let states = states.map(|held| LogState { partition: held.partition, first: held.first, next: held.next }).collect();
        Ok((states, verified.problems.iter().filter_map(finding).collect()))
    }

    fn read(&mut self, partition: &Partition, from: i64, take: &mut dyn FnMut(&Records)) -> Result<(), String> {
        // Damage was named above, and what retention takes meanwhile is no damage: what can be read is read.
        let Ok(mut reader) = LogReader::open(&self.0, partition, from) else { return Ok(()) };
        while let Ok(Some(records)) = reader.read(BATCH_RECORDS, BATCH_BYTES) {
            take(&records);
        }
        Ok(())
    }
}

/// A torn tail is no finding: a crash leaves one, nobody was answered, and what was read before is missed if it was cut.
fn finding(problem: &Problem) -> Option<Finding> {
    let kind = match problem.kind {
        ProblemKind::TornTail => return None,
        ProblemKind::Corrupt => Kind::LogCorrupt,
        ProblemKind::Missing => Kind::LogCut,
        ProblemKind::Overlap => Kind::Overlap,
    };
    let detail = format!("{} byte {}: {}", problem.file.display(), problem.byte, problem.detail);
    Some(Finding::in_log(kind, &problem.partition, problem.from..problem.to, detail))
}

/// Proves the lake of a configuration. `at_work`: a pipeline may be writing, so that one sink may lag behind another.
pub fn proof(config: &Config, at_work: bool) -> anyhow::Result<Proof> {
    let config = &settings::with_known_topics(config.clone())?;
    let lake = Lake::of(config)?;
    let mut stage = lake.bare_stage(config, None)?;
    let is_sparse = matches!(config.source, Source::Kafka(_));
    let subject = Subject { store: lake.store.as_ref(), shop: &config.shop, contracts: &lake.contracts, at_work, is_sparse };
    let mut proof = prove::prove(subject, &mut LogOf(config.data_dir.clone()), &mut stage)?;
    if let Some(target) = &lake.warehouse {
        let (found, rows) = warehouse::findings(lake.store.as_ref(), target, at_work)?;
        proof.ok &= found.is_empty();
        proof.findings.extend(found);
        proof.rows += rows;
    }
    Ok(proof)
}

/// Whether another kassa writes below this folder now.
pub fn is_at_work(data_dir: &Path) -> bool {
    File::open(data_dir.join("kassa.lock")).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
