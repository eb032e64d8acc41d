//! What librdkafka tells its clients: errors, log lines, statistics, changes of assignment. It tells the thread that polls; what is told
//! waits here until that thread takes it. Authentication and TLS errors come this way only, never as the result of a call.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;
use serde::Deserialize;

use crate::{Connection, KafkaError};

/// A topic's name and a partition's number, as Kafka has them.
pub(crate) type Place = (Arc<str>, i32);

/// What a consumer was told, in order.
#[derive(Debug)]
pub(crate) enum Told {
    Assigned(Vec<Place>),
    Revoked(Vec<Place>),
    Lost(Vec<Place>),
    /// The topic of this name is another than before.
    Recreated {
        topic: Arc<str>,
        before: String,
        now: String,
    },
    /// Some partition's position is out of range: librdkafka does not say which.
    OutOfRange(String),
    Failed(KafkaError),
}

/// A partition's numbers in librdkafka's statistics. Negative ones are unknown.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Numbers {
    pub(crate) lo_offset: i64,
    pub(crate) hi_offset: i64,
    pub(crate) ls_offset: i64,
    pub(crate) committed_offset: i64,
    pub(crate) next_offset: i64,
    #[serde(skip)]
    pub(crate) fetching: bool,
}

#[derive(Deserialize)]
struct Statistics {
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    partitions: HashMap<i32, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    fetch_state: String,
    #[serde(flatten)]
    numbers: Numbers,
}

/// Errors that wait to be taken, by somebody who may never do so: more of them say nothing new.
const ERRORS_MAX: usize = 16;

/// Queued for the polling thread, which takes all with each poll.
#[derive(Debug, Default)]
struct Waiting {
    told: VecDeque<Told>,
    topic_ids: HashMap<Arc<str>, String>,
    statistics: HashMap<Place, Numbers>,
    /// How many statistics have come.
    statistics_seen: u64,
    /// Why a broker could not be reached, kept until all are said to be down.
    unreachable: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Context {
    connection: Connection,
    group: String,
    waiting: Mutex<Waiting>,
    dirty: AtomicBool,
    closing: AtomicBool,
}

impl Context {
    pub(crate) fn new(connection: &Connection, group: &str) -> Self {
        Self {
            connection: connection.clone(),
            group: group.into(),
            waiting: Mutex::default(),
            dirty: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, told: Told) {
        let mut waiting = self.waiting();
        let failed = |told: &&Told| matches!(told, Told::Failed(_));
        if failed(&&told) && waiting.told.iter().filter(failed).count() >= ERRORS_MAX {
            return;
        }
        waiting.told.push_back(told);
        drop(waiting);
        self.dirty.store(true, Ordering::Release);
    }

    /// Whether something was told since it was last taken.
    pub(crate) fn dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> VecDeque<Told> {
        self.dirty.store(false, Ordering::Release);
        std::mem::take(&mut self.waiting().told)
    }

    /// The first error that was told; the others are dropped, as are other events.
    pub(crate) fn take_error(&self) -> Option<KafkaError> {
        let worse = |error: &KafkaError| !matches!(error, KafkaError::Unavailable { .. });
        let mut errors = self
            .take()
            .into_iter()
            .filter_map(|told| if let Told::Failed(error) = told { Some(error) } else { None })
            .collect::<Vec<_>>();
        let at = errors.iter().position(worse).unwrap_or(0);
        (at < errors.len()).then(|| errors.swap_remove(at))
    }

    pub(crate) fn unreachable(&self) -> Option<String> {
        self.waiting().unreachable.clone()
    }

    pub(crate) fn topic_id(&self, topic: &str) -> Option<String> {
        self.waiting().topic_ids.get(topic).cloned()
    }

    pub(crate) fn statistics(&self) -> (u64, HashMap<Place, Numbers>) {
        let waiting = self.waiting();
        (waiting.statistics_seen, waiting.statistics.clone())
    }

    pub(crate) fn statistics_seen(&self) -> u64 {
        self.waiting().statistics_seen
    }

    /// From now on revoked partitions are given up at once: nobody is left to be asked.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// An error of a call, in our words.
    pub(crate) fn failed(&self, what: &str, error: &ClientError) -> KafkaError {
        if let ClientError::ClientConfig(_, why, property, value) = error {
            let shown = if property.contains("password") { "***" } else { value };
            return KafkaError::Invalid { what: format!("the property {property} = {shown}"), why: why.clone() };
        }
        match error.rdkafka_error_code() {
            Some(code) => self.explain(code, &format!("{what}: {code}")).unwrap_or_else(|| self.refused(what, error)),
            None => self.refused(what, error),
        }
    }

    /// A right that is missing. What a fetch or the group's coordinator is refused comes with the records, as errors of connections
    /// come to the context; others of them pass.
    pub(crate) fn denied(&self, what: &str, error: &ClientError) -> Result<(), KafkaError> {
        match self.failed(what, error) {
            denied @ KafkaError::Denied { .. } => Err(denied),
            _ => Ok(()),
        }
    }

    fn refused(&self, what: &str, error: &ClientError) -> KafkaError {
        KafkaError::Refused { at: self.connection.at(), what: what.into(), why: error.to_string() }
    }

    fn unavailable(&self, why: &str) -> KafkaError {
        KafkaError::Unavailable { at: self.connection.at(), why: self.unreachable().unwrap_or_else(|| why.into()) }
    }

    /// What a code of librdkafka's means; `None` if it has no meaning to a caller.
    pub(crate) fn explain(&self, code: Code, reason: &str) -> Option<KafkaError> {
        let (at, who, why) = (self.connection.at(), self.connection.who(), reason.to_owned());
        let denied = |what: String| KafkaError::Denied { at: at.clone(), who: who.clone(), what };
        Some(match code {
            Code::Authentication | Code::SaslAuthenticationFailed => KafkaError::Credentials { at, who, why },
            Code::SSL => KafkaError::Tls { at, trusted: self.connection.trusted(), why },
            Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::UnknownPartition
            | Code::OffsetNotAvailable
            | Code::NetworkException => self.unavailable(reason),
            Code::TopicAuthorizationFailed => denied(format!("read or write the topic ({reason})")),
            Code::GroupAuthorizationFailed => denied(format!("read as the group {}", self.group)),
            Code::ClusterAuthorizationFailed => denied(format!("do this to the cluster ({reason})")),
            Code::UnknownTopic | Code::UnknownTopicOrPartition => KafkaError::UnknownTopic { at, topic: named(reason) },
            Code::FencedInstanceId | Code::Fatal | Code::Fenced | Code::FencedMemberEpoch => {
                KafkaError::Fenced { group: self.group.clone(), why }
            }
            _ => return None,
        })
    }

    /// A log line that says that a topic has another id than it had: the only place where librdkafka tells a topic's id.
    fn read_topic_id(&self, line: &str) {
        let Some((head, ids)) = line.split_once(" changed id from ") else { return };
        let Some((topic, (before, now))) = head.rsplit_once("Topic ").map(|(_, topic)| topic).zip(ids.trim().split_once(" to "))
        else {
            return;
        };
        let topic = Arc::<str>::from(topic);
        let held = self.waiting().topic_ids.insert(Arc::clone(&topic), now.into());
        if held.is_some_and(|held| held != now) {
            self.tell(Told::Recreated { topic, before: before.into(), now: now.into() });
        }
    }
}

/// The topic in "Subscribed topic not available: orders: Broker: Unknown topic or partition".
fn named(reason: &str) -> String {
    let name = reason.split_once("not available: ").map_or(reason, |(_, rest)| rest);
    name.split_once(": ").map_or(name, |(name, _)| name).trim().to_owned()
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "FAIL" {
            // Some failures to connect are told here alone.
            let reason = line.split_once("]: ").map_or(line, |(_, reason)| reason);
            self.waiting().unreachable = Some(reason.into());
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "kafka", facility, line, "client error");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "kafka", facility, line, "client warning")
            }
            RDKafkaLogLevel::Info => tracing::debug!(target: "kafka", facility, line, "client"),
            RDKafkaLogLevel::Debug => self.read_topic_id(line),
        }
    }

    fn stats_raw(&self, text: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(text) else { return };
        let mut waiting = self.waiting();
        waiting.statistics.clear();
        waiting.statistics_seen += 1;
        for (topic, numbers) in statistics.topics {
            let topic = Arc::<str>::from(topic);
            let places = numbers.partitions.into_iter().filter(|(number, _)| *number >= 0);
            let numbers = places.map(|(number, of)| {
                (
                    (Arc::clone(&topic), number),
                    Numbers { fetching: !matches!(&*of.fetch_state, "none" | "stopped"), ..of.numbers },
                )
            });
            waiting.statistics.extend(numbers);
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        match code {
            Code::PartitionEOF => {}
            Code::AutoOffsetReset => self.tell(Told::OutOfRange(reason.into())),
            // The broker's refusal of a client's certificate is told as a failure of transport.
            Code::BrokerTransportFailure if reason.contains("SSL alert number") => {
                self.tell(Told::Failed(KafkaError::Tls {
                    at: self.connection.at(),
                    trusted: self.connection.trusted(),
                    why: reason.into(),
                }));
            }
            Code::BrokerTransportFailure | Code::Resolve => {
                tracing::debug!(target: "kafka", reason, "no connection to a broker");
                self.waiting().unreachable = Some(reason.into());
            }
            Code::PollExceeded => tracing::warn!(target: "kafka", reason, "polled too late: the group takes the partitions away"),
            _ => match self.explain(code, reason) {
                Some(error) => self.tell(Told::Failed(error)),
                None => tracing::info!(target: "kafka", reason, code = %code, "client notice"),
            },
        }
    }
}

/// A consumer that assigns itself what it reads and keeps no position; `group` is not joined. A position that is gone becomes the earliest.
pub(crate) fn beside_the_group(
    connection: &Connection,
    group: &str,
    queued_kilobytes: &str,
) -> Result<BaseConsumer<Context>, KafkaError> {
    let mut config = connection.client_config()?;
    config.set("group.id", group).set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    config.set("auto.offset.reset", "earliest").set("isolation.level", "read_committed");
    config.set("queued.max.messages.kbytes", queued_kilobytes).set("fetch.wait.max.ms", "10");
    config.set("allow.auto.create.topics", "false");
    let outside = Context::new(connection, group);
    BaseConsumer::from_config_and_context(&config, Context::new(connection, group))
        .map_err(|error| outside.failed("a Kafka consumer", &error))
}

/// Gives up what of these was taken over: librdkafka refuses a list with others.
pub(crate) fn unassign(consumer: &BaseConsumer<Context>, places: &[Place]) -> KafkaResult<()> {
    let assignment = consumer.assignment()?;
    let mut list = TopicPartitionList::new();
    for (topic, number) in places {
        if assignment.find_partition(topic, *number).is_some() {
            list.add_partition(topic, *number);
        }
    }
    consumer.incremental_unassign(&list)
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    list.elements().iter().map(|element| (Arc::from(element.topic()), element.partition())).collect()
}

impl ConsumerContext for Context {
    /// Nothing is assigned or given up here: that is for the caller to say, when its sinks are ready.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, change: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = matches!(change, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        let lost = !assigned && consumer.assignment_lost();
        let done = match (assigned, list.count(), lost || self.closing.load(Ordering::Acquire)) {
            (true, 0, _) => consumer.incremental_assign(list),
            (false, 0, _) | (false, _, true) => unassign(consumer, &places(list)),
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.tell(Told::Failed(self.failed("the change of assignment", &error)));
        }
        match (assigned, lost) {
            _ if list.count() == 0 => {}
            (true, _) => self.tell(Told::Assigned(places(list))),
            (false, true) => self.tell(Told::Lost(places(list))),
            (false, false) => self.tell(Told::Revoked(places(list))),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(target: "kafka", %error, "the group's offsets, a hint for lag, were not noted");
        }
    }
}
