//! `kassa prove`: recounts everything from its own contents.

use arrow::array::RecordBatch;
use kassa_config::Config;
use kassa_lake::prove::{LogState, Proof, Rederive};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Code, Records, Table};
use kassa_pipeline::Stage;
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_source::log;

use crate::cli::{Format, Prove};
use crate::failure::{Exit, Failure};
use crate::wiring::{Lake, Lock};
use crate::{output, proofs, settings};

/// The pipeline's own code, which here accepts whatever is valid.
struct Again(Stage);

impl Rederive for Again {
    fn rows(&mut self, records: Records) -> Result<Vec<(Table, RecordBatch)>, String> {
        let from = records.offsets.first().copied().unwrap_or(0);
        // Each run is judged by itself: which of its records the lake accepted is the prover's to say.
        self.0.index = Index::new(&IndexOptions { memory_bytes: 64 << 20, dir: None, event_window_us: 0 })
            .map_err(|error| error.to_string())?;
        let batch = self.0.run(records, from).map_err(|error| error.to_string())?;
        Ok(batch.tables().to_vec())
    }
}

/// Proves the lake of a configuration.
pub fn proof(config: &Config) -> anyhow::Result<Proof> {
    let lake = Lake::of(config);
    let mut again = Again(lake.bare_stage(config, None)?);
    let mut states = Vec::new();
    let mut problems = Vec::new();
    if config.data_dir.join("log").is_dir() {
        let verified = log::verify(&config.data_dir)?;
        states.extend(
            verified.partitions.iter().map(|partition| LogState { partition: partition.partition.clone(), next: partition.next }),
        );
        problems = verified.problems;
    }
    let mut proof = kassa_lake::prove::prove(lake.store.as_ref(), &config.shop, &lake.contracts, &states, &mut again)?;
    for problem in problems {
        proof.ok = false;
        proof.findings.push(kassa_lake::prove::Finding {
            kind: "log_corrupt",
            sink: "log",
            table: "log".to_owned(),
            topic: None,
            partition: None,
            from: None,
            to: None,
            detail: format!("{problem:?}"),
        });
    }
    Ok(proof)
}

pub fn prove(args: &Prove) -> anyhow::Result<()> {
    let config = settings::config(&args.place)?;
    let proof = proof(&config)?;
    proofs::keep(&config, &proof, SystemClock.now());
    if args.format == Format::Json {
        output::json(&proof)?;
        return if proof.ok { Ok(()) } else { Err(Exit(1).into()) };
    }
    let header = ["kind", "table", "topic", "partition", "from", "to", "detail"];
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let rows: Vec<Vec<String>> = proof
        .findings
        .iter()
        .map(|f| {
            vec![
                f.kind.to_owned(),
                f.table.clone(),
                word(&f.topic),
                word(&f.partition),
                word(&f.from),
                word(&f.to),
                f.detail.clone(),
            ]
        })
        .collect();
    if !proof.ok {
        output::table(&header, &rows, args.format)?;
        let what = format!("{} findings in {} records", rows.len(), proof.records);
        let hint = if Lock::is_held(&config.data_dir) {
            "a kassa is writing here, and rows that came meanwhile look like findings: stop it and prove again"
        } else {
            "each finding names table, topic, partition and offsets"
        };
        return Err(Failure::new(Code::ProofFailed, what).hint(hint).into());
    }
    output::print(&format!(
        "proven: {} records read = {} accepted + {} duplicates + {} dead letters; {} rows recounted",
        proof.records, proof.accepted, proof.duplicates, proof.dead_letters, proof.rows
    ))
}
