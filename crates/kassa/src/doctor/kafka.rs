//! Kafka: whether its brokers answer and accept the credentials, and which topics may be read.

use std::time::Duration;

use kassa_config::{Config, Source};
use kassa_kafka::{Admin, Cluster, Connection};

use super::Check;
use super::seen::{SYSTEM, Seen, refused};
use super::topics;
use crate::wiring;

/// How long a query is retried.
const PATIENCE: Duration = Duration::from_secs(4);

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

/// Joining would take partitions from running workers, so this only checks whether the group is
/// visible. It uses a separate client, because a client reports a refusal of the group's
/// coordinator only once.
fn group(connection: &Connection, seen: &Seen, group: &str) -> Option<Check> {
    let (topic, number) = seen.topics.iter().find_map(|topic| Some((&topic.name, topic.bounds.first()?.0)))?;
    let what = format!("group {group}");
    let asked = Cluster::new(connection, group, PATIENCE).and_then(|cluster| cluster.may_see_group(topic, number));
    Some(match asked {
        Ok(()) => Check::ok(
            SYSTEM,
            &what,
            &seen.brokers,
            "visible (DESCRIBE); only a start shows whether the right to join (READ) is missing",
        ),
        Err(error) => refused(&what, &seen.brokers, &error)
            .fix(format!("grant READ on the group: kafka-acls --add --allow-principal User:… --operation Read --group {group}")),
    })
}
