use std::collections::{HashMap, VecDeque};

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{KafkaSource, Profile, SourceOptions, Subscription};
use crate::client::Context;
use crate::{Cluster, KafkaError};

/// The interval of the statistics for lag.
const STATISTICS_MS: &str = "1000";

impl KafkaSource {
    /// Joins the group. The named topics must exist. Connection errors are reported here.
    pub fn connect(options: &SourceOptions) -> Result<Self, KafkaError> {
        let cluster = Cluster::new(&options.connection, &options.group, options.patience)?;
        let names = options.topics.iter().map(Subscription::text).collect::<Vec<_>>();
        if names.is_empty() {
            return Err(KafkaError::Invalid { what: "the list of topics".into(), why: "it is empty".into() });
        }
        for topic in &options.topics {
            if let Subscription::Topic(name) = topic {
                cluster.topic(name)?;
            }
        }
        if options.topics.iter().all(|topic| matches!(topic, Subscription::Pattern(_))) {
            cluster.topics()?;
        }
        let context = Context::new(&options.connection, &options.group);
        let outside = Context::new(&options.connection, &options.group);
        let config = config(options)?;
        let consumer: BaseConsumer<Context> = BaseConsumer::from_config_and_context(&config, context)
            .map_err(|error| outside.failed("a Kafka consumer", &error))?;
        consumer.subscribe(&names).map_err(|error| outside.failed(&format!("the list of topics {names:?}"), &error))?;
        Ok(Self {
            consumer,
            cluster,
            options: options.clone(),
            assignments: HashMap::new(),
            filled: Vec::new(),
            turns: VecDeque::new(),
            errors: VecDeque::new(),
            suspected: None,
            idle_at: 0,
        })
    }
}

fn config(options: &SourceOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = options.connection.client_config()?;
    config.set("group.id", &options.group).set("partition.assignment.strategy", "cooperative-sticky");
    if let Some(instance) = &options.instance {
        config.set("group.instance.id", instance);
    }
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false").set("auto.offset.reset", "error");
    config.set("isolation.level", "read_committed").set("allow.auto.create.topics", "false");
    config.set("statistics.interval.ms", STATISTICS_MS);
    // The prefetch limit applies to all partitions together.
    let (kilobytes, records, wait) = match options.profile {
        Profile::Live => ("16384", "20000", "10"),
        Profile::CatchUp => ("32768", "50000", "100"),
    };
    config.set("queued.max.messages.kbytes", kilobytes);
    let tunable = [
        ("queued.min.messages", records),
        ("fetch.wait.max.ms", wait),
        // Compressed bytes: the unpacked records, and 300 bytes of the client per record, come on
        // top of the limit.
        ("fetch.max.bytes", "4194304"),
        // With the default, a reader that catches up stalls for a second each time the queue was
        // full.
        ("fetch.queue.backoff.ms", "5"),
        ("session.timeout.ms", "10000"),
        // How often to look for new partitions and for new topics that match a pattern.
        ("topic.metadata.refresh.interval.ms", "30000"),
    ];
    for (name, value) in tunable {
        if config.get(name).is_none() {
            config.set(name, value);
        }
    }
    Ok(config)
}
