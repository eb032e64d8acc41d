//! Kafka as a feed: reads the partitions of this group member from the sinks' positions.

mod marks;
mod members;
mod topics;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use kassa_config::{Config, Source};
use kassa_engine::feed::{BATCH_BYTES, BATCH_RECORDS};
use kassa_kafka::{
    Bounds, Cluster, ErrorKind, KafkaError, KafkaSource, SourceOptions, Start, Subscription, Turn, kafka_partition,
    next_incarnation,
};
use kassa_model::{Code, Partition, Positions};
use kassa_pipeline::Batch;

pub use self::marks::KafkaMarks;
use self::members::{Members, WatchError};
pub use self::topics::{TopicIds, known_topics};
use super::{Feed, Next, Reached};
use crate::failure::Failure;
use crate::wiring::{self, Lake};

/// How long a start waits for partitions before it continues without: other members of the group may have them all.
const JOIN: Duration = Duration::from_secs(10);
/// After a sink's hand-off has been full for this long, stop fetching and only poll, so that the group does not evict this
/// member.
const FULL: Duration = Duration::from_secs(5);
/// How often the marks for observers are updated.
const SHOWN: Duration = Duration::from_secs(1);
/// The longest time that facts wait for reference data to be read.
const REFERENCES: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(1);
/// If a member is fenced twice within this time, another process uses its id.
const FENCED: Duration = Duration::from_secs(300);
/// Interval for finding new topics that match a pattern.
const LOOK: Duration = Duration::from_secs(30);
/// How long a request to Kafka is retried before it fails.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct KafkaFeed {
    options: SourceOptions,
    source: KafkaSource,
    topics: TopicIds,
    references: HashSet<String>,
    /// Assigned by the group, and not started yet.
    assigned: Vec<Partition>,
    /// Revoked by the group, and not released yet.
    revoked: Vec<Partition>,
    waiting: VecDeque<Turn>,
    held_back: Option<HeldBack>,
    /// Started at the log's beginning, because no sink has them: offsets before the first record are accounted for from 0.
    fresh: HashSet<Partition>,
    /// How far this process has read.
    given: Positions,
    flow: Flow,
    marks: Arc<KafkaMarks>,
    shown_at: Instant,
    patterns: Option<Patterns>,
    fenced_at: Option<Instant>,
    /// Error of a background poll, returned by the next call.
    failed: Option<anyhow::Error>,
    _members: Members,
}

/// Facts wait until reference data has been read.
struct HeldBack {
    facts: Vec<Partition>,
    /// The latest end of the wait.
    until: Instant,
    /// The positions that reference data must reach.
    ends: BTreeMap<Partition, i64>,
}

/// Whether the sinks accept records.
#[derive(Debug, Clone, Copy)]
enum Flow {
    Free,
    /// A sink's hand-off has been full since then.
    Full(Instant),
    /// It has been full for so long that fetching has stopped.
    Paused,
}

/// A configuration with patterns, for which new topics are looked up.
struct Patterns {
    config: Config,
    looked_at: Instant,
}

impl fmt::Debug for KafkaFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaFeed").field("source", &self.source).finish_non_exhaustive()
    }
}

impl KafkaFeed {
    /// Joins the group and waits for partitions.
    fn connect(
        config: &Config,
        (kafka, group): (&kassa_config::Kafka, String),
        lake: &Lake,
        marks: &Arc<KafkaMarks>,
    ) -> anyhow::Result<Self> {
        let topics = config.streams.iter().map(|stream| Subscription::Topic(stream.topic.clone())).collect();
        let mut options = SourceOptions::new(wiring::kafka(kafka), group, topics);
        (options.instance, options.records_max, options.bytes_max) = (kafka.instance.clone(), BATCH_RECORDS, BATCH_BYTES);
        let references = config.streams.iter().filter(|stream| stream.contract.is_reference());
        let mut feed = Self {
            source: connected(&options)?,
            topics: TopicIds::new(Arc::clone(&lake.store)),
            references: references.map(|stream| stream.topic.clone()).collect(),
            assigned: Vec::new(),
            revoked: Vec::new(),
            waiting: VecDeque::new(),
            held_back: None,
            fresh: HashSet::new(),
            given: Positions::default(),
            flow: Flow::Free,
            marks: Arc::clone(marks),
            shown_at: Instant::now(),
            patterns: (!config.patterns.is_empty()).then(|| Patterns { config: config.clone(), looked_at: Instant::now() }),
            fenced_at: None,
            failed: None,
            _members: members(&options, marks)?,
            options,
        };
        feed.join()?;
        Ok(feed)
    }

    fn join(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + JOIN;
        while self.assigned.is_empty() && Instant::now() < deadline {
            if let Some(turn) = self.poll(Duration::from_millis(100))? {
                match turn {
                    Turn::Assigned(partitions) => self.assigned.extend(partitions),
                    other => self.waiting.push_back(other),
                }
            }
        }
        Ok(())
    }

    /// Kafka's next turn; events that need no action are only displayed.
    fn poll(&mut self, timeout: Duration) -> anyhow::Result<Option<Turn>> {
        match self.source.poll(timeout) {
            Ok(Turn::Idle) => Ok(None),
            Ok(turn) => {
                self.marks.well();
                Ok(Some(turn))
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                self.marks.unwell(error.to_string());
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Fenced && self.may_come_back() => {
                tracing::warn!(%error, "the group knows this member no more; joining it anew");
                self.reset()?;
                Ok(Some(Turn::Assigned(Vec::new())))
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// A broker that dies can forget the owner of an instance id, and reject this member in favour of its predecessor. That may
    /// happen once; if it repeats soon, there is another process with this id.
    fn may_come_back(&mut self) -> bool {
        self.fenced_at.replace(Instant::now()).is_none_or(|last| last.elapsed() >= FENCED)
    }

    /// Whether a new topic matches a pattern. If Kafka does not answer, the next call looks again.
    fn has_grown(&mut self) -> anyhow::Result<bool> {
        let due = self.patterns.as_mut().filter(|patterns| patterns.looked_at.elapsed() >= LOOK);
        let Some(Patterns { config, looked_at }) = due else { return Ok(false) };
        *looked_at = Instant::now();
        match self.source.cluster().topics() {
            Ok(topics) => {
                let names = topics.iter().map(|topic| topic.name.as_ref());
                Ok(config.clone().with_topics(names).streams.len() > config.streams.len())
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(false),
            Err(error) => Err(refused(error)),
        }
    }

    fn show(&mut self) {
        if self.shown_at.elapsed() >= SHOWN {
            self.shown_at = Instant::now();
            self.marks.show(&self.source.lag());
        }
    }

    /// Where a partition goes on: under the latest of its incarnations that a sink knows, or that began and has no record yet.
    fn start(&self, partition: &Partition, reached: &Reached) -> anyhow::Result<Start> {
        let epochs = self.topics.epochs(&partition.topic)?;
        let known = epochs.complete(&reached.by_any);
        let same = |held: &&Partition| held.topic == partition.topic && kafka_partition(held) == kafka_partition(partition);
        let latest = known.iter().map(|(held, _)| held).filter(same).max_by_key(|held| held.number);
        let knows_topic = reached.by_any.iter().any(|(held, _)| held.topic == partition.topic);
        let is_new = latest.is_none() && epochs.is_later();
        if is_new {
            // It was added to the present topic: it is not one of the topic before.
            self.topics.begin_over(partition, &self.id_of(&partition.topic)?, "read for the first time")?;
        }
        let partition = latest.unwrap_or(partition).clone();
        let next = knows_topic.then(|| reached.by_all.next(&partition));
        let topic_id = epochs.id_of(&partition).filter(|_| !is_new).map(ToOwned::to_owned);
        Ok(Start { partition, next, topic_id })
    }

    fn begin_assigned(&mut self, reached: &Reached) -> anyhow::Result<()> {
        let assigned = std::mem::take(&mut self.assigned);
        let starts = assigned.iter().map(|partition| self.start(partition, reached)).collect::<anyhow::Result<Vec<_>>>()?;
        self.fresh.extend(starts.iter().filter(|start| start.next.is_none()).map(|start| start.partition.clone()));
        self.begin_at(&starts)?;
        for start in &starts {
            if start.topic_id.is_none() {
                self.topics.remember(&start.partition.topic, &self.id_of(&start.partition.topic)?)?;
            }
        }
        self.hold_back(&starts)
    }

    fn id_of(&self, topic: &str) -> anyhow::Result<String> {
        Ok(self.source.cluster().topic(topic).map_err(refused)?.id.unwrap_or_default())
    }

    fn begin_at(&mut self, starts: &[Start]) -> anyhow::Result<()> {
        answered(&self.marks, || self.source.begin(starts))
    }

    /// Where a partition begins and ends.
    fn bounds(&self, partition: &Partition, number: i32) -> anyhow::Result<Bounds> {
        answered(&self.marks, || self.source.cluster().bounds(&partition.topic, number))
    }

    /// Makes facts wait until reference data is read to its present end, so that a fact finds the members that came before it.
    fn hold_back(&mut self, starts: &[Start]) -> anyhow::Result<()> {
        let (references, facts): (Vec<_>, Vec<_>) =
            starts.iter().map(|start| start.partition.clone()).partition(|partition| self.references.contains(&*partition.topic));
        let mut ends = BTreeMap::new();
        for partition in references {
            let Some(number) = kafka_partition(&partition) else { continue };
            let bounds = self.bounds(&partition, number)?;
            let next = starts.iter().find(|start| start.partition == partition).and_then(|start| start.next);
            if next.unwrap_or(bounds.start) < bounds.stable_end {
                ends.insert(partition, bounds.stable_end);
            }
        }
        if !ends.is_empty() && !facts.is_empty() {
            self.source.pause(&facts).map_err(refused)?;
            self.held_back = Some(HeldBack { facts, until: Instant::now() + REFERENCES, ends });
        }
        Ok(())
    }

    /// Resumes facts once reference data has been read.
    fn let_go(&mut self) -> anyhow::Result<()> {
        let Some(HeldBack { until, ends, .. }) = &mut self.held_back else { return Ok(()) };
        let lag = self.source.lag();
        let drained = |partition: &Partition| lag.iter().any(|lag| lag.partition == *partition && lag.behind == Some(0));
        ends.retain(|partition, end| self.given.next(partition) < *end && !drained(partition));
        if (ends.is_empty() || *until <= Instant::now())
            && let Some(held_back) = self.held_back.take()
        {
            self.source.resume(&held_back.facts).map_err(refused)?;
        }
        Ok(())
    }

    fn take(&mut self, turn: Turn) -> anyhow::Result<Next> {
        match turn {
            Turn::Records { records, from } => {
                self.given.set(records.partition.clone(), records.next);
                let from = if self.fresh.remove(&records.partition) { 0 } else { from };
                Ok(Next::Records(records, from))
            }
            Turn::Assigned(partitions) => {
                tracing::info!(partitions = partitions.len(), "Kafka assigned partitions");
                self.assigned.extend(partitions);
                Ok(Next::Moved)
            }
            Turn::Revoked(partitions) => {
                self.revoked.extend(partitions);
                Ok(Next::Moved)
            }
            Turn::Lost(partitions) => {
                self.assigned.retain(|assigned| !partitions.contains(assigned));
                Ok(Next::Moved)
            }
            Turn::Gap(gap) => {
                let (topic, number) = (gap.partition.topic.as_ref(), gap.partition.number);
                tracing::error!(topic, number, from = gap.from, to = gap.to, cause = ?gap.cause, "Kafka lost records before they were read");
                self.fresh.remove(&gap.partition);
                Ok(Next::Lost(Batch::lost(gap.partition, gap.from..gap.to)))
            }
            Turn::Reset(reset) => {
                let (topic, number) = (reset.partition.topic.as_ref(), reset.partition.number);
                tracing::error!(topic, number, held = reset.held, cause = ?reset.cause, "the partition is another than the one that was read; it begins anew");
                let begun = next_incarnation(&reset.partition);
                let why = format!("partition {number} was read up to {} and began over: {:?}", reset.held, reset.cause);
                self.topics.begin_over(&begun, &self.id_of(topic)?, &why)?;
                self.begin_at(&[Start::at(begun, Some(0))])?;
                Ok(Next::Idle)
            }
            Turn::Idle => Ok(Next::Idle),
        }
    }
}

impl Feed for KafkaFeed {
    fn starts(&mut self, reached: &Reached) -> anyhow::Result<Positions> {
        let mut starts = Positions::default();
        for assigned in &self.assigned {
            let Some(number) = kafka_partition(assigned) else { continue };
            let bounds = self.bounds(assigned, number)?;
            starts.set(self.start(assigned, reached)?.partition, bounds.start);
        }
        Ok(starts)
    }

    fn begin(&mut self, reached: &Reached) -> anyhow::Result<()> {
        let revoked = std::mem::take(&mut self.revoked);
        if !revoked.is_empty() {
            self.source.release(&revoked).map_err(refused)?;
        }
        self.begin_assigned(reached)
    }

    fn next(&mut self) -> anyhow::Result<Next> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Flow::Paused = std::mem::replace(&mut self.flow, Flow::Free) {
            let reading: Vec<Partition> = self.source.reading().cloned().collect();
            let waits =
                |partition: &Partition| self.held_back.as_ref().is_some_and(|held_back| held_back.facts.contains(partition));
            let resumed: Vec<Partition> = reading.into_iter().filter(|partition| !waits(partition)).collect();
            self.source.resume(&resumed).map_err(refused)?;
        }
        self.let_go()?;
        self.show();
        if self.has_grown()? {
            return Ok(Next::Moved);
        }
        let turn = match self.waiting.pop_front() {
            Some(turn) => Some(turn),
            None => self.poll(Duration::ZERO)?,
        };
        turn.map_or(Ok(Next::Idle), |turn| self.take(turn))
    }

    fn is_at_end(&mut self) -> anyhow::Result<bool> {
        Ok(self.waiting.is_empty() && self.held_back.is_none() && self.source.caught_up().map_err(refused)?)
    }

    fn wait(&mut self, longest: Duration) {
        match self.poll(longest) {
            Ok(turn) => self.waiting.extend(turn),
            Err(error) => self.failed = Some(error),
        }
    }

    fn keep(&mut self) -> anyhow::Result<()> {
        match self.flow {
            Flow::Free => {
                self.flow = Flow::Full(Instant::now());
                return Ok(());
            }
            Flow::Full(since) if since.elapsed() < FULL => return Ok(()),
            Flow::Full(_) => {
                let reading: Vec<Partition> = self.source.reading().cloned().collect();
                self.source.pause(&reading).map_err(refused)?;
                self.flow = Flow::Paused;
            }
            Flow::Paused => {}
        }
        if let Some(turn) = self.poll(Duration::ZERO)? {
            self.waiting.push_back(turn);
        }
        self.show();
        Ok(())
    }

    fn committed(&mut self, reached: &Reached) -> anyhow::Result<()> {
        let ours: HashSet<&Partition> = self.source.reading().collect();
        let held = reached.by_all.iter().filter(|(partition, _)| ours.contains(partition));
        let positions: Vec<(Partition, i64)> = held.map(|(partition, next)| (partition.clone(), next)).collect();
        if let Err(error) = self.source.hint_committed(&positions) {
            tracing::debug!(%error, "the group's offsets, a hint for lag alone, could not be noted");
        }
        Ok(())
    }

    fn reset(&mut self) -> anyhow::Result<()> {
        self.source = connected(&self.options)?;
        (self.assigned, self.revoked, self.held_back, self.flow) = (Vec::new(), Vec::new(), None, Flow::Free);
        self.fresh.clear();
        self.waiting.clear();
        self.join()
    }
}

/// Retries until Kafka answers.
fn answered<T>(marks: &KafkaMarks, mut ask: impl FnMut() -> Result<T, KafkaError>) -> anyhow::Result<T> {
    loop {
        match ask() {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                marks.unwell(error.to_string());
                thread::sleep(RETRY);
            }
            done => return done.map_err(refused),
        }
    }
}

/// Watches for other programs in the group.
fn members(options: &SourceOptions, marks: &Arc<KafkaMarks>) -> anyhow::Result<Members> {
    Members::watch(&options.connection, &options.group, marks).map_err(|error| match error {
        WatchError::Kafka(error) => refused(error),
        error @ WatchError::Thread(_) => error.into(),
    })
}

fn connected(options: &SourceOptions) -> anyhow::Result<KafkaSource> {
    KafkaSource::connect(options).map_err(refused)
}

/// With the fix, where there is one.
pub fn refused(error: KafkaError) -> anyhow::Error {
    let hint = error.hint();
    let code = if error.kind() == ErrorKind::Unavailable { Code::SourceUnreachable } else { Code::SourceRefused };
    let failure = Failure::of(code, error);
    match hint {
        Some(hint) => failure.hint(hint).into(),
        None => failure.into(),
    }
}

/// The feed, if the configuration reads Kafka. `group` is the one that the process belongs to.
pub fn kafka_feed(
    config: &Config,
    lake: &Lake,
    group: impl Fn(&str) -> String,
    marks: &Arc<KafkaMarks>,
) -> anyhow::Result<Option<KafkaFeed>> {
    match &config.source {
        Source::Log => Ok(None),
        Source::Kafka(kafka) => {
            let feed = KafkaFeed::connect(config, (kafka, group(&kafka.group)), lake, marks);
            feed.context("could not read Kafka").map(Some)
        }
    }
}

/// The configuration with the topics that match its patterns now; `None` if there are no new ones.
pub fn grown(config: &Config) -> anyhow::Result<Option<Config>> {
    let Source::Kafka(kafka) = &config.source else { return Ok(None) };
    if config.patterns.is_empty() {
        return Ok(None);
    }
    let cluster = Cluster::new(&wiring::kafka(kafka), "", PATIENCE).map_err(refused)?;
    let topics = cluster.topics().map_err(refused)?;
    let grown = config.clone().with_topics(topics.iter().map(|topic| topic.name.as_ref()));
    Ok((grown.streams.len() > config.streams.len()).then_some(grown))
}
