//! Decides once, in one order, which record was the first with its key, and so which records are its duplicates.
//!
//! A key (the identity of an event id or of a business key) leads to the position of its **winner**. A record is accepted if its keys
//! are new or if it is itself the winner, read again; else it is a duplicate of the winner, or in conflict with it if the contents
//! differ. Money keys are kept for good. Keys of behaviour events count within the window of their contract, measured between the
//! two records' own ingest times, never by a clock.
//!
//! ```text
//!  keys ──► table in memory ──(at the bound)──► sealed run ─┐ 4 of a class merge, a few entries with every insertion
//!           256 shards, 32 B an entry           on disk,    ├──────────────────────────────────────────► larger run
//!                                               some 21 B,  │
//!                                               filter in   └ a run of events is removed as a whole when no row that may still
//!                                               memory        come lies within the window of its entries
//! ```
//!
//! The index is a cache: [`Index::remember`] can rebuild its contents from the rows that a sink holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kassa_model::key::Id;
use kassa_model::{Contract, Partition};

mod block;
mod codec;
mod entry;
mod files;
mod filter;
mod keys;
mod merge;
mod places;
mod reading;
mod run;
mod snapshot;
mod stats;
mod table;

pub use places::PartitionId;
pub use run::path_of as run_path;
pub use snapshot::{IndexCut, KeysCut, RunName, SavedIndex, SavedKeys, Window};
pub use stats::Stats;

use entry::{Entry, IdWords, kept, steps};
use files::Files;
use keys::Keys;
use places::Places;
use reading::Reading;

/// Entries merged with each insertion while a merge is under way: each is written some four times in its life.
const MERGED_PER_INSERT: usize = 16;

/// Why the index failed. It can always be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("could not use {path}, a file of the dedupe index")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{0}, a file of the dedupe index, does not hold what was written to it: remove it and start again")]
    Corrupt(PathBuf),
    #[error("more than 16 million partitions and files: the dedupe index cannot tell them apart")]
    TooManyPartitions,
}

impl IndexError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// How much the index may hold, and where.
#[derive(Debug, Clone)]
pub struct IndexOptions {
    /// Limit of all tables in memory. Filters of sealed runs are extra: 1.2 bytes per sealed key.
    pub memory_bytes: usize,
    /// Where sealed runs are kept; without it the tables grow beyond the bound.
    pub dir: Option<PathBuf>,
    /// How far apart two records of one event may be ingested and still be duplicates, where [`Index::with_windows`] does not state
    /// another window; kept in steps of 17 s, rounded up.
    pub event_window_us: i64,
}

/// How long a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// For good.
    Money,
    /// Within the window of this contract.
    Event(Contract),
}

impl Class {
    pub fn of(contract: Contract) -> Self {
        if contract.is_money() { Self::Money } else { Self::Event(contract) }
    }
}

/// A row to decide on: its position, contents and ingest time.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub partition: PartitionId,
    pub offset: i64,
    /// The number of the row among those of its record.
    pub index: u32,
    /// Hash of its contents.
    pub content: u64,
    /// µs UTC.
    pub ingested_at: i64,
}

/// The decision on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted: the key is new.
    New,
    /// Accepted: it is the winner itself, read again.
    Winner,
    /// The row at this position came first, with the same contents.
    Duplicate { partition: PartitionId, offset: i64 },
    /// The row at this position came first, with other contents.
    Conflict { partition: PartitionId, offset: i64 },
}

impl Verdict {
    pub fn is_accepted(self) -> bool {
        matches!(self, Verdict::New | Verdict::Winner)
    }

    /// Combines the verdicts on two keys of one row: a duplicate never hides a conflict.
    fn and(self, other: Self) -> Self {
        let weight = |verdict| match verdict {
            Verdict::New => 0,
            Verdict::Winner => 1,
            Verdict::Duplicate { .. } => 2,
            Verdict::Conflict { .. } => 3,
        };
        if weight(other) > weight(self) { other } else { self }
    }
}

/// A verdict on a row, and what [`Index::keep`] remembers of the row.
#[derive(Debug, Clone, Copy)]
pub struct Weighed {
    pub verdict: Verdict,
    /// Whether the row is the winner under each of its keys.
    all_won: bool,
    /// Without an id.
    template: Entry,
    class: usize,
}

/// The index of one worker. See the [module's words](self).
#[derive(Debug)]
pub struct Index {
    memory_bytes: usize,
    files: Files,
    places: Places,
    /// Money first, then events, a class for each window.
    classes: Vec<Keys>,
    /// The class of each contract's events, by the contract's number.
    of_contract: [usize; Contract::ALL.len()],
    is_recorded: bool,
    /// How far reading has come, if old events are evicted.
    reading: Option<Reading>,
    hits: u64,
    late: u64,
    /// How many of those have been logged.
    late_reported: u64,
}

/// The class of money.
const MONEY: usize = 0;

impl Index {
    /// An empty index. Files that an earlier one left in its folder are removed.
    pub fn new(options: &IndexOptions) -> Result<Self, IndexError> {
        let mut index = Self::bare(options, Places::default());
        index.files = Files::open(options.dir.clone(), 0, BTreeSet::new())?;
        Ok(index)
    }

    fn bare(options: &IndexOptions, places: Places) -> Self {
        let mut index = Self {
            memory_bytes: options.memory_bytes,
            files: Files::default(),
            places,
            classes: vec![Keys::new(None)],
            of_contract: [MONEY; Contract::ALL.len()],
            is_recorded: false,
            reading: None,
            hits: 0,
            late: 0,
            late_reported: 0,
        };
        let default = index.class_of(Some(window_steps(options.event_window_us)));
        index.of_contract = [default; Contract::ALL.len()];
        index
    }

    /// States the windows (µs) of the events of these contracts.
    #[must_use]
    pub fn with_windows(mut self, windows: impl IntoIterator<Item = (Contract, i64)>) -> Self {
        for (contract, window_us) in windows {
            self.of_contract[contract as usize] = self.class_of(Some(window_steps(window_us)));
        }
        self
    }

    /// The class with this window, a new one if there is none.
    fn class_of(&mut self, window: Window) -> usize {
        if let Some(class) = self.classes.iter().position(|keys| keys.window == window) {
            return class;
        }
        let mut keys = Keys::new(window);
        if self.is_recorded {
            // An absent class in a checkpoint means an empty class, so the journal starts as saved.
            keys.journal.start(true);
        }
        self.classes.push(keys);
        self.classes.len() - 1
    }

    /// The id of a partition in this index; call once per batch.
    pub fn partition(&mut self, partition: &Partition) -> Result<PartitionId, IndexError> {
        self.places.intern(partition)
    }

    /// The partition of an id that this index gave.
    pub fn partition_of(&self, id: PartitionId) -> Option<Partition> {
        self.places.name(id)
    }

    /// Prefetches the memory that [`decide`](Self::decide) reads for these keys. Called with some hundred keys before they are
    /// decided on, it overlaps their waits for memory.
    pub fn warm(&self, ids: &[Id], class: Class) {
        self.classes[self.number(class)].warm(ids.iter().map(|id| id.short()));
    }

    /// The verdict on a row with this one key, without adding it.
    pub fn probe(&mut self, id: Id, class: Class, row: &Row) -> Result<Verdict, IndexError> {
        let class = self.number(class);
        let entry = self.asked(row, class)?.with_id(kept(id));
        self.judge(entry, class)
    }

    /// The verdict on a row with these keys. If it is accepted, they are added with it as their winner.
    ///
    /// After an error the call can be repeated with the same result.
    pub fn decide(&mut self, ids: &[Id], class: Class, row: &Row) -> Result<Verdict, IndexError> {
        let weighed = self.weigh(ids, class, row)?;
        self.keep(ids, weighed)?;
        Ok(weighed.verdict)
    }

    /// What would become of a row with these keys. Remembers nothing before [`keep`](Self::keep) is called with the same keys.
    pub fn weigh(&mut self, ids: &[Id], class: Class, row: &Row) -> Result<Weighed, IndexError> {
        let class = self.number(class);
        let template = self.asked(row, class)?;
        let (mut verdict, mut all_won) = (Verdict::New, true);
        for id in ids {
            let by_key = self.judge(template.with_id(kept(*id)), class)?;
            all_won &= by_key == Verdict::Winner;
            verdict = verdict.and(by_key);
        }
        self.late += u64::from(steps(row.ingested_at) < self.classes[class].floor && verdict != Verdict::Winner);
        Ok(Weighed { verdict, all_won, template, class })
    }

    /// Remembers the keys of a row that is accepted.
    pub fn keep(&mut self, ids: &[Id], weighed: Weighed) -> Result<(), IndexError> {
        self.make_room()?;
        let Weighed { verdict, all_won, template, class } = weighed;
        let entries = ids.iter().map(|id| template.with_id(kept(*id)));
        if verdict == Verdict::New {
            entries.for_each(|entry| self.classes[class].insert(entry));
        } else if verdict == Verdict::Winner && !all_won {
            for entry in entries {
                self.remember_entry(entry, class)?;
            }
        }
        self.tend(class, ids.len())
    }

    /// Adds an accepted row to the index. Idempotent.
    pub fn remember(&mut self, id: Id, class: Class, row: &Row) -> Result<(), IndexError> {
        self.remember_from(id, class, (row, 0))
    }

    /// As `remember`, for a row that was read after this index was saved. The floor was then the present one or a later one: a
    /// late row counts as ingested at the present floor.
    pub fn remember_since(&mut self, id: Id, class: Class, row: &Row) -> Result<(), IndexError> {
        let floor = self.classes[self.number(class)].floor;
        self.remember_from(id, class, (row, floor))
    }

    fn remember_from(&mut self, id: Id, class: Class, (row, floor): (&Row, u64)) -> Result<(), IndexError> {
        self.make_room()?;
        let class = self.number(class);
        let entry = self.entry(row, steps(row.ingested_at).max(floor))?.with_id(kept(id));
        self.remember_entry(entry, class)?;
        self.tend(class, 1)
    }

    fn number(&self, class: Class) -> usize {
        match class {
            Class::Money => MONEY,
            Class::Event(contract) => self.of_contract[contract as usize],
        }
    }

    /// The entry of a row to decide on, without an id: a late row counts as ingested at the floor.
    fn asked(&mut self, row: &Row, class: usize) -> Result<Entry, IndexError> {
        self.entry(row, steps(row.ingested_at).max(self.classes[class].floor))
    }

    fn entry(&mut self, row: &Row, step: u64) -> Result<Entry, IndexError> {
        let at = self.places.locate(row.partition, row.offset, row.index)?;
        Ok(Entry::new(IdWords::default(), at.place, at.offset_low, at.index_low, row.content, step))
    }

    /// The verdict on `asked` from the entries of its key. Of several within the window the oldest is the winner.
    fn judge(&mut self, asked: Entry, class: usize) -> Result<Verdict, IndexError> {
        let keys = &mut self.classes[class];
        let window = keys.window.unwrap_or(u64::MAX);
        let (mut is_winner, mut eldest) = (false, None::<Entry>);
        keys.visit(asked.id(), |held| {
            is_winner |= held.is_same_row(asked);
            let counts = held.step().abs_diff(asked.step()) <= window;
            if counts && eldest.is_none_or(|eldest| held.seniority() < eldest.seniority()) {
                eldest = Some(held);
            }
        })?;
        self.hits += u64::from(is_winner || eldest.is_some());
        if is_winner {
            return Ok(Verdict::Winner);
        }
        Ok(eldest.map_or(Verdict::New, |winner| {
            let (partition, offset) = self.places.resolve(winner.place(), winner.offset_low());
            match winner.content() == asked.content() {
                true => Verdict::Duplicate { partition, offset },
                false => Verdict::Conflict { partition, offset },
            }
        }))
    }

    fn remember_entry(&mut self, entry: Entry, class: usize) -> Result<(), IndexError> {
        let keys = &mut self.classes[class];
        let mut is_held = false;
        keys.visit(entry.id(), |held| is_held |= held.is_same_row(entry))?;
        if !is_held {
            keys.insert(entry);
        }
        Ok(())
    }

    /// Seals the largest table when all together exceed the limit.
    #[inline]
    fn make_room(&mut self) -> Result<(), IndexError> {
        let total: usize = self.classes.iter().map(|keys| keys.table.memory_bytes()).sum();
        if total > self.memory_bytes { self.seal_largest() } else { Ok(()) }
    }

    #[cold]
    fn seal_largest(&mut self) -> Result<(), IndexError> {
        let largest = self.classes.iter_mut().max_by_key(|keys| keys.table.memory_bytes());
        largest.map_or(Ok(()), |keys| keys.seal(&mut self.files))
    }

    fn tend(&mut self, class: usize, inserted: usize) -> Result<(), IndexError> {
        let keys = &mut self.classes[class];
        if !keys.is_merging() {
            return Ok(());
        }
        keys.tend(&mut self.files, inserted * MERGED_PER_INSERT)
    }
}

/// A window (µs) in steps, rounded up.
fn window_steps(micros: i64) -> u64 {
    steps(micros) + 1
}

#[cfg(test)]
mod tests;
