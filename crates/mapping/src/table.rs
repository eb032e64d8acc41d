//! A reference table: a CSV file in memory, one row per key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use kassa_model::nearest::hint;
use kassa_pipeline::csv::Fields;

/// The text encoding of a reference file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Windows1252,
}

/// A CSV file with a header line: plain, gzip or zstd.
#[derive(Debug, Clone, Copy)]
pub struct TableFile<'f> {
    pub path: &'f Path,
    /// The key column.
    pub key: &'f str,
    pub encoding: Encoding,
    pub delimiter: u8,
}

/// Why a reference file cannot be used. Rows count from 1, after the header.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is larger than {0} bytes, the limit of a table in memory")]
    TooLarge(u64),
    #[error("its header has no column `{0}` ({1})")]
    NoKey(String, String),
    #[error("its header has the column `{0}` twice")]
    ColumnTwice(String),
    #[error("row {0} is not CSV: {1}")]
    NotCsv(usize, String),
    #[error("row {0} has {1} fields, but the header has {2}")]
    Ragged(usize, usize, usize),
    #[error("{0} is not UTF-8: set the lookup's encoding")]
    NotUtf8(String),
    #[error("row {0} has the same key as an earlier row: `{1}`")]
    KeyTwice(usize, String),
}

/// The limit of each table, in bytes of text.
const BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: HashMap<String, usize>,
    rows: HashMap<String, Vec<String>>,
}

impl Table {
    /// Reads the whole file. A row without a key can never be looked up and is skipped.
    pub(crate) fn load(file: TableFile<'_>) -> Result<Self, TableError> {
        let text = read(file.path)?;
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
        let mut records = records(text);
        let mut fields = Fields::new(file.delimiter);
        let header = split(&mut fields, records.next().unwrap_or_default(), 0, file.encoding)?;
        let header: Vec<&str> = header.iter().map(|name| name.trim()).collect();
        let key = header.iter().position(|name| *name == file.key);
        let key = key.ok_or_else(|| TableError::NoKey(file.key.to_owned(), hint(file.key, header.iter().copied())))?;
        let mut table = Self::default();
        for (at, name) in header.iter().enumerate() {
            if table.columns.insert((*name).to_owned(), at).is_some() {
                return Err(TableError::ColumnTwice((*name).to_owned()));
            }
        }
        for (row, record) in (1..).zip(records) {
            let cells = split(&mut fields, record, row, file.encoding)?;
            if cells.len() != header.len() {
                return Err(TableError::Ragged(row, cells.len(), header.len()));
            }
            match table.rows.entry(cells[key].clone()) {
                Entry::Vacant(entry) if !entry.key().is_empty() => {
                    entry.insert(cells);
                }
                Entry::Vacant(_) => {}
                Entry::Occupied(entry) => return Err(TableError::KeyTwice(row, entry.key().clone())),
            }
        }
        Ok(table)
    }

    pub(crate) fn columns(&self) -> Vec<&str> {
        let mut names: Vec<(&str, usize)> = self.columns.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        names.sort_by_key(|(_, at)| *at);
        names.into_iter().map(|(name, _)| name).collect()
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// `None`: no such row or column, or an empty cell.
    pub(crate) fn cell(&self, key: &str, column: &str) -> Option<&str> {
        let cell = self.rows.get(key)?.get(*self.columns.get(column)?)?;
        Some(cell.as_str()).filter(|cell| !cell.is_empty())
    }
}

fn split(fields: &mut Fields, record: &[u8], row: usize, encoding: Encoding) -> Result<Vec<String>, TableError> {
    fields.split(record).map_err(|letter| TableError::NotCsv(row, letter.detail.to_string()))?;
    let cells = fields.iter().map(|field| match encoding {
        Encoding::Utf8 => std::str::from_utf8(field)
            .map(str::to_owned)
            .map_err(|_| TableError::NotUtf8(if row == 0 { "the header".to_owned() } else { format!("row {row}") })),
        Encoding::Windows1252 => Ok(encoding_rs::WINDOWS_1252.decode_without_bom_handling(field).0.into_owned()),
    });
    cells.collect()
}

fn read(path: &Path) -> Result<Vec<u8>, TableError> {
    // A device may have no end, and a named pipe waits for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file").into());
    }
    let mut head = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut head)?;
    let file = BufReader::new(File::open(path)?);
    let reader: Box<dyn Read> = match head.as_slice() {
        [0x1F, 0x8B, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xB5, 0x2F, 0xFD] => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    };
    let mut text = Vec::new();
    reader.take(BYTES_MAX + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(TableError::TooLarge(BYTES_MAX));
    }
    Ok(text)
}

/// The records of a CSV text, without line ends. A line break inside quotes does not end a record.
fn records(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while let [b'\n' | b'\r', tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let ends = |byte: &u8| {
            quoted ^= *byte == b'"';
            !quoted && matches!(byte, b'\n' | b'\r')
        };
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        let (record, tail) = rest.split_at(end);
        rest = tail;
        Some(record)
    })
}

#[cfg(test)]
mod tests;
