//! One process: a stage rebuilt from the stores, and sinks that each commit at their own cadence.

use std::io;
use std::sync::Arc;

use kassa_lake::maintain::Options;
use kassa_lake::{ArchiveSink, Folder, LogError, StarSink, Store, read, recover};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Partition, Positions};
use kassa_pipeline::{Batch, Sink, SinkError, Stage};
use kassa_server::{Live, LiveSink};
use kassa_sim::{Rng, batches};

use super::book::{BookSink, Shared, locked};
use super::faulty::Faulty;
use super::shop::{Log, TOPICS, contracts, stage};

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Going,
    /// It is dead: only the contents of the stores are left.
    Crashed,
    /// A sink's positions were moved by another process: everything must restart.
    Displaced,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) store: Arc<Faulty>,
    stage: Stage,
    sinks: Vec<Feeding>,
    /// The partitions that it reads, and their positions.
    reached: Positions,
    pub(crate) owned: Vec<Partition>,
    pub(crate) live: Arc<Live>,
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
    /// Starts a process: opens the sinks, and rebuilds memory and index from their contents.
    pub(crate) fn open(folder: &Arc<Folder>, book: &Shared, owned: Vec<Partition>, start: Start) -> io::Result<Self> {
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
        let (figures, positions) = kassa_lake::figures::figures(store.as_ref(), &batches::shop()).map_err(passing)?;
        let live = Arc::new(Live::new(figures, positions));
        let sinks: Vec<Box<dyn Sink>> =
            vec![Box::new(archive), Box::new(lake), Box::new(warehouse), Box::new(LiveSink(Arc::clone(&live)))];
        let feeding = |sink| Feeding { sink, gathered: Vec::new(), cadence: 1 + rng.below(9) };
        let sinks: Vec<Feeding> = sinks.into_iter().map(feeding).collect();
        let mut stage = stage();
        recover::memory(store.as_ref(), &mut stage.memory).map_err(passing)?;
        recover::dedupe(store.as_ref(), &contracts(), &mut stage.index).map_err(passing)?;
        stage.decided.positions = recover::decided(store.as_ref(), &contracts()).map_err(passing)?;
        learn(book, &mut stage);
        let lowest = |partition: &Partition| sinks.iter().map(|feeding| feeding.sink.positions().next(partition)).min().unwrap();
        let reached = owned.iter().map(|partition| (partition.clone(), lowest(partition))).collect();
        Ok(Self { store: faulty, stage, sinks, reached, owned, live })
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

/// Completes the index from rows of the warehouse beyond the lake.
fn learn(book: &Shared, stage: &mut Stage) {
    let contracts = contracts();
    for (table, rows) in &locked(book).held.rows {
        if !recover::primary_tables(&contracts).contains(table) {
            continue;
        }
        let rows = read::plain(rows).unwrap();
        let columns = recover::identity_columns(*table);
        let wanted: Vec<usize> = columns.iter().map(|name| rows.schema().index_of(name).unwrap()).collect();
        recover::teach(&rows.project(&wanted).unwrap(), *table, &contracts, &mut stage.index).unwrap();
    }
    locked(book).held.positions.iter().for_each(|(partition, next)| stage.decided.positions.advance(partition, next));
}
