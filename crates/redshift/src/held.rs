//! The file list of a load, stored in the bucket: the files that were loaded completely. It only
//! saves work: without it, all files are staged again and their known rows are skipped.

use std::collections::{BTreeMap, BTreeSet};

use kassa_model::{Partition, Positions, Table};
use serde::{Deserialize, Serialize};

use crate::error::ExportError;
use crate::port::{Extent, Lake, TableFiles};

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Held {
    tables: BTreeMap<String, HeldTable>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct HeldTable {
    /// The row count of the table, if Redshift has all of its rows.
    rows: Option<i64>,
    /// Files whose rows are all in Redshift.
    files: BTreeSet<String>,
    /// The other files: they may have rows beyond the positions of their load.
    pending: BTreeSet<String>,
    /// No row is beyond these positions: topic, partition, next offset.
    until: Vec<(String, i64, i64)>,
}

impl HeldTable {
    /// The state of a table after the load of an extent.
    fn after(&self, table: &TableFiles, accounted: &Positions) -> Self {
        let until: Vec<_> =
            table.ahead_of(accounted).map(|(partition, next)| (partition.topic.to_string(), partition.number, next)).collect();
        let all = table.files.iter().map(|file| file.path.clone());
        if until.is_empty() {
            return Self { rows: Some(rows(table)), files: all.collect(), ..Self::default() };
        }
        let reached =
            |(topic, partition, next): &(String, i64, i64)| accounted.next(&Partition::new(topic.as_str(), *partition)) >= *next;
        let is_whole = self.until.iter().all(reached);
        let (files, pending) = all.partition(|path| self.files.contains(path) || is_whole && self.pending.contains(path));
        Self { rows: None, files, pending, until }
    }
}

/// The folder of a load.
pub(crate) fn folder(root: &str, generation: i64, load: &str) -> String {
    format!("{root}/{generation}-{load}")
}

/// The generation in the name of a load's folder.
pub(crate) fn generation_of(folder: &str) -> Option<i64> {
    folder.split_once('-')?.0.parse().ok()
}

pub(crate) const FILE: &str = "held.json";

impl Held {
    /// The file list of the load that led to a generation.
    pub(crate) fn read(lake: &dyn Lake, root: &str, generation: i64, load: &str) -> Result<Self, ExportError> {
        if generation == 0 {
            return Ok(Self::default());
        }
        let path = format!("{}/{FILE}", folder(root, generation - 1, load));
        let Some(bytes) = lake.get(&path)? else {
            tracing::info!(path, "what was loaded before is not remembered: all files are staged again");
            return Ok(Self::default());
        };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(path, %error, "what was loaded before cannot be read: all files are staged again");
            Self::default()
        }))
    }

    /// The state after the load of an extent. A file with rows beyond it is staged once more.
    pub(crate) fn after(&self, extent: &Extent) -> Self {
        let none = HeldTable::default();
        let held = extent.tables.iter().map(|table| {
            let name = table.table.name().to_owned();
            let before = self.tables.get(&name).unwrap_or(&none);
            (name, before.after(table, &extent.positions))
        });
        Self { tables: held.collect() }
    }

    pub(crate) fn write(&self, lake: &dyn Lake, folder: &str) -> Result<(), ExportError> {
        Ok(lake.put(&format!("{folder}/{FILE}"), &serde_json::to_vec(self)?)?)
    }

    pub(crate) fn has_file(&self, table: Table, path: &str) -> bool {
        self.tables.get(table.name()).is_some_and(|held| held.files.contains(path))
    }

    /// Whether an append-only table has no new rows: compaction changes its files, but not its row
    /// count.
    pub(crate) fn has_rows(&self, table: &TableFiles) -> bool {
        self.tables.get(table.table.name()).is_some_and(|held| held.rows == Some(rows(table)))
    }

    /// Whether a replaced table is unchanged.
    pub(crate) fn has_all_files(&self, table: &TableFiles) -> bool {
        self.tables.get(table.table.name()).is_some_and(|held| {
            held.files.len() == table.files.len() && table.files.iter().all(|file| held.files.contains(&file.path))
        })
    }
}

fn rows(table: &TableFiles) -> i64 {
    table.files.iter().map(|file| file.rows).sum()
}
