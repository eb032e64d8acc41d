use std::time::Duration;

use kassa_kafka::{Bounds, Cause, Gap, Reset, Start, incarnation, next_incarnation};
use kassa_model::{Partition, Positions};

use crate::support::{Reader, admin, connect, fill, new_topic, options, producer, unique};

fn at(topic: &str, next: i64) -> Positions {
    [(Partition::new(topic, 0), next)].into_iter().collect()
}

fn reader_at(topic: &str, next: i64) -> Reader {
    Reader::new(connect(&options(&unique("group"), topic)), at(topic, next))
}

#[test]
fn the_first_start_reads_all_existing_records() {
    let topic = new_topic("first", 1);
    fill(&producer(), &topic, 1, 0..10);
    admin().delete_records(&topic, 0, 4).unwrap();
    let mut reader = Reader::of(&topic);
    reader.read(6);
    assert!(reader.gaps.is_empty() && reader.resets.is_empty());
    assert_eq!(reader.numbers(), (4..10).collect::<Vec<_>>());
}

#[test]
fn the_sinks_positions_decide_and_the_groups_offsets_never() {
    let topic = new_topic("rule", 1);
    fill(&producer(), &topic, 1, 0..10);
    let mut reader = reader_at(&topic, 3);
    reader.read(7);
    let partition = Partition::new(topic.as_str(), 0);
    reader.source.hint_committed(&[(partition.clone(), 10)]).unwrap();
    reader.until("the hint", |reader| reader.source.lag().first().is_some_and(|lag| lag.committed == Some(10)));
    let group = reader.source;
    drop(group);
    let mut again = reader_at(&topic, 5);
    again.read(5);
}

#[test]
fn records_that_expired_unread_are_a_gap() {
    let (topic, producer) = (new_topic("expired", 1), producer());
    fill(&producer, &topic, 1, 0..20);
    admin().delete_records(&topic, 0, 10).unwrap();
    let mut reader = reader_at(&topic, 5);
    reader.read(10);
    let partition = Partition::new(topic.as_str(), 0);
    assert_eq!(reader.gaps, [Gap { partition: partition.clone(), from: 5, to: 10, cause: Cause::Retention }]);
    // The same while reading: the pause drops the prefetched records.
    reader.source.pause(std::slice::from_ref(&partition)).unwrap();
    fill(&producer, &topic, 1, 20..40);
    reader.stays(Duration::from_millis(300));
    admin().delete_records(&topic, 0, 30).unwrap();
    reader.source.resume(std::slice::from_ref(&partition)).unwrap();
    reader.read(20);
    assert_eq!(reader.gaps.last(), Some(&Gap { partition, from: 20, to: 30, cause: Cause::Retention }));
    assert_eq!(reader.numbers(), (10..20).chain(30..40).collect::<Vec<_>>());
}

#[test]
fn a_new_partition_is_read_from_its_first_record() {
    let (topic, producer) = (new_topic("added", 1), producer());
    fill(&producer, &topic, 1, 0..10);
    let mut options = options(&unique("group"), &topic);
    options.connection.properties.insert("topic.metadata.refresh.interval.ms".into(), "500".into());
    let mut reader = Reader::new(connect(&options), Positions::default());
    reader.read(10);
    admin().set_partitions(&topic, 3).unwrap();
    let fresh = crate::support::producer();
    fill(&fresh, &topic, 3, 10..40);
    reader.read(40);
    assert_eq!((reader.numbers(), reader.gaps.len()), ((0..40).collect::<Vec<_>>(), 0));
}

#[test]
fn a_log_that_ends_before_the_position_is_a_reset_and_continues_as_a_new_incarnation() {
    let (topic, producer) = (new_topic("shorter", 1), producer());
    fill(&producer, &topic, 1, 0..10);
    let mut reader = reader_at(&topic, 25);
    reader.until("the reset", |reader| !reader.resets.is_empty());
    let partition = Partition::new(topic.as_str(), 0);
    let bounds = Some(Bounds { start: 0, stable_end: 10 });
    assert_eq!(reader.resets, [Reset { partition: partition.clone(), held: 25, bounds, cause: Cause::Truncated }]);
    reader.stays(Duration::from_millis(500));
    let anew = next_incarnation(&partition);
    reader.source.begin(&[Start::at(anew.clone(), Some(0))]).unwrap();
    reader.read(10);
    assert!(reader.values.keys().all(|(partition, _)| *partition == anew && incarnation(partition) == 1));
}

#[test]
fn a_topic_that_is_recreated_while_it_is_read_is_reported_even_if_longer() {
    let (topic, first) = (new_topic("anew", 1), producer());
    fill(&first, &topic, 1, 0..10);
    let mut options = options(&unique("group"), &topic);
    options.connection.properties.insert("topic.metadata.refresh.interval.ms".into(), "500".into());
    let mut reader = Reader::new(connect(&options), Positions::default());
    reader.read(10);
    let admin = admin();
    admin.delete_topic(&topic).unwrap();
    admin.create_topic(&topic, 1, 1, &[]).unwrap();
    fill(&producer(), &topic, 1, 100..150);
    let started = std::time::Instant::now();
    while reader.resets.is_empty() {
        // For a moment the topic does not exist, which is reported too.
        reader.turn().ok();
        assert!(started.elapsed() < crate::support::LONG, "{:?}", reader.positions);
    }
    assert!(reader.values.len() == 10, "no record of the new topic counts as one of the old");
    let reset = reader.resets[0].clone();
    assert!(matches!(&reset.cause, Cause::Recreated { before, now } if before != now), "{reset:?}");
    assert_eq!(reset.held, 10);
    reader.source.begin(&[Start::at(next_incarnation(&reset.partition), Some(0))]).unwrap();
    reader.read(60);
}

#[test]
fn a_topic_that_is_recreated_between_two_runs_is_detected_by_its_id() {
    let (topic, first) = (new_topic("between", 1), producer());
    fill(&first, &topic, 1, 0..10);
    let mut reader = Reader::of(&topic);
    reader.read(10);
    let id = reader.source.topic_id(&topic).unwrap();
    let (admin, positions) = (admin(), reader.positions.clone());
    drop(reader);
    let resumed = |id: &str, positions: &Positions| {
        let mut reader = Reader::new(connect(&options(&unique("group"), &topic)), positions.clone());
        reader.topic_ids.insert(topic.clone(), id.to_owned());
        reader
    };
    fill(&first, &topic, 1, 10..20);
    let mut same = resumed(&id, &positions);
    same.read(10);
    drop(same);
    admin.delete_topic(&topic).unwrap();
    admin.create_topic(&topic, 1, 1, &[]).unwrap();
    fill(&producer(), &topic, 1, 100..150);
    let mut other = resumed(&id, &positions);
    other.until("the reset", |reader| !reader.resets.is_empty());
    assert!(matches!(&other.resets[0].cause, Cause::Recreated { before, .. } if *before == id), "{:?}", other.resets);
    assert!(other.values.is_empty());
}
