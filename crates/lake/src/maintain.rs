//! Keeps tables quick to open and cheap to read: merges small files, writes checkpoints, and
//! deletes files that no reader needs.
//!
//! ```text
//!  commit ─► maintain: one slice of small files ─► one larger file     (Remove + Add, the same rows; large slices beside)
//!                      50 log entries            ─► checkpoint, fsynced, read back
//!                                                └► older entries and checkpoints deleted
//!                      replaced files            ─► deleted after 10 min, or when there are more than 48
//! ```
//!
//! The committing thread calls it after a commit, so it never runs during an append. Each call does
//! a bounded amount of work and may be interrupted after any step; the table stays the same, and
//! the next call continues.

mod checkpoint;
mod cluster;
mod compact;
mod merge;
mod sweep;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use kassa_model::time::{HOUR, SECOND};

use crate::delta::{Add, DeltaTable, LogError};
use crate::encode::ZSTD_LEVEL;
use sweep::Sweep;

/// The limits of maintenance. By default a table of 20,000 commits has at most 33 small files, 48
/// replaced files and 62 log files.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of files below full size that triggers a merge (each partition of a table may
    /// have one more).
    pub small_files: usize,
    /// The limit of files and bytes of one merge. A file of a quarter of these bytes is full and is
    /// never rewritten.
    pub slice_files: usize,
    pub slice_bytes: i64,
    /// Larger merges run on a thread of their own, one at a time, while commits continue.
    pub inline_bytes: i64,
    /// The number of log entries between checkpoints.
    pub checkpoint_entries: u64,
    /// The number of log entries kept before a checkpoint, and of checkpoints kept.
    pub kept_entries: u64,
    pub kept_checkpoints: usize,
    /// How long a replaced file stays for readers that opened the table before (µs), and the
    /// maximum number of such files.
    pub retention: i64,
    pub kept_files: usize,
    /// How long (µs) beyond that a lease keeps replaced files.
    pub lease: i64,
    /// The compression of merged files.
    pub zstd_level: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            small_files: 32,
            slice_files: 64,
            slice_bytes: 128 * 1024 * 1024,
            inline_bytes: 4 * 1024 * 1024,
            checkpoint_entries: 50,
            kept_entries: 10,
            kept_checkpoints: 2,
            retention: 600 * SECOND,
            kept_files: 48,
            lease: HOUR,
            zstd_level: ZSTD_LEVEL,
        }
    }
}

/// The pause (µs) after a failed maintenance of a table.
const REST: i64 = 600 * SECOND;

/// The work of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// The number of merged files.
    pub merged: usize,
    /// The version of the checkpoint that was written.
    pub checkpoint: Option<u64>,
    /// The number of deleted data files.
    pub deleted: usize,
}

/// The state of maintenance for the tables of one sink. It ends with the process.
#[derive(Debug, Default)]
pub struct Maintainer {
    options: Options,
    tables: HashMap<String, Upkeep>,
}

#[derive(Debug)]
struct Upkeep {
    checkpoint: Option<u64>,
    sweep: Sweep,
    merging: Option<Merging>,
    rests_until: i64,
    /// Becomes false when a deletion is refused: a process with more rights can delete the files
    /// later.
    may_delete: bool,
}

/// A merge on its own thread.
#[derive(Debug)]
struct Merging {
    slice: Vec<Add>,
    thread: JoinHandle<Result<Add, LogError>>,
}

impl Maintainer {
    pub fn new(options: Options) -> Self {
        Self { options, tables: HashMap::new() }
    }

    /// Records files that the caller's own commit replaced. They are deleted like those of a merge.
    pub fn replaced(&mut self, table: &DeltaTable, files: &[Add], now: i64) {
        // The first upkeep of a table searches its folder and finds them there.
        if let Some(upkeep) = self.tables.get_mut(&table.spec().folder) {
            files.iter().for_each(|add| upkeep.sweep.replaced(&add.path, now));
        }
    }

    /// Does what is due for a table. Failures are logged and retried later. `now` is µs UTC.
    pub fn keep(&mut self, table: &mut DeltaTable, now: i64) {
        let folder = table.spec().folder.clone();
        // A pause that ends later than a pause from now was begun by a clock that was ahead.
        if self.tables.get(&folder).is_some_and(|upkeep| (1..=REST).contains(&upkeep.rests_until.saturating_sub(now))) {
            return;
        }
        match self.maintain(table, now) {
            Ok(done) if done == Done::default() => {}
            Ok(done) => tracing::debug!(table = folder, done.merged, done.checkpoint, done.deleted, "maintained"),
            // Another process has maintained it; that is sufficient.
            Err(LogError::Fenced(_)) => self.rest(&folder, now),
            Err(error) => {
                tracing::error!(table = folder, %error, "could not maintain the table; its rows are safe, but its files accumulate");
                self.rest(&folder, now);
            }
        }
    }

    fn rest(&mut self, folder: &str, now: i64) {
        if let Some(upkeep) = self.tables.get_mut(folder) {
            upkeep.rests_until = now + REST;
        }
    }

    /// Does what is due for a table: at most one merge, one checkpoint, and the deletions that they
    /// allow. `now` is µs UTC.
    ///
    /// After an error the table is unchanged or one step further, and the call may be repeated.
    /// [`LogError::Fenced`]: another process maintains the table. [`LogError::Corrupt`]: a file's
    /// contents differ from the log; the file is left alone.
    pub fn maintain(&mut self, table: &mut DeltaTable, now: i64) -> Result<Done, LogError> {
        let mut done = Done::default();
        if table.snapshot().version.is_none() {
            return Ok(done);
        }
        let beside = self.tables.values().all(|upkeep| upkeep.merging.is_none());
        let upkeep = match self.tables.entry(table.spec().folder.clone()) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => place.insert(Upkeep::begin(table, now)?),
        };
        done.merged = upkeep.compact(table, now, beside, &self.options)?;
        done.checkpoint = upkeep.checkpoint(table, &self.options)?;
        if upkeep.may_delete {
            let deleted = upkeep.sweep.delete(table, now, &self.options);
            done.deleted = upkeep.allowed(deleted)?.unwrap_or(0);
        }
        Ok(done)
    }
}

impl Upkeep {
    fn begin(table: &DeltaTable, now: i64) -> Result<Self, LogError> {
        // With several writers, a newer checkpoint was written by another process and is complete.
        if !table.store().is_shared() {
            checkpoint::drop_unreadable(table)?;
        }
        Ok(Self {
            checkpoint: table.snapshot().checkpoint,
            sweep: Sweep::begin(table, now)?,
            merging: None,
            rests_until: 0,
            may_delete: true,
        })
    }

    fn compact(&mut self, table: &mut DeltaTable, now: i64, beside: bool, options: &Options) -> Result<usize, LogError> {
        if let Some(merging) = self.merging.take() {
            if !merging.thread.is_finished() {
                self.merging = Some(merging);
                return Ok(0);
            }
            let merged = merging.thread.join();
            let merged = merged.unwrap_or_else(|_| Err(LogError::Encode("the merging thread panicked".into())))?;
            return self.exchange(table, merging.slice, merged, now);
        }
        let slice = compact::choose(table.snapshot().files.values(), options);
        if slice.is_empty() {
            return Ok(0);
        }
        let (store, spec, at) = (Arc::clone(table.store()), table.merged_spec()?, now / 1000);
        if slice.iter().map(|add| add.size).sum::<i64>() <= options.inline_bytes {
            let merged = compact::merge(store.as_ref(), &spec, &slice, (at, options.zstd_level))?;
            return self.exchange(table, slice, merged, now);
        }
        if beside {
            let (own, level) = (slice.clone(), options.zstd_level);
            let work = move || compact::merge(store.as_ref(), &spec, &own, (at, level));
            let thread = thread::Builder::new().name("compaction".to_owned()).spawn(work)?;
            self.merging = Some(Merging { slice, thread });
        }
        Ok(0)
    }

    fn exchange(&mut self, table: &mut DeltaTable, slice: Vec<Add>, merged: Add, now: i64) -> Result<usize, LogError> {
        table.replace(&slice, merged)?;
        slice.iter().for_each(|add| self.sweep.replaced(&add.path, now));
        Ok(slice.len())
    }

    fn checkpoint(&mut self, table: &mut DeltaTable, options: &Options) -> Result<Option<u64>, LogError> {
        let is_due = |held: Option<u64>, table: &DeltaTable| {
            let version = table.snapshot().version.unwrap_or(0);
            held.map_or(version + 1, |checkpoint| version.saturating_sub(checkpoint)) >= options.checkpoint_entries
        };
        if is_due(self.checkpoint, table) && table.store().is_shared() {
            table.refresh()?;
            self.checkpoint = self.checkpoint.max(checkpoint::newest(table)?);
        }
        if !is_due(self.checkpoint, table) {
            return Ok(None);
        }
        let version = table.snapshot().version.unwrap_or(0);
        if let Err(error) = checkpoint::write(table) {
            // With several writers, another process may have written a checkpoint meanwhile and
            // trimmed the entries of this one.
            let newest = if table.store().is_shared() { checkpoint::newest(table)? } else { None };
            if newest <= self.checkpoint {
                return Err(error);
            }
            self.checkpoint = newest;
            return Ok(None);
        }
        self.checkpoint = Some(version);
        if self.may_delete {
            self.allowed(checkpoint::trim_log(table, version, options))?;
        }
        Ok(Some(version))
    }

    /// The number of deleted files. `None`: the store refuses deletion, and it is not tried again.
    fn allowed<T>(&mut self, deleted: Result<T, LogError>) -> Result<Option<T>, LogError> {
        match deleted {
            Err(LogError::Refused(refused)) => {
                tracing::info!(%refused, "nothing is deleted by this process");
                self.may_delete = false;
                Ok(None)
            }
            deleted => deleted.map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
