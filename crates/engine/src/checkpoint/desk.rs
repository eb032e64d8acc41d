//! Hands the memory of the stage from the engine's thread to the writer of checkpoints.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kassa_model::Positions;
use kassa_pipeline::dedupe::IndexCut;
use kassa_pipeline::{Piece, Stage};

use super::manifest::Manifest;
use crate::Known;

/// The memory of a stage between two batches.
#[derive(Debug)]
pub struct StageCut {
    pub index: IndexCut,
    pub members: Piece,
    pub known: Known,
    /// How far this process has read the partitions that it owns.
    pub read: Positions,
    generation: u64,
}

/// Bytes that the memory of a stage takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageSizes {
    pub dedupe_tables: usize,
    pub dedupe_filters: usize,
    pub members: usize,
}

#[derive(Debug, Default)]
pub struct Desk {
    /// The sizes when the engine last served the desk.
    sizes: [AtomicUsize; 3],
    /// Whether the engine must serve the desk: checked with every batch.
    is_busy: AtomicBool,
    state: Mutex<State>,
    given: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Incremented when a stage is created: a cut of an earlier stage is invalid.
    generation: u64,
    is_wanted: bool,
    cut: Option<StageCut>,
    /// Set if the stage must write all of its memory with the next cut.
    must_rewrite: bool,
    /// The checkpoint that the next one adds to.
    manifest: Option<Manifest>,
    /// The index's files in it, until the engine has passed them to the index.
    published: Option<BTreeSet<PathBuf>>,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new stage begins with the memory of `manifest`, or with memory that is in no checkpoint.
    pub fn begin(&self, manifest: Option<Manifest>) {
        let mut state = self.state();
        let generation = state.generation + 1;
        *state = State { generation, must_rewrite: manifest.is_none(), manifest, ..State::default() };
        self.is_busy.store(true, Ordering::Release);
    }

    /// Serves the writer's requests; the engine calls it between two batches.
    pub fn serve(&self, stage: &mut Stage, known: &Known, read: &Positions) {
        if !self.is_busy.swap(false, Ordering::AcqRel) {
            return;
        }
        let stats = stage.index.stats();
        let sizes = [stats.tables_bytes, stats.filters_bytes, stage.memory.members.size()];
        self.sizes.iter().zip(sizes).for_each(|(shown, size)| shown.store(size, Ordering::Relaxed));
        let mut state = self.state();
        if let Some(files) = state.published.take() {
            stage.index.published(files);
        }
        if std::mem::take(&mut state.is_wanted) {
            // If an earlier cut was not taken, the entries that it removed from the journals are in no checkpoint.
            if std::mem::take(&mut state.must_rewrite) || state.cut.is_some() {
                stage.index.rewrite();
                stage.memory.members.rewrite();
            }
            let (index, members) = (stage.index.cut(), stage.memory.members.cut());
            let generation = state.generation;
            state.cut = Some(StageCut { index, members, known: known.clone(), read: read.clone(), generation });
            self.given.notify_all();
        }
    }

    /// The sizes of the stage's memory at the last cut or call. The call makes the engine measure them again.
    pub fn sizes(&self) -> StageSizes {
        self.is_busy.store(true, Ordering::Release);
        let [dedupe_tables, dedupe_filters, members] = self.sizes.each_ref().map(|size| size.load(Ordering::Relaxed));
        StageSizes { dedupe_tables, dedupe_filters, members }
    }

    /// Requests a cut and waits for it, at most this long.
    pub(super) fn cut(&self, longest: Duration) -> Option<StageCut> {
        self.want();
        let state = self.state();
        let waited = self.given.wait_timeout_while(state, longest, |state| state.cut.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.cut.take()
    }

    /// Requests a cut.
    pub fn want(&self) {
        self.state().is_wanted = true;
        self.is_busy.store(true, Ordering::Release);
    }

    /// The cut, if there is one.
    pub fn take(&self) -> Option<StageCut> {
        self.state().cut.take()
    }

    /// The checkpoint that a cut adds to.
    pub(super) fn manifest(&self) -> Option<Manifest> {
        self.state().manifest.clone()
    }

    /// Whether the stage is still the one that the cut was taken from.
    pub(super) fn is_valid(&self, cut: &StageCut) -> bool {
        self.state().generation == cut.generation
    }

    /// Calls `write` unless the cut is invalid. No stage can begin during the call.
    pub(super) fn publish<E>(
        &self,
        cut: &StageCut,
        manifest: Manifest,
        write: impl FnOnce(&Manifest) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut state = self.state();
        if cut.generation != state.generation {
            return Ok(false);
        }
        write(&manifest)?;
        state.manifest = Some(manifest);
        state.published = Some(cut.index.files());
        drop(state);
        self.is_busy.store(true, Ordering::Release);
        Ok(true)
    }

    /// A cut was not published: the next cut is a complete one.
    pub fn rewrite(&self) {
        self.state().must_rewrite = true;
    }
}

#[cfg(test)]
mod tests {
    use kassa_model::key::Keyring;
    use kassa_model::{Currency, Shop, Table};
    use kassa_pipeline::dedupe::{Index, IndexOptions};

    use super::*;

    const KEYS: Keyring = Keyring::keyed([7; 16]);

    #[test]
    fn sizes_are_looked_up_when_they_are_asked_for_and_not_with_every_batch() {
        let shop = Shop::new("Shop", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
        let index = Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 }).unwrap();
        let mut stage = Stage::new(&shop, KEYS, index, []);
        let desk = Desk::default();
        let mut add = |count: usize| {
            for number in 0..count {
                stage.memory.members.remember(Table::DimCustomer, KEYS.key("customer", &["", &number.to_string()]));
            }
            desk.serve(&mut stage, &Known::default(), &Positions::default());
            stage.memory.members.size()
        };
        desk.begin(None);
        let few = add(10);
        assert!(few > 0);
        let many = add(10_000);
        assert_eq!(desk.sizes().members, few, "nobody had asked");
        assert_eq!(add(0), many);
        assert_eq!(desk.sizes().members, many);
    }
}
