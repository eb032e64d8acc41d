use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kassa_kafka::Turn;
use kassa_model::Positions;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::support::{LONG, Reader, connect, fill, new_topic, options, producer, unique};

/// Two members with shared sinks.
fn share(from: &Reader, to: &mut Reader) {
    for (partition, next) in from.positions.iter() {
        to.positions.advance(partition, next);
    }
}

#[test]
fn members_that_join_and_leave_lose_and_double_nothing() {
    let (topic, group, producer) = (new_topic("members", 8), unique("group"), producer());
    let mut sent = 0;
    let mut feed = || {
        fill(&producer, &topic, 8, sent..sent + 400);
        sent += 400;
    };
    feed();
    let mut first = Reader::new(connect(&options(&group, &topic)), Positions::default());
    first.read(400);
    let mut seen = BTreeSet::new();
    for round in 0..3 {
        feed();
        let mut second = Reader::new(connect(&options(&group, &topic)), first.positions.clone());
        let started = Instant::now();
        while second.values.len() < 100 || second.source.reading().count() < 4 {
            first.turn().unwrap();
            share(&first, &mut second);
            second.turn().unwrap();
            share(&second, &mut first);
            assert!(started.elapsed() < LONG, "round {round}: {} and {}", first.values.len(), second.values.len());
            if second.source.reading().count() >= 4 && second.values.len() < 100 {
                feed();
            }
        }
        assert_eq!(first.source.reading().count(), 4, "the first keeps half");
        for number in second.numbers() {
            assert!(seen.insert(number), "{number} was read by two members");
        }
        drop(second);
    }
    let all = |first: &Reader, seen: &BTreeSet<i32>| first.values.len() + seen.len();
    let started = Instant::now();
    while all(&first, &seen) < usize::try_from(sent).unwrap() {
        first.turn().unwrap();
        assert!(started.elapsed() < LONG, "{} of {sent}", all(&first, &seen));
    }
    for number in first.numbers() {
        assert!(seen.insert(number), "{number} was read by two members");
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), (0..sent).collect::<Vec<_>>());
    first.until("having all again", |first| first.source.reading().count() == 8);
    assert!(first.revoked >= 4 && first.assigned >= 8 + 4, "{} and {}", first.revoked, first.assigned);
}

fn impatient(group: &str, topic: &str) -> kassa_kafka::SourceOptions {
    let mut options = options(group, topic);
    for (name, value) in [("session.timeout.ms", "2000"), ("heartbeat.interval.ms", "300"), ("max.poll.interval.ms", "2000")] {
        options.connection.properties.insert(name.into(), value.into());
    }
    options
}

#[test]
fn a_member_that_does_not_poll_loses_its_partitions_and_is_notified() {
    let (topic, group, producer) = (new_topic("zombie", 2), unique("group"), producer());
    fill(&producer, &topic, 2, 0..10);
    let mut zombie = Reader::new(connect(&impatient(&group, &topic)), Positions::default());
    zombie.read(10);
    std::thread::sleep(Duration::from_secs(4));
    fill(&producer, &topic, 2, 10..20);
    let mut other = Reader::new(connect(&impatient(&group, &topic)), zombie.positions.clone());
    other.read(10);
    zombie.until("the notice", |zombie| zombie.lost == 2);
    assert_eq!(zombie.values.len(), 10, "no record of a lost partition was read");
}

#[test]
fn a_paused_member_that_polls_stays() {
    let (topic, group) = (new_topic("stays", 2), unique("group"));
    fill(&producer(), &topic, 2, 0..10);
    let mut reader = Reader::new(connect(&impatient(&group, &topic)), Positions::default());
    reader.read(10);
    let partitions = reader.source.reading().cloned().collect::<Vec<_>>();
    reader.source.pause(&partitions).unwrap();
    reader.stays(Duration::from_secs(5));
    assert_eq!((reader.lost, reader.revoked, reader.source.reading().count()), (0, 0, 2));
}

#[test]
fn a_second_member_with_the_same_name_fences_the_first() {
    let (topic, group) = (new_topic("fenced", 1), unique("group"));
    fill(&producer(), &topic, 1, 0..10);
    let mut options = impatient(&group, &topic);
    options.instance = Some("worker-1".into());
    let mut first = Reader::new(connect(&options), Positions::default());
    first.read(10);
    let mut second = Reader::new(connect(&options), Positions::default());
    second.read(10);
    let started = Instant::now();
    let error = loop {
        assert!(started.elapsed() < LONG);
        if let Err(error) = first.turn() {
            break error;
        }
    };
    assert_eq!(error.kind(), kassa_kafka::ErrorKind::Fenced, "{error:?}");
}

/// Polls until a turn of this kind, without answering it.
fn poll_until(source: &mut kassa_kafka::KafkaSource, wanted: impl Fn(&Turn) -> bool, other: &mut Reader) {
    let started = Instant::now();
    while !wanted(&source.poll(Duration::from_millis(50)).unwrap()) {
        other.turn().unwrap();
        assert!(started.elapsed() < LONG);
    }
}

#[test]
fn a_member_that_stops_during_a_rebalance_stops_immediately() {
    let (topic, group) = (new_topic("ends", 4), unique("group"));
    fill(&producer(), &topic, 4, 0..40);
    let mut idle = Reader::of(&topic);
    let timed = |source: kassa_kafka::KafkaSource, what: &str| {
        let started = Instant::now();
        drop(source);
        assert!(started.elapsed() < Duration::from_secs(5), "{what}: {:?}", started.elapsed());
    };
    // Assigned, but reading never begins.
    let mut source = connect(&options(&group, &topic));
    poll_until(&mut source, |turn| matches!(turn, Turn::Assigned(_)), &mut idle);
    timed(source, "assigned");
    // Revoked, but never released.
    let mut source = connect(&options(&group, &topic));
    let mut starts = Vec::new();
    while starts.is_empty() {
        if let Turn::Assigned(partitions) = source.poll(Duration::from_millis(50)).unwrap() {
            starts = partitions.into_iter().map(|partition| kassa_kafka::Start::at(partition, None)).collect();
        }
    }
    source.begin(&starts).unwrap();
    let mut second = Reader::new(connect(&options(&group, &topic)), Positions::default());
    poll_until(&mut source, |turn| matches!(turn, Turn::Revoked(_)), &mut second);
    timed(source, "revoked");
    second.until("having all", |second| second.source.reading().count() == 4);
    // Stops immediately.
    timed(connect(&options(&group, &topic)), "connected");
}

#[test]
fn another_program_in_the_group_is_named() {
    let (topic, group) = (new_topic("foreign", 2), unique("group"));
    fill(&producer(), &topic, 2, 0..10);
    let mut ours = Reader::new(connect(&options(&group, &topic)), Positions::default());
    ours.read(10);
    let foreign = |reader: &Reader| reader.source.cluster().foreign_members(&group).unwrap();
    assert_eq!(foreign(&ours), Vec::<String>::new(), "kassa's own members are not foreign");
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", crate::support::broker().plaintext()).set("group.id", &group);
    config.set("client.id", "spark").set("partition.assignment.strategy", "cooperative-sticky");
    let other: BaseConsumer = config.create().unwrap();
    other.subscribe(&[&topic]).unwrap();
    let started = Instant::now();
    while !foreign(&ours).iter().any(|member| member.starts_with("spark at ")) {
        ours.turn().unwrap();
        drop(other.poll(Duration::from_millis(50)));
        assert!(started.elapsed() < LONG, "{:?}", foreign(&ours));
    }
    drop(other);
    while !foreign(&ours).is_empty() {
        ours.turn().unwrap();
        assert!(started.elapsed() < LONG, "{:?}", foreign(&ours));
    }
}
