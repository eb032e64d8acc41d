//! Kafka as a feed: what the group gives this process is read from where the sinks are.

mod marks;
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
pub use self::topics::{TopicIds, known_topics};
use super::{Feed, Next, Reached};
use crate::failure::Failure;
use crate::wiring::{self, Lake};

/// How long a start waits to be given partitions before it goes on without: others of the group may have them all.
const JOIN: Duration = Duration::from_secs(10);
/// When a sink's hand-off has been full for so long, fetching stops and polling goes on, lest the group take this member for dead.
const FULL: Duration = Duration::from_secs(5);
/// Kafka is shown anew to those who watch this often.
const SHOWN: Duration = Duration::from_secs(1);
/// Facts wait at most so long for reference data to be read to its end.
const REFERENCES: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(1);
/// A member that is fenced a second time within this is in another's place.
const FENCED: Duration = Duration::from_secs(300);
/// Topics that come to match a pattern are seen so soon.
const LOOK: Duration = Duration::from_secs(30);
/// How long a question to Kafka is repeated before it is told that it does not answer.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct KafkaFeed {
    options: SourceOptions,
    source: KafkaSource,
    topics: TopicIds,
    references: HashSet<String>,
    /// Given by the group, and not yet begun.
    assigned: Vec<Partition>,
    /// Taken by the group, and not yet given back.
    revoked: Vec<Partition>,
    waiting: VecDeque<Turn>,
    held_back: Option<HeldBack>,
    /// Begun where the log began, as no sink knew them: what comes first is accounted for from 0.
    fresh: HashSet<Partition>,
    /// How far this process has read.
    given: Positions,
    flow: Flow,
    marks: Arc<KafkaMarks>,
    shown_at: Instant,
    patterns: Option<Patterns>,
    fenced_at: Option<Instant>,
    /// What went wrong while nothing was asked: some of it is told once.
    failed: Option<anyhow::Error>,
}

/// Facts wait until reference data has been read.
struct HeldBack {
    facts: Vec<Partition>,
    /// They wait no longer than that.
    until: Instant,
    /// To where reference data must be read.
    ends: BTreeMap<Partition, i64>,
}

/// Whether the sinks take what is read.
#[derive(Debug, Clone, Copy)]
enum Flow {
    Free,
    /// A sink's hand-off has been full since then.
    Full(Instant),
    /// It has been full for so long that fetching has stopped.
    Paused,
}

/// A configuration with patterns: topics that come to match are looked for.
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

    /// What Kafka has next; what passes by itself is shown and waited for.
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

    /// A broker that dies can forget who a member with an instance id was, and take it for its predecessor. Once it may be so; where it comes
    /// again soon there is another process of that id.
    fn may_come_back(&mut self) -> bool {
        self.fenced_at.replace(Instant::now()).is_none_or(|last| last.elapsed() >= FENCED)
    }

    /// Whether there are topics now that match a pattern and are not read. Where Kafka does not answer, they are looked for later.
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

    /// Where a partition goes on: under the latest of its incarnations that a sink knows.
    fn start(&self, partition: &Partition, reached: &Reached) -> anyhow::Result<Start> {
        let same = |held: &&Partition| held.topic == partition.topic && kafka_partition(held) == kafka_partition(partition);
        let latest = reached.by_any.iter().map(|(held, _)| held).filter(same).max_by_key(|held| held.number);
        let knows_topic = reached.by_any.iter().any(|(held, _)| held.topic == partition.topic);
        let partition = latest.unwrap_or(partition).clone();
        let next = knows_topic.then(|| reached.by_all.next(&partition));
        let topic_id = self.topics.known(&partition.topic)?;
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

    /// Has facts wait until reference data is read to where it ends now: so a fact finds the members that came before it.
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

    /// Lets facts go on once reference data has been read.
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
                self.topics.replace(&reset.partition.topic, &self.id_of(&reset.partition.topic)?)?;
                self.begin_at(&[Start::at(next_incarnation(&reset.partition), Some(0))])?;
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

/// Asks again until Kafka answers.
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

/// The configuration with the topics that its patterns stand for now; `None` where there are no more than it has.
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
