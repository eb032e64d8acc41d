//! Deletes data files that the table no longer has: those that a merge replaced, and what a crash left behind.

use std::collections::VecDeque;
use std::fs;
use std::time::UNIX_EPOCH;

use kassa_model::crash;

use super::Options;
use crate::delta::{DeltaTable, LogError};

/// Files to be deleted, and when they ceased to be the table's (µs).
#[derive(Debug, Default)]
pub(super) struct Sweep {
    leaving: VecDeque<(String, i64)>,
}

impl Sweep {
    /// Takes note of every file in the table's folder that its log does not name. Whether it was replaced shortly before this process
    /// began or is the leftover of a crash cannot be told: it goes when it is both old and has been left alone for a while.
    pub(super) fn begin(table: &DeltaTable, now: i64, options: &Options) -> Result<Self, LogError> {
        let mut sweep = Self::default();
        for path in data_files(table)? {
            if !table.snapshot().files.contains_key(&path) {
                let since =
                    modified(table, &path).map_or(now, |modified| now.max(modified + options.orphan_age - options.retention));
                sweep.leaving.push_back((path, since));
            }
        }
        sweep.leaving.make_contiguous().sort_by_key(|(_, since)| *since);
        Ok(sweep)
    }

    pub(super) fn replaced(&mut self, path: &str, now: i64) {
        self.leaving.push_back((path.to_owned(), now));
    }

    /// Deletes what left the table longer ago than `retention`.
    pub(super) fn delete(&mut self, table: &DeltaTable, now: i64, retention: i64) -> Result<usize, LogError> {
        let mut deleted = 0;
        while let Some((path, since)) = self.leaving.front() {
            if now - since < retention {
                break;
            }
            table.store().delete(&format!("{}/{path}", table.spec().folder))?;
            crash::point("maintain.after_file_deleted");
            self.leaving.pop_front();
            deleted += 1;
        }
        Ok(deleted)
    }
}

/// The paths of all data files in the table's folder, in those of its partitions too, and of drafts that never became log entries.
fn data_files(table: &DeltaTable) -> Result<Vec<String>, LogError> {
    let (store, spec) = (table.store(), table.spec());
    let mut paths = Vec::new();
    for name in store.list(&spec.folder)? {
        let is_partition = spec.partition_columns.first().is_some_and(|column| name.starts_with(&format!("{column}=")));
        if is_partition {
            let inside = store.list(&format!("{}/{name}", spec.folder))?;
            paths.extend(inside.into_iter().map(|file| format!("{name}/{file}")));
        } else if name.ends_with(".parquet") {
            paths.push(name);
        }
    }
    let drafts = store
        .list(&format!("{}/_delta_log", spec.folder))?
        .into_iter()
        .filter(|name| name.starts_with(".draft-") || name.contains(".parquet#"));
    paths.extend(drafts.map(|name| format!("_delta_log/{name}")));
    Ok(paths)
}

fn modified(table: &DeltaTable, path: &str) -> Option<i64> {
    let held = fs::metadata(table.store().local_path(&format!("{}/{path}", table.spec().folder))).ok()?;
    let since = held.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}
