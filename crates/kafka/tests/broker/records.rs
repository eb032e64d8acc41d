use std::time::Duration;

use arrow_array::Array;
use kassa_kafka::{Outgoing, Start, Subscription, Turn};
use kassa_model::Records;

use crate::support::{LONG, Reader, connect, fill, new_topic, options, producer, unique};

/// The first records of a topic.
fn first(topic: &str) -> Records {
    let mut source = connect(&options(&unique("group"), topic));
    loop {
        match source.poll(Duration::from_millis(200)).unwrap() {
            Turn::Records { records, from: 0 } => return records,
            Turn::Assigned(partitions) => {
                let starts = partitions.into_iter().map(|partition| Start::at(partition, None)).collect::<Vec<_>>();
                source.begin(&starts).unwrap();
            }
            Turn::Idle => {}
            turn => panic!("{turn:?}"),
        }
    }
}

#[test]
fn keys_headers_tombstones_and_times_are_kept_unchanged() {
    let (topic, producer) = (new_topic("records", 1), producer());
    let headers: [(&str, Option<&[u8]>); 4] =
        [("trace", Some(b"1")), ("trace", Some(b"2")), ("none", None), ("raw", Some(&[0xff, 0]))];
    let sent = [
        Outgoing {
            topic: &topic,
            key: Some(b"k"),
            value: Some(b"v"),
            headers: &headers,
            timestamp_ms: Some(1_234),
            ..Outgoing::default()
        },
        Outgoing { topic: &topic, key: Some(b"k"), value: None, ..Outgoing::default() },
        Outgoing { topic: &topic, key: None, value: Some(b""), ..Outgoing::default() },
    ];
    let outcomes = producer.produce_and_wait(&sent);
    let offsets = outcomes.iter().map(|outcome| outcome.as_ref().unwrap().offset).collect::<Vec<_>>();
    assert_eq!(offsets, [0, 1, 2], "the outcomes are in the order of the records");
    let records = first(&topic);
    assert_eq!((records.offsets.clone(), records.next), (vec![0, 1, 2], 3));
    assert_eq!((records.key(0), records.key(1), records.key(2)), (Some(&b"k"[..]), Some(&b"k"[..]), None));
    assert_eq!((records.value(0), records.values.is_null(1), records.values.is_null(2)), (&b"v"[..], true, false));
    assert_eq!(records.timestamps[0], Some(1_234_000), "in µs");
    assert!(records.timestamps[1].is_some_and(|at| at > 1_234_000));
    let times: Vec<i64> = records.timestamps.iter().flatten().copied().collect();
    assert_eq!(records.ingested_at, times, "a record's ingest time is Kafka's, whenever it is read");
    let text = records.headers.get(0).unwrap();
    assert_eq!(&**text, r#"[["trace","1"],["trace","2"],["none",null],["raw",{"hex":"ff00"}]]"#);
    assert_eq!((records.headers.get(1), records.headers.get(2)), (None, None));
}

#[test]
fn polls_respect_their_limits() {
    let (topic, producer) = (new_topic("bounds", 1), producer());
    fill(&producer, &topic, 1, 0..1_000);
    let mut bounded = options(&unique("group"), &topic);
    (bounded.records_max, bounded.bytes_max) = (100, 1 << 20);
    let mut reader = Reader::new(connect(&bounded), Default::default());
    let mut largest = 0;
    while reader.values.len() < 1_000 {
        let before = reader.values.len();
        reader.turn().unwrap();
        largest = largest.max(reader.values.len() - before);
    }
    assert_eq!((largest, reader.numbers()), (100, (0..1_000).collect::<Vec<_>>()));
}

#[test]
fn several_topics_and_patterns_are_read_including_new_topics() {
    let family = unique("shop.family");
    let admin = crate::support::admin();
    let (producer, create) = (producer(), |topic: &str| admin.create_topic(topic, 1, 1, &[]).unwrap());
    let (first, second, other) = (format!("{family}.a"), format!("{family}.b"), unique("other"));
    create(&first);
    create(&other);
    fill(&producer, &first, 1, 0..10);
    fill(&producer, &other, 1, 10..20);
    let mut options = options(&unique("group"), &format!("^{}\\..*", family.replace('.', "\\.")));
    options.topics.push(Subscription::parse(&other));
    options.connection.properties.insert("topic.metadata.refresh.interval.ms".into(), "500".into());
    let mut reader = Reader::new(connect(&options), Default::default());
    reader.read(20);
    create(&second);
    fill(&producer, &second, 1, 20..30);
    reader.read(30);
    assert_eq!(reader.numbers(), (0..30).collect::<Vec<_>>());
}

#[test]
fn paused_partitions_give_nothing_and_continue_where_they_were() {
    let (topic, producer) = (new_topic("paused", 2), producer());
    fill(&producer, &topic, 2, 0..100);
    let mut reader = Reader::of(&topic);
    reader.read(100);
    let partitions = reader.source.reading().cloned().collect::<Vec<_>>();
    reader.source.pause(&partitions[..1]).unwrap();
    fill(&producer, &topic, 2, 100..200);
    reader.read(150);
    reader.stays(Duration::from_secs(1));
    reader.source.resume(&partitions).unwrap();
    reader.read(200);
    assert_eq!(reader.numbers(), (0..200).collect::<Vec<_>>());
}

#[test]
fn the_first_failed_delivery_is_reported() {
    let producer = producer();
    let refused = Outgoing { topic: "no-such-topic", value: Some(b"x"), ..Outgoing::default() };
    let sent = producer.send(&refused).and_then(|()| producer.flush(LONG)).unwrap_err();
    assert!(matches!(&sent, kassa_kafka::KafkaError::UnknownTopic { .. }), "{sent:?}");
    assert!(producer.send(&refused).is_err(), "and again on the next call");
}

#[test]
fn a_header_name_that_is_not_utf_8_loses_only_the_headers() {
    let topic = new_topic("raw", 1);
    crate::raw::produce(&topic, b"value", &[(b"ok", b"1"), (b"\xff\xfe", b"2")]);
    fill(&producer(), &topic, 1, 7..8);
    let mut reader = Reader::of(&topic);
    reader.read(2);
    let records = first(&topic);
    assert_eq!(records.value(0), b"value");
    assert_eq!(&**records.headers.get(0).unwrap(), r#"[[null,{"unreadable":"a header's name is not UTF-8"}]]"#);
}
