//! Deletes data files that the table no longer has: those that a merge replaced, and what a crash left behind.

use std::collections::VecDeque;
use std::sync::Arc;

use kassa_model::crash;

use super::Options;
use crate::delta::{DeltaTable, LogError};
use crate::lease;

/// Files to be deleted, and when they ceased to be the table's (µs).
#[derive(Debug, Default)]
pub(super) struct Sweep {
    leaving: VecDeque<(String, i64)>,
}

impl Sweep {
    /// Takes note of every file in the table's folder that its log does not name. Whether it was replaced shortly before this process
    /// began or is the leftover of a crash cannot be told: it is taken for one that was replaced just now.
    ///
    /// In a store that others use too the log is asked when it was replaced: there files wait for longer than many a process lives.
    pub(super) fn begin(table: &DeltaTable, now: i64) -> Result<Self, LogError> {
        let mut unnamed: Vec<(i64, String)> = Vec::new();
        for (path, modified) in data_files(table)? {
            if !table.snapshot().files.contains_key(&path) {
                unnamed.push((modified, path));
            }
        }
        unnamed.sort_unstable();
        let left = |(modified, path): (i64, String)| match table.store().is_shared() {
            true => (table.snapshot().removed.get(&path).map_or(modified, |at| at.saturating_mul(1_000)).min(now), path),
            false => (now, path),
        };
        let mut leaving: Vec<(i64, String)> = unnamed.into_iter().map(left).collect();
        leaving.sort_by_key(|(since, _)| *since);
        Ok(Self { leaving: leaving.into_iter().map(|(since, path)| (path, since)).collect() })
    }

    pub(super) fn replaced(&mut self, path: &str, now: i64) {
        self.leaving.push_back((path.to_owned(), now));
    }

    /// Deletes what left the table longer ago than the retention, and the oldest of what is too much. While a reader holds a lease,
    /// only what is older than any lease may be.
    pub(super) fn delete(&mut self, table: &mut DeltaTable, now: i64, options: &Options) -> Result<usize, LogError> {
        let old = self.leaving.iter().take_while(|(_, since)| now - since >= options.retention).count();
        let due = old.max(self.leaving.len().saturating_sub(options.kept_files));
        if due == 0 {
            return Ok(0);
        }
        let store = Arc::clone(table.store());
        match lease::without_readers(store.as_ref(), || self.delete_oldest(table, due))? {
            Some(deleted) => deleted,
            None => {
                let old = self.leaving.iter().take_while(|(_, since)| now - since >= options.lease).count();
                self.delete_oldest(table, old)
            }
        }
    }

    fn delete_oldest(&mut self, table: &mut DeltaTable, count: usize) -> Result<usize, LogError> {
        if count > 0 && table.store().is_shared() {
            // What no entry named when it was found may be another writer's, who has committed it since.
            table.refresh()?;
        }
        let mut deleted = 0;
        for _ in 0..count {
            let Some((path, _)) = self.leaving.front() else { break };
            if !table.snapshot().files.contains_key(path) {
                table.store().delete(&format!("{}/{path}", table.spec().folder))?;
                crash::point("maintain.after_file_deleted");
                deleted += 1;
            }
            self.leaving.pop_front();
        }
        Ok(deleted)
    }
}

/// The paths of all data files in the table's folder, in those of its partitions too, and of drafts that never became log entries; and
/// when each was written.
fn data_files(table: &DeltaTable) -> Result<Vec<(String, i64)>, LogError> {
    let (store, spec) = (table.store(), table.spec());
    let mut paths = Vec::new();
    for (name, modified) in store.list_dated(&spec.folder)? {
        let is_partition = spec.partition_columns.first().is_some_and(|column| name.starts_with(&format!("{column}=")));
        if is_partition {
            let inside = store.list_dated(&format!("{}/{name}", spec.folder))?;
            paths.extend(inside.into_iter().map(|(file, modified)| (format!("{name}/{file}"), modified)));
        } else if name.ends_with(".parquet") {
            paths.push((name, modified));
        }
    }
    let drafts = store
        .list_dated(&format!("{}/_delta_log", spec.folder))?
        .into_iter()
        .filter(|(name, _)| name.starts_with(".draft-") || name.contains(".parquet#"));
    paths.extend(drafts.map(|(name, modified)| (format!("_delta_log/{name}"), modified)));
    Ok(paths)
}
