//! The cost of an order line in each stage of the hot path, counted in instructions by callgrind: a fixed input in memory, one
//! thread, no IO. `scripts/instructions` runs this and compares the counts with `bench/instructions.toml`.
//!
//! ```text
//!  decode        JSON ─► payload
//!  validate      JSON ─► payload ─► event                                  less decode: validation
//!  shape         JSON ─► payload ─► event ─────────────► rows              less validate: shaping
//!  whole_stage   JSON ─► payload ─► event ─► decision ─► rows              less shape: dedupe
//!  encode                                    rows of fact_sales ─► Parquet
//! ```
//!
//! callgrind counts only inside these five functions and writes what it has counted at each call of `end_of_part`. So they are not
//! inlined and do not call each other. The allocator is the system's, because callgrind's counts
//! would otherwise depend on when jemalloc returns pages.

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use arrow_array::{BinaryArray, RecordBatch};
use kassa_lake::encode;
use kassa_model::key::Keyring;
use kassa_model::time::{Calendar, SECOND};
use kassa_model::{Contract, Currency, Fate, Headers, Partition, Records, Table};
use kassa_pipeline::decode::{self, Layout, Leads, Payload};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, Stage, Stream, event};
use kassa_source::shop::{Faults, Options, Shop};

const TOPIC: &str = "order_lines";
/// As of a lake with a secret.
const KEYS: Keyring = Keyring::keyed([7; 16]);
/// Monday, 6 January 2025, midnight in London.
const START: i64 = 1_736_121_600 * SECOND;
/// Records that the stage gets at once, as from the collector's log.
const AT_ONCE: usize = 8_192;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["write", file, records] => write(Path::new(file), records.parse()?),
        ["run", file] => run(Path::new(file)),
        _ => bail!("usage: kassa-instructions write FILE RECORDS | run FILE"),
    }
}

fn model() -> anyhow::Result<kassa_model::Shop> {
    let currency = Currency::parse("GBP").context("no pounds")?;
    kassa_model::Shop::new("bench", "Europe/London", currency).context("no such time zone")
}

/// Writes the first order lines of the synthetic shop, one per line.
fn write(file: &Path, records: usize) -> anyhow::Result<()> {
    let options = Options { seed: 1, start: START, records_per_day: 60_000, shop: model()?, faults: Faults::default() };
    let mut shop = Shop::new(options)?;
    let (mut text, mut record, mut written) = (Vec::new(), Vec::new(), 0);
    while written < records {
        record.clear();
        // No record contains a line break.
        if shop.next(&mut record).contract == Contract::OrderLine {
            text.extend_from_slice(&record);
            text.push(b'\n');
            written += 1;
        }
    }
    Ok(fs::write(file, text)?)
}

/// Runs every part once. Prints the number of records, then the names of the parts in their order.
fn run(file: &Path) -> anyhow::Result<()> {
    let text = fs::read(file)?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let inputs = inputs(&lines)?;
    let (shop, layout) = (model()?, Layout::new(Contract::OrderLine));
    let mut out = std::io::stdout();
    writeln!(out, "records {}", lines.len())?;

    let read = decode(&layout, &inputs);
    end_of_part(&mut out, "decode")?;
    let valid = validate(&layout, &inputs, &shop.calendar());
    end_of_part(&mut out, "validate")?;

    let unknown: Vec<Vec<bool>> = inputs.iter().map(|records| vec![false; records.len()]).collect();
    let mut stage = stage(&shop)?;
    let shaped = shape(&mut stage, &inputs, &unknown)?;
    end_of_part(&mut out, "shape")?;

    let (mut stage, copies) = (self::stage(&shop)?, inputs.clone());
    let (fates, facts) = whole_stage(&mut stage, copies)?;
    end_of_part(&mut out, "whole_stage")?;

    let bytes = encode(&facts)?;
    end_of_part(&mut out, "encode")?;

    let refused = fates.iter().filter(|fate| **fate == Fate::DeadLetter).count();
    let accepted = fates.iter().filter(|fate| **fate == Fate::Accepted).count();
    let rows: usize = facts.iter().map(RecordBatch::num_rows).sum();
    ensure!(read >= valid && valid + refused == lines.len(), "{read} read, {valid} valid, {refused} refused of {}", lines.len());
    ensure!(rows == accepted && shaped == valid, "{rows} rows of {accepted} accepted, {shaped} of {valid} by themselves");
    ensure!(bytes > 0, "nothing was encoded");
    Ok(())
}

fn inputs(lines: &[&[u8]]) -> anyhow::Result<Vec<Records>> {
    let (mut inputs, mut from) = (Vec::new(), 0_i64);
    for lines in lines.chunks(AT_ONCE) {
        let next = from + i64::try_from(lines.len())?;
        inputs.push(Records {
            partition: Partition::new(TOPIC, 0),
            offsets: (from..next).collect(),
            ingested_at: (from..next).map(|offset| START + offset * 1_000).collect(),
            timestamps: vec![None; lines.len()],
            keys: None,
            headers: Headers::None,
            values: BinaryArray::from(lines.to_vec()),
            next,
        });
        from = next;
    }
    Ok(inputs)
}

fn stage(shop: &kassa_model::Shop) -> anyhow::Result<Stage> {
    let index = Index::new(&IndexOptions { memory_bytes: 96 << 20, dir: None, event_window_us: 0 })?;
    let stream = Stream::new(TOPIC, Contract::OrderLine, Format::Json, None, 1 << 20);
    Ok(Stage::new(shop, KEYS, index, [(Arc::from(TOPIC), stream)]))
}

/// When this is called, callgrind writes its counts.
#[inline(never)]
fn end_of_part(out: &mut dyn std::io::Write, name: &str) -> std::io::Result<()> {
    writeln!(out, "part {name}")
}

#[inline(never)]
fn decode(layout: &Layout, inputs: &[Records]) -> usize {
    let (mut payload, mut leads, mut read) = (Payload::new(layout), Leads::default(), 0);
    for records in inputs {
        for index in 0..records.len() {
            read += usize::from(decode::json(layout, records.value(index), &mut payload, &mut leads).is_ok());
        }
    }
    black_box(read)
}

#[inline(never)]
fn validate(layout: &Layout, inputs: &[Records], calendar: &Calendar) -> usize {
    let (mut payload, mut leads, mut valid) = (Payload::new(layout), Leads::default(), 0);
    for records in inputs {
        for index in 0..records.len() {
            if decode::json(layout, records.value(index), &mut payload, &mut leads).is_ok() {
                valid += usize::from(black_box(event::validate(layout, &payload, calendar.zone())).is_ok());
            }
        }
    }
    valid
}

/// The rows of the facts.
#[inline(never)]
fn shape(stage: &mut Stage, inputs: &[Records], unknown: &[Vec<bool>]) -> anyhow::Result<usize> {
    let mut rows = 0;
    for (records, unknown) in inputs.iter().zip(unknown) {
        for (table, batch) in &stage.alone(records, unknown)? {
            if *table == Table::FactSales {
                rows += batch.num_rows();
            }
        }
    }
    Ok(rows)
}

/// The fate of each record, and the rows of the facts.
#[inline(never)]
fn whole_stage(stage: &mut Stage, inputs: Vec<Records>) -> anyhow::Result<(Vec<Fate>, Vec<RecordBatch>)> {
    let (mut fates, mut facts, mut from) = (Vec::new(), Vec::new(), 0);
    for records in inputs {
        let next = records.next;
        let batch = stage.run(records, from)?;
        from = next;
        fates.extend_from_slice(batch.fates());
        for (table, rows) in batch.tables() {
            if *table == Table::FactSales {
                facts.push(rows.clone());
            }
        }
    }
    Ok((fates, facts))
}

#[inline(never)]
fn encode(facts: &[RecordBatch]) -> anyhow::Result<usize> {
    let schema = facts.first().context("no rows")?.schema();
    Ok(encode::parquet(facts, &encode::properties(&schema, encode::ZSTD_LEVEL))?.len())
}
