//! The index's folder: numbers for new run files, and the removal of those that nothing refers to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::IndexError;
use super::run::Run;

/// The snapshot that earlier versions wrote here.
const SNAPSHOT: &str = "index.snapshot";

#[derive(Debug, Default)]
pub(super) struct Files {
    dir: Option<PathBuf>,
    last_id: u64,
    /// The files that a checkpoint refers to, or will: they are kept until the checkpoint is replaced.
    pinned: BTreeSet<PathBuf>,
    retired: Vec<PathBuf>,
}

impl Files {
    /// Opens a folder. Files of this index that are not in `known` are left over, and are removed.
    pub(super) fn open(dir: Option<PathBuf>, last_id: u64, known: BTreeSet<PathBuf>) -> Result<Self, IndexError> {
        if let Some(dir) = &dir {
            std::fs::create_dir_all(dir).map_err(IndexError::io(dir))?;
            for entry in std::fs::read_dir(dir).map_err(IndexError::io(dir))? {
                let path = entry.map_err(IndexError::io(dir))?.path();
                if is_ours(&path) && !known.contains(&path) {
                    std::fs::remove_file(&path).map_err(IndexError::io(&path))?;
                }
            }
        }
        Ok(Self { dir, last_id, pinned: known, retired: Vec::new() })
    }

    pub(super) fn dir(&self) -> Option<PathBuf> {
        self.dir.clone()
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// These runs are no longer read.
    pub(super) fn retire<'a>(&mut self, runs: impl IntoIterator<Item = &'a Arc<Run>>) {
        for run in runs {
            if self.pinned.contains(&run.path) {
                self.retired.push(run.path.clone());
            } else {
                remove(&run.path);
            }
        }
    }

    /// A checkpoint will refer to these files.
    pub(super) fn pin(&mut self, files: BTreeSet<PathBuf>) {
        self.pinned.extend(files);
    }

    /// A checkpoint that refers to `files` has replaced the last one.
    pub(super) fn published(&mut self, files: BTreeSet<PathBuf>) {
        self.pinned = files;
        let (kept, unused) = std::mem::take(&mut self.retired).into_iter().partition(|path| self.pinned.contains(path));
        self.retired = kept;
        unused.iter().for_each(|path: &PathBuf| remove(path));
    }
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(SNAPSHOT) || (name.starts_with("run-") && name.ends_with(".keys"))
}

/// A file that cannot be removed only takes space until the next start.
fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "could not remove a run file of the dedupe index");
    }
}
