//! Reads topics as a member of a consumer group, batch by batch, on the caller's thread.
//!
//! Who may read what is the group's business; **where** reading begins never is. When partitions are assigned, the caller asks its
//! sinks for their positions and says [`KafkaSource::begin`]; when they are revoked it commits what it has and says
//! [`KafkaSource::release`]. Between the two turns of a hand-over nothing else reads the partition, so that the next owner's sinks
//! already know everything that this one's did. The group's own offsets are written as a hint for lag and never read.
//!
//! A position that the broker cannot serve is told apart, and told: [`Turn::Gap`] where retention took records that nobody had read,
//! [`Turn::Reset`] where the partition is not the one that the position was taken in. Neither is ever passed over silently.

mod connect;
mod headers;
mod lag;
mod options;
mod run;
mod start;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kassa_model::Partition;
use kassa_model::time::Clock;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Context, Place, Told, unassign};
use crate::{Cluster, KafkaError};
pub(crate) use run::Run;

pub use lag::Lag;
pub use options::{Profile, SourceOptions, Subscription};
pub use turn::{Cause, Gap, Reset, Start, Turn, incarnation, kafka_partition, next_incarnation};

/// What this member does with a partition that the group gave it.
#[derive(Debug)]
enum Held {
    /// Waits for `begin`.
    Waiting,
    Reading(Box<Reading>),
    /// Waits for `release`.
    Revoked,
}

#[derive(Debug)]
struct Reading {
    partition: Partition,
    /// The next offset to be given out.
    next: i64,
    /// Up to here nothing is left to read, though `next` is lower: what lies between are markers of transactions and the like.
    proven_empty: i64,
    paused: bool,
    run: Run,
}

pub struct KafkaSource {
    consumer: BaseConsumer<Context>,
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    options: SourceOptions,
    held: HashMap<Place, Held>,
    /// Those with records in their runs, in the order in which they got the first.
    filled: Vec<Place>,
    /// Made and not yet taken: the runs of one poll, and what happened to partitions since.
    turns: VecDeque<Turn>,
    errors: VecDeque<KafkaError>,
    /// The log was cut where nobody can tell which partition's it was, until statistics say (the number of those seen, and why).
    suspected: Option<(u64, String)>,
    /// How many statistics there were when nothing was left to read last.
    idle_at: u64,
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaSource")
            .field("options", &self.options)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl KafkaSource {
    /// The next records or what happened, waiting for at most `timeout`. To be called often, also while all is paused: a member that
    /// does not poll is taken out of its group. An error of kind `Unavailable` is for display: the client reconnects by itself.
    pub fn poll(&mut self, timeout: Duration) -> Result<Turn, KafkaError> {
        if self.turns.is_empty() && self.errors.is_empty() {
            self.gather(timeout);
            self.finish_runs();
        }
        match self.turns.pop_front() {
            Some(turn) => Ok(turn),
            None => self.errors.pop_front().map_or(Ok(Turn::Idle), Err),
        }
    }

    /// Fills the runs until there is nothing to read for now, or as much as a poll may hold.
    fn gather(&mut self, timeout: Duration) {
        self.cluster.drain();
        if self.suspected.is_some() {
            self.find_suspected();
        }
        let (mut wait, mut records, mut bytes) = (timeout, 0, 0);
        while records < self.options.records_max && bytes < self.options.bytes_max {
            let Self { consumer, held, filled, .. } = self;
            let polled = consumer.poll(wait);
            if consumer.context().dirty() {
                // What was told came before this record, which is read again if it is still wanted.
                let lost = polled
                    .and_then(Result::ok)
                    .map(|message| ((Arc::<str>::from(message.topic()), message.partition()), message.offset()));
                self.hear();
                if let Some((place, offset)) = lost {
                    self.read_again(&place, offset);
                }
                return;
            }
            let Some(Ok(message)) = polled else {
                self.idle_at = self.consumer.context().statistics_seen();
                return;
            };
            wait = Duration::ZERO;
            let Some(taken) = take(held, filled, &message) else { continue };
            records += 1;
            bytes += taken;
        }
    }

    /// Turns the runs into turns.
    fn finish_runs(&mut self) {
        let now = self.clock.now();
        for place in self.filled.drain(..) {
            let Some(Held::Reading(reading)) = self.held.get_mut(&place) else { continue };
            let from = reading.next;
            if let Some(records) = reading.run.finish(&reading.partition, now) {
                reading.next = records.next;
                self.turns.push_back(Turn::Records { records, from });
            }
        }
    }

    /// Takes in what librdkafka told, after the records that came before it.
    fn hear(&mut self) {
        self.finish_runs();
        for told in self.consumer.context().take() {
            match told {
                Told::Assigned(places) => {
                    let assigned = places.iter().map(|place| Partition::new(Arc::clone(&place.0), place.1.into())).collect();
                    self.held.extend(places.into_iter().map(|place| (place, Held::Waiting)));
                    self.turns.push_back(Turn::Assigned(assigned));
                }
                Told::Revoked(places) => {
                    let revoked = places.into_iter().map(|place| self.give_up(place, Some(Held::Revoked))).collect();
                    self.turns.push_back(Turn::Revoked(revoked));
                }
                Told::Lost(places) => {
                    let lost = places.into_iter().map(|place| self.give_up(place, None)).collect();
                    self.turns.push_back(Turn::Lost(lost));
                }
                Told::Recreated { topic, before, now } => self.halt_recreated(&topic, &before, &now),
                Told::OutOfRange(reason) => self.find_out_of_range(&reason),
                Told::Failed(error) => self.errors.push_back(error),
            }
        }
    }

    /// The partition as the caller knows it; it is read no more.
    fn give_up(&mut self, place: Place, becomes: Option<Held>) -> Partition {
        let plain = Partition::new(Arc::clone(&place.0), place.1.into());
        let held = match becomes {
            Some(held) => self.held.insert(place, held),
            None => self.held.remove(&place),
        };
        if let Some(Held::Reading(reading)) = held { reading.partition } else { plain }
    }

    /// Gives revoked partitions back to the group: to be called when their records are committed.
    pub fn release(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let places = partitions.iter().map(|partition| self.place(partition)).collect::<Result<Vec<_>, _>>()?;
        self.held.retain(|place, held| !(matches!(held, Held::Revoked) && places.contains(place)));
        self.call("giving back partitions", |consumer| unassign(consumer, &places))
    }

    /// Stops fetching, for back-pressure; goes on with `resume`. Polling must go on meanwhile.
    pub fn pause(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let list = self.set_paused(partitions, true)?;
        self.call("pausing", |consumer| consumer.pause(&list))
    }

    pub fn resume(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let list = self.set_paused(partitions, false)?;
        self.call("resuming", |consumer| consumer.resume(&list))
    }

    fn set_paused(&mut self, partitions: &[Partition], paused: bool) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let place = self.place(partition)?;
            if let Some(Held::Reading(reading)) = self.held.get_mut(&place)
                && reading.paused != paused
            {
                reading.paused = paused;
                list.add_partition(&place.0, place.1);
            }
        }
        Ok(list)
    }

    /// Writes down in the group how far the sinks have come, for those who look at lag from outside. Nobody reads it back.
    pub fn hint_committed(&self, positions: &[(Partition, i64)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in positions {
            let place = self.place(partition)?;
            if matches!(self.held.get(&place), Some(Held::Reading(reading)) if reading.partition == *partition) {
                self.checked(list.add_partition_offset(&place.0, place.1, Offset::Offset(*next)))?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.call("noting the group's offsets", |consumer| consumer.commit(&list, CommitMode::Async))
    }

    /// The partitions that are being read.
    pub fn reading(&self) -> impl Iterator<Item = &Partition> {
        self.held.values().filter_map(|held| if let Held::Reading(reading) = held { Some(&reading.partition) } else { None })
    }

    /// The id of a topic, once known: kept with the sinks' positions, it tells at the next start whether it is still the same.
    pub fn topic_id(&self, topic: &str) -> Option<String> {
        self.consumer.context().topic_id(topic)
    }

    /// For questions about the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn place(&self, partition: &Partition) -> Result<Place, KafkaError> {
        kafka_partition(partition)
            .map(|number| (Arc::clone(&partition.topic), number))
            .ok_or_else(|| KafkaError::Invalid { what: format!("{partition:?}"), why: "it is not a partition of Kafka's".into() })
    }

    fn call(
        &self,
        what: &str,
        call: impl Fn(&BaseConsumer<Context>) -> rdkafka::error::KafkaResult<()>,
    ) -> Result<(), KafkaError> {
        call(&self.consumer).map_err(|error| self.consumer.context().failed(what, &error))
    }

    fn checked<T>(&self, result: rdkafka::error::KafkaResult<T>) -> Result<T, KafkaError> {
        result.map_err(|error| self.consumer.context().failed("a list of partitions", &error))
    }
}

/// Puts a record into its partition's run; the bytes that it takes. `None` if it is not wanted.
fn take(held: &mut HashMap<Place, Held>, filled: &mut Vec<Place>, message: &BorrowedMessage<'_>) -> Option<usize> {
    // Records come in runs of one partition: the one before is likely the one.
    let last = filled.last().filter(|place| place.1 == message.partition() && &*place.0 == message.topic());
    let searched;
    let place = match last {
        Some(place) => place,
        None => {
            searched = (Arc::from(message.topic()), message.partition());
            &searched
        }
    };
    let Some(Held::Reading(reading)) = held.get_mut(place) else { return None };
    if message.offset() < reading.next || !reading.run.follows(message.offset()) {
        return None;
    }
    if reading.run.is_empty() {
        let place = place.clone();
        filled.push(place);
    }
    Some(reading.run.push(message))
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.consumer.context().close();
        let revoked = self
            .held
            .iter()
            .filter(|(_, held)| matches!(held, Held::Revoked))
            .map(|(place, _)| place.clone())
            .collect::<Vec<_>>();
        if !revoked.is_empty() {
            unassign(&self.consumer, &revoked).ok();
        }
    }
}
