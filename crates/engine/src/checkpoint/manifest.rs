//! The manifest: the one file that names the pieces of a checkpoint, and its positions.

use std::fs::{self, File};
use std::io::Write as _;

use kassa_model::{Partition, Positions};
use kassa_pipeline::dedupe::{RunName, Window};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Unusable;
use super::pieces::{Name, Pieces};
use crate::Known;

/// The settings that a checkpoint must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setting {
    pub(super) format: u32,
    /// Of the configuration.
    pub(super) fingerprint: u64,
    /// The number of starts and ends of dead letter replays when the lake was first read.
    pub(super) replays: i64,
}

/// Topic, partition, next offset.
pub(super) type SavedPositions = Vec<(String, i64, i64)>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct KeysNames {
    /// The window of the class in steps of the index; none for money.
    pub(super) window: Window,
    pub(super) floor: u64,
    pub(super) runs: Vec<RunName>,
    /// In the order of writing.
    pub(super) table: Vec<Name>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub(super) setting: Setting,
    /// The number of the next piece.
    pub(super) next_piece: u64,
    pub(super) index_at: SavedPositions,
    pub(super) members_at: SavedPositions,
    pub(super) places: Name,
    pub(super) last_run: u64,
    pub(super) keys: Vec<KeysNames>,
    pub(super) members: Vec<Name>,
    pub(super) figures_at: SavedPositions,
    pub(super) figures: Name,
    pub(super) tally_at: SavedPositions,
    pub(super) tally: Name,
}

pub(super) fn saved(positions: &Positions) -> SavedPositions {
    positions.iter().map(|(partition, next)| (partition.topic.to_string(), partition.number, next)).collect()
}

pub(super) fn positions(saved: &SavedPositions) -> Positions {
    saved.iter().map(|(topic, number, next)| (Partition::new(topic.as_str(), *number), *next)).collect()
}

pub(super) const FILE: &str = "manifest";

impl Manifest {
    pub(super) fn known(&self) -> Known {
        Known { index: positions(&self.index_at), members: positions(&self.members_at) }
    }

    /// The pieces that it names.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        let tables = self.keys.iter().flat_map(|keys| &keys.table);
        [&self.places, &self.figures, &self.tally].into_iter().chain(tables).chain(&self.members)
    }

    pub(super) fn read(pieces: &Pieces) -> Result<Self, Unusable> {
        let path = pieces.dir().join(FILE);
        let bytes = fs::read(&path).map_err(|_| Unusable::Missing)?;
        let damaged = || Unusable::Damaged(path.clone());
        let (body, checksum) = bytes.split_last_chunk::<8>().ok_or_else(damaged)?;
        if xxh3_64(body).to_le_bytes() != *checksum {
            return Err(damaged());
        }
        // A later version may append fields.
        let (format, _) = postcard::take_from_bytes::<u32>(body).map_err(|_| damaged())?;
        if format != super::FORMAT {
            return Err(Unusable::Other);
        }
        postcard::from_bytes(body).map_err(|_| damaged())
    }

    pub(super) fn remove(pieces: &Pieces) -> std::io::Result<()> {
        match fs::remove_file(pieces.dir().join(FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Replaces the manifest atomically and durably.
    pub(super) fn write(&self, pieces: &Pieces) -> std::io::Result<()> {
        let mut bytes = postcard::to_stdvec(self).map_err(std::io::Error::other)?;
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        let (path, beside) = (pieces.dir().join(FILE), pieces.dir().join("manifest.new"));
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(pieces.dir())?.sync_all()
    }
}
