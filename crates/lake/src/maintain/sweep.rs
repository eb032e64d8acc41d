//! Deletes data files that are no longer part of the table: files replaced by a merge, and orphans
//! of a crash.

use std::collections::VecDeque;
use std::sync::Arc;

use kassa_model::crash;

use super::Options;
use crate::delta::{DeltaTable, LogError};
use crate::lease;

/// Files to delete, and when they left the table (µs).
#[derive(Debug, Default)]
pub(super) struct Sweep {
    leaving: VecDeque<(String, i64)>,
}

impl Sweep {
    /// Collects every file in the table's folder that its log does not name. Whether such a file
    /// was replaced shortly before this process began or is an orphan of a crash is unknown, so it
    /// counts as replaced now.
    ///
    /// In a store with several users, the log states when a file was replaced, because files there
    /// wait for longer than many processes live.
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

    /// Deletes files that left the table longer ago than the retention, and the oldest of those
    /// over the limit. While a lease is held, only files older than any lease are deleted.
    pub(super) fn delete(&mut self, table: &mut DeltaTable, now: i64, options: &Options) -> Result<usize, LogError> {
        // A clock that was ahead when a file was replaced does not hold it.
        self.leaving.iter_mut().for_each(|(_, since)| *since = now.min(*since));
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
            // A file that no entry named when it was found may belong to another writer, which has
            // committed it since.
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

/// The paths of all data files in the table's folder and its partitions, and of unfinished log
/// entries; and the time when each was written.
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
