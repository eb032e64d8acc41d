//! The part of a checkpoint for the index, so that a start need not read the lake: the names of the sealed runs, and the entries
//! of the tables, as pieces. A run never changes, so a checkpoint writes only new data.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::codec::{Reader, put_bytes, put_u64};
use super::entry::{Entry, Words};
use super::files::Files;
use super::keys::Keys;
use super::places::{Place, Places};
use super::run::Run;
use super::{Index, IndexError, IndexOptions};
use crate::journal::Piece;

/// The name of a run, and how many rounds of merging it has been through.
pub type RunName = (u64, u32);

/// The window of a class in steps; none for money.
pub type Window = Option<u64>;

/// The keys of one class at a point in time.
#[derive(Debug)]
pub struct KeysCut {
    pub window: Window,
    /// Rows of earlier steps count as ingested at this one.
    pub floor: u64,
    runs: Vec<Arc<Run>>,
    /// Entries of the table, 32 bytes each.
    pub table: Piece,
}

/// The index at a point in time. Its run files are kept until [`Index::published`] names a later cut.
#[derive(Debug)]
pub struct IndexCut {
    /// The partitions that entries refer to.
    pub places: Vec<u8>,
    pub last_id: u64,
    pub keys: Vec<KeysCut>,
}

/// The same, read back.
#[derive(Debug, Default)]
pub struct SavedIndex {
    pub places: Vec<u8>,
    pub last_id: u64,
    pub keys: Vec<SavedKeys>,
}

#[derive(Debug, Clone, Default)]
pub struct SavedKeys {
    pub window: Window,
    pub floor: u64,
    pub runs: Vec<RunName>,
    /// The pieces, in the order of writing.
    pub table: Vec<Vec<u8>>,
}

impl KeysCut {
    pub fn runs(&self) -> Vec<RunName> {
        self.runs.iter().map(|run| (run.id, run.level)).collect()
    }
}

impl IndexCut {
    /// Syncs the files of the runs to disk.
    pub fn sync(&self) -> Result<(), IndexError> {
        self.keys.iter().flat_map(|keys| &keys.runs).try_for_each(|run| run.sync())
    }

    /// The files of the runs.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        self.keys.iter().flat_map(|keys| &keys.runs).map(|run| run.path.clone()).collect()
    }

    /// Whether nothing was added since the last cut.
    pub fn adds_nothing(&self) -> bool {
        self.keys.iter().all(|keys| keys.table.is_empty())
    }
}

impl Index {
    /// Starts to record additions, for checkpoints. `is_saved`: the index is equal to the last checkpoint.
    pub fn record(&mut self, is_saved: bool) {
        self.is_recorded = true;
        self.classes.iter_mut().for_each(|keys| keys.journal.start(is_saved));
    }

    /// Makes the next cut a complete one: there are too many pieces, or one of them was lost.
    pub fn rewrite(&mut self) {
        self.classes.iter_mut().for_each(|keys| keys.journal.rewrite());
    }

    /// The index as it is now. The cost is proportional to the additions since the last cut.
    pub fn cut(&mut self) -> IndexCut {
        let mut places = Vec::new();
        put_places(&mut places, &self.places);
        let keys = self.classes.iter_mut().map(Keys::cut).collect();
        let cut = IndexCut { places, last_id: self.files.last_id(), keys };
        self.files.pin(cut.files());
        cut
    }

    /// A checkpoint that refers to these files has replaced the last one: other retired files are removed.
    pub fn published(&mut self, files: BTreeSet<PathBuf>) {
        self.files.published(files);
    }

    /// Loads the index from a checkpoint. `None`: a file that it refers to is missing or damaged.
    pub fn load(options: &IndexOptions, saved: SavedIndex) -> Option<Self> {
        let dir = options.dir.clone()?;
        let mut index = Self::bare(options, get_places(&mut Reader(&saved.places))?);
        let mut files = BTreeSet::new();
        for saved in &saved.keys {
            let class = index.class_of(saved.window);
            let keys = index.classes.get_mut(class)?;
            keys.floor = saved.floor;
            for (id, level) in &saved.runs {
                let run = Run::open(&dir, *id, *level).ok()?;
                files.insert(run.path.clone());
                keys.runs.push(Arc::new(run));
            }
            saved.table.iter().try_for_each(|piece| keys.load(piece))?;
        }
        index.files = Files::open(Some(dir), saved.last_id, files).ok()?;
        index.record(true);
        Some(index)
    }
}

impl Keys {
    fn cut(&mut self) -> KeysCut {
        let table = &self.table;
        let piece = self.journal.cut(|bytes| table.for_each(|entry| bytes.extend_from_slice(&entry.to_bytes())));
        KeysCut { window: self.window, floor: self.floor, runs: self.runs.clone(), table: piece }
    }

    fn load(&mut self, piece: &[u8]) -> Option<()> {
        let (entries, rest) = piece.as_chunks::<{ size_of::<Words>() }>();
        entries.iter().for_each(|bytes| self.table.insert(Entry::from_bytes(bytes)));
        rest.is_empty().then_some(())
    }
}

fn put_places(out: &mut Vec<u8>, places: &Places) {
    put_u64(out, places.topics.len() as u64);
    places.topics.iter().for_each(|topic| put_bytes(out, topic.as_bytes()));
    put_u64(out, places.all.len() as u64);
    for place in &places.all {
        let parts = [place.topic, place.offset_high, place.index_high, place.base].map(u64::from);
        parts.iter().for_each(|part| put_u64(out, *part));
        put_u64(out, place.number.cast_unsigned());
    }
}

fn get_places(from: &mut Reader<'_>) -> Option<Places> {
    let mut places = Places::default();
    for _ in 0..from.u64()? {
        places.topics.push(from.text()?.into());
    }
    for _ in 0..from.u64()? {
        let (topic, offset_high, index_high, base) = (from.u32()?, from.u32()?, from.u32()?, from.u32()?);
        places.number(Place { topic, offset_high, index_high, base, number: from.i64()? }).ok()?;
    }
    Some(places)
}
