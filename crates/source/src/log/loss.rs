//! Acknowledged records that a repair gave up: `<partition folder>/lost.ndjson`, one JSON object per
//! line. The log has a hole there on purpose; readers skip it and report it.

use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{IoContext, LogError};
use super::folder;

const NAME: &str = "lost.ndjson";

/// Offsets that were given up, half open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub from: i64,
    pub to: i64,
    /// When, UTC.
    pub at: String,
    pub why: String,
    /// The file in the partition's folder that has the damaged bytes; none if there were none.
    pub evidence: Option<String>,
}

/// The losses of a partition, in the order of their offsets.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses(Vec<Loss>);

impl Losses {
    pub(super) fn read(partition_dir: &Path) -> Result<Self, LogError> {
        let path = path(partition_dir);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(unreadable(path)),
            text => text.during("read", &path)?,
        };
        let losses = text.lines().map(serde_json::from_str).collect::<Result<Vec<Loss>, _>>();
        Ok(Self(losses.map_err(|_| unreadable(path))?))
    }

    /// What was lost from an offset on, if it was lost itself.
    pub(super) fn at(&self, offset: i64) -> Option<Range<i64>> {
        let covering = self.0.iter().filter(|loss| (loss.from..loss.to).contains(&offset));
        covering.map(|loss| offset..loss.to).max_by_key(|lost| lost.end)
    }

    /// Whether all of these offsets were lost.
    pub(super) fn cover(&self, offsets: Range<i64>) -> bool {
        let mut at = offsets.start;
        while at < offsets.end {
            let Some(lost) = self.at(at) else { return false };
            at = lost.end;
        }
        true
    }

    /// The offset after the last lost one.
    pub(super) fn end(&self) -> Option<i64> {
        self.0.iter().map(|loss| loss.to).max()
    }

    /// Where a log begins whose first segment begins at this offset: at what is lost before it.
    pub(super) fn begin(&self, first: i64) -> i64 {
        self.0.iter().rev().fold(first, |first, loss| if loss.to == first { loss.from } else { first })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds losses durably. One that was recorded already is not added again.
    pub(super) fn add(&mut self, partition_dir: &Path, losses: impl IntoIterator<Item = Loss>) -> Result<(), LogError> {
        let before = self.0.len();
        let new: Vec<Loss> = losses.into_iter().filter(|loss| !self.cover(loss.from..loss.to)).collect();
        self.0.extend(new);
        if self.0.len() == before {
            return Ok(());
        }
        self.0.sort_by_key(|loss| (loss.from, loss.to));
        let path = path(partition_dir);
        let mut text = String::new();
        for loss in &self.0 {
            let line = serde_json::to_string(loss).map_err(std::io::Error::from).during("encode", &path)?;
            text.push_str(&line);
            text.push('\n');
        }
        folder::replace(&path, text.as_bytes())
    }
}

fn path(partition_dir: &Path) -> PathBuf {
    partition_dir.join(NAME)
}

fn unreadable(file: PathBuf) -> LogError {
    LogError::Corrupt { file, byte: 0, offset: 0, what: "the list of lost records is damaged" }
}
