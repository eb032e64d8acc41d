//! Sends the synthetic shop to Kafka, in JSON or Avro: keyed, acknowledged by all replicas, each
//! record once.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use kassa_kafka::registry::{RegistryClient, RegistryError, RegistryOptions};
use kassa_kafka::{Connection, KafkaError, Outgoing, Producer, ProducerOptions};
use kassa_model::{Code, Contract};
use kassa_source::shop::avro::Avro;
use kassa_source::shop::{STREAMS, Shop, stream_of};

use super::pace::Pace;
use crate::cli::{Simulate, Written};
use crate::failure::Failure;

/// The time limit for the acknowledgement of the last records.
const FLUSH: Duration = Duration::from_secs(120);

/// Sends the shop's next records to topics with the names of the default streams.
pub fn to_kafka(shop: &mut Shop, args: &Simulate, pace: &mut Pace) -> anyhow::Result<()> {
    let brokers = args.to.trim_start_matches("kafka://").trim_end_matches('/').to_owned();
    let producer = Producer::connect(&ProducerOptions::new(Connection { brokers, ..Connection::default() })).map_err(refused)?;
    let mut forms = Forms::of(args)?;
    let (mut record, mut frame) = (Vec::new(), Vec::new());
    for _ in 0..args.records {
        record.clear();
        let emitted = shop.next(&mut record);
        let key = key_of(emitted.contract, &record);
        let mut outgoing = Outgoing { topic: stream_of(emitted.contract), key, value: Some(&record), ..Outgoing::default() };
        if let Some(avro) = forms.avro_for(key.unwrap_or(&record)) {
            frame.clear();
            avro.encode(&emitted, &record, &mut frame)?;
            (outgoing.topic, outgoing.value) = (forms.topic(emitted.contract), Some(frame.as_slice()));
        }
        producer.send(&outgoing).map_err(refused)?;
        pace.next().into_iter().for_each(thread::sleep);
    }
    producer.flush(FLUSH).map_err(refused).context("not all records were delivered")
}

/// The topics, and the records that are written in Avro.
struct Forms {
    written: Written,
    avro: Option<Avro>,
    /// By contract.
    topics: Vec<String>,
}

impl Forms {
    /// Registers all schemas before the first record.
    fn of(args: &Simulate) -> anyhow::Result<Self> {
        let suffix = if args.format == Written::Mixed { "_avro" } else { "" };
        let topics = STREAMS.iter().map(|(stream, _)| format!("{stream}{suffix}")).collect();
        let url = args.registry.as_ref().filter(|_| args.format != Written::Json);
        let avro = url.map(|url| {
            let registry = RegistryClient::new(RegistryOptions::new(url.clone()))?;
            Avro::new(args.seed, |stream, schema| registry.register(&format!("{stream}{suffix}-value"), "AVRO", schema, &[]))
        });
        Ok(Self { written: args.format, avro: avro.transpose().map_err(unregistered)?, topics })
    }

    /// Records with the same key have the same format, and thus the same topic and partition.
    fn avro_for(&mut self, key: &[u8]) -> Option<&mut Avro> {
        let is_avro = self.written == Written::Avro || half(key);
        self.avro.as_mut().filter(|_| is_avro)
    }

    fn topic(&self, contract: Contract) -> &str {
        &self.topics[contract as usize]
    }
}

/// Whether a key belongs to the half that is in Avro.
fn half(key: &[u8]) -> bool {
    key.iter().fold(false, |odd, byte| odd != (byte % 2 == 1))
}

/// The key that related records share, so that they share a partition: they stay in order, and
/// duplicates are detected. A record without this field has no key.
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
    let failure = Failure::of(Code::BadParameter, error);
    failure.hint(hint.unwrap_or_else(|| "--to needs kafka://HOST:PORT; the topics must exist".to_owned())).into()
}

fn unregistered(error: RegistryError) -> anyhow::Error {
    let hint = error.hint();
    let failure = Failure::of(Code::BadParameter, error);
    failure
        .hint(hint.unwrap_or_else(|| "--registry needs the URL of a schema registry, such as http://localhost:8081".to_owned()))
        .into()
}
