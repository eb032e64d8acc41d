use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kassa_kafka::{
    Admin, Connection, Gap, KafkaError, KafkaSource, Outgoing, Producer, ProducerOptions, Reset, SourceOptions, Start,
    Subscription, Turn,
};
use kassa_model::{Partition, Positions};
use kassa_stack::{Kafka, KafkaOptions};

/// Longer than anything takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// One broker for all tests that do not break it.
pub(crate) fn broker() -> &'static Kafka {
    static BROKER: OnceLock<Kafka> = OnceLock::new();
    BROKER.get_or_init(|| {
        let users = [("alice", "alice-secret"), ("mallory", "mallory-secret")];
        let users = users.map(|(user, password)| (user.to_owned(), password.to_owned())).to_vec();
        let superusers = vec!["alice".to_owned(), "CN=kassa-client".to_owned()];
        Kafka::start(&KafkaOptions { security: true, users, superusers, ..KafkaOptions::default() }).unwrap()
    })
}

pub(crate) fn plaintext() -> Connection {
    Connection { brokers: broker().plaintext(), ..Connection::default() }
}

pub(crate) fn admin() -> Admin {
    Admin::connect(&plaintext()).unwrap()
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn new_topic(name: &str, partitions: i32) -> String {
    let topic = unique(name);
    admin().create_topic(&topic, partitions, 1, &[]).unwrap();
    topic
}

pub(crate) fn producer() -> Producer {
    Producer::connect(&ProducerOptions::new(plaintext())).unwrap()
}

/// Writes values `from..to` as text, each with itself as the key, to the partition of its
/// remainder.
pub(crate) fn fill(producer: &Producer, topic: &str, partitions: i32, range: std::ops::Range<i32>) {
    for number in range {
        let text = number.to_string();
        let (key, value, partition) = (Some(text.as_bytes()), Some(text.as_bytes()), Some(number % partitions));
        producer.send(&Outgoing { topic, key, value, partition, ..Outgoing::default() }).unwrap();
    }
    producer.flush(LONG).unwrap();
}

pub(crate) fn options(group: &str, topic: &str) -> SourceOptions {
    SourceOptions::new(plaintext(), group, vec![Subscription::parse(topic)])
}

pub(crate) fn connect(options: &SourceOptions) -> KafkaSource {
    KafkaSource::connect(options).unwrap()
}

/// A source with sinks that commit immediately: their positions and all records.
pub(crate) struct Reader {
    pub(crate) source: KafkaSource,
    pub(crate) positions: Positions,
    pub(crate) topic_ids: BTreeMap<String, String>,
    pub(crate) values: BTreeMap<(Partition, i64), Option<Vec<u8>>>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) resets: Vec<Reset>,
    pub(crate) assigned: usize,
    pub(crate) revoked: usize,
    pub(crate) lost: usize,
    pub(crate) unavailable: usize,
}

impl Reader {
    pub(crate) fn new(source: KafkaSource, positions: Positions) -> Self {
        Self {
            source,
            positions,
            topic_ids: BTreeMap::new(),
            values: BTreeMap::new(),
            gaps: Vec::new(),
            resets: Vec::new(),
            assigned: 0,
            revoked: 0,
            lost: 0,
            unavailable: 0,
        }
    }

    pub(crate) fn of(topic: &str) -> Self {
        Self::new(connect(&options(&unique("group"), topic)), Positions::default())
    }

    /// Handles one turn.
    pub(crate) fn turn(&mut self) -> Result<(), KafkaError> {
        match self.source.poll(Duration::from_millis(100)) {
            Ok(turn) => self.answer(turn),
            Err(KafkaError::Unavailable { .. }) => {
                self.unavailable += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn answer(&mut self, turn: Turn) -> Result<(), KafkaError> {
        match turn {
            Turn::Records { records, from } => {
                let held = self.positions.get(&records.partition);
                assert!(held.is_none_or(|held| held == from), "records from {from} after {held:?}");
                assert!(
                    records.offsets.is_sorted() && records.offsets[0] >= from && records.next > *records.offsets.last().unwrap()
                );
                for (index, offset) in records.offsets.iter().enumerate() {
                    use arrow_array::Array;
                    let value = records.values.is_valid(index).then(|| records.value(index).to_vec());
                    let twice = self.values.insert((records.partition.clone(), *offset), value);
                    assert!(twice.is_none(), "offset {offset} of {:?} was read twice", records.partition);
                }
                self.positions.set(records.partition, records.next);
            }
            Turn::Assigned(partitions) => {
                self.assigned += partitions.len();
                let known = |topic: &str| self.positions.iter().any(|(partition, _)| &*partition.topic == topic);
                let starts = partitions.into_iter().map(|partition| {
                    let next = self.positions.get(&partition).or(known(&partition.topic).then_some(0));
                    Start { topic_id: self.topic_ids.get(&*partition.topic).cloned(), partition, next }
                });
                let starts = starts.collect::<Vec<_>>();
                self.source.begin(&starts)?;
            }
            Turn::Revoked(partitions) => {
                self.revoked += partitions.len();
                self.source.release(&partitions)?;
            }
            Turn::Lost(partitions) => self.lost += partitions.len(),
            Turn::Gap(gap) => {
                self.positions.set(gap.partition.clone(), gap.to);
                self.gaps.push(gap);
            }
            Turn::Reset(reset) => self.resets.push(reset),
            Turn::Idle => {}
        }
        Ok(())
    }

    /// Handles turns until `done`.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            self.turn().unwrap();
            assert!(
                started.elapsed() < LONG,
                "timed out after {LONG:?} waiting for {what}; {} values, {:?}",
                self.values.len(),
                self.positions
            );
        }
    }

    pub(crate) fn read(&mut self, values: usize) {
        self.until("reading", |reader| reader.values.len() >= values);
        assert_eq!(self.values.len(), values);
    }

    /// Handles turns for this time and checks that no more values arrive.
    pub(crate) fn stays(&mut self, time: Duration) {
        let (started, values) = (Instant::now(), self.values.len());
        while started.elapsed() < time {
            self.turn().unwrap();
        }
        assert_eq!(self.values.len(), values, "more values arrived");
    }

    /// The values as sorted numbers.
    pub(crate) fn numbers(&self) -> Vec<i32> {
        let mut numbers = self
            .values
            .values()
            .map(|value| String::from_utf8_lossy(value.as_ref().unwrap()).parse().unwrap())
            .collect::<Vec<_>>();
        numbers.sort_unstable();
        numbers
    }
}
