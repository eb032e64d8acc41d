//! A snapshot of the index, so that a start need not read the lake again. Torn, changed or missing, it is no snapshot at all.
//!
//! The tables go into files of the same form as runs; `index.snapshot` names all files and holds the places and the positions.
//! It is written last, beside its predecessor, and renamed into place.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kassa_model::{Partition, Positions};
use xxhash_rust::xxh3::xxh3_64;

use super::codec::{Reader, put_bytes, put_u64};
use super::files::{Files, SNAPSHOT};
use super::keys::Keys;
use super::places::{Place, Places};
use super::run::{Cursor, Run, RunWriter};
use super::{Index, IndexError, IndexOptions};

const MAGIC: u64 = u64::from_le_bytes(*b"kassaidx");
const VERSION: u64 = 1;

impl Index {
    /// Writes a snapshot that stands for everything up to `positions`. Without a folder there is none.
    pub fn save(&mut self, positions: &Positions) -> Result<(), IndexError> {
        let Some(dir) = self.files.dir() else { return Ok(()) };
        let mut files = BTreeSet::from([dir.join(SNAPSHOT)]);
        let mut out = Vec::new();
        put_u64(&mut out, MAGIC);
        put_u64(&mut out, VERSION);
        put_places(&mut out, &self.places);
        put_positions(&mut out, positions);
        for keys in [&self.money, &self.event] {
            let table = dump_table(&dir, &mut self.files, keys)?;
            put_u64(&mut out, table.id);
            put_u64(&mut out, keys.runs.len() as u64);
            for run in &keys.runs {
                run.sync()?;
                put_u64(&mut out, run.id);
                put_u64(&mut out, u64::from(run.level));
            }
            files.extend(keys.runs.iter().map(|run| run.path.clone()).chain([table.path.clone()]));
        }
        put_u64(&mut out, self.files.last_id());
        let checksum = xxh3_64(&out);
        put_u64(&mut out, checksum);
        replace(&dir, &out)?;
        self.files.snapshot_taken(files);
        Ok(())
    }

    /// The index as it was saved, and the positions up to which it stands; none if there is no sound snapshot.
    pub fn load(options: &IndexOptions) -> Option<(Self, Positions)> {
        let dir = options.dir.as_ref()?;
        let bytes = std::fs::read(dir.join(SNAPSHOT)).ok()?;
        let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
        if xxh3_64(body).to_le_bytes() != checksum {
            return None;
        }
        let mut from = Reader(body);
        if (from.u64()?, from.u64()?) != (MAGIC, VERSION) {
            return None;
        }
        let places = get_places(&mut from)?;
        let positions = get_positions(&mut from)?;
        let mut files = BTreeSet::from([dir.join(SNAPSHOT)]);
        let mut index = Self::bare(options, places);
        get_keys(&mut from, dir, &mut index.money, &mut files)?;
        get_keys(&mut from, dir, &mut index.event, &mut files)?;
        index.files = Files::open(Some(dir.clone()), from.u64()?, files).ok()?;
        Some((index, positions))
    }
}

/// Writes the table's entries to a file of their own, which the next snapshot makes superfluous.
fn dump_table(dir: &Path, files: &mut Files, keys: &Keys) -> Result<Run, IndexError> {
    let mut writer = RunWriter::create(dir, files.next_id(), 0, false)?;
    keys.table.for_each_sorted(|entry| writer.add(entry))?;
    let run = writer.finish()?;
    run.sync()?;
    Ok(run)
}

fn get_keys(from: &mut Reader<'_>, dir: &Path, keys: &mut Keys, files: &mut BTreeSet<PathBuf>) -> Option<()> {
    let table = Arc::new(Run::open(dir, from.u64()?, 0).ok()?);
    files.insert(table.path.clone());
    let mut entries = Cursor::new(table);
    while let Some(entry) = entries.next().ok()? {
        keys.table.insert(entry);
    }
    for _ in 0..from.u64()? {
        let run = Run::open(dir, from.u64()?, from.u32()?).ok()?;
        files.insert(run.path.clone());
        keys.runs.push(Arc::new(run));
    }
    Some(())
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

fn put_positions(out: &mut Vec<u8>, positions: &Positions) {
    put_u64(out, positions.len() as u64);
    for (partition, next) in positions.iter() {
        put_bytes(out, partition.topic.as_bytes());
        put_u64(out, partition.number.cast_unsigned());
        put_u64(out, next.cast_unsigned());
    }
}

fn get_positions(from: &mut Reader<'_>) -> Option<Positions> {
    let one = |from: &mut Reader<'_>| Some((Partition::new(from.text()?, from.i64()?), from.i64()?));
    (0..from.u64()?).map(|_| one(from)).collect()
}

fn replace(dir: &Path, bytes: &[u8]) -> Result<(), IndexError> {
    let (path, beside) = (dir.join(SNAPSHOT), dir.join(format!("{SNAPSHOT}.new")));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(IndexError::io(&beside))?;
    std::fs::rename(&beside, &path).map_err(IndexError::io(&path))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(IndexError::io(dir))
}
