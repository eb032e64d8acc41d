//! Writes records: keyed, idempotent, acknowledged by all in-sync replicas. A record is delivered
//! when the broker says so. If one is not delivered, the next call returns the error.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer};

use crate::client::Context;
use crate::{Cluster, Connection, KafkaError};

/// How often to check whether everything is delivered.
const SOON: Duration = Duration::from_micros(500);

#[derive(Debug, Clone)]
pub struct ProducerOptions {
    pub connection: Connection,
    /// The maximum number of records that wait for the broker's answer; `send` waits when it is
    /// reached.
    pub records_max: usize,
    pub bytes_max: usize,
    /// A record that is not acknowledged within this time has failed.
    pub delivery_timeout: Duration,
    /// How long records wait for others, to be sent together.
    pub linger: Duration,
    /// none, lz4, zstd, snappy or gzip.
    pub compression: &'static str,
}

impl ProducerOptions {
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            records_max: 100_000,
            bytes_max: 64 * 1024 * 1024,
            delivery_timeout: Duration::from_secs(30),
            linger: Duration::from_millis(5),
            compression: "lz4",
        }
    }
}

/// A record to write. Without a value it is a tombstone; without a key it goes to any partition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outgoing<'r> {
    pub topic: &'r str,
    pub key: Option<&'r [u8]>,
    pub value: Option<&'r [u8]>,
    pub headers: &'r [(&'r str, Option<&'r [u8]>)],
    /// ms since 1970; default: the client's clock.
    pub timestamp_ms: Option<i64>,
    /// Default: by the key's hash, like Java's client.
    pub partition: Option<i32>,
}

/// The broker's position of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    pub partition: i32,
    pub offset: i64,
}

type Outcome = Result<Delivered, KafkaError>;

/// What a delivery report belongs to.
#[derive(Debug)]
pub(crate) enum Ticket {
    Counted,
    Awaited { batch: Arc<Awaited>, index: usize },
}

/// Records whose sender waits for all of them.
#[derive(Debug)]
pub(crate) struct Awaited {
    outcomes: Mutex<(Vec<Option<Outcome>>, usize)>,
    all: Condvar,
}

#[derive(Debug)]
struct Reports {
    context: Context,
    sent: AtomicU64,
    delivered: AtomicU64,
    first_error: Mutex<Option<KafkaError>>,
}

pub struct Producer {
    client: ThreadedProducer<Reports>,
    delivery_timeout: Duration,
}

impl fmt::Debug for Producer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Producer").field("delivered", &self.delivered()).finish_non_exhaustive()
    }
}

impl Producer {
    /// Queries the cluster first, so that connection errors are reported here instead of with the
    /// first record.
    pub fn connect(options: &ProducerOptions) -> Result<Self, KafkaError> {
        Cluster::new(&options.connection, "", Duration::from_secs(15))?.topics()?;
        let mut config = options.connection.client_config()?;
        config.set("enable.idempotence", "true").set("acks", "all").set("allow.auto.create.topics", "false");
        config.set("queue.buffering.max.messages", options.records_max.to_string());
        config.set("queue.buffering.max.kbytes", options.bytes_max.div_ceil(1024).to_string());
        config.set("message.timeout.ms", options.delivery_timeout.as_millis().to_string());
        config.set("linger.ms", options.linger.as_millis().to_string()).set("compression.type", options.compression);
        for (name, value) in
            [("partitioner", "murmur2_random"), ("batch.num.messages", "10000"), ("topic.metadata.propagation.max.ms", "5000")]
        {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        let reports = Reports {
            context: Context::new(&options.connection, ""),
            sent: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            first_error: Mutex::default(),
        };
        let outside = Context::new(&options.connection, "");
        let client = ThreadedProducer::from_config_and_context(&config, reports)
            .map_err(|error| outside.failed("a Kafka producer", &error))?;
        Ok(Self { client, delivery_timeout: options.delivery_timeout })
    }

    fn reports(&self) -> &Reports {
        self.client.client().context()
    }

    /// Sends a record, and waits for room. Returns the error of the first record that failed since
    /// the last call, which may be another one.
    pub fn send(&self, record: &Outgoing<'_>) -> Result<(), KafkaError> {
        self.reports().check()?;
        self.enqueue(record, Ticket::Counted)
    }

    fn enqueue(&self, record: &Outgoing<'_>, ticket: Ticket) -> Result<(), KafkaError> {
        let headers = (!record.headers.is_empty()).then(|| {
            let pairs = record.headers.iter().map(|(key, value)| Header { key, value: *value });
            pairs.fold(OwnedHeaders::new_with_capacity(record.headers.len()), |headers, header| headers.insert(header))
        });
        let mut outgoing = BaseRecord {
            topic: record.topic,
            partition: record.partition,
            payload: record.value,
            key: record.key,
            timestamp: record.timestamp_ms,
            headers,
            delivery_opaque: Box::new(ticket),
        };
        let started = Instant::now();
        loop {
            match self.client.send(outgoing) {
                Ok(()) => {
                    self.reports().sent.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err((ClientError::MessageProduction(Code::QueueFull), back)) if started.elapsed() < self.delivery_timeout => {
                    self.client.poll(Duration::from_millis(1));
                    outgoing = back;
                }
                Err((error, _)) => return Err(self.reports().undelivered(record.topic, &error)),
            }
        }
    }

    /// Waits until all records are delivered.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        // The client's own flush would wait for reports that its thread has already taken.
        let started = Instant::now();
        while self.client.in_flight_count() > 0 && started.elapsed() < timeout {
            thread::sleep(SOON);
        }
        let flushed = self.client.flush(Duration::ZERO);
        self.reports().check()?;
        flushed.map_err(|error| self.reports().context.failed("waiting for the delivery of records", &error))
    }

    /// Sends a batch and waits for the broker's answer to each record. Returns the outcomes in
    /// order. For callers that need the outcome before they answer.
    pub fn produce_and_wait(&self, records: &[Outgoing<'_>]) -> Vec<Outcome> {
        let batch = Arc::new(Awaited { outcomes: Mutex::new((vec![None; records.len()], records.len())), all: Condvar::new() });
        for (index, record) in records.iter().enumerate() {
            if let Err(error) = self.enqueue(record, Ticket::Awaited { batch: Arc::clone(&batch), index }) {
                batch.settle(index, Err(error));
            }
        }
        batch.wait(self.delivery_timeout + Duration::from_secs(5), || self.reports().lost())
    }

    /// The number of records that the broker has acknowledged.
    pub fn delivered(&self) -> u64 {
        self.reports().delivered.load(Ordering::Relaxed)
    }

    /// The number of records that wait for the broker's answer.
    pub fn in_flight(&self) -> u64 {
        self.reports().sent.load(Ordering::Relaxed).saturating_sub(self.delivered())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Awaited {
    fn settle(&self, index: usize, outcome: Outcome) {
        let mut outcomes = lock(&self.outcomes);
        if let Some(slot @ None) = outcomes.0.get_mut(index) {
            *slot = Some(outcome);
            outcomes.1 -= 1;
        }
        if outcomes.1 == 0 {
            self.all.notify_all();
        }
    }

    /// Every record has an outcome within the delivery timeout. A record without an outcome counts
    /// as not delivered.
    fn wait(&self, limit: Duration, lost: impl Fn() -> KafkaError) -> Vec<Outcome> {
        let (mut outcomes, _) = self
            .all
            .wait_timeout_while(lock(&self.outcomes), limit, |(_, left)| *left > 0)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut outcomes.0).into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(lost()))).collect()
    }
}

impl Reports {
    fn check(&self) -> Result<(), KafkaError> {
        lock(&self.first_error).clone().map_or(Ok(()), Err)
    }

    fn lost(&self) -> KafkaError {
        KafkaError::Unavailable { at: self.context.connection().at(), why: "the client gave no answer".into() }
    }

    /// Why a record was not delivered: for a refused connection, librdkafka reports only a timeout;
    /// the reason came before.
    fn undelivered(&self, topic: &str, error: &ClientError) -> KafkaError {
        let timed_out = error.rdkafka_error_code() == Some(Code::MessageTimedOut);
        if let Some(reason) = timed_out.then(|| self.context.take_error()).flatten() {
            return reason;
        }
        match error.rdkafka_error_code() {
            Some(
                Code::TopicAuthorizationFailed | Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition,
            ) => self.context.failed(topic, error),
            _ => {
                let why = self.context.unreachable().filter(|_| timed_out).unwrap_or_else(|| error.to_string());
                KafkaError::Undelivered { at: self.context.connection().at(), topic: topic.into(), why }
            }
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.context.log(level, facility, line);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let outcome = match result {
            Ok(message) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                Ok(Delivered { partition: message.partition(), offset: message.offset() })
            }
            Err((error, message)) => Err(self.undelivered(BorrowedMessage::topic(message), error)),
        };
        match *ticket {
            Ticket::Awaited { batch, index } => batch.settle(index, outcome),
            Ticket::Counted => {
                if let Err(error) = outcome {
                    lock(&self.first_error).get_or_insert(error);
                }
            }
        }
    }
}
