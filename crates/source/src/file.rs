//! Files as sources: CSV, NDJSON and Parquet, each plain or compressed with gzip or zstd (detected
//! by their first bytes, not by name).
//!
//! A file is a partition whose number comes from its decompressed contents, and a record's offset
//! is its number in the file. So the same file, renamed, recompressed or read in another order,
//! gives the same records at the same positions. For this, it is read twice: once to hash it, which
//! also proves that it can be decompressed to its end, and once for its records. Memory is bounded
//! in both passes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kassa_model::{Headers, Partition, Records};

use crate::column::{Column, RUN_BYTES_MAX};

mod contents;
mod csv;
mod error;
mod json;
mod lines;
mod parquet;
mod window;

pub use error::FileError;

use contents::Contents;
use csv::CsvRows;
use lines::LineRows;
use parquet::ParquetRows;

/// The longest record. A longer one stops the file with an error.
const RECORD_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with any line ends; the first record is the header.
    Csv {
        delimiter: u8,
    },
    Ndjson,
    Parquet,
}

impl Format {
    /// How files hold records of a stream's format. `None`: not at all.
    pub fn of(format: kassa_model::Format, delimiter: u8) -> Option<Self> {
        match format {
            kassa_model::Format::Csv => Some(Self::Csv { delimiter }),
            kassa_model::Format::Json | kassa_model::Format::Debezium => Some(Self::Ndjson),
            kassa_model::Format::Parquet => Some(Self::Parquet),
            // Files do not have a schema registry's framing.
            kassa_model::Format::Avro => None,
        }
    }
}

/// The encoding of a text file's fields. The records' values are the file's original bytes in any
/// encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    #[default]
    Utf8,
    Windows1252,
}

impl Encoding {
    /// The name in configurations and in the records' headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1252 => "windows-1252",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    pub format: Format,
    pub encoding: Encoding,
    /// If a quote is not closed within this length, it is treated as one that never closes.
    pub max_record_bytes: usize,
}

impl FileOptions {
    pub fn new(format: Format) -> Self {
        Self { format, encoding: Encoding::default(), max_record_bytes: 1 << 20 }
    }
}

/// One file, read from the first to the last record.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    options: FileOptions,
    contents: Contents,
    partition: Partition,
    headers: Headers,
    ingested_at: i64,
    next: i64,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Csv(CsvRows),
    Lines(LineRows),
    Parquet(Box<ParquetRows>),
}

impl Rows {
    fn begin(contents: &Contents, options: &FileOptions) -> Result<Self, FileError> {
        Ok(match options.format {
            Format::Csv { delimiter } => Self::Csv(CsvRows::begin(contents.window()?, delimiter, options)?),
            Format::Ndjson => Self::Lines(LineRows::begin(contents.window()?)?),
            Format::Parquet => Self::Parquet(Box::new(ParquetRows::begin(contents)?)),
        })
    }

    /// The next record's value.
    fn next(&mut self) -> Result<Option<&[u8]>, FileError> {
        match self {
            Self::Csv(rows) => rows.next(),
            Self::Lines(rows) => rows.next(),
            Self::Parquet(rows) => rows.next(),
        }
    }

    fn read_bytes(&self) -> u64 {
        match self {
            Self::Csv(rows) => rows.read_bytes(),
            Self::Lines(rows) => rows.read_bytes(),
            Self::Parquet(rows) => rows.read_bytes(),
        }
    }
}

impl FileSource {
    /// Reads the whole file once, to identify the partition; `ingested_at` (µs UTC) is the ingest
    /// time of all its records.
    pub fn open(path: &Path, options: FileOptions, topic: Arc<str>, ingested_at: i64) -> Result<Self, FileError> {
        let contents = Contents::open(path, options.format)?;
        let rows = Rows::begin(&contents, &options)?;
        let partition = Partition::new(topic, contents.number());
        let headers = Headers::Shared(headers(path, &options, &rows));
        Ok(Self { path: path.to_owned(), options, contents, partition, headers, ingested_at, next: 0, rows })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The decompressed size.
    pub fn len_bytes(&self) -> u64 {
        self.contents.len_bytes()
    }

    /// The number of bytes of [`FileSource::len_bytes`] that were read.
    pub fn read_bytes(&self) -> u64 {
        self.rows.read_bytes()
    }

    /// The offset of the next record.
    pub fn next_offset(&self) -> i64 {
        self.next
    }

    /// The next records, or `None` at the end. A run ends with the record that reaches `max_bytes`
    /// of values.
    pub fn next(&mut self, max_records: usize, max_bytes: usize) -> Result<Option<Records>, FileError> {
        let mut values = Column::new();
        while values.len() < max_records && values.bytes() < max_bytes.min(RUN_BYTES_MAX) {
            let Some(value) = self.rows.next()? else { break };
            values.push(value);
        }
        let (count, first) = (values.len(), self.next);
        if count == 0 {
            return Ok(None);
        }
        let offsets: Vec<i64> = (first..).take(count).collect();
        self.next = offsets.last().map_or(first, |last| last + 1);
        Ok(Some(Records {
            partition: self.partition.clone(),
            offsets,
            ingested_at: vec![self.ingested_at; count],
            timestamps: vec![None; count],
            keys: None,
            headers: self.headers.clone(),
            values: values.finish(None),
            next: self.next,
        }))
    }

    /// Goes to the record with this offset, forward or back. The offset after the last record is
    /// the end. A higher offset is an error: the position belongs to other contents.
    pub fn skip_to(&mut self, offset: i64) -> Result<(), FileError> {
        if offset < self.next {
            self.rows = Rows::begin(&self.contents, &self.options)?;
            self.next = 0;
        }
        if let Rows::Parquet(rows) = &mut self.rows {
            self.next = rows.skip_to(offset)?;
        }
        while self.next < offset {
            if self.rows.next()?.is_none() {
                return Err(FileError::PastEnd { file: self.path.clone(), asked: offset, records: self.next });
            }
            self.next += 1;
        }
        Ok(())
    }
}

/// The headers that all records of a file share, as in the archive: a JSON array of [name, value]
/// pairs.
fn headers(path: &Path, options: &FileOptions, rows: &Rows) -> Arc<str> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut pairs = vec![("file", name.into_owned())];
    if let (Rows::Csv(rows), Format::Csv { delimiter }) = (rows, options.format) {
        pairs.push(("csv_header", rows.header().to_owned()));
        pairs.push(("csv_delimiter", char::from(delimiter).to_string()));
    }
    if options.format != Format::Parquet {
        pairs.push(("encoding", options.encoding.name().to_owned()));
    }
    serde_json::to_string(&pairs).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
