//! One process: a stage rebuilt from the stores, and sinks that each commit at their own cadence.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kassa_engine::checkpoint::{Desk, Draft, Drafts, Parts, Place, StageCut, Unusable};
use kassa_engine::memory::{Take, is_ahead};
use kassa_engine::{Held, Known, Memory, MemoryError, Tally, tally};
use kassa_lake::maintain::Options;
use kassa_lake::{ArchiveSink, Folder, LogError, StarSink, Store, figures, letters, read};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Partition, Positions, Table};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Batch, Sink, SinkError, Stage};
use kassa_server::{Live, LiveSink};
use kassa_sim::{Rng, batches};

use super::book::{BookSink, Shared, locked};
use super::faulty::Faulty;
use super::shop::{Log, TOPICS, contracts, stage_of};

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Going,
    /// It is dead: only the contents of the stores are left.
    Crashed,
    /// A sink's positions were moved by another process: everything must restart.
    Displaced,
}

pub(crate) struct Worker {
    pub(crate) store: Arc<Faulty>,
    stage: Stage,
    sinks: Vec<Feeding>,
    /// The partitions that it reads, and their positions.
    reached: Positions,
    pub(crate) owned: Vec<Partition>,
    pub(crate) live: Arc<Live>,
    /// The positions of the stage's memory, and the positions that this process has read up to.
    known: Known,
    read: Positions,
    desk: Arc<Desk>,
    drafts: Drafts,
    /// A checkpoint that waits for the sinks.
    draft: Option<(StageCut, Draft)>,
    /// The committed positions of lake and warehouse.
    committed: Arc<Mutex<[Positions; 2]>>,
    /// Counts of this process's checkpoints.
    pub(crate) checkpoints: Checkpoints,
    /// Its state folder.
    pub(crate) state: PathBuf,
}

/// How often a process started from a checkpoint, could not use one, and published one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checkpoints {
    pub(crate) loaded: u64,
    pub(crate) refused: u64,
    pub(crate) published: u64,
}

#[derive(Debug)]
struct Feeding {
    sink: Box<dyn Sink>,
    gathered: Vec<Arc<Batch>>,
    /// The number of turns per commit.
    cadence: usize,
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
}

/// A store that did not answer is an expected failure; every other error fails the test.
fn passing(error: LogError) -> io::Error {
    match error {
        LogError::Io(error) => error,
        error => panic!("{error}"),
    }
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

impl Worker {
    /// Starts a process: opens the sinks, and loads memory and figures from the last checkpoint in
    /// `state`, or rebuilds them from the contents of the sinks.
    pub(crate) fn open(
        folder: &Arc<Folder>,
        book: &Shared,
        owned: Vec<Partition>,
        start: Start,
        state: &Path,
    ) -> io::Result<Self> {
        let faulty = Arc::new(Faulty::new(folder, start.is_shared, start.seed, start.rate));
        let store: Arc<dyn Store> = Arc::clone(&faulty) as Arc<dyn Store>;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let topics = TOPICS.map(|(topic, _)| Arc::from(topic));
        let mut archive = ArchiveSink::open(Arc::clone(&store), &topics, Arc::clone(&clock)).map_err(passing)?;
        let mut lake = StarSink::open(&store, contracts(), clock).map_err(passing)?;
        if start.is_maintained {
            (archive, lake) = (archive.maintained(maintenance()), lake.maintained(maintenance()));
        }
        let mut rng = Rng(start.seed ^ 0x5EED);
        let warehouse = BookSink::open(book, start.seed, start.rate * 20);
        let recalled = Recalled::of(store.as_ref(), book, state)?;
        let live = Arc::new(Live::new(recalled.figures, recalled.at.clone()));
        let sinks: Vec<Box<dyn Sink>> =
            vec![Box::new(archive), Box::new(lake), Box::new(warehouse), Box::new(LiveSink(Arc::clone(&live)))];
        let feeding = |sink| Feeding { sink, gathered: Vec::new(), cadence: 1 + rng.below(9) };
        let sinks: Vec<Feeding> = sinks.into_iter().map(feeding).collect();
        let lowest = |partition: &Partition| sinks.iter().map(|feeding| feeding.sink.positions().next(partition)).min().unwrap();
        let reached = owned.iter().map(|partition| (partition.clone(), lowest(partition))).collect();
        let committed: Arc<Mutex<[Positions; 2]>> = Arc::default();
        let (figures, at, shown) = (Arc::clone(&live), Arc::clone(&live), Arc::clone(&committed));
        let parts = Parts {
            place: recalled.place,
            desk: Arc::clone(&recalled.desk),
            store,
            figures: Box::new(move || figures.snapshot()),
            figures_at: Box::new(move || at.positions()),
            committed: Box::new(move || shown.lock().unwrap().to_vec()),
            tally: (recalled.tally, recalled.at),
            calendar: batches::shop().calendar(),
            commit_interval: Duration::ZERO,
        };
        let Memory { stage, known } = recalled.memory;
        let (drafts, desk, checkpoints) = (Drafts::new(parts), recalled.desk, recalled.checkpoints);
        let read = Positions::default();
        let (store, draft, state) = (faulty, None, state.to_owned());
        Ok(Self { store, stage, sinks, reached, owned, live, known, read, desk, drafts, draft, committed, checkpoints, state })
    }

    /// Takes a checkpoint, or tries again to publish the waiting one.
    fn checkpoint(&mut self) {
        let waiting = self.draft.take().map_or_else(|| self.cut(), |waiting| Some(Ok(waiting)));
        let outcome = waiting.map(|draft| draft.and_then(|(cut, draft)| Ok((self.drafts.publish(&cut, &draft)?, cut, draft))));
        match outcome {
            None => {}
            Some(Ok((true, ..))) => self.checkpoints.published += 1,
            Some(Ok((false, cut, draft))) => self.draft = Some((cut, draft)),
            // The store did not answer, or the process is dead.
            Some(Err(_)) => self.desk.rewrite(),
        }
    }

    fn cut(&mut self) -> Option<Result<(StageCut, Draft), kassa_engine::checkpoint::WriteError>> {
        self.desk.want();
        self.desk.serve(&mut self.stage, &self.known, &self.read);
        let cut = self.desk.take()?;
        Some(self.drafts.write(&cut).map(|draft| (cut, draft)))
    }

    /// The next offset to read.
    pub(crate) fn reached(&self, partition: &Partition) -> i64 {
        self.reached.next(partition)
    }

    /// Whether every sink has committed everything that was read.
    fn holds_all(&self) -> bool {
        let holds = |partition: &Partition| {
            let mut durable = self.sinks[..3].iter();
            durable.all(|feeding| feeding.sink.positions().next(partition) >= self.reached(partition))
        };
        self.owned.iter().all(holds)
    }

    /// Whether every sink is exactly at the reading position.
    pub(crate) fn is_level(&self, partition: &Partition) -> bool {
        self.sinks[..3].iter().all(|feeding| feeding.sink.positions().next(partition) == self.reached(partition))
    }

    /// Reads some records of a partition and hands them to the sinks; some of the sinks commit.
    /// `false`: there was nothing to read.
    pub(crate) fn turn(&mut self, logs: &[Log], rng: &mut Rng) -> (bool, State) {
        let partition = self.owned[rng.below(self.owned.len())].clone();
        let log = logs.iter().find(|log| log.partition == partition).unwrap();
        let has_read = self.read(log, 1 + rng.below(40));
        if rng.below(8) == 0 {
            self.checkpoint();
        }
        for nth in 0..self.sinks.len() {
            if rng.below(self.sinks[nth].cadence) == 0 {
                let state = self.commit(nth, rng.below(10) == 0);
                if state != State::Going {
                    return (has_read, state);
                }
            }
        }
        (has_read, State::Going)
    }

    fn read(&mut self, log: &Log, most: usize) -> bool {
        let at = self.reached(&log.partition);
        let batch = if at < log.start {
            Batch::lost(log.partition.clone(), at..log.start)
        } else {
            let Some(records) = log.read(at, most) else { return false };
            self.stage.run(records, at).unwrap()
        };
        self.reached.set(log.partition.clone(), batch.to());
        self.known.index.advance(&log.partition, batch.to());
        self.known.members.set(log.partition.clone(), batch.to());
        self.read.set(log.partition.clone(), batch.to());
        let batch = Arc::new(batch);
        self.sinks.iter_mut().for_each(|feeding| feeding.gathered.push(Arc::clone(&batch)));
        true
    }

    /// Pending rows stay if the store did not answer.
    fn commit(&mut self, nth: usize, settles: bool) -> State {
        let feeding = &mut self.sinks[nth];
        let mut done = feeding.sink.commit(&feeding.gathered);
        if done.is_ok() {
            feeding.gathered.clear();
            let mut committed = self.committed.lock().unwrap();
            // The lake and the warehouse.
            if let Some(committed) = nth.checked_sub(1).and_then(|at| committed.get_mut(at)) {
                *committed = self.reached.clone();
            }
            drop(committed);
            if settles {
                done = feeding.sink.settle();
            }
        }
        match done {
            _ if self.store.has_crashed() => State::Crashed,
            Ok(()) | Err(SinkError::Unavailable(_)) => State::Going,
            Err(SinkError::Fenced(_) | SinkError::Rewound(_)) => State::Displaced,
            Err(error) => panic!("the {}: {error}", feeding.sink.name()),
        }
    }

    /// Commits everything that was read, as an orderly stop does.
    pub(crate) fn flush(&mut self) -> State {
        for _ in 0..200 {
            for nth in 0..self.sinks.len() {
                let state = self.commit(nth, true);
                if state != State::Going {
                    return state;
                }
            }
            if self.holds_all() {
                return State::Going;
            }
        }
        panic!("records are still uncommitted after two hundred tries");
    }
}

/// The state at the start of a process.
struct Recalled {
    place: Arc<Place>,
    desk: Arc<Desk>,
    memory: Memory,
    figures: kassa_analytics::Figures,
    tally: Tally,
    /// The positions of figures and tally.
    at: Positions,
    checkpoints: Checkpoints,
}

impl Recalled {
    fn of(store: &dyn Store, book: &Shared, state: &Path) -> io::Result<Self> {
        let place = Arc::new(Place::new(state.join("checkpoint"), 0, letters::replays(store).map_err(passing)?));
        let (at, shop) = (figures::accounted(store).map_err(passing)?, batches::shop());
        let options = IndexOptions { memory_bytes: 8 << 10, dir: Some(state.join("dedupe")), event_window_us: 1 };
        let (desk, mut checkpoints) = (Arc::<Desk>::default(), Checkpoints::default());
        let mut held = BookHeld(book);
        let load = || {
            let manifest = place.manifest()?;
            let (figures, tally) = (place.figures(&manifest, &shop)?, place.tally(&manifest)?);
            let saved = place.stage(&manifest, &options)?;
            if is_ahead(&figures.1, &at) || is_ahead(&tally.1, &at) {
                Err(Unusable::Ahead)
            } else {
                Ok((manifest, figures, tally, saved))
            }
        };
        let mut begun = None;
        match load() {
            Ok((manifest, figures, tally, saved)) => {
                let mut stage = stage_of(saved.index);
                stage.memory.members = saved.members;
                let memory = Memory { stage, known: saved.known }.complete((store, &contracts()), Some(&mut held));
                begun = memory.map_err(unanswered)?.map(|memory| (memory, figures, tally));
                (checkpoints.loaded, checkpoints.refused) = (u64::from(begun.is_some()), u64::from(begun.is_none()));
                desk.begin(Some(manifest));
            }
            Err(Unusable::Missing) => {}
            Err(Unusable::Ahead) => checkpoints.refused = 1,
            Err(why) => panic!("{why}"),
        }
        let (memory, (figures, from), (tally, counted)) = match begun {
            Some(begun) => begun,
            None => {
                place.discard()?;
                desk.begin(None);
                let mut memory = Memory::none(stage_of(Index::new(&options).unwrap()));
                memory.record();
                let memory = memory.complete((store, &contracts()), Some(&mut held)).map_err(unanswered)?;
                (memory.unwrap(), (kassa_analytics::Figures::new(&shop), Positions::default()), Default::default())
            }
        };
        let figures = figures::figures_between(store, figures, (&from, &at)).map_err(passing)?;
        let tally = tally::of_lake(store, (tally, &counted), &at, &mut shop.calendar()).map_err(passing)?;
        Ok(Self { place, desk, memory, figures, tally, at, checkpoints })
    }
}

fn unanswered(error: MemoryError) -> io::Error {
    match error {
        MemoryError::Lake(error) => passing(error),
        MemoryError::Warehouse(error) => panic!("{error}"),
    }
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
