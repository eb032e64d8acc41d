//! Parquet: each row becomes the text of a JSON object.

use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use kassa_model::Cause;
use memchr::memchr;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use super::contents::{Contents, Random};
use super::{FileError, json};

/// The number of rows decoded at a time; in addition, at most one page per column is in memory.
const BATCH_ROWS: usize = 1_024;

pub(super) struct ParquetRows {
    path: PathBuf,
    len_bytes: u64,
    rows: i64,
    /// The number of returned rows.
    next: i64,
    input: Input,
    metadata: ArrowReaderMetadata,
    reader: ParquetRecordBatchReader,
    /// The decoded rows that were not returned yet, one per line, starting at `at`.
    lines: Vec<u8>,
    at: usize,
}

enum Input {
    Held(Bytes),
    File(File, Option<SystemTime>),
}

impl ParquetRows {
    pub(super) fn begin(contents: &Contents) -> Result<Self, FileError> {
        let path = contents.path().to_owned();
        let input = match contents.random()? {
            Random::Held(held) => Input::Held(held),
            Random::File(file) => {
                let modified = modified(&file);
                Input::File(file, modified)
            }
        };
        let metadata = match &input {
            Input::Held(held) => load(&path, held),
            Input::File(file, _) => load(&path, file),
        }?;
        let reader = reader(&path, &input, &metadata, 0)?;
        let rows = metadata.metadata().file_metadata().num_rows();
        let len_bytes = contents.len_bytes();
        Ok(Self { path, len_bytes, rows, next: 0, input, metadata, reader, lines: Vec::new(), at: 0 })
    }

    /// Estimated from the share of rows: Parquet is not read sequentially.
    pub(super) fn read_bytes(&self) -> u64 {
        let share = u128::from(self.len_bytes) * u128::from(self.next.unsigned_abs());
        share
            .checked_div(u128::from(self.rows.unsigned_abs()))
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(self.len_bytes)
    }

    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, FileError> {
        while self.at == self.lines.len() {
            if !self.decode()? {
                return Ok(None);
            }
        }
        let rest = &self.lines[self.at..];
        // JSON escapes line ends, so each row is one line.
        let row = &rest[..memchr(b'\n', rest).unwrap_or(rest.len())];
        self.at = (self.at + row.len() + 1).min(self.lines.len());
        self.next += 1;
        Ok(Some(row))
    }

    /// Goes to a row without decoding the rows before it; returns the row.
    pub(super) fn skip_to(&mut self, row: i64) -> Result<i64, FileError> {
        let Some(rows) = usize::try_from(row).ok().filter(|_| row <= self.rows) else {
            return Err(FileError::PastEnd { file: self.path.clone(), asked: row, records: self.rows });
        };
        self.reader = reader(&self.path, &self.input, &self.metadata, rows)?;
        self.lines.clear();
        (self.at, self.next) = (0, row);
        Ok(row)
    }

    fn decode(&mut self) -> Result<bool, FileError> {
        self.lines.clear();
        self.at = 0;
        if let Input::File(file, opened) = &self.input
            && modified(file) != *opened
        {
            return Err(FileError::Changed { file: self.path.clone() });
        }
        let Some(batch) = caught(&self.path, || self.reader.next())? else {
            let missing = self.next < self.rows;
            return if missing {
                Err(corrupt(&self.path, "rows", "there are fewer than the footer states".into()))
            } else {
                Ok(false)
            };
        };
        let batch = batch.map_err(|error| corrupt(&self.path, "rows", Cause::of(error)))?;
        json::write_lines(&batch, &mut self.lines).map_err(|error| corrupt(&self.path, "rows", Cause::of(error)))?;
        Ok(true)
    }
}

fn modified(file: &File) -> Option<SystemTime> {
    file.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn corrupt(path: &Path, what: &'static str, detail: Cause) -> FileError {
    FileError::Corrupt { file: path.to_owned(), what, detail }
}

fn load(path: &Path, input: &impl ChunkReader) -> Result<ArrowReaderMetadata, FileError> {
    let loaded = caught(path, || ArrowReaderMetadata::load(input, ArrowReaderOptions::new()))?;
    loaded.map_err(|error| corrupt(path, "footer", Cause::of(error)))
}

fn reader(
    path: &Path,
    input: &Input,
    metadata: &ArrowReaderMetadata,
    offset: usize,
) -> Result<ParquetRecordBatchReader, FileError> {
    let built = match input {
        Input::Held(held) => caught(path, || from(held.clone(), metadata, offset))?,
        Input::File(file, _) => {
            let file = file.try_clone().map_err(|source| FileError::Io { file: path.to_owned(), source })?;
            caught(path, || from(file, metadata, offset))?
        }
    };
    built.map_err(|error| corrupt(path, "row groups", Cause::of(error)))
}

/// The library detects most damage in a file but panics on some; this converts a panic to an error
/// of the file.
fn caught<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T, FileError> {
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| corrupt(path, "rows", "the pages are inconsistent".into()))
}

fn from<R: ChunkReader + 'static>(
    input: R,
    metadata: &ArrowReaderMetadata,
    offset: usize,
) -> parquet::errors::Result<ParquetRecordBatchReader> {
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata.clone());
    builder.with_batch_size(BATCH_ROWS).with_offset(offset).build()
}

impl fmt::Debug for ParquetRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetRows")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
