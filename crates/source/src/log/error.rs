use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kassa_model::code::Code;
use kassa_model::{Newer, Partition};

/// Why the log could not do what it was asked. Every waiting caller gets its own copy.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    #[error("the log is full of records that were not read yet; retry after {} s", .retry_after.as_secs())]
    Full { retry_after: Duration },
    #[error("record {index} has {bytes} bytes, over the limit of {limit}")]
    TooLarge { index: usize, bytes: usize, limit: usize },
    #[error("{topic:?} cannot name a topic: 1 to 200 of A-Z a-z 0-9 . _ - and no leading dot")]
    BadTopic { topic: String },
    #[error("max_record_bytes is {bytes}, over the {limit} that a frame can hold")]
    BadLimit { bytes: usize, limit: usize },
    /// After a failed write or fsync nothing is known about what the disk holds: only a restart, which reads it back, goes on.
    #[error("the log has stopped: {why}")]
    Stopped { code: Code, why: Arc<str> },
    #[error("{} is corrupt at byte {byte} (offset {offset}): {what}", .file.display())]
    Corrupt { file: PathBuf, byte: u64, offset: i64, what: &'static str },
    #[error("segment {} is missing", .file.display())]
    Missing { file: PathBuf },
    /// The sinks hold records that the log no longer has, though it has others: its end was cut off.
    #[error("the log of {}/{} ends at offset {end}, but was read up to {asked} before", .partition.topic, .partition.number)]
    Lost { partition: Partition, asked: i64, end: i64 },
    #[error("the log of {}/{} starts at offset {start}; {asked} is no longer there", .partition.topic, .partition.number)]
    Gone { partition: Partition, asked: i64, start: i64 },
    #[error("{} has log version {version}; this kassa supports log version {}", .file.display(), super::frame::VERSION)]
    Version { file: PathBuf, version: u32 },
    #[error("{} is in use by another process", .dir.display())]
    InUse { dir: PathBuf },
    #[error("could not {action} {}", .file.display())]
    Io { action: &'static str, file: PathBuf, source: Arc<io::Error> },
}

impl LogError {
    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Full { .. } => Code::LogFull,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::BadTopic { .. } => Code::BadName,
            Self::BadLimit { .. } => Code::BadQuantity,
            Self::Stopped { code, .. } => *code,
            Self::InUse { .. } => Code::LakeLocked,
            Self::Io { action: "sync", .. } => Code::SyncFailed,
            Self::Io { .. } => Code::StorageFailed,
            Self::Version { .. } => Code::NewerFormat,
            Self::Corrupt { .. } | Self::Missing { .. } | Self::Lost { .. } | Self::Gone { .. } => Code::LogCorrupt,
        }
    }

    /// What the person who sees the error can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Corrupt { .. } | Self::Missing { .. } | Self::Lost { .. } => Some(
                "keep the folder as evidence and restore the segment from a backup; records that the archive holds are safe there: `kassa prove` tells which",
            ),
            Self::Stopped { .. } => {
                Some("see that the disk is sound and has room, then restart: the log reads back what it holds")
            }
            Self::Version { .. } => Some(Newer::FIX),
            Self::InUse { .. } => Some("stop the other kassa, or give this one another data_dir"),
            _ => None,
        }
    }
}

/// Names the act and the file of an IO error.
pub(super) trait IoContext<T> {
    fn during(self, action: &'static str, file: &Path) -> Result<T, LogError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn during(self, action: &'static str, file: &Path) -> Result<T, LogError> {
        self.map_err(|source| LogError::Io { action, file: file.to_owned(), source: Arc::new(source) })
    }
}
