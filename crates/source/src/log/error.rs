use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kassa_model::code::Code;
use kassa_model::{Newer, Partition};
use rustix::io::Errno;

/// Why an operation of the log failed. Every waiting caller gets a copy.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    #[error("the log is full of records that were not read yet; retry after {} s", .retry_after.as_secs())]
    Full { retry_after: Duration },
    #[error("record {index} has {bytes} bytes, over the limit of {limit}")]
    TooLarge { index: usize, bytes: usize, limit: usize },
    #[error("{topic:?} is not a valid topic name: 1 to 200 of A-Z a-z 0-9 . _ - and no leading dot")]
    BadTopic { topic: String },
    #[error("max_record_bytes is {bytes}, over the {limit} of a frame")]
    BadLimit { bytes: usize, limit: usize },
    #[error("the request needs {bytes} bytes of the log, over its capacity of {capacity}")]
    OverCapacity { bytes: u64, capacity: u64 },
    /// The disk or the file descriptors are used up. The log tries again by itself.
    #[error("the log cannot write for now: {why}")]
    Unavailable { code: Code, why: Arc<str> },
    /// After a failed write or fsync, the contents of the disk are unknown. Only a restart, which
    /// reads them back, can continue.
    #[error("the log has stopped: {why}")]
    Stopped { code: Code, why: Arc<str> },
    #[error("{} is corrupt at byte {byte} (offset {offset}): {what}", .file.display())]
    Corrupt { file: PathBuf, byte: u64, offset: i64, what: &'static str },
    #[error("segment {} is missing", .file.display())]
    Missing { file: PathBuf },
    /// The sinks have records that the log no longer has, although it has others: its end was cut
    /// off.
    #[error("the log of {}/{} ends at offset {end}, but was read up to {asked} before", .partition.topic, .partition.number)]
    Lost { partition: Partition, asked: i64, end: i64 },
    /// Clients were answered for records that the log no longer has: its end was cut off.
    #[error(
        "the log of {}/{} ends at offset {end}, but records up to {acknowledged} were acknowledged", .partition.topic, .partition.number
    )]
    Cut { partition: Partition, acknowledged: i64, end: i64 },
    #[error("the log of {}/{} starts at offset {start}; offset {asked} no longer exists", .partition.topic, .partition.number)]
    Gone { partition: Partition, asked: i64, start: i64 },
    #[error("{} has log version {version}; this kassa supports log version {}", .file.display(), super::frame::VERSION)]
    Version { file: PathBuf, version: u32 },
    #[error("{} is in use by another process", .dir.display())]
    InUse { dir: PathBuf },
    #[error("could not {action} {}", .file.display())]
    Io { action: &'static str, file: PathBuf, source: Arc<io::Error> },
}

impl LogError {
    /// The error page.
    pub fn code(&self) -> Code {
        match self {
            Self::Full { .. } => Code::LogFull,
            Self::TooLarge { .. } | Self::OverCapacity { .. } => Code::TooLarge,
            Self::BadTopic { .. } => Code::BadName,
            Self::BadLimit { .. } => Code::BadQuantity,
            Self::Stopped { code, .. } | Self::Unavailable { code, .. } => *code,
            Self::InUse { .. } => Code::LakeLocked,
            Self::Io { action: "sync", .. } => Code::SyncFailed,
            Self::Io { .. } => Code::StorageFailed,
            Self::Version { .. } => Code::NewerFormat,
            Self::Corrupt { .. } | Self::Missing { .. } | Self::Lost { .. } | Self::Cut { .. } | Self::Gone { .. } => {
                Code::LogCorrupt
            }
        }
    }

    /// How to fix it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Corrupt { .. } | Self::Missing { .. } | Self::Lost { .. } | Self::Cut { .. } => Some(
                "restore the segment from a backup; or let `kassa repair` show what is lost, and `kassa repair --apply` keep the damaged bytes aside and go on",
            ),
            Self::Stopped { .. } => {
                Some("check that the disk works and has free space, then restart: the log reads back its contents")
            }
            Self::OverCapacity { .. } => Some("send fewer records per request, or raise log.capacity"),
            Self::Unavailable { .. } => {
                Some("free space on the disk, or raise the limit of open files: the log then goes on by itself")
            }
            Self::Version { .. } => Some(Newer::FIX),
            Self::InUse { .. } => Some("stop the other kassa, or give this one another data_dir"),
            _ => None,
        }
    }
}

impl LogError {
    /// Whether the cause may go away by itself: no space, or no free file descriptor.
    pub(super) fn passes(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, Interrupted, OutOfMemory, WouldBlock};
        let Self::Io { action, source, .. } = self else { return false };
        let errno = source.raw_os_error();
        let is_descriptors = [Errno::MFILE, Errno::NFILE].iter().any(|known| errno == Some(known.raw_os_error()));
        // After any other failed fsync, a later one may succeed without the data.
        self.is_out_of_space()
            || is_descriptors
            || (*action != "sync" && matches!(source.kind(), FileTooLarge | Interrupted | OutOfMemory | WouldBlock))
    }

    /// Whether the disk or a quota is full.
    pub(super) fn is_out_of_space(&self) -> bool {
        let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        matches!(self, Self::Io { source, .. } if full(source.kind()))
    }

    /// With the cause in the text: it goes to those who wait, without the chain.
    pub(super) fn in_words(&self) -> Arc<str> {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}").into(),
            other => other.to_string().into(),
        }
    }
}

/// Adds the action and the file to an IO error.
pub(super) trait IoContext<T> {
    fn during(self, action: &'static str, file: &Path) -> Result<T, LogError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn during(self, action: &'static str, file: &Path) -> Result<T, LogError> {
        self.map_err(|source| LogError::Io { action, file: file.to_owned(), source: Arc::new(source) })
    }
}
