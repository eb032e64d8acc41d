//! `kassa prove`: recounts everything from the stored records.

use kassa_model::Code;

use crate::cli::{Format, Prove};
use crate::failure::{Exit, Failure};
use crate::proof::{Asks, is_at_work, proof};
use crate::{output, settings};

pub fn prove(args: &Prove) -> anyhow::Result<()> {
    let config = settings::reading(&args.place)?;
    let asks = if args.without_kafka { Asks::Nothing } else { Asks::Kafka };
    let proof = proof(&config, is_at_work(&config.data_dir), asks)?;
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
                f.kind.name().to_owned(),
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
        let what = format!("{} findings in {} records", rows.len() + proof.left_out, proof.records);
        return Err(Failure::new(Code::ProofFailed, what).hint("each finding names table, topic, partition and offsets").into());
    }
    output::print(&format!(
        "proven: {} records read = {} accepted + {} duplicates + {} dead letters; {} rows recounted",
        proof.records, proof.accepted, proof.duplicates, proof.dead_letters, proof.rows
    ))
}
