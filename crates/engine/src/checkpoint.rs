//! The checkpoint: the pipeline's state at known positions, so that a start reads only what was committed after it.
//!
//! ```text
//!  engine (stage) ──cut──► writer ──pieces──► state/checkpoint/*.piece ─┐ as soon as every sink has
//!  live figures ─clone──►   one thread        state/dedupe/run-*.keys   ├─ committed what is in them ──► state/checkpoint/manifest
//!  spans of the lake ───►                                               ┘
//! ```
//!
//! The manifest names pieces and runs, each with its size and checksum, and is replaced by a rename. The files that it names
//! never change: the dedupe index and the members of dimensions grow by pieces with their additions; the figures are written
//! whole, at a pace that keeps the cost below a twentieth of one core.
//!
//! A checkpoint is a cache. A missing, torn or older one, or one that is ahead of a sink (a sink that was restored from a
//! backup), is not used: the state is rebuilt from the lake and the warehouse.

mod desk;
mod draft;
mod manifest;
mod pieces;
mod sizes;
mod writer;

use std::path::PathBuf;

use kassa_analytics::Figures;
use kassa_model::{Positions, Shop};
use kassa_pipeline::dedupe::{Index, IndexOptions, SavedIndex, SavedKeys};
use kassa_pipeline::dimensions::Members;

pub use self::desk::{Desk, StageCut, StageSizes};
pub use self::draft::{Committed, Draft, Drafts, Parts, Snapshot, WriteError};
pub use self::manifest::Manifest;
use self::manifest::{KeysNames, Setting};
use self::pieces::{Pieces, Streamed};
pub use self::sizes::Sizes;
pub use self::writer::Writer;
use crate::{Known, Tally};

/// The version of a checkpoint's format. Increase it with every change to a type that is saved.
const FORMAT: u32 = 3;

/// The memory of a stage, loaded from a checkpoint.
#[derive(Debug)]
pub struct SavedStage {
    pub index: Index,
    pub members: Members,
    pub known: Known,
}

/// Why there is no checkpoint to start from.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("there is none")]
    Missing,
    #[error("{0} is damaged or incomplete")]
    Damaged(PathBuf),
    #[error("it was written by another version or with other settings")]
    Other,
    #[error("dead letters were replayed since")]
    Replayed,
    #[error("it is ahead of a sink")]
    Ahead,
}

/// Where the checkpoint of a configuration is stored, and the settings that it must match.
#[derive(Debug, Clone)]
pub struct Place {
    pieces: Pieces,
    setting: Setting,
}

impl Place {
    /// `fingerprint` is a hash of the settings that determine the state; `replays` is the lake's count of replays, read before
    /// anything else of the lake.
    pub fn new(dir: PathBuf, fingerprint: u64, replays: i64) -> Self {
        Self { pieces: Pieces::new(dir), setting: Setting { format: FORMAT, fingerprint, replays } }
    }

    /// The manifest, if it can be used with the present settings.
    pub fn manifest(&self) -> Result<Manifest, Unusable> {
        let manifest = Manifest::read(&self.pieces)?;
        match manifest.setting {
            held if held == self.setting => Ok(manifest),
            held if (Setting { replays: self.setting.replays, ..held }) == self.setting => Err(Unusable::Replayed),
            _ => Err(Unusable::Other),
        }
    }

    /// Removes a manifest that cannot be used, so that it is not used later.
    pub fn discard(&self) -> std::io::Result<()> {
        Manifest::remove(&self.pieces)
    }

    /// The memory of the stage.
    pub fn stage(&self, manifest: &Manifest, options: &IndexOptions) -> Result<SavedStage, Unusable> {
        let keys = |names: &KeysNames| -> Result<SavedKeys, Unusable> {
            let table = names.table.iter().map(|name| self.pieces.read(name)).collect::<Result<Vec<_>, _>>()?;
            Ok(SavedKeys { window: names.window, floor: names.floor, runs: names.runs.clone(), table })
        };
        let saved = SavedIndex {
            places: self.pieces.read(&manifest.places)?,
            last_id: manifest.last_run,
            keys: manifest.keys.iter().map(keys).collect::<Result<_, _>>()?,
        };
        let mut members = Members::default();
        for name in &manifest.members {
            members.load(self.pieces.open(name)?).map_err(|_| Unusable::Damaged(self.pieces.path(name)))?;
        }
        members.record(true);
        let index = Index::load(options, saved).ok_or_else(|| Unusable::Damaged(options.dir.clone().unwrap_or_default()))?;
        Ok(SavedStage { index, members, known: manifest.known() })
    }

    /// The figures, and their positions.
    pub fn figures(&self, manifest: &Manifest, shop: &Shop) -> Result<(Figures, Positions), Unusable> {
        let name = &manifest.figures;
        let saved = Streamed::new(self.pieces.open(name)?, name);
        let figures = Figures::load(shop, &mut postcard::Deserializer::from_flavor(saved));
        let figures = figures.map_err(|_| Unusable::Damaged(self.pieces.path(name)))?;
        Ok((figures, manifest::positions(&manifest.figures_at)))
    }

    /// The counts, and their positions.
    pub fn tally(&self, manifest: &Manifest) -> Result<(Tally, Positions), Unusable> {
        let bytes = self.pieces.read(&manifest.tally)?;
        let tally = postcard::from_bytes(&bytes).map_err(|_| Unusable::Damaged(self.pieces.path(&manifest.tally)))?;
        Ok((tally, manifest::positions(&manifest.tally_at)))
    }
}
