//! One process: the engine itself over stores that fail, in virtual time and without threads.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kassa_engine::checkpoint::{Desk, Draft, Drafts, Parts, Place, StageCut, Unusable, WriteError};
use kassa_engine::engine::{Engine, Step, Stopped, Watch};
use kassa_engine::memory::{Take, is_ahead};
use kassa_engine::recall::{self, Started};
use kassa_engine::{COMMIT_BYTES, Cadence, Durable, HandOff, Held, Host, Memory, MemoryError, SinkHandle, Ticks};
use kassa_lake::maintain::Options;
use kassa_lake::{ArchiveSink, Folder, LogError, StarSink, Store, figures, letters, read};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Partition, Positions, Table};
use kassa_pipeline::dedupe::IndexOptions;
use kassa_pipeline::{Sink, SinkError};
use kassa_server::{Live, LiveSink};
use kassa_sim::{Rng, batches};

use super::book::{BookSink, Shared, locked};
use super::faulty::Faulty;
use super::inline::{Inline, Virtual};
use super::shop::{TOPICS, contracts, stage_of};
use super::source::{Logs, LogsFeed};

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Going,
    /// It is dead: only the contents of the stores are left.
    Crashed,
    /// A store did not answer where the engine does not try again.
    Failed,
    /// A sink's positions were moved by another process: everything must restart.
    Displaced,
}

pub(crate) struct Worker {
    pub(crate) store: Arc<Faulty>,
    /// `None` after a stop.
    engine: Option<Engine>,
    /// Archive, lake, warehouse, live.
    sinks: Vec<Inline>,
    /// The next offset to read of each partition.
    at: Rc<RefCell<Positions>>,
    pub(crate) owned: Vec<Partition>,
    pub(crate) live: Arc<Live>,
    desk: Arc<Desk>,
    drafts: Drafts,
    /// A checkpoint that waits for the sinks.
    draft: Option<(StageCut, Draft)>,
    /// Counts of this process's checkpoints.
    pub(crate) checkpoints: Checkpoints,
    /// How often a sink had no room for a batch.
    pub(crate) full: u64,
    /// Its state folder.
    pub(crate) state: PathBuf,
}

/// How often a process started from a checkpoint, could not use one, published one, and failed to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checkpoints {
    pub(crate) loaded: u64,
    pub(crate) refused: u64,
    pub(crate) published: u64,
    pub(crate) failed: u64,
}

/// The stores and sources that all processes share, and their time.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) folder: Arc<Folder>,
    pub(crate) book: Shared,
    pub(crate) logs: Logs,
    pub(crate) ticks: Arc<Virtual>,
}

/// The parameters of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) seed: u64,
    /// Faults per thousand requests to the store; twice as many per hundred commits of the
    /// warehouse.
    pub(crate) rate: usize,
    pub(crate) is_maintained: bool,
    /// Whether the store has other users, as with a bucket.
    pub(crate) is_shared: bool,
    /// Whether the run has changed files of the state folder.
    pub(crate) is_damaged: bool,
}

/// Compacts, checkpoints and sweeps every few commits.
fn maintenance() -> Options {
    Options {
        small_files: 3,
        slice_files: 4,
        checkpoint_entries: 4,
        kept_entries: 1,
        retention: 0,
        kept_files: 2,
        ..Options::default()
    }
}

/// The state of a process after an error. An error that no fault explains fails the test.
fn judged(error: &anyhow::Error) -> State {
    let judge = |cause: &(dyn Error + 'static)| match (cause.downcast_ref(), cause.downcast_ref()) {
        (Some(SinkError::Fenced(_) | SinkError::Rewound(_)), _) => Some(State::Displaced),
        (Some(SinkError::Unavailable(_)), _) | (_, Some(LogError::Io(_))) => Some(State::Failed),
        _ => cause.downcast_ref().filter(|error: &&io::Error| error.kind() == io::ErrorKind::TimedOut).map(|_| State::Failed),
    };
    error.chain().find_map(judge).unwrap_or_else(|| panic!("{error:#}"))
}

/// Whatever has ended the process before: the files that a manifest names are whole.
fn check_whole(place: &Place, options: &IndexOptions) {
    let manifest = match place.manifest() {
        Err(Unusable::Missing) => return,
        manifest => manifest.unwrap(),
    };
    place.figures(&manifest, &batches::shop()).unwrap();
    place.tally(&manifest).unwrap();
    place.stage(&manifest, options).unwrap();
}

/// Opens the durable sinks of a process.
fn sinks(around: &Surroundings, store: &Arc<dyn Store>, start: Start) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    // The lake compares this clock with the times of files, so it is not virtual.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let topics = TOPICS.map(|(topic, _)| Arc::from(topic));
    let mut archive = ArchiveSink::open(Arc::clone(store), &topics, Arc::clone(&clock))?;
    let mut lake = StarSink::open(store, contracts(), clock)?;
    if start.is_maintained {
        (archive, lake) = (archive.maintained(maintenance()), lake.maintained(maintenance()));
    }
    let warehouse = BookSink::open(&around.book, start.seed, start.rate * 20);
    Ok(vec![Box::new(archive), Box::new(lake), Box::new(warehouse)])
}

impl Worker {
    /// Starts a process: opens the sinks, loads memory and figures from the last checkpoint in
    /// `state`, or rebuilds them from the contents of the sinks, and starts the engine. `None`: a
    /// store did not answer.
    pub(crate) fn open(around: &Surroundings, owned: Vec<Partition>, start: Start, state: &Path) -> Option<Self> {
        let store = Arc::new(Faulty::new(&around.folder, start.is_shared, start.seed, start.rate));
        match Self::try_open(around, &store, owned, start, state) {
            Ok(worker) => Some(worker),
            Err(_) if store.has_crashed() => None,
            Err(error) => {
                judged(&error);
                None
            }
        }
    }

    fn try_open(
        around: &Surroundings,
        faulty: &Arc<Faulty>,
        owned: Vec<Partition>,
        start: Start,
        state: &Path,
    ) -> anyhow::Result<Self> {
        let store: Arc<dyn Store> = Arc::clone(faulty) as Arc<dyn Store>;
        let (shop, contracts) = (batches::shop(), contracts());
        let had_checkpoint = state.join("checkpoint/manifest").is_file();
        let options = IndexOptions { memory_bytes: 8 << 10, dir: Some(state.join("dedupe")), event_window_us: 1 };
        let place = Arc::new(Place::new(state.join("checkpoint"), 0, letters::replays(store.as_ref())?));
        if !start.is_damaged {
            check_whole(&place, &options);
        }
        let Started { manifest, figures: recalled, tally, at } = Started::of(Some(&place), store.as_ref(), &shop, i64::MAX)?;
        let live = Arc::new(Live::new(recalled, at.clone()));
        let mut opened = sinks(around, &store, start)?;
        opened.push(Box::new(LiveSink(Arc::clone(&live))));
        let desk = Arc::<Desk>::default();
        let mut held: [Box<dyn Held + '_>; 1] = [Box::new(BookHeld(&around.book))];
        let mut complete =
            |memory: Memory| -> anyhow::Result<Option<Memory>> { Ok(memory.complete((store.as_ref(), &contracts), &mut held)?) };
        let memory = recall::memory((&place, &desk), manifest, &options, &|index| Ok(stage_of(index)), &mut complete)?;
        let is_loaded = state.join("checkpoint/manifest").is_file();

        let feed = LogsFeed::new(&around.logs, owned.clone(), start.seed, !start.is_shared);
        let (at_source, lanes) = (feed.at(), Rc::<RefCell<Vec<Inline>>>::default());
        let cadences = cadences(opened, start.seed);
        let fed = Durable::ALL;
        let watch = Watch { fed, shown: &[], observer: Box::new(|_| {}), desk: Some(Arc::clone(&desk)) };
        let host = host(around, faulty, &lanes);
        let engine = Engine::start(&host, (&store, &contracts), Box::new(feed), cadences, memory, watch)?;
        let star: Vec<SinkHandle> =
            engine.handles().into_iter().filter(|handle| ["lake", "warehouse"].contains(&handle.name)).collect();
        let (snapshot, figures_at) = (Arc::clone(&live), Arc::clone(&live));
        let parts = Parts {
            place,
            desk: Arc::clone(&desk),
            store,
            figures: Box::new(move || snapshot.snapshot()),
            figures_at: Box::new(move || figures_at.positions()),
            committed: Box::new(move || star.iter().map(|sink| sink.state().committed).collect()),
            tally: (tally, at),
            calendar: shop.calendar(),
            commit_interval: Duration::ZERO,
        };
        let (loaded, refused) = (had_checkpoint && is_loaded, had_checkpoint && !is_loaded);
        Ok(Self {
            store: Arc::clone(faulty),
            engine: Some(engine),
            sinks: lanes.take(),
            at: at_source,
            owned,
            live,
            desk,
            drafts: Drafts::new(parts),
            draft: None,
            checkpoints: Checkpoints { loaded: u64::from(loaded), refused: u64::from(refused), ..Checkpoints::default() },
            full: 0,
            state: state.to_owned(),
        })
    }

    /// Takes a checkpoint, or tries again to publish the waiting one. `fails`: its manifest cannot be
    /// written.
    fn checkpoint(&mut self, fails: bool) {
        let obstacle = self.state.join("checkpoint/manifest.new");
        let fails = fails && self.draft.is_some() && std::fs::create_dir(&obstacle).is_ok();
        self.try_checkpoint();
        if fails {
            std::fs::remove_dir(&obstacle).unwrap();
            self.checkpoints.failed += u64::from(self.draft.is_none());
        }
    }

    fn try_checkpoint(&mut self) {
        let waiting = self.draft.take().map_or_else(|| self.cut(), |waiting| Some(Ok(waiting)));
        let outcome = waiting.map(|draft| draft.and_then(|(cut, draft)| Ok((self.drafts.publish(&cut, &draft)?, cut, draft))));
        match outcome {
            None => {}
            Some(Ok((true, cut, _))) => {
                let accounted = figures::accounted(self.store.folder()).unwrap();
                assert!(!is_ahead(&cut.known.index, &accounted), "a checkpoint is ahead of the lake");
                self.checkpoints.published += 1;
            }
            Some(Ok((false, cut, draft))) => self.draft = Some((cut, draft)),
            // The store did not answer, or the process is dead.
            Some(Err(_)) => self.desk.rewrite(),
        }
    }

    /// What the engine has handed over, as a draft. If that is nothing, it is asked to.
    fn cut(&mut self) -> Option<Result<(StageCut, Draft), WriteError>> {
        let Some(cut) = self.desk.take() else {
            self.desk.want();
            return None;
        };
        Some(self.drafts.write(&cut).map(|draft| (cut, draft)))
    }

    /// The next offset to read.
    pub(crate) fn reached(&self, partition: &Partition) -> i64 {
        self.at.borrow().next(partition)
    }

    /// Whether every durable sink is exactly at the reading position, once it has committed what it
    /// was given.
    pub(crate) fn is_level(&self, partition: &Partition) -> bool {
        let durable = &self.sinks[..3];
        durable.iter().for_each(Inline::drain);
        durable.iter().all(|sink| sink.handle().state().positions.next(partition) == self.reached(partition))
    }

    /// A step of the engine, and of some of the sinks. `false`: there was nothing to read.
    pub(crate) fn turn(&mut self, rng: &mut Rng) -> (bool, State) {
        let step = self.engine.as_mut().map(Engine::step).unwrap();
        let (has_read, state) = match step {
            Ok(step) => {
                self.full += u64::from(step == Step::Full);
                (step != Step::Idle, State::Going)
            }
            Err(_) if self.store.has_crashed() => (true, State::Crashed),
            Err(error) => (true, judged(&error)),
        };
        if state != State::Going {
            return (has_read, state);
        }
        if rng.below(4) == 0 {
            self.checkpoint(rng.below(4) == 0);
        }
        for sink in &self.sinks {
            if rng.below(2) == 0 {
                sink.step();
            }
        }
        (has_read, if self.store.has_crashed() { State::Crashed } else { State::Going })
    }

    /// Reads to the end, and commits.
    pub(crate) fn catch_up(&mut self) {
        let is_done = self.engine.as_mut().map(Engine::catch_up).unwrap().unwrap();
        assert!(is_done, "this source never moves partitions");
    }

    /// Commits everything that was read and writes a last checkpoint, as an orderly stop does.
    pub(crate) fn stop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        let Stopped { memory, read, outcome, .. } = engine.stop();
        match outcome {
            Ok(()) => {}
            Err(_) if self.store.has_crashed() => return,
            Err(error) => {
                judged(&error);
                return;
            }
        }
        let Some(mut memory) = memory else { return };
        if self.draft.take().is_some() {
            self.desk.rewrite();
        }
        // If a store does not answer, the checkpoint before stays.
        let published = self.drafts.finish((&mut memory.stage, &memory.known, &read)).unwrap_or(false);
        self.checkpoints.published += u64::from(published);
    }
}

/// Each sink with an interval and a size of commits of its own.
fn cadences(sinks: Vec<Box<dyn Sink>>, seed: u64) -> Vec<Cadence> {
    let mut rng = Rng(seed ^ 0x5EED);
    let cadence = |sink: Box<dyn Sink>| {
        let interval = Duration::from_millis([0, 20, 100, 200][rng.below(4)]);
        Cadence { sink, interval, records: [20, 100, 10_000][rng.below(3)], bytes: COMMIT_BYTES }
    };
    sinks.into_iter().map(cadence).collect()
}

/// Runs committers inline, and collects them in `lanes`.
fn host(around: &Surroundings, store: &Arc<Faulty>, lanes: &Rc<RefCell<Vec<Inline>>>) -> Host {
    let ticks: Arc<dyn Ticks> = Arc::clone(&around.ticks) as Arc<dyn Ticks>;
    let (store, given, lanes) = (Arc::clone(store), Arc::clone(&ticks), Rc::clone(lanes));
    let start = move |committer| {
        let lane = Inline::new(committer, Arc::clone(&store), Arc::clone(&given));
        lanes.borrow_mut().push(lane.clone());
        Ok(Box::new(lane) as Box<dyn HandOff>)
    };
    Host { clock: Arc::new(SystemClock), ticks, start: Box::new(start) }
}

struct BookHeld<'b>(&'b Shared);

impl Held for BookHeld<'_> {
    fn positions(&self) -> Positions {
        locked(self.0).held.positions.clone()
    }

    fn each_beyond(&mut self, table: Table, columns: &[&str], from: &Positions, take: Take<'_>) -> Result<(), MemoryError> {
        for (_, rows) in locked(self.0).held.rows.iter().filter(|(held, _)| *held == table) {
            let rows = read::plain(rows)?;
            let before = kassa_pipeline::cut::are_before(&rows, from).unwrap();
            let beyond = arrow_array::BooleanArray::from(before.into_iter().map(|before| !before).collect::<Vec<_>>());
            let rows = arrow_select::filter::filter_record_batch(&rows, &beyond).unwrap();
            let wanted: Vec<usize> = columns.iter().map(|name| rows.schema().index_of(name).unwrap()).collect();
            take(rows.project(&wanted).unwrap())?;
        }
        Ok(())
    }
}
