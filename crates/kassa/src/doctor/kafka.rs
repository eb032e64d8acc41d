//! Kafka: whether its brokers answer, who we are to them, and what of it may be read.

use std::time::Duration;

use kassa_config::{Config, Source};
use kassa_kafka::{Admin, Cluster, Connection, KafkaError};

use super::Check;
use super::topics::{self, SeenTopic};
use crate::wiring;

pub const SYSTEM: &str = "kafka";
/// How long a question is asked again before it is given up.
const PATIENCE: Duration = Duration::from_secs(4);

/// A cluster that answers, and its topics as far as they could be looked at.
pub struct Seen {
    pub cluster: Cluster,
    pub brokers: String,
    pub topics: Vec<SeenTopic>,
}

pub fn examine(config: &Config) -> (Vec<Check>, Option<Seen>) {
    let Source::Kafka(kafka) = &config.source else { return (Vec::new(), None) };
    let connection = wiring::kafka(kafka);
    let place = connection.brokers.clone();
    let reached = Cluster::new(&connection, &kafka.group, PATIENCE).and_then(|cluster| Ok((cluster.brokers()?, cluster)));
    let (brokers, cluster) = match reached {
        Ok(reached) => reached,
        Err(error) => return (vec![refused("brokers", &place, &error)], None),
    };
    let mut checks = vec![Check::ok(SYSTEM, "brokers", &place, format!("{} ({})", brokers.len(), brokers.join(", ")))];
    let names: Vec<String> = match cluster.topics() {
        Ok(topics) => topics.into_iter().map(|topic| topic.name.to_string()).collect(),
        Err(error) => {
            checks.push(refused("topics", &place, &error));
            return (checks, None);
        }
    };
    let admin = Admin::connect(&connection).map_err(|error| checks.push(refused("settings", &place, &error))).ok();
    let mut seen = Seen { cluster, brokers: place.clone(), topics: Vec::new() };
    for stream in &config.streams {
        let (said, topic) = topics::examine(&seen, admin.as_ref(), stream, &names);
        checks.extend(said);
        seen.topics.extend(topic);
    }
    checks.extend(group(&connection, &seen, &kafka.group));
    (checks, Some(seen))
}

/// What is not allowed, or not there, as the client names it with its fix.
pub fn refused(what: &str, place: &str, error: &KafkaError) -> Check {
    let mend = match error {
        KafkaError::Unavailable { .. } => {
            "see whether the brokers run; then host, port and listener in `source.url`, and a firewall".to_owned()
        }
        KafkaError::Tls { .. } => {
            let hint = error.hint().unwrap_or_default();
            format!("{hint} (`source.ca`, `source.certificate`, `source.key`)")
        }
        KafkaError::Credentials { .. } => {
            let hint = error.hint().unwrap_or_default();
            format!("{hint} (`source.user`, `source.password`, `source.mechanism`)")
        }
        _ => error.hint().unwrap_or_else(|| "mend [source]".to_owned()),
    };
    Check::wrong(SYSTEM, what, place, error.to_string()).why("nothing is read from Kafka").mend(mend)
}

/// Joining would take partitions from those at work: what is asked is whether the group may be seen. By a client of its own, as one is told
/// only once what its group's coordinator refuses.
fn group(connection: &Connection, seen: &Seen, group: &str) -> Option<Check> {
    let (topic, number) = seen.topics.iter().find_map(|topic| Some((&topic.name, topic.bounds.first()?.0)))?;
    let what = format!("group {group}");
    let asked = Cluster::new(connection, group, PATIENCE).and_then(|cluster| cluster.may_see_group(topic, number));
    Some(match asked {
        Ok(()) => {
            Check::ok(SYSTEM, &what, &seen.brokers, "may be seen (DESCRIBE); the right to join (READ) shows at the start alone")
        }
        Err(error) => refused(&what, &seen.brokers, &error)
            .mend(format!("grant READ on the group: kafka-acls --add --allow-principal User:… --operation Read --group {group}")),
    })
}
