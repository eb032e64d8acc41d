use std::io;
use std::path::{Path, PathBuf};

use kassa_model::{Cause, Code};

/// Why a file cannot be read in its stated format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    #[error("could not read {}", .file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("{} is {found}", .file.display())]
    NotAFile { file: PathBuf, found: &'static str },
    #[error("{} is corrupt: its {what} cannot be read: {detail}", .file.display())]
    Corrupt {
        file: PathBuf,
        what: &'static str,
        #[source]
        detail: Cause,
    },
    #[error("{} is {found}, but its stream has another format", .file.display())]
    OtherFormat { file: PathBuf, found: &'static str },
    #[error("the header of {} is not {encoding}", .file.display())]
    HeaderEncoding { file: PathBuf, encoding: &'static str },
    #[error("{}: {what} {number} is longer than 64 MiB", .file.display())]
    TooLong { file: PathBuf, what: &'static str, number: u64 },
    #[error("{} is a compressed Parquet file of more than 64 MiB", .file.display())]
    PackedParquet { file: PathBuf },
    #[error("{} has {records} records, but was read up to {asked} before", .file.display())]
    PastEnd { file: PathBuf, asked: i64, records: i64 },
    #[error("{} changed while it was read", .file.display())]
    Changed { file: PathBuf },
    #[error("{delimiter:?} cannot delimit CSV fields: one ASCII character other than a quote or a line end can")]
    Delimiter { delimiter: char },
}

impl FileError {
    /// The error page.
    pub fn code(&self) -> Code {
        Code::InputUnreadable
    }

    /// How to fix it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAFile { .. } => Some("write its records to a file first: each file is read twice, and its name is kept"),
            Self::Corrupt { .. } => Some("get the file again; this run has stored nothing of it"),
            Self::OtherFormat { .. } => Some("set the stream's `format`, or export the file as CSV, NDJSON or Parquet"),
            Self::HeaderEncoding { .. } => Some("set the stream's `encoding`, for example \"windows-1252\""),
            Self::TooLong { .. } => Some("check the file: it must have one record per line"),
            Self::PackedParquet { .. } => Some("decompress it: Parquet has its own compression"),
            Self::PastEnd { .. } => Some("use the same delimiter and max_record_bytes as the first time"),
            Self::Changed { .. } => Some("wait until it is complete, then replay it"),
            Self::Io { .. } | Self::Delimiter { .. } => None,
        }
    }

    /// Errors of the decompressors are about the contents; errors of the system are not.
    pub(super) fn reading(file: &Path, packing: Option<&'static str>, source: io::Error) -> Self {
        match packing {
            Some(what) if source.raw_os_error().is_none() => {
                Self::Corrupt { file: file.to_owned(), what, detail: Cause::of(source) }
            }
            _ => Self::Io { file: file.to_owned(), source },
        }
    }
}
