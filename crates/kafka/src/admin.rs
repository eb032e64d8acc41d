//! Creates and changes topics.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication, TopicResult};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Context;
use crate::{Cluster, Connection, KafkaError, Settings};

/// The time limit for one change of the cluster.
const LIMIT: Duration = Duration::from_secs(30);

pub struct Admin {
    client: AdminClient<Context>,
    cluster: Cluster,
}

impl fmt::Debug for Admin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Admin {
    pub fn connect(connection: &Connection) -> Result<Self, KafkaError> {
        let cluster = Cluster::new(connection, "", Duration::from_secs(15))?;
        cluster.topics()?;
        let outside = Context::new(connection, "");
        let client = AdminClient::from_config_and_context(&connection.client_config()?, Context::new(connection, ""))
            .map_err(|error| outside.failed("a Kafka client", &error))?;
        Ok(Self { client, cluster })
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns when the topic can be read. Settings have Kafka's names, such as `retention.ms`.
    pub fn create_topic(&self, name: &str, partitions: i32, replicas: i32, settings: &[(&str, &str)]) -> Result<(), KafkaError> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        self.one(&format!("creating topic {name}"), self.client.create_topics([&topic], &options()))?;
        self.until(name, |count| count == usize::try_from(partitions).unwrap_or(0))
    }

    pub fn delete_topic(&self, name: &str) -> Result<(), KafkaError> {
        self.one(&format!("deleting topic {name}"), self.client.delete_topics(&[name], &options()))?;
        self.until(name, |count| count == 0)
    }

    /// `partitions` is the total partition count after the change.
    pub fn set_partitions(&self, name: &str, partitions: usize) -> Result<(), KafkaError> {
        let wanted = NewPartitions::new(name, partitions);
        self.one(&format!("adding partitions to {name}"), self.client.create_partitions([&wanted], &options()))?;
        self.until(name, |count| count == partitions)
    }

    /// Deletes the records before an offset, as retention does.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<(), KafkaError> {
        let what = format!("deleting records of {topic}");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).map_err(|error| self.failed(&what, &error))?;
        let done = block_on(self.client.delete_records(&list, &options())).map_err(|error| self.failed(&what, &error))?;
        done.elements().iter().try_for_each(|element| element.error()).map_err(|error| self.failed(&what, &error))
    }

    /// The broker's settings of a topic.
    pub fn settings(&self, topic: &str) -> Result<Settings, KafkaError> {
        let what = format!("the settings of topic {topic}");
        let asked = [ResourceSpecifier::Topic(topic)];
        let answers = block_on(self.client.describe_configs(&asked, &options())).map_err(|error| self.failed(&what, &error))?;
        let unknown = || KafkaError::UnknownTopic { at: self.context().connection().at(), topic: topic.into() };
        let answer = answers.into_iter().next().ok_or_else(unknown)?;
        let refused = |code| KafkaError::Refused {
            at: self.context().connection().at(),
            what: what.clone(),
            why: format!("{code}").into(),
        };
        let found = answer.map_err(|code| self.context().explain(code, topic).unwrap_or_else(|| refused(code)))?;
        if found.entries.is_empty() {
            // The client does not report the broker's refusal; instead, the answer contains no
            // settings.
            return Err(self.context().explain(RDKafkaErrorCode::TopicAuthorizationFailed, topic).unwrap_or_else(unknown));
        }
        Ok(Settings::of(found.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)))))
    }

    fn one(&self, what: &str, asked: impl Future<Output = KafkaResult<Vec<TopicResult>>>) -> Result<(), KafkaError> {
        for result in block_on(asked).map_err(|error| self.failed(what, &error))? {
            if let Err((topic, code)) = result {
                let at = self.context().connection().at();
                let refused = KafkaError::Refused { at, what: what.into(), why: format!("{topic}: {code}").into() };
                return Err(self.context().explain(code, &topic).unwrap_or(refused));
            }
        }
        Ok(())
    }

    /// Brokers see a change one after another: waits until this broker has seen it.
    fn until(&self, topic: &str, enough: impl Fn(usize) -> bool) -> Result<(), KafkaError> {
        for _ in 0..LIMIT.as_millis() / 50 {
            let partitions = match self.cluster.topic(topic) {
                Ok(topic) => topic.partitions.len(),
                Err(KafkaError::UnknownTopic { .. }) => 0,
                Err(error) => return Err(error),
            };
            if enough(partitions) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(KafkaError::Unavailable {
            at: self.context().connection().at(),
            why: format!("the change of {topic} is not seen yet"),
        })
    }

    fn context(&self) -> &Arc<Context> {
        self.client.inner().context()
    }

    fn failed(&self, what: &str, error: &rdkafka::error::KafkaError) -> KafkaError {
        self.context().failed(what, error)
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for librdkafka's answer on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = TaskContext::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
