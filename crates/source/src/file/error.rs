use std::io;
use std::path::{Path, PathBuf};

use kassa_model::code::Code;

/// Why a file cannot be read as what it was said to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    #[error("could not read {}", .file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("{} is corrupt: its {what} cannot be read: {detail}", .file.display())]
    Corrupt { file: PathBuf, what: &'static str, detail: String },
    #[error("{} is {found}, which is not what its stream's format says", .file.display())]
    OtherFormat { file: PathBuf, found: &'static str },
    #[error("the header of {} is not {encoding}", .file.display())]
    HeaderEncoding { file: PathBuf, encoding: &'static str },
    #[error("{}: {what} {number} is longer than 64 MiB", .file.display())]
    TooLong { file: PathBuf, what: &'static str, number: u64 },
    #[error("{} is a packed Parquet file of more than 64 MiB", .file.display())]
    PackedParquet { file: PathBuf },
    #[error("{} has {records} records, but was read up to {asked} before", .file.display())]
    PastEnd { file: PathBuf, asked: i64, records: i64 },
    #[error("{} changed while it was read", .file.display())]
    Changed { file: PathBuf },
    #[error("{delimiter:?} cannot delimit CSV fields: one ASCII character other than a quote or a line end can")]
    Delimiter { delimiter: char },
}

impl FileError {
    /// The page that explains it.
    pub fn code(&self) -> Code {
        Code::InputUnreadable
    }

    /// What the person who sees the error can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Corrupt { .. } => Some("fetch the file again; nothing of it was taken in by this read"),
            Self::OtherFormat { .. } => Some("set the stream's `format`, or export the file as CSV, NDJSON or Parquet"),
            Self::HeaderEncoding { .. } => Some("set the stream's `encoding`, for example \"windows-1252\""),
            Self::TooLong { .. } => Some("see whether the file is what it seems to be: a record a line"),
            Self::PackedParquet { .. } => Some("unpack it: Parquet is compressed within"),
            Self::PastEnd { .. } => Some("read it with the delimiter and max_record_bytes that it was first read with"),
            Self::Changed { .. } => Some("wait until it is written, then replay it"),
            Self::Io { .. } | Self::Delimiter { .. } => None,
        }
    }

    /// The unpackers' own errors are about the contents; those of the system are not.
    pub(super) fn reading(file: &Path, packing: Option<&'static str>, source: io::Error) -> Self {
        match packing {
            Some(what) if source.raw_os_error().is_none() => {
                Self::Corrupt { file: file.to_owned(), what, detail: source.to_string() }
            }
            _ => Self::Io { file: file.to_owned(), source },
        }
    }
}
