//! What a load remembers beside the rows, in the bucket: which files it has read whole. It saves work and decides nothing: without
//! it all files are staged anew, and the rows that are there are left out.

use std::collections::{BTreeMap, BTreeSet};

use kassa_model::Table;
use serde::{Deserialize, Serialize};

use crate::error::ExportError;
use crate::port::{Lake, TableFiles};

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Held {
    tables: BTreeMap<String, HeldTable>,
}

/// A table whose rows Redshift has all had.
#[derive(Debug, Serialize, Deserialize)]
struct HeldTable {
    rows: i64,
    files: BTreeSet<String>,
}

/// The folder of a load.
pub(crate) fn folder(root: &str, generation: i64, load: &str) -> String {
    format!("{root}/{generation}-{load}")
}

/// The generation that a load's folder is named after.
pub(crate) fn generation_of(folder: &str) -> Option<i64> {
    folder.split_once('-')?.0.parse().ok()
}

pub(crate) const FILE: &str = "held.json";

impl Held {
    /// What the load remembers that led to a generation.
    pub(crate) fn read(lake: &dyn Lake, root: &str, generation: i64, load: &str) -> Result<Self, ExportError> {
        if generation == 0 {
            return Ok(Self::default());
        }
        let path = format!("{}/{FILE}", folder(root, generation - 1, load));
        let Some(bytes) = lake.get(&path)? else {
            tracing::info!(path, "what was loaded before is not remembered: all files are staged anew");
            return Ok(Self::default());
        };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(path, %error, "what was loaded before cannot be read: all files are staged anew");
            Self::default()
        }))
    }

    /// Of a lake of which Redshift then has all that lies before the positions.
    pub(crate) fn of(tables: &[TableFiles]) -> Self {
        let settled = tables.iter().filter(|table| table.is_settled);
        let held = settled.map(|held| {
            let files = held.files.iter().map(|file| file.path.clone()).collect();
            (held.table.name().to_owned(), HeldTable { rows: rows(held), files })
        });
        Self { tables: held.collect() }
    }

    pub(crate) fn write(&self, lake: &dyn Lake, folder: &str) -> Result<(), ExportError> {
        Ok(lake.put(&format!("{folder}/{FILE}"), &serde_json::to_vec(self)?)?)
    }

    pub(crate) fn has_file(&self, table: Table, path: &str) -> bool {
        self.tables.get(table.name()).is_some_and(|held| held.files.contains(path))
    }

    /// Whether a table that is only ever added to has nothing new: compaction changes its files, and not how many rows they hold.
    pub(crate) fn has_rows(&self, table: &TableFiles) -> bool {
        table.is_settled && self.tables.get(table.table.name()).is_some_and(|held| held.rows == rows(table))
    }

    /// Whether a table that is replaced is what it was.
    pub(crate) fn has_all_files(&self, table: &TableFiles) -> bool {
        self.tables.get(table.table.name()).is_some_and(|held| {
            held.files.len() == table.files.len() && table.files.iter().all(|file| held.files.contains(&file.path))
        })
    }
}

fn rows(table: &TableFiles) -> i64 {
    table.files.iter().map(|file| file.rows).sum()
}
