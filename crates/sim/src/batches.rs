//! Batches of order lines with one unit each, so that a sink's contents can be counted.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::BinaryArray;
use kassa_model::key::Keyring;
use kassa_model::{Contract, Currency, Headers, Partition, Records, Shop};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Batch, Format, Stage, Stream};
use serde_json::json;

/// The topic of all batches.
pub const TOPIC: &str = "lines";

/// 2026-01-05 12:00 UTC, the ingest time of all records.
const INGESTED_AT: i64 = 1_767_614_400_000_000;

/// The keys of all lakes of the suites.
pub const KEYS: Keyring = Keyring::keyed([7; 16]);

pub fn shop() -> Shop {
    Shop::new("Suite", "Europe/London", Currency::parse("GBP").unwrap()).unwrap()
}

pub fn partition(number: i64) -> Partition {
    Partition::new(TOPIC, number)
}

/// A sold line at each offset.
pub fn sold(number: i64, offsets: Range<i64>) -> Arc<Batch> {
    batch(number, offsets, |number, offset| {
        json!({"event_id": format!("e{number}-{offset}"), "occurred_at": "2026-01-05T10:00:00Z", "order_id": format!("o{number}-{offset}"),
            "line_id": "1", "product_id": "lamp", "quantity": "1", "unit_price": "2.50", "currency": "GBP"})
        .to_string()
    })
}

/// A malformed record at each offset.
pub fn bad(number: i64, offsets: Range<i64>) -> Arc<Batch> {
    batch(number, offsets, |_, _| "{".to_owned())
}

fn batch(number: i64, offsets: Range<i64>, record: impl Fn(i64, i64) -> String) -> Arc<Batch> {
    let values: Vec<String> = offsets.clone().map(|offset| record(number, offset)).collect();
    let records = Records {
        partition: partition(number),
        offsets: offsets.clone().collect(),
        ingested_at: vec![INGESTED_AT; values.len()],
        timestamps: vec![None; values.len()],
        keys: None,
        headers: Headers::None,
        values: BinaryArray::from_iter_values(&values),
        next: offsets.end,
    };
    let index = Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 }).unwrap();
    let stream = Stream::new(TOPIC, Contract::OrderLine, Format::Json, None, 1 << 20);
    let mut stage = Stage::new(&shop(), KEYS, index, [(Arc::from(TOPIC), stream)]);
    Arc::new(stage.run(records, offsets.start).unwrap())
}
