//! The keys of one class: a table of the newest, sealed runs of the rest, and the merge that keeps the number of runs small.

use std::sync::Arc;

use super::IndexError;
use super::entry::{Entry, IdWords};
use super::files::Files;
use super::merge::{self, Merge};
use super::run::{Run, RunWriter};
use super::table::Table;
use crate::journal::Journal;

/// The cost of reading the runs so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    pub(super) runs_read: u64,
    pub(super) false_positives: u64,
}

#[derive(Debug)]
pub(super) struct Keys {
    pub(super) table: Table,
    pub(super) runs: Vec<Arc<Run>>,
    merge: Option<Merge>,
    /// How far apart two ingest times may lie for their records to be duplicates; none for keys that are kept for good.
    pub(super) window: Option<u64>,
    /// Rows of earlier steps count as ingested at this step.
    pub(super) floor: u64,
    purged: u64,
    pub(super) asked: Asked,
    /// Entries added to the table since the last checkpoint.
    pub(super) journal: Journal,
}

impl Keys {
    pub(super) fn new(window: Option<u64>) -> Self {
        let (table, runs, journal) = (Table::new(), vec![], Journal::default());
        Self { table, runs, merge: None, window, floor: 0, purged: 0, asked: Asked::default(), journal }
    }

    pub(super) fn len(&self) -> u64 {
        self.table.len() as u64 + self.runs.iter().map(|run| run.entries).sum::<u64>()
    }

    pub(super) fn runs_memory_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.memory_bytes()).sum()
    }

    /// Bytes of the runs, and of the run that a merge is writing.
    pub(super) fn disk_bytes(&self) -> u64 {
        let merged = self.merge.as_ref().map_or(0, Merge::bytes);
        self.runs.iter().map(|run| run.bytes).sum::<u64>() + merged
    }

    /// Prefetches the memory that visiting these keys (the first 64 bits of ids) reads.
    pub(super) fn warm(&self, keys: impl Iterator<Item = u64> + Clone) {
        std::hint::black_box(self.table.warm(keys));
    }

    pub(super) fn is_merging(&self) -> bool {
        self.merge.is_some()
    }

    /// Calls `see` with every entry of `id`, wherever it is.
    #[inline]
    pub(super) fn visit(&mut self, id: IdWords, mut see: impl FnMut(Entry)) -> Result<(), IndexError> {
        self.table.visit(id, &mut see);
        for run in self.runs.iter().filter(|run| run.may_hold(id)) {
            self.asked.runs_read += 1;
            self.asked.false_positives += u64::from(!run.visit(id, &mut see)?);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn insert(&mut self, entry: Entry) {
        self.journal.add(entry.to_bytes());
        self.table.insert(entry);
    }

    /// No later row depends on entries of earlier steps.
    fn horizon(&self) -> u64 {
        self.window.map_or(0, |window| self.floor.saturating_sub(window))
    }

    /// Writes the table out as a run and empties it.
    pub(super) fn seal(&mut self, files: &mut Files) -> Result<(), IndexError> {
        let Some(dir) = files.dir().filter(|_| self.table.len() > 0) else { return Ok(()) };
        let mut run = RunWriter::create(&dir, files.next_id(), 0)?;
        let horizon = self.horizon();
        self.table.for_each_sorted(|entry| if entry.step() < horizon { Ok(()) } else { run.add(entry) })?;
        self.runs.push(Arc::new(run.finish()?));
        self.table = Table::new();
        self.journal.cleared();
        self.expire(files);
        self.begin_merge(files)
    }

    /// Merges some more entries. A merge that fails is abandoned: its inputs stay.
    pub(super) fn tend(&mut self, files: &mut Files, entries: usize) -> Result<(), IndexError> {
        let Some(mut merge) = self.merge.take() else { return Ok(()) };
        if !merge.step(entries, self.horizon())? {
            self.merge = Some(merge);
            return Ok(());
        }
        let (merged, kept) = std::mem::take(&mut self.runs).into_iter().partition(|run| merge.is_input(run));
        self.runs = kept;
        let output = merge.finish();
        match output {
            Ok(output) => self.runs.push(Arc::new(output)),
            Err(failed) => {
                self.runs.extend::<Vec<_>>(merged);
                return Err(failed);
            }
        }
        files.retire(merged.iter());
        self.expire(files);
        self.begin_merge(files)
    }

    /// Sets the earliest step that later rows can have. `crowded`: the table should drop old entries now.
    pub(super) fn raise_floor(&mut self, files: &mut Files, floor: u64, crowded: bool) {
        self.floor = self.floor.max(floor);
        self.expire(files);
        // Going through the table costs as much as filling it: half a window must have passed since the last time.
        let horizon = self.horizon();
        if crowded && horizon.saturating_sub(self.purged) > self.window.unwrap_or(0) / 2 {
            self.purged = horizon;
            self.table.retain(|entry| entry.step() >= horizon);
            self.journal.rewrite();
        }
    }

    /// Forgets the floor: the next one is raised from nothing. What was evicted stays evicted.
    pub(super) fn lower_floor(&mut self) {
        (self.floor, self.purged) = (0, 0);
    }

    /// Drops the runs that no later row depends on.
    fn expire(&mut self, files: &mut Files) {
        let horizon = self.horizon();
        let Self { runs, merge, .. } = self;
        let is_merged = |run: &Run| merge.as_ref().is_some_and(|merge| merge.is_input(run));
        runs.retain(|run| {
            let keep = is_merged(run) || (run.entries > 0 && run.newest >= horizon);
            if !keep {
                files.retire([run]);
            }
            keep
        });
    }

    fn begin_merge(&mut self, files: &mut Files) -> Result<(), IndexError> {
        let (None, Some(dir)) = (&self.merge, files.dir()) else { return Ok(()) };
        let spread = self.window.map_or(u64::MAX, |window| window / 2);
        if let Some(chosen) = merge::choose(&self.runs, spread) {
            self.merge = Some(Merge::begin(&dir, files.next_id(), &chosen)?);
        }
        Ok(())
    }
}
