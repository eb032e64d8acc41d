//! Faults of Kafka and of its producers.

use std::collections::BTreeSet;
use std::time::Duration;

use kassa_kafka::incarnation;
use kassa_model::Partition;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::run::Run;
use crate::harness::until;

const LONG: Duration = Duration::from_secs(60);

/// The broker dies and comes back while the pipeline runs.
pub(crate) fn broker_restart(run: &mut Run<'_>) {
    run.send(100);
    let process = run.serve();
    let before = run.servers.kafka.process_id();
    run.servers.kafka.kill();
    run.servers.kafka.restart().expect("restarted");
    assert_ne!(before, run.servers.kafka.process_id(), "it is the same broker");
    run.reconnect();
    run.send(100);
    run.until_all_is_there();
    run.end(process);
}

/// Retention deletes unread records.
pub(crate) fn retention(run: &mut Run<'_>) {
    run.send(100);
    run.catch_up();
    let partition = i32::try_from(run.below(usize::try_from(run.partitions).expect("some"))).expect("small");
    let bounds = |run: &Run<'_>| run.servers.admin.cluster().bounds(&run.topic, partition).expect("bounds");
    let unread = bounds(run).stable_end;
    let numbers = run.send_to(partition, 40);
    let lost = 1 + run.below(35);
    run.servers.admin.delete_records(&run.topic, partition, unread + lost as i64).expect("deleted");
    assert_eq!(bounds(run).start, unread + lost as i64, "nothing was deleted");
    run.lose(&numbers.into_iter().take(lost).collect::<BTreeSet<_>>());
    run.send(60);
    let process = run.serve();
    run.until_all_is_there();
    run.end(process);
}

/// The topic is deleted and recreated, with other records at offsets that were read before.
pub(crate) fn topic_recreated(run: &mut Run<'_>) {
    run.send(100);
    run.catch_up();
    run.servers.admin.delete_topic(&run.topic).expect("deleted");
    run.servers.admin.create_topic(&run.topic, run.partitions, 1, &[]).expect("created");
    run.reconnect();
    run.send(120);
    let process = run.serve();
    run.until_all_is_there();
    until("another incarnation of the topic", || run.known().iter().any(|partition| incarnation(partition) > 0));
    run.end(process);
}

/// Partitions are added while the pipeline runs.
pub(crate) fn partitions_added(run: &mut Run<'_>) {
    run.send(100);
    let process = run.serve();
    let before = run.partitions;
    run.partitions += 2;
    run.servers.admin.set_partitions(&run.topic, usize::try_from(run.partitions).expect("some")).expect("added");
    run.reconnect();
    run.send_to(before, 20);
    run.send(100);
    run.until_all_is_there();
    let is_new = |partition: &Partition| partition.number % (1 << 32) >= i64::from(before);
    until("the new partitions in the lake", || run.known().iter().any(is_new));
    run.end(process);
}

fn transactional(run: &Run<'_>) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", run.servers.kafka.plaintext()).set("transactional.id", format!("of-{}", run.topic));
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(LONG).expect("transactions");
    producer
}

/// Records that were never sent, as far as anybody may know.
fn begin_with(run: &Run<'_>, producer: &BaseProducer, records: u64) {
    producer.begin_transaction().expect("begun");
    for number in 0..records {
        let value = run.value(1_000_000_000 + number);
        producer.send(BaseRecord::<str, [u8]>::to(&run.topic).partition(0).payload(&value)).expect("sent");
    }
    producer.flush(LONG).expect("flushed");
}

/// Another producer's transactions are aborted between good records.
pub(crate) fn aborted_transactions(run: &mut Run<'_>) {
    let producer = transactional(run);
    for _ in 0..3 {
        run.send(40);
        begin_with(run, &producer, 15);
        producer.abort_transaction(LONG).expect("aborted");
    }
    let bounds = run.servers.admin.cluster().bounds(&run.topic, 0).expect("bounds");
    assert!(bounds.stable_end >= 48, "what was aborted is not in the log: {bounds:?}");
    let process = run.serve();
    run.send(40);
    run.until_all_is_there();
    run.end(process);
}

/// Another producer's transaction stays open for a while: what lies behind it waits.
pub(crate) fn hanging_transaction(run: &mut Run<'_>) {
    run.send(60);
    run.catch_up();
    let producer = transactional(run);
    begin_with(run, &producer, 10);
    let held_back = run.send_to(0, 30);
    let process = run.serve();
    run.send(60);
    std::thread::sleep(Duration::from_millis(700));
    let (held, all) = (run.lines_in_warehouse(), run.truth().len());
    let readable = held_back.iter().filter(|number| run.truth().contains(number)).count();
    assert!(held + readable <= all, "what lies behind an open transaction was read: {held} of {all}");
    producer.abort_transaction(LONG).expect("aborted");
    run.until_all_is_there();
    run.end(process);
}
