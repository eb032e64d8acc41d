//! Records through the stage: no failure, one fate for each, and what the collector refuses is a dead letter.

use std::sync::Arc;

use arrow_array::BinaryArray;
use kassa_model::key::Keyring;
use kassa_model::{Contract, Currency, Fate, Format, Headers, Partition, Records, Shop, time};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Mapper, SchemaText, Schemas, SchemasError, Stage, Stream};

const RECORD_BYTES_MAX: usize = 1 << 16;
/// 2026-01-12T09:30:00Z.
const INGESTED: i64 = 1_768_210_200_000_000;

pub(crate) fn json(data: &[u8]) {
    let Some((contract, rest)) = contract(data) else { return };
    let lines: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').collect();
    let mut stage = stage(contract, Format::Json, None);
    let verdicts: Vec<bool> =
        lines.iter().map(|line| stage.verdict("t", line).expect("a verdict about any bytes").is_some()).collect();
    let fates = run(&mut stage, &lines, Headers::None);
    for (is_refused, fate) in verdicts.into_iter().zip(fates) {
        assert!(!is_refused || fate == Fate::DeadLetter, "the collector refused a record that the pipeline accepts");
    }
}

pub(crate) fn debezium(data: &[u8]) {
    let Some((contract, rest)) = contract(data) else { return };
    let lines: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').collect();
    run(&mut stage(contract, Format::Debezium, None), &lines, Headers::None);
}

/// The first line is the header, each other a record.
pub(crate) fn csv(data: &[u8]) {
    let Some((contract, rest)) = contract(data) else { return };
    let mut lines = rest.split(|byte| *byte == b'\n');
    let header = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let headers = serde_json::json!([["csv_header", header]]).to_string();
    let rows: Vec<&[u8]> = lines.collect();
    run(&mut stage(contract, Format::Csv, None), &rows, Headers::Shared(headers.into()));
}

/// A schema up to the first zero, then data that is framed with its id.
pub(crate) fn avro(data: &[u8]) {
    let Some((contract, rest)) = contract(data) else { return };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let schema = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let frame = [&[0, 0, 0, 0, 1], parts.next().unwrap_or_default()].concat();
    let stage = stage(contract, Format::Avro, None);
    run(&mut stage.with_schemas(Box::new(One(schema.into()))), &[&frame, rest], Headers::None);
}

/// Records of JSON through a mapping.
pub(crate) fn mapped(contract: Contract, mapper: Box<dyn Mapper>, values: &[&[u8]]) {
    run(&mut stage(contract, Format::Json, Some(mapper)), values, Headers::None);
}

/// The contract that the first byte chooses.
pub(crate) fn contract(data: &[u8]) -> Option<(Contract, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((Contract::ALL[usize::from(*first) % Contract::ALL.len()], rest))
}

pub(crate) fn shop() -> Shop {
    let currency = Currency::parse("GBP").expect("a currency");
    Shop::new("Fuzz", "Europe/London", currency).expect("a shop")
}

fn stage(contract: Contract, format: Format, mapper: Option<Box<dyn Mapper>>) -> Stage {
    let options = IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 7 * time::DAY };
    let index = Index::new(&options).expect("an index in memory");
    let stream = Stream::new("things", contract, format, mapper, RECORD_BYTES_MAX);
    Stage::new(&shop(), Keyring::unkeyed([7; 16]), index, [(Arc::from("t"), stream)])
}

fn run(stage: &mut Stage, values: &[&[u8]], headers: Headers) -> Vec<Fate> {
    let next = i64::try_from(values.len()).expect("few records");
    let records = Records {
        partition: Partition::new("t", 0),
        offsets: (0..next).collect(),
        ingested_at: vec![INGESTED; values.len()],
        timestamps: vec![None; values.len()],
        keys: None,
        headers,
        values: BinaryArray::from(values.to_vec()),
        next,
    };
    let batch = stage.run(records, 0).expect("no contents of a record make the stage fail");
    assert_eq!(batch.fates().len(), values.len(), "one fate for each record");
    assert!(batch.span().counts.add_up(), "the counts add up");
    batch.fates().to_vec()
}

/// A registry with one schema.
#[derive(Debug)]
struct One(Arc<str>);

impl Schemas for One {
    fn schema(&mut self, id: i32) -> Result<Option<SchemaText>, SchemasError> {
        Ok((id == 1).then(|| SchemaText { text: Arc::clone(&self.0), references: Vec::new() }))
    }
}
