//! Records of the collector on their way into Kafka: answered when the broker has them.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use kassa_kafka::{Outgoing, Producer, ProducerOptions};
use kassa_server::{CollectError, Done};

use crate::wiring;

/// The maximum number of waiting requests; beyond it the collector answers 429.
const REQUESTS: usize = 256;
/// The number of requests whose records are sent at once.
const THREADS: usize = 8;
const RETRY_AFTER: Duration = Duration::from_secs(1);

struct Request {
    topic: String,
    records: Vec<Bytes>,
    done: Done,
}

/// Threads that each send a request's records and wait for the broker.
pub struct Produced(SyncSender<Request>);

impl Produced {
    pub fn start(kafka: &kassa_config::Kafka) -> anyhow::Result<Self> {
        let options = ProducerOptions::new(wiring::kafka(kafka));
        let producer = Arc::new(Producer::connect(&options).context("the collector could not reach Kafka")?);
        let (sender, receiver) = sync_channel(REQUESTS);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..THREADS {
            let (producer, receiver) = (Arc::clone(&producer), Arc::clone(&receiver));
            thread::Builder::new().name("produce".to_owned()).spawn(move || work(&producer, &receiver))?;
        }
        Ok(Self(sender))
    }

    pub fn send(&self, topic: &str, records: Vec<Bytes>, done: Done) -> Result<(), CollectError> {
        self.0.try_send(Request { topic: topic.to_owned(), records, done }).map_err(|refused| match refused {
            TrySendError::Full(_) => CollectError::Full { retry_after: RETRY_AFTER },
            TrySendError::Disconnected(_) => CollectError::Failed("the producer has stopped".to_owned()),
        })
    }
}

fn work(producer: &Producer, receiver: &Mutex<Receiver<Request>>) {
    loop {
        // The thread with the lock waits for a request; the others wait for the lock.
        let request = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Request { topic, records, done }) = request else { return };
        let outgoing: Vec<Outgoing<'_>> = records
            .iter()
            .map(|record| Outgoing {
                topic: &topic,
                key: None,
                value: Some(record),
                headers: &[],
                timestamp_ms: None,
                partition: None,
            })
            .collect();
        let failed = producer.produce_and_wait(&outgoing).into_iter().find_map(Result::err);
        done(failed.map_or(Ok(()), |error| Err(CollectError::Failed(error.to_string()))));
    }
}
