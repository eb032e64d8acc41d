//! The size of a checkpoint on disk.

use std::fs;
use std::path::Path;

use kassa_pipeline::dedupe::run_path;

use super::Unusable;
use super::manifest::{FILE, KeysNames, Manifest};
use super::pieces::{Name, Pieces};

/// Bytes by purpose. Keys are those of sealed runs and of the tables' entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub money_keys: u64,
    pub event_keys: u64,
    pub members: u64,
    pub figures: u64,
    /// Places, counts and the manifest.
    pub rest: u64,
}

impl Sizes {
    /// The sizes of the last checkpoint in a state folder, `data_dir/state`.
    pub fn of(state: &Path) -> Result<Self, Unusable> {
        let (checkpoint, dedupe) = (state.join("checkpoint"), state.join("dedupe"));
        let manifest = Manifest::read(&Pieces::new(checkpoint.clone()))?;
        let size = |path: &Path| fs::metadata(path).map(|held| held.len()).map_err(|_| Unusable::Damaged(path.to_owned()));
        let keys = |names: &KeysNames| -> Result<u64, Unusable> {
            let runs = names.runs.iter().map(|run| size(&run_path(&dedupe, run.0)));
            Ok(runs.sum::<Result<u64, _>>()? + names.table.iter().map(Name::bytes).sum::<u64>())
        };
        // Money keys, which are kept forever, have no window.
        let of = |is_money: bool| {
            let classes = manifest.keys.iter().filter(move |names| names.window.is_none() == is_money);
            classes.map(keys).sum::<Result<u64, _>>()
        };
        Ok(Self {
            money_keys: of(true)?,
            event_keys: of(false)?,
            members: manifest.members.iter().map(Name::bytes).sum(),
            figures: manifest.figures.bytes(),
            rest: manifest.places.bytes() + manifest.tally.bytes() + size(&checkpoint.join(FILE))?,
        })
    }
}
