//! The start, on a thread of its own: the collector and the dashboard serve meanwhile, whatever a store does.
//!
//! What is away is tried again (`kassa_engine::joining`). Nothing is read before every sink's positions and the lake are: a record's fate
//! depends on all of them.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use kassa_config::{Config, Source};
use kassa_engine::checkpoint::{Desk, Manifest, Place};
use kassa_engine::deriver::Deriver;
use kassa_engine::joining::{Joining, Opening, Step};
use kassa_engine::recall::Started;
use kassa_engine::ticks::SystemTicks;
use kassa_engine::tracker::Tracker;
use kassa_engine::{Memory, Tally, Ticks};
use kassa_lake::letters;
use kassa_model::Positions;
use kassa_pipeline::Sink;
use kassa_server::Live;

use super::adapters::{Gate, LakeStore};
use super::chosen::Chosen;
use super::standing::Standing;
use crate::away::is_away;
use crate::feed::{self, KafkaFeed, KafkaMarks};
use crate::sinks;
use crate::wiring::{self, Lake};

/// The parts beside the sinks.
const TOPICS: &str = "topics";
const STORE: &str = "store";
const PIPELINE: &str = "pipeline";

/// As large as the main thread's: mappings are compiled by recursion.
const STACK: usize = 8 << 20;

/// What a start needs, and fills in.
pub struct Opener {
    pub config: Config,
    pub chosen: Chosen,
    pub shown: Shown,
    /// Of an earlier start of this program: figures and counts follow the sinks already.
    pub place: Option<Arc<Place>>,
    /// Whether the thread of the derived tables is to be started.
    pub derives: bool,
    /// What is open so far.
    pub opened: Opened,
}

/// What those who watch see of the lake, as soon as it is read.
#[derive(Clone)]
pub struct Shown {
    pub live: Arc<Live>,
    pub tracker: Arc<Tracker>,
    pub kafka: Arc<KafkaMarks>,
    pub desk: Arc<Desk>,
    pub standing: Arc<Standing>,
    pub store: Arc<LakeStore>,
    /// `None`: nothing is served.
    pub gate: Option<Arc<Gate>>,
}

#[derive(Default)]
pub struct Opened {
    /// The configuration with the topics that its patterns stand for.
    grown: Option<Config>,
    lake: Option<Lake>,
    place: Option<Arc<Place>>,
    manifest: Option<Manifest>,
    /// What the lake accounted for when it was read.
    from: Option<(Tally, Positions)>,
    sinks: Vec<Box<dyn Sink>>,
    feed: Option<KafkaFeed>,
    memory: Option<Memory>,
    deriver: Option<Deriver>,
}

/// Everything that a pipeline starts from.
pub struct Joined {
    pub config: Config,
    pub lake: Lake,
    pub place: Option<Arc<Place>>,
    /// Of the first start: what the lake accounts for, and up to where.
    pub from: Option<(Tally, Positions)>,
    pub sinks: Vec<Box<dyn Sink>>,
    /// Of a configuration that reads Kafka.
    pub feed: Option<KafkaFeed>,
    pub memory: Memory,
    pub deriver: Option<Deriver>,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("chosen", &self.chosen).finish_non_exhaustive()
    }
}

impl Opener {
    fn config(&self) -> &Config {
        self.opened.grown.as_ref().unwrap_or(&self.config)
    }

    fn lake(&self) -> anyhow::Result<&Lake> {
        self.opened.lake.as_ref().context("the lake is not open")
    }

    /// Opens the lake's store, and shows what is in it.
    fn open_store(&mut self) -> anyhow::Result<()> {
        let config = self.config().clone();
        let mut lake = Lake::of(&config)?;
        lake.begin(&config, self.chosen.durable)?;
        match &self.place {
            Some(place) => {
                self.opened.place = Some(Arc::clone(place));
                self.opened.manifest = if self.chosen.durable.lake { place.manifest().ok() } else { None };
            }
            None => self.read_lake(&config, &lake)?,
        }
        if let Some(gate) = &self.shown.gate {
            gate.open(&config, || lake.bare_stage(&config, None))?;
        }
        self.shown.store.set(Arc::clone(&lake.store));
        lake.patience = Some(Arc::clone(&self.shown.standing.patience));
        self.opened.lake = Some(lake);
        Ok(())
    }

    /// Figures and counts, from the last checkpoint and what the lake holds beyond it.
    fn read_lake(&mut self, config: &Config, lake: &Lake) -> anyhow::Result<()> {
        // Before anything else is read: a replay that comes later makes the next checkpoint unusable.
        let replays = letters::replays(lake.store.as_ref()).context("could not read the lake")?;
        let place = Arc::new(wiring::checkpoints(config, &lake.keyring(config)?, replays));
        let started =
            Started::of(self.chosen.durable.lake.then_some(place.as_ref()), lake.store.as_ref(), &config.shop, lake.clock.now());
        let Started { manifest, figures, tally, at } = started.context("could not read the lake")?;
        self.shown.tracker.begin(tally.clone(), at.clone());
        self.shown.live.replace(figures, at.clone());
        (self.opened.place, self.opened.manifest, self.opened.from) = (Some(place), manifest, Some((tally, at)));
        Ok(())
    }

    fn open_sink(&mut self, name: &'static str) -> anyhow::Result<()> {
        let config = self.config();
        let registered = sinks::fed_by(config, self.chosen.durable).find(|sink| sink.name() == name);
        let sink = registered.context("no such sink")?.open(self.lake()?, config)?;
        self.opened.sinks.extend(sink);
        Ok(())
    }

    /// Joins the group, if the source is Kafka, and completes the memory by what the sinks hold.
    fn open_pipeline(&mut self) -> anyhow::Result<()> {
        if matches!(self.config.source, Source::Kafka(_)) {
            // One member leaves the group before the other comes.
            self.opened.feed = None;
            let feed = self.chosen.feed(self.config(), self.lake()?, &self.shown.kafka)?;
            // Other members of the group may have committed before they gave up partitions to this one.
            self.opened.sinks.clear();
            for sink in names(self.config(), self.chosen) {
                self.open_sink(sink)?;
            }
            self.opened.feed = feed;
        }
        let (config, lake, fed) = (self.config(), self.lake()?, self.chosen.durable);
        let place = self.opened.place.as_ref().context("the lake was not read")?;
        let places = (place.as_ref(), self.shown.desk.as_ref());
        let memory = lake.recalled((config, fed), places, self.opened.manifest.clone())?;
        let deriver = if self.derives { self.chosen.deriver(config, lake)? } else { None };
        (self.opened.memory, self.opened.deriver) = (Some(memory), deriver);
        Ok(())
    }

    fn joined(self) -> anyhow::Result<Joined> {
        let Self { config, opened, .. } = self;
        let Opened { grown, lake, place, from, sinks, feed, memory, deriver, .. } = opened;
        let missing = "the start has opened everything";
        let (lake, memory) = (lake.context(missing)?, memory.context(missing)?);
        Ok(Joined { config: grown.unwrap_or(config), lake, place, from, sinks, feed, memory, deriver })
    }
}

/// The durable sinks of a run.
pub fn names(config: &Config, chosen: Chosen) -> Vec<&'static str> {
    sinks::fed_by(config, chosen.durable).map(|sink| sink.name()).collect()
}

impl Opening for Opener {
    fn phases(&self) -> Vec<Vec<&'static str>> {
        let topics = if self.config.patterns.is_empty() { vec![] } else { vec![TOPICS] };
        vec![topics, vec![STORE], names(&self.config, self.chosen), vec![PIPELINE]]
    }

    fn open(&mut self, part: &'static str) -> anyhow::Result<()> {
        self.shown.standing.opens(part);
        match part {
            TOPICS => {
                self.opened.grown = feed::grown(&self.config)?;
                Ok(())
            }
            STORE => self.open_store(),
            PIPELINE => self.open_pipeline(),
            sink => self.open_sink(sink),
        }
    }

    fn is_away(&self, error: &anyhow::Error) -> bool {
        is_away(error)
    }
}

/// A start at work. It is given up once this is dropped; nobody waits for it.
pub struct Joiner {
    outcome: Receiver<anyhow::Result<Joined>>,
    _ends: Sender<()>,
}

impl Joiner {
    /// Begins after a pause. `patience`: how long a part may be away.
    pub fn start(opener: Opener, pause: Duration, patience: Option<Duration>) -> std::io::Result<Self> {
        let (ends, ended) = channel();
        let (answer, outcome) = channel();
        let work = move || {
            if let Some(joined) = work(opener, &ended, pause, patience) {
                // The program may have ended meanwhile.
                answer.send(joined).unwrap_or_default();
            }
        };
        thread::Builder::new().name("start".to_owned()).stack_size(STACK).spawn(work)?;
        Ok(Self { outcome, _ends: ends })
    }

    /// Waits so long for the outcome; `None`: it is not there yet.
    pub fn wait(&self, longest: Duration) -> Option<anyhow::Result<Joined>> {
        match self.outcome.recv_timeout(longest) {
            Ok(outcome) => Some(outcome),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(anyhow::anyhow!("the thread of the start panicked"))),
        }
    }
}

/// `None`: the start was given up.
fn work(opener: Opener, ended: &Receiver<()>, pause: Duration, patience: Option<Duration>) -> Option<anyhow::Result<Joined>> {
    let ticks: Arc<dyn Ticks> = Arc::new(SystemTicks::default());
    let standing = Arc::clone(&opener.shown.standing);
    let mut joining = Joining::new(opener, Arc::clone(&ticks), patience);
    let mut wait = pause;
    while matches!(ended.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
        let step = joining.step();
        standing.waits(joining.away());
        match step {
            Ok(Step::Wait(until)) => wait = until.saturating_sub(ticks.now()),
            Ok(Step::Joined) => return Some(joining.into_opening().joined()),
            Err(error) => return Some(Err(error)),
        }
    }
    None
}
