//! The callbacks of librdkafka: errors, log lines, statistics, changes of assignment. They run on
//! the thread that polls; the results wait here until that thread takes them. Authentication and
//! TLS errors are reported only this way, never as the result of a call.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kassa_model::Cause;
use kassa_model::secret::is_secret_name;
use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;
use serde::Deserialize;

use crate::{Connection, KafkaError};

/// A topic's name and a partition's number, in Kafka's terms.
pub(crate) type TopicPartition = (Arc<str>, i32);

/// A notice for a consumer; notices keep their order.
#[derive(Debug)]
pub(crate) enum Notice {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    Lost(Vec<TopicPartition>),
    /// The topic with this name has another id than before.
    Recreated {
        topic: Arc<str>,
        before: String,
        now: String,
    },
    /// A partition's position is out of range; librdkafka does not say which one.
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

/// The limit of pending errors, because the consumer may never take them. More of them add no
/// information.
const ERRORS_MAX: usize = 16;

/// Queued for the polling thread, which takes all of them with each poll.
#[derive(Debug, Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    topic_ids: HashMap<Arc<str>, String>,
    statistics: HashMap<TopicPartition, Numbers>,
    /// The number of statistics so far.
    statistics_seen: u64,
    /// Why a broker could not be reached; kept until librdkafka reports that all brokers are down.
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

    fn notify(&self, notice: Notice) {
        let mut waiting = self.waiting();
        let failed = |notice: &&Notice| matches!(notice, Notice::Failed(_));
        if failed(&&notice) && waiting.notices.iter().filter(failed).count() >= ERRORS_MAX {
            return;
        }
        waiting.notices.push_back(notice);
        drop(waiting);
        self.dirty.store(true, Ordering::Release);
    }

    /// Whether there is something new since the last take.
    pub(crate) fn dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> VecDeque<Notice> {
        self.dirty.store(false, Ordering::Release);
        std::mem::take(&mut self.waiting().notices)
    }

    /// The first error. The other errors and events are dropped.
    pub(crate) fn take_error(&self) -> Option<KafkaError> {
        let worse = |error: &KafkaError| !matches!(error, KafkaError::Unavailable { .. });
        let mut errors = self
            .take()
            .into_iter()
            .filter_map(|notice| if let Notice::Failed(error) = notice { Some(error) } else { None })
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

    pub(crate) fn statistics(&self) -> (u64, HashMap<TopicPartition, Numbers>) {
        let waiting = self.waiting();
        (waiting.statistics_seen, waiting.statistics.clone())
    }

    pub(crate) fn statistics_seen(&self) -> u64 {
        self.waiting().statistics_seen
    }

    /// From now on, revoked partitions are given up immediately, because the caller no longer
    /// answers.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Converts the error of a call.
    pub(crate) fn failed(&self, what: &str, error: &ClientError) -> KafkaError {
        if let ClientError::ClientConfig(_, why, property, value) = error {
            // librdkafka's own words repeat the value too.
            let (shown, why) = if is_secret_name(property) {
                ("***", why.replace(value.as_str(), "***"))
            } else {
                (value.as_str(), why.clone())
            };
            return KafkaError::Invalid { what: format!("the property {property} = {shown}"), why };
        }
        match error.rdkafka_error_code() {
            Some(code) => self.explain(code, &format!("{what}: {code}")).unwrap_or_else(|| self.refused(what, error)),
            None => self.refused(what, error),
        }
    }

    /// Converts a missing right. When a fetch or the group's coordinator is refused, the error
    /// arrives with the records, as connection errors arrive at the context. Other errors there are
    /// temporary.
    pub(crate) fn denied(&self, what: &str, error: &ClientError) -> Result<(), KafkaError> {
        match self.failed(what, error) {
            denied @ KafkaError::Denied { .. } => Err(denied),
            _ => Ok(()),
        }
    }

    fn refused(&self, what: &str, error: &ClientError) -> KafkaError {
        KafkaError::Refused { at: self.connection.at(), what: what.into(), why: Cause::of(error.clone()) }
    }

    fn unavailable(&self, why: &str) -> KafkaError {
        KafkaError::Unavailable { at: self.connection.at(), why: self.unreachable().unwrap_or_else(|| why.into()) }
    }

    /// The meaning of an error code of librdkafka; `None` if it has none for a caller.
    pub(crate) fn explain(&self, code: Code, reason: &str) -> Option<KafkaError> {
        let (at, identity, why) = (self.connection.at(), self.connection.identity(), reason.to_owned());
        let denied = |what: String| KafkaError::Denied { at: at.clone(), identity: identity.clone(), what };
        Some(match code {
            Code::Authentication | Code::SaslAuthenticationFailed => KafkaError::Credentials { at, identity, why },
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

    /// Reads a log line about a topic whose id has changed: the only place where librdkafka reports
    /// a topic's id.
    fn read_topic_id(&self, line: &str) {
        let Some((head, ids)) = line.split_once(" changed id from ") else { return };
        let Some((topic, (before, now))) = head.rsplit_once("Topic ").map(|(_, topic)| topic).zip(ids.trim().split_once(" to "))
        else {
            return;
        };
        let topic = Arc::<str>::from(topic);
        let held = self.waiting().topic_ids.insert(Arc::clone(&topic), now.into());
        if held.is_some_and(|held| held != now) {
            self.notify(Notice::Recreated { topic, before: before.into(), now: now.into() });
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
            // Some connection failures are reported only in log lines.
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
            let topic_partitions = numbers.partitions.into_iter().filter(|(number, _)| *number >= 0);
            let numbers = topic_partitions.map(|(number, of)| {
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
            Code::AutoOffsetReset => self.notify(Notice::OutOfRange(reason.into())),
            // librdkafka reports the broker's refusal of a client certificate as a transport
            // failure.
            Code::BrokerTransportFailure if reason.contains("SSL alert number") => {
                self.notify(Notice::Failed(KafkaError::Tls {
                    at: self.connection.at(),
                    trusted: self.connection.trusted(),
                    why: reason.into(),
                }));
            }
            Code::BrokerTransportFailure | Code::Resolve => {
                tracing::debug!(target: "kafka", reason, "no connection to a broker");
                self.waiting().unreachable = Some(reason.into());
            }
            Code::PollExceeded => tracing::warn!(target: "kafka", reason, "polled too late: the group reassigns the partitions"),
            _ => match self.explain(code, reason) {
                Some(error) => self.notify(Notice::Failed(error)),
                None => tracing::info!(target: "kafka", reason, code = %code, "client notice"),
            },
        }
    }
}

/// A consumer that assigns its partitions itself and stores no position; it does not join `group`.
/// A position that no longer exists becomes the earliest.
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

/// Gives up those of the partitions that are assigned: librdkafka refuses a list with others.
pub(crate) fn unassign(consumer: &BaseConsumer<Context>, topic_partitions: &[TopicPartition]) -> KafkaResult<()> {
    let assignment = consumer.assignment()?;
    let mut list = TopicPartitionList::new();
    for (topic, number) in topic_partitions {
        if assignment.find_partition(topic, *number).is_some() {
            list.add_partition(topic, *number);
        }
    }
    consumer.incremental_unassign(&list)
}

fn topic_partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(|element| (Arc::from(element.topic()), element.partition())).collect()
}

impl ConsumerContext for Context {
    /// Assigns and gives up nothing here: the caller does, when its sinks are ready.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, change: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = matches!(change, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        let lost = !assigned && consumer.assignment_lost();
        let done = match (assigned, list.count(), lost || self.closing.load(Ordering::Acquire)) {
            (true, 0, _) => consumer.incremental_assign(list),
            (false, 0, _) | (false, _, true) => unassign(consumer, &topic_partitions(list)),
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.notify(Notice::Failed(self.failed("the change of assignment", &error)));
        }
        match (assigned, lost) {
            _ if list.count() == 0 => {}
            (true, _) => self.notify(Notice::Assigned(topic_partitions(list))),
            (false, true) => self.notify(Notice::Lost(topic_partitions(list))),
            (false, false) => self.notify(Notice::Revoked(topic_partitions(list))),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(target: "kafka", %error, "the group's offsets, a hint for lag, were not written");
        }
    }
}
