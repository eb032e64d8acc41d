//! `kassa prove`: recounts everything, or only what was ingested from a day on, from the stored
//! records.

use kassa_lake::prove::{Finding, Lost, Proof, Since};
use kassa_model::Code;

use crate::cli::{Format, Prove};
use crate::failure::{Exit, Failure};
use crate::proof::{Asks, Bar, Scope, proof};
use crate::wiring::Lock;
use crate::{output, settings};

const HEADER: [&str; 7] = ["kind", "table", "topic", "partition", "from", "to", "detail"];

pub fn prove(args: &Prove) -> anyhow::Result<()> {
    let config = settings::reading(&args.place)?;
    let proof = {
        let bar = Bar::on_stderr();
        let asks = if args.without_kafka { Asks::Nothing } else { Asks::Kafka };
        let at_work = Lock::is_taken(&config.data_dir);
        proof(&config, Scope { at_work, asks, since: args.since.as_deref(), progress: &bar })?
    };
    if args.format == Format::Json {
        output::json(&proof)?;
        return match (proof.findings.is_empty(), proof.not_compared.is_empty()) {
            (false, _) => Err(Exit(1).into()),
            (true, false) => Err(Exit(NOT_COMPARED).into()),
            (true, true) => Ok(()),
        };
    }
    if !proof.findings.is_empty() {
        tell_not_compared(&proof);
        return contradicted(&proof, args.format);
    }
    let day = proof.since.as_ref().map(|since| format!(" since {}", since.day)).unwrap_or_default();
    output::print(&format!(
        "proven{day}: {} records read = {} accepted + {} duplicates + {} dead letters; {} rows recounted",
        proof.records, proof.accepted, proof.duplicates, proof.dead_letters, proof.rows
    ))?;
    for Lost { offsets, records } in &proof.lost {
        output::print(&format!(
            "lost by the source before it was read: {records} of {}/{} offsets {} to {}",
            offsets.topic, offsets.partition, offsets.from, offsets.to
        ))?;
    }
    if let Some(since) = &proof.since {
        note(since);
    }
    tell_not_compared(&proof);
    if proof.not_compared.is_empty() { Ok(()) } else { Err(Exit(NOT_COMPARED).into()) }
}

/// The exit code of a proof without findings that could not ask every system.
const NOT_COMPARED: u8 = 3;

fn tell_not_compared(proof: &Proof) {
    for away in &proof.not_compared {
        say!("error[{}]: could not compare {} with the lake: {}", away.code, away.system, away.why);
        say!("   = this is no finding about the data: everything else was proven without it");
        if let Some(fix) = &away.fix {
            say!("   = {fix}");
        }
        say!("   = see docs/errors/{}.md", away.code);
    }
}

/// Prints the findings and fails.
fn contradicted(proof: &Proof, format: Format) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = proof.findings.iter().map(cells).collect();
    output::table(&HEADER, &rows, format)?;
    if let Some(since) = &proof.since {
        note(since);
    }
    let what = format!("{} findings in {} records", rows.len() + proof.left_out, proof.records);
    Err(Failure::new(Code::ProofFailed, what).hint("each finding names table, topic, partition and offsets").into())
}

fn cells(finding: &Finding) -> Vec<String> {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        finding.kind.name().to_owned(),
        finding.table.clone(),
        word(&finding.topic),
        word(&finding.partition),
        word(&finding.from),
        word(&finding.to),
        finding.detail.clone(),
    ]
}

/// States on stderr what the proof since a day covers.
fn note(since: &Since) {
    say!("since {}, UTC:", since.day);
    for covered in &since.partitions {
        say!("  {}/{} offsets {} to {}", covered.topic, covered.partition, covered.from, covered.to);
    }
    say!("{} older files were read too; not covered: {}", since.older_files, since.not_covered.join("; "));
}
