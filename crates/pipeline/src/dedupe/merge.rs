//! Merges runs, a few entries at a time, so that there are few runs to read and no caller waits long.

use std::path::Path;
use std::sync::Arc;

use super::IndexError;
use super::entry::Entry;
use super::run::{Cursor, Run, RunWriter};

/// This many runs of one level become one of the next.
pub(super) const FAN_IN: usize = 4;

/// A merge in progress. Its inputs are read until it is done.
#[derive(Debug)]
pub(super) struct Merge {
    inputs: Vec<Cursor>,
    output: RunWriter,
    last: Option<Entry>,
}

impl Merge {
    pub(super) fn begin(dir: &Path, id: u64, runs: &[Arc<Run>]) -> Result<Self, IndexError> {
        let level = runs.iter().map(|run| run.level).max().unwrap_or(0) + 1;
        let inputs = runs.iter().map(|run| Cursor::new(run.clone())).collect();
        Ok(Self { inputs, output: RunWriter::create(dir, id, level)?, last: None })
    }

    /// Merges up to `entries` more; true when all are merged. Entries before `horizon` and exact repetitions are left out.
    pub(super) fn step(&mut self, entries: usize, horizon: u64) -> Result<bool, IndexError> {
        for _ in 0..entries {
            let mut least: Option<(Entry, usize)> = None;
            for (at, input) in self.inputs.iter_mut().enumerate() {
                if let Some(entry) = input.peek()?
                    && least.is_none_or(|(held, _)| entry.0 < held.0)
                {
                    least = Some((entry, at));
                }
            }
            let Some((entry, from)) = least else { return Ok(true) };
            self.inputs[from].next()?;
            let repeated = self.last.is_some_and(|last| last.id() == entry.id() && last.is_same_row(entry));
            if !repeated && entry.step() >= horizon {
                self.output.add(entry)?;
                self.last = Some(entry);
            }
        }
        Ok(false)
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.output.bytes()
    }

    pub(super) fn is_input(&self, run: &Run) -> bool {
        self.inputs.iter().any(|input| input.run().id == run.id)
    }

    pub(super) fn finish(self) -> Result<Run, IndexError> {
        self.output.finish()
    }
}

/// The oldest runs of the lowest level that has enough of them. Runs whose newest entries are further apart than `spread` are not
/// merged, so that each can still expire as a whole.
pub(super) fn choose(runs: &[Arc<Run>], spread: u64) -> Option<Vec<Arc<Run>>> {
    let mut levels: Vec<u32> = runs.iter().map(|run| run.level).collect();
    levels.sort_unstable();
    levels.dedup();
    levels.into_iter().find_map(|level| {
        let mut alike: Vec<_> = runs.iter().filter(|run| run.level == level).cloned().collect();
        alike.sort_by_key(|run| (run.newest, run.id));
        let near = |group: &&[Arc<Run>]| group[FAN_IN - 1].newest - group[0].newest <= spread;
        alike.windows(FAN_IN).find(near).map(<[_]>::to_vec)
    })
}
