//! One order, decided once: which record was the first with its key, and so which records are duplicates of it.
//!
//! A key (the hash of an event id or of a business key) leads to the position of its **winner**. A record is accepted if its keys
//! are new or if it is itself the winner, read again; else it is a duplicate of the winner, or in conflict with it if the contents
//! differ. Money keys are kept for good. Keys of behaviour events count within a window, measured between the two records' own
//! ingest times, never by a clock.
//!
//! ```text
//!  keys ──► table in memory ──(at the bound)──► sealed run ─┐ 4 of a kind merge, a few entries with every insertion
//!           256 shards, 24 B an entry           on disk,    ├──────────────────────────────────────────► larger run
//!                                               filter in   │
//!                                               memory      └ a run of events all past the window is removed whole
//! ```
//!
//! The index is a cache: what it holds can be rebuilt by [`Index::remember`] from the rows that a sink holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kassa_model::Partition;

mod codec;
mod entry;
mod files;
mod filter;
mod keys;
mod merge;
mod places;
mod run;
mod snapshot;
mod table;

pub use places::PartitionId;
pub use snapshot::{IndexCut, KeysCut, RunName, SavedIndex, SavedKeys};

use entry::{Entry, spread, steps};
use files::Files;
use keys::Keys;
use places::Places;

/// Entries merged with each insertion while a merge is under way: each is written some four times in its life.
const MERGED_PER_INSERT: usize = 16;

/// Why the index could not do its work. A sound index can always be rebuilt.
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
    /// The bound of both tables in memory. Filters of sealed runs come on top: 1.2 bytes a sealed key.
    pub memory_bytes: usize,
    /// Where sealed runs are kept; without it the tables grow beyond the bound.
    pub dir: Option<PathBuf>,
    /// How far apart two records of one event may be ingested and still be duplicates; kept in steps of 17 s, rounded up.
    pub event_window_us: i64,
}

/// How long a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// For good.
    Money,
    /// Within the window.
    Event,
}

/// A row that asks to be accepted: where it is, what it holds, when it came.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub partition: PartitionId,
    pub offset: i64,
    /// Which of the rows that its record makes.
    pub index: u32,
    /// Hash of its contents.
    pub content: u64,
    /// µs UTC.
    pub ingested_at: i64,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted: nobody had the key before.
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

    /// Of the verdicts on two keys of one row the one that decides: a conflict is never hidden by a duplicate.
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

/// What the index holds and what it has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub money_keys: u64,
    pub event_keys: u64,
    /// Bytes in memory: of the tables and of the partitions' names, of the filters of the sealed runs, and of both.
    pub tables_bytes: usize,
    pub filters_bytes: usize,
    pub memory_bytes: usize,
    pub runs: usize,
    /// Keys that were there already.
    pub hits: u64,
    /// Run files read because their filter said yes, and of those the ones in vain.
    pub runs_read: u64,
    pub false_positives: u64,
}

/// The index of one worker. See the [module's words](self).
#[derive(Debug)]
pub struct Index {
    memory_bytes: usize,
    files: Files,
    places: Places,
    money: Keys,
    event: Keys,
    hits: u64,
}

impl Index {
    /// An empty index. What an earlier one left in its folder is removed.
    pub fn new(options: &IndexOptions) -> Result<Self, IndexError> {
        let mut index = Self::bare(options, Places::default());
        index.files = Files::open(options.dir.clone(), 0, BTreeSet::new())?;
        Ok(index)
    }

    fn bare(options: &IndexOptions, places: Places) -> Self {
        let window = steps(options.event_window_us) + 1;
        Self {
            memory_bytes: options.memory_bytes,
            files: Files::default(),
            places,
            money: Keys::new(None),
            event: Keys::new(Some(window)),
            hits: 0,
        }
    }

    /// The id by which rows name their partition here; ask once a batch.
    pub fn partition(&mut self, partition: &Partition) -> Result<PartitionId, IndexError> {
        self.places.intern(partition)
    }

    /// The partition of an id that this index gave.
    pub fn partition_of(&self, id: PartitionId) -> Option<Partition> {
        self.places.name(id)
    }

    /// Fetches from memory what [`decide`](Self::decide) will need for these keys. Called with some hundred keys ahead of deciding
    /// on them, it saves each the wait for memory.
    pub fn warm(&self, keys: &[u64], class: Class) {
        let held = match class {
            Class::Money => &self.money,
            Class::Event => &self.event,
        };
        held.warm(keys.iter().map(|key| spread(*key)));
    }

    /// What would become of a row with this one key. Remembers nothing.
    pub fn probe(&mut self, key: u64, class: Class, row: &Row) -> Result<Verdict, IndexError> {
        let entry = self.entry(key, row)?;
        self.judge(entry, class)
    }

    /// What becomes of a row with these keys. If it is accepted, they are remembered with it as their winner.
    ///
    /// After an error the same question may be asked again, and has the same answer.
    pub fn decide(&mut self, keys: &[u64], class: Class, row: &Row) -> Result<Verdict, IndexError> {
        self.make_room()?;
        let template = self.entry(0, row)?;
        let (mut verdict, mut all_won) = (Verdict::New, true);
        for key in keys {
            let by_key = self.judge(with_key(template, *key), class)?;
            all_won &= by_key == Verdict::Winner;
            verdict = verdict.and(by_key);
        }
        if verdict == Verdict::New {
            keys.iter().for_each(|key| self.keys(class).insert(with_key(template, *key)));
        } else if verdict == Verdict::Winner && !all_won {
            keys.iter().try_for_each(|key| self.remember_entry(with_key(template, *key), class))?;
        }
        self.tend(class, keys.len())?;
        Ok(verdict)
    }

    /// Takes a row for a winner: it was accepted before. Told twice, it is held once.
    pub fn remember(&mut self, key: u64, class: Class, row: &Row) -> Result<(), IndexError> {
        self.make_room()?;
        let entry = self.entry(key, row)?;
        self.remember_entry(entry, class)?;
        self.tend(class, 1)
    }

    /// No record ingested before this time will be asked about again: events too old to matter to later ones are let go.
    pub fn forget_before(&mut self, ingested_at: i64) {
        let horizon = steps(ingested_at).saturating_sub(self.event.window.unwrap_or(0));
        let crowded = self.event.table.memory_bytes() > self.memory_bytes / 2;
        self.event.move_horizon(&mut self.files, horizon, crowded);
    }

    pub fn stats(&self) -> Stats {
        let classes = [&self.money, &self.event];
        let sum = |of: fn(&Keys) -> u64| classes.into_iter().map(of).sum();
        let tables: usize = classes.iter().map(|keys| keys.table.memory_bytes()).sum();
        let tables_bytes = tables + self.places.memory_bytes();
        let filters_bytes: usize = classes.iter().map(|keys| keys.runs_memory_bytes()).sum();
        Stats {
            money_keys: self.money.len(),
            event_keys: self.event.len(),
            tables_bytes,
            filters_bytes,
            memory_bytes: tables_bytes + filters_bytes,
            runs: classes.iter().map(|keys| keys.runs.len()).sum(),
            hits: self.hits,
            runs_read: sum(|keys| keys.asked.runs_read),
            false_positives: sum(|keys| keys.asked.false_positives),
        }
    }

    fn keys(&mut self, class: Class) -> &mut Keys {
        match class {
            Class::Money => &mut self.money,
            Class::Event => &mut self.event,
        }
    }

    fn entry(&mut self, key: u64, row: &Row) -> Result<Entry, IndexError> {
        let at = self.places.locate(row.partition, row.offset, row.index)?;
        Ok(Entry::new(spread(key), at.place, at.offset_low, at.index_low, row.content, steps(row.ingested_at)))
    }

    /// The verdict on `asked` by what its key's entries say. Of several within the window the eldest is the winner.
    fn judge(&mut self, asked: Entry, class: Class) -> Result<Verdict, IndexError> {
        let keys = self.keys(class);
        let window = keys.window.unwrap_or(u64::MAX);
        let (mut is_winner, mut eldest) = (false, None::<Entry>);
        keys.visit(asked.key(), |held| {
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

    fn remember_entry(&mut self, entry: Entry, class: Class) -> Result<(), IndexError> {
        let keys = self.keys(class);
        let mut is_held = false;
        keys.visit(entry.key(), |held| is_held |= held.is_same_row(entry))?;
        if !is_held {
            keys.insert(entry);
        }
        Ok(())
    }

    /// Seals the larger table once both together are beyond the bound.
    fn make_room(&mut self) -> Result<(), IndexError> {
        let (money, event) = (self.money.table.memory_bytes(), self.event.table.memory_bytes());
        if money + event <= self.memory_bytes {
            return Ok(());
        }
        if money > event { self.money.seal(&mut self.files) } else { self.event.seal(&mut self.files) }
    }

    fn tend(&mut self, class: Class, inserted: usize) -> Result<(), IndexError> {
        let keys = match class {
            Class::Money => &mut self.money,
            Class::Event => &mut self.event,
        };
        if !keys.is_merging() {
            return Ok(());
        }
        keys.tend(&mut self.files, inserted * MERGED_PER_INSERT)
    }
}

/// The same row under another key.
fn with_key(template: Entry, key: u64) -> Entry {
    Entry([spread(key), template.0[1], template.0[2]])
}

#[cfg(test)]
mod tests;
