//! The synthetic shop into Kafka: keyed, acknowledged by all replicas, each record once.

use std::time::Duration;

use anyhow::Context;
use kassa_kafka::{Connection, KafkaError, Outgoing, Producer, ProducerOptions};
use kassa_model::{Code, Contract};
use kassa_source::shop::{Shop, stream_of};

use crate::failure::Failure;

/// How long the last records may take to be acknowledged.
const FLUSH: Duration = Duration::from_secs(120);

/// Sends the shop's next records to the topics named like the contracts' own streams.
pub fn to_kafka(shop: &mut Shop, url: &str, records: u64) -> anyhow::Result<()> {
    let brokers = url.trim_start_matches("kafka://").trim_end_matches('/').to_owned();
    let producer = Producer::connect(&ProducerOptions::new(Connection { brokers, ..Connection::default() })).map_err(refused)?;
    let mut record = Vec::new();
    for _ in 0..records {
        record.clear();
        let emitted = shop.next(&mut record);
        let key = key_of(emitted.contract, &record);
        let (topic, value) = (stream_of(emitted.contract), Some(record.as_slice()));
        let outgoing = Outgoing { topic, key, value, headers: &[], timestamp_ms: None, partition: None };
        producer.send(&outgoing).map_err(refused)?;
    }
    producer.flush(FLUSH).map_err(refused).context("not all records were delivered")
}

/// What the records of one thing share, so that they share a partition: their order stays, and duplicates are seen. A record that
/// does not say it has no key.
fn key_of(contract: Contract, record: &[u8]) -> Option<&[u8]> {
    let field: &[u8] = match contract {
        Contract::Order | Contract::OrderLine | Contract::Payment | Contract::Refund => b"\"order_id\":\"",
        Contract::Event => b"\"session_id\":\"",
        Contract::Customer => b"\"customer_id\":\"",
        Contract::Product | Contract::Inventory => b"\"product_id\":\"",
        Contract::FxRate => b"\"base\":\"",
    };
    let start = record.windows(field.len()).position(|window| window == field)? + field.len();
    let length = record[start..].iter().position(|byte| *byte == b'"')?;
    Some(&record[start..start + length])
}

fn refused(error: KafkaError) -> anyhow::Error {
    let hint = error.hint();
    let failure = Failure::new(Code::BadParameter, error.to_string());
    failure.hint(hint.unwrap_or_else(|| "--to takes kafka://HOST:PORT; the topics must exist".to_owned())).into()
}
