//! Compares the sinks' positions with Kafka's logs: whether all unread records still exist, and
//! will exist long enough.

use std::collections::HashMap;
use std::time::Duration;

use kassa_kafka::{Bounds, Standing, kafka_partition};
use kassa_model::{Partition, Positions};

use super::Check;
use super::seen::{Seen, SeenTopic};

const SYSTEM: &str = "positions";

type Sink = (&'static str, Positions);

/// `ids`: the topics' ids at the time of reading. `now`: µs UTC.
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
    let found = format!("was deleted and recreated: its id is {now}, and was {before} when it was read");
    Check::warning(SYSTEM, &format!("topic {}", topic.name), &seen.brokers, found)
        .why("its partitions are read from offset 0, as new ones; records of the old topic that no sink has read are lost")
        .fix("nothing, if this was intended; see docs/reference/kafka.md")
}

/// A sink's next offset in a partition, in the latest incarnation that any sink knows; 0 if it has
/// none and another sink has read the topic.
fn next(positions: &Positions, sinks: &[Sink], topic: &str, number: i32) -> Option<i64> {
    let known = || sinks.iter().flat_map(|(_, positions)| positions.iter()).map(|(partition, _)| partition);
    let is_it = |partition: &&Partition| *partition.topic == *topic && kafka_partition(partition) == Some(number);
    let latest = known().filter(is_it).max_by_key(|partition| partition.number);
    let is_known = || known().any(|partition| *partition.topic == *topic);
    latest.map(|latest| positions.next(latest)).or_else(|| is_known().then_some(0))
}

/// The unread part of a topic, for a sink.
#[derive(Default)]
struct Unread {
    offsets: i64,
    /// Deleted before they were read: partition, from, to.
    gone: Vec<(i32, i64, i64)>,
    /// The log ends before the position: partition, position, end.
    beyond: Vec<(i32, i64, i64)>,
    /// Partitions whose next record will soon be deleted.
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

/// Whether the next record is older than three quarters of the topic's retention.
fn is_at_risk(seen: &Seen, topic: &SeenTopic, (number, bounds, at): (i32, Bounds, i64), now: i64) -> bool {
    let retention = topic.settings.and_then(|settings| settings.retention);
    let Some(retention) = retention.filter(|_| at < bounds.stable_end) else { return false };
    match seen.cluster.time_from(&topic.name, number, at) {
        Ok(Some(written)) => u128::try_from(now / 1_000 - written).is_ok_and(|age| age > retention.as_millis() * 3 / 4),
        // Without an answer, this is unknown; the topic's own check has reported it.
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
        let found = format!("the log ends before the position ({})", listed(&unread.beyond, "read, the log ends at"));
        return Check::wrong(SYSTEM, &what, &seen.brokers, found)
            .why("the broker has lost records that were already read, or this is another cluster")
            .fix("check that `source.url` names the same cluster; if it does, a running kassa, or else the next start, reads the partition from 0 as a new one");
    }
    if !unread.gone.is_empty() {
        let found = format!("records were deleted before they were read ({})", listed(&unread.gone, "to"));
        return Check::wrong(SYSTEM, &what, &seen.brokers, found)
            .why("the topic's retention deleted them: the next start records them as a gap, which `kassa prove` reports")
            .fix(format!(
                "lengthen retention.ms of {name}; if another sink has them: `kassa replay --from archive --sinks {}`",
                sink.0
            ));
    }
    if !unread.at_risk.is_empty() {
        let kept = topic.settings.and_then(|settings| settings.retention).unwrap_or(Duration::ZERO);
        let found = format!(
            "{} offsets unread; the next ones of partitions {:?} are older than three quarters of the topic's retention of {}",
            unread.offsets,
            unread.at_risk,
            humantime::format_duration(kept)
        );
        return Check::warning(SYSTEM, &what, &seen.brokers, found)
            .why("records that are not read in time are deleted and become a permanent gap")
            .fix(format!("start kassa, or lengthen retention.ms of {name} until it has caught up"));
    }
    Check::ok(SYSTEM, &what, &seen.brokers, format!("{} offsets unread, all still exist", unread.offsets))
}
