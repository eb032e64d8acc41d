//! What the sinks have, beside what Kafka has: whether all that comes next is still there, and will be when its turn comes.

use std::collections::HashMap;
use std::time::Duration;

use kassa_kafka::{Bounds, Standing, kafka_partition};
use kassa_model::{Partition, Positions};

use super::Check;
use super::kafka::Seen;
use super::topics::SeenTopic;

const SYSTEM: &str = "positions";

type Sink = (&'static str, Positions);

/// `ids`: those that the topics had when they were read. `now`: µs UTC.
pub fn checks(seen: &Seen, sinks: &[Sink], ids: &HashMap<String, String>, now: i64) -> Vec<Check> {
    let of = |topic: &SeenTopic| {
        let before = ids.get(&topic.name);
        match before.zip(topic.id.as_ref()).filter(|(before, now)| before != now) {
            Some((before, now)) => vec![recreated(seen, topic, before, now)],
            None => sinks.iter().map(|sink| check(seen, topic, sink, sinks, now)).collect(),
        }
    };
    seen.topics.iter().flat_map(of).collect()
}

fn recreated(seen: &Seen, topic: &SeenTopic, before: &str, now: &str) -> Check {
    let found = format!("was deleted and made anew: its id is {now}, and was {before} when it was read");
    Check::warning(SYSTEM, &format!("topic {}", topic.name), &seen.brokers, found)
        .why("its partitions are read from offset 0, as new ones; what the old topic had and no sink read is lost")
        .mend("nothing, if it was meant; see docs/reference/kafka.md")
}

/// A sink's next offset in a partition, under the latest of its incarnations; 0 if it has none and another sink has read the topic.
fn next(positions: &Positions, sinks: &[Sink], topic: &str, number: i32) -> Option<i64> {
    let is_it = |partition: &Partition| *partition.topic == *topic && kafka_partition(partition) == Some(number);
    let held = positions.iter().filter(|(partition, _)| is_it(partition)).max_by_key(|(partition, _)| partition.number);
    let is_known = || sinks.iter().any(|(_, positions)| positions.iter().any(|(partition, _)| *partition.topic == *topic));
    held.map(|(_, next)| next).or_else(|| is_known().then_some(0))
}

/// What of a topic a sink has yet to read.
#[derive(Default)]
struct Unread {
    offsets: i64,
    /// Gone before they were read: partition, from, to.
    gone: Vec<(i32, i64, i64)>,
    /// The log ends before the position: partition, position, end.
    beyond: Vec<(i32, i64, i64)>,
    /// Partitions whose next record will go before long.
    at_risk: Vec<i32>,
}

fn unread(seen: &Seen, topic: &SeenTopic, (_, positions): &Sink, sinks: &[Sink], now: i64) -> Unread {
    let mut unread = Unread::default();
    for (number, bounds) in &topic.bounds {
        let held = next(positions, sinks, &topic.name, *number);
        let at = match bounds.standing(held) {
            Standing::At(at) => at,
            Standing::Behind { to } => {
                unread.gone.push((*number, held.unwrap_or(0), to));
                to
            }
            Standing::Beyond => {
                unread.beyond.push((*number, held.unwrap_or(0), bounds.stable_end));
                continue;
            }
        };
        unread.offsets += bounds.stable_end - at;
        if is_at_risk(seen, topic, (*number, *bounds, at), now) {
            unread.at_risk.push(*number);
        }
    }
    unread
}

/// Whether the next record is older than three quarters of what the topic keeps.
fn is_at_risk(seen: &Seen, topic: &SeenTopic, (number, bounds, at): (i32, Bounds, i64), now: i64) -> bool {
    let retention = topic.settings.and_then(|settings| settings.retention);
    let Some(retention) = retention.filter(|_| at < bounds.stable_end) else { return false };
    match seen.cluster.time_from(&topic.name, number, at) {
        Ok(Some(written)) => u128::try_from(now / 1_000 - written).is_ok_and(|age| age > retention.as_millis() * 3 / 4),
        // What could not be asked is not known: the topic's own check has said why.
        Ok(None) | Err(_) => false,
    }
}

fn check(seen: &Seen, topic: &SeenTopic, sink: &Sink, sinks: &[Sink], now: i64) -> Check {
    let (what, name) = (format!("{} of {}", topic.name, sink.0), &topic.name);
    let unread = unread(seen, topic, sink, sinks, now);
    let listed = |spans: &[(i32, i64, i64)], between: &str| {
        spans.iter().map(|(number, from, to)| format!("{name}/{number}: {from} {between} {to}")).collect::<Vec<_>>().join("; ")
    };
    if !unread.beyond.is_empty() {
        let found = format!("the log ends before what was read ({})", listed(&unread.beyond, "read, the log ends at"));
        return Check::wrong(SYSTEM, &what, &seen.brokers, found)
            .why("the broker has lost records that it had given out, or it is another cluster than the one that was read")
            .mend("see that `source.url` names the same cluster; if it does, the next start reads the partition from 0 as a new one");
    }
    if !unread.gone.is_empty() {
        let found = format!("records are gone that were not read ({})", listed(&unread.gone, "to"));
        return Check::wrong(SYSTEM, &what, &seen.brokers, found)
            .why("the topic's retention deleted them: the next start records them as a gap, which `kassa prove` tells")
            .mend(format!(
                "lengthen retention.ms of {name}; if another sink has them: `kassa replay --from archive --sinks {}`",
                sink.0
            ));
    }
    if !unread.at_risk.is_empty() {
        let kept = topic.settings.and_then(|settings| settings.retention).unwrap_or(Duration::ZERO);
        let found = format!(
            "{} offsets unread, the next of partitions {:?} older than three quarters of the {} that the topic keeps",
            unread.offsets,
            unread.at_risk,
            humantime::format_duration(kept)
        );
        return Check::warning(SYSTEM, &what, &seen.brokers, found)
            .why("what is not read by then is deleted, and is a gap for ever")
            .mend(format!("start kassa, or lengthen retention.ms of {name} until it has caught up"));
    }
    Check::ok(SYSTEM, &what, &seen.brokers, format!("{} offsets unread, all still there", unread.offsets))
}
