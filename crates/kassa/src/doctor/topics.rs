//! A stream's topic: whether it exists and may be read, and its settings.

use kassa_config::Stream;
use kassa_kafka::{Admin, Bounds, KafkaError, Settings};
use kassa_model::nearest::nearest;

use super::Check;
use super::seen::{SYSTEM, Seen, SeenTopic, refused};

pub fn examine(seen: &Seen, admin: Option<&Admin>, stream: &Stream, names: &[String]) -> (Vec<Check>, Option<SeenTopic>) {
    let what = format!("topic {}", stream.topic);
    let topic = match seen.cluster.topic(&stream.topic) {
        Ok(topic) => topic,
        Err(KafkaError::UnknownTopic { .. }) => return (vec![missing(&what, stream, &seen.brokers, names)], None),
        Err(error) => return (vec![refused(&what, &seen.brokers, &error)], None),
    };
    let mut bounds = Vec::new();
    for number in topic.partitions {
        match seen.cluster.bounds(&stream.topic, number) {
            Ok(found) => bounds.push((number, found)),
            Err(error) => return (vec![refused(&what, &seen.brokers, &error)], None),
        }
    }
    if let Some((number, found)) = bounds.iter().max_by_key(|(_, bounds)| bounds.stable_end - bounds.start)
        && let Err(error) = seen.cluster.may_read(&stream.topic, *number, *found)
    {
        return (vec![refused(&what, &seen.brokers, &error)], None);
    }
    let settings = admin.map(|admin| admin.settings(&stream.topic));
    let mut checks = vec![found(&what, &seen.brokers, &bounds, settings.as_ref().and_then(|settings| settings.as_ref().ok()))];
    if let Some(Err(error)) = &settings {
        checks.push(unseen(&what, &seen.brokers, error));
    }
    let settings = settings.and_then(Result::ok);
    checks.extend(settings.iter().flat_map(|settings| fights(&what, &seen.brokers, stream, settings)));
    (checks, Some(SeenTopic { name: stream.topic.clone(), id: topic.id, settings, bounds }))
}

fn missing(what: &str, stream: &Stream, brokers: &str, names: &[String]) -> Check {
    let topic = &stream.topic;
    let create = format!("kafka-topics --bootstrap-server {brokers} --create --topic {topic} --partitions 4");
    let fix = match nearest(topic, names.iter().map(String::as_str)) {
        Some(name) => {
            format!("did you mean `{name}`? Then write `topic = \"{name}\"` in [streams.{}]; or create it: {create}", stream.name)
        }
        None => format!("create it: {create}"),
    };
    let found = format!("the topic does not exist ({} others are visible)", names.len());
    Check::wrong(SYSTEM, what, brokers, found)
        .why(format!("the stream {} reads it; a topic without the right to DESCRIBE looks the same", stream.name))
        .fix(fix)
}

fn found(what: &str, brokers: &str, bounds: &[(i32, Bounds)], settings: Option<&Settings>) -> Check {
    let records: i64 = bounds.iter().map(|(_, bounds)| bounds.stable_end - bounds.start).sum();
    let kept = settings.map(|settings| match settings.retention {
        Some(retention) => format!(", kept for {}", humantime::format_duration(retention)),
        None => ", kept forever".to_owned(),
    });
    Check::ok(SYSTEM, what, brokers, format!("{} partitions, {records} offsets{}", bounds.len(), kept.unwrap_or_default()))
}

fn unseen(what: &str, brokers: &str, error: &KafkaError) -> Check {
    Check::warning(SYSTEM, what, brokers, format!("its retention is not visible: {error}"))
        .why("kassa cannot check whether records are deleted before they are read")
        .fix("grant DESCRIBE_CONFIGS on the topic; only this check needs it")
}

/// The effect of the broker's settings on a stream's records.
fn fights(what: &str, brokers: &str, stream: &Stream, settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    if settings.is_compacted && !stream.contract.is_reference() {
        let check = Check::warning(SYSTEM, what, brokers, "is compacted (`cleanup.policy`)")
            .why("Kafka keeps only the last record of each key: records that are deleted before they are read are missing in all figures")
            .fix("set cleanup.policy=delete on a topic of facts");
        checks.push(check);
    }
    let bound = u64::try_from(stream.max_record_bytes).unwrap_or(u64::MAX);
    if let Some(most) = settings.record_bytes_max.filter(|most| *most > bound.saturating_add(bound / 16)) {
        let found = format!("accepts up to {most} bytes (`max.message.bytes`), but `max_record` is {bound}");
        let check = Check::warning(SYSTEM, what, brokers, found)
            .why("a record between the two is a dead letter (`too_large`)")
            .fix(format!("set `streams.{}.max_record` to the topic's limit", stream.name));
        checks.push(check);
    }
    checks
}
