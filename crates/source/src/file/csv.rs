//! Finds the start and end of a CSV file's records. Fields are decoded later, so a record's value
//! is its original bytes.

use encoding_rs::WINDOWS_1252;
use memchr::{memchr, memchr2, memchr3};

use super::window::Window;
use super::{Encoding, FileError, FileOptions, RECORD_BYTES_MAX};

const QUOTE: u8 = b'"';

/// The state of a field parser after the bytes so far. A quote is special only at the start of a
/// field; elsewhere it is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Field,
    Quoted,
    /// After a quote inside quotes: the end of them, or the first half of a doubled quote.
    QuoteInQuotes,
}

/// A search for the end of a record, which continues when there are more bytes.
#[derive(Debug)]
struct Scan {
    delimiter: u8,
    state: State,
    at: usize,
}

impl Scan {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, state: State::FieldStart, at: 0 }
    }

    /// The end of the record, if it is within `bytes`, which always start at the record's start.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        // Most lines have no quote.
        match memchr2(b'\n', b'\r', bytes) {
            Some(end) if self.at == 0 && memchr(QUOTE, &bytes[..end]).is_none() => Some(end),
            _ => self.walk(bytes),
        }
    }

    fn walk(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(&first) = bytes.get(self.at) {
            let (skipped, byte) = match self.state {
                State::Quoted => found(bytes, self.at, |rest| memchr(QUOTE, rest)),
                State::Field => found(bytes, self.at, |rest| memchr3(self.delimiter, b'\n', b'\r', rest)),
                State::FieldStart | State::QuoteInQuotes => (0, Some(first)),
            };
            self.at += skipped;
            self.state = match (self.state, byte?) {
                (State::Quoted, _) => State::QuoteInQuotes,
                (State::FieldStart | State::QuoteInQuotes, QUOTE) => State::Quoted,
                (_, b'\n' | b'\r') => return Some(self.at),
                (_, byte) if byte == self.delimiter => State::FieldStart,
                _ => State::Field,
            };
            self.at += 1;
        }
        None
    }
}

/// The distance to the next matching byte, and the byte; or the distance to the end.
fn found(bytes: &[u8], from: usize, look: impl Fn(&[u8]) -> Option<usize>) -> (usize, Option<u8>) {
    let rest = &bytes[from..];
    look(rest).map_or((rest.len(), None), |at| (at, Some(rest[at])))
}

#[derive(Debug)]
pub(super) struct CsvRows {
    window: Window,
    delimiter: u8,
    max_record_bytes: usize,
    header: String,
    /// The length of the last returned record; it is skipped when the next one is requested.
    given: usize,
    number: u64,
    /// No closing quote was found up to here, so each line is a record. This limits the scans of
    /// each byte to two.
    by_line_until: u64,
}

impl CsvRows {
    pub(super) fn begin(mut window: Window, delimiter: u8, options: &FileOptions) -> Result<Self, FileError> {
        if !delimiter.is_ascii() || matches!(delimiter, QUOTE | b'\n' | b'\r') {
            return Err(FileError::Delimiter { delimiter: delimiter.into() });
        }
        window.pass_mark()?;
        let max_record_bytes = options.max_record_bytes.min(RECORD_BYTES_MAX);
        let mut rows = Self { window, delimiter, max_record_bytes, header: String::new(), given: 0, number: 0, by_line_until: 0 };
        let header = rows.next()?.map(|header| decode(header, options.encoding)).unwrap_or(Some(String::new()));
        rows.header = header.ok_or_else(|| FileError::HeaderEncoding {
            file: rows.window.path().to_owned(),
            encoding: options.encoding.name(),
        })?;
        Ok(rows)
    }

    /// The first record, as text.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.window.position()
    }

    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, FileError> {
        self.window.pass(std::mem::take(&mut self.given));
        if !self.pass_line_ends()? {
            return Ok(None);
        }
        self.number += 1;
        self.given = match self.record_end()? {
            Some(end) => end,
            None => self.line_end()?,
        };
        Ok(Some(&self.window.bytes()[..self.given]))
    }

    /// Skips the last record's line end, and blank lines; `false` at the end of the file.
    fn pass_line_ends(&mut self) -> Result<bool, FileError> {
        loop {
            let bytes = self.window.bytes();
            let start = bytes.iter().position(|byte| !matches!(byte, b'\n' | b'\r'));
            self.window.pass(start.unwrap_or(bytes.len()));
            if start.is_some() {
                return Ok(true);
            }
            if !self.window.grow()? {
                return Ok(false);
            }
        }
    }

    /// The end of the record. `None`: it exceeds the limit, or a quote in it never closes.
    fn record_end(&mut self) -> Result<Option<usize>, FileError> {
        if self.window.position() < self.by_line_until {
            return Ok(None);
        }
        let mut scan = Scan::new(self.delimiter);
        loop {
            let bytes = self.window.bytes();
            // Including the line end after a record of the largest size.
            let looked_at = bytes.len().min(self.max_record_bytes + 1);
            if let Some(end) = scan.end(&bytes[..looked_at]) {
                return Ok(Some(end));
            }
            if looked_at <= self.max_record_bytes {
                if self.window.grow()? {
                    continue;
                }
                if scan.state != State::Quoted {
                    return Ok(Some(looked_at));
                }
            }
            self.by_line_until = self.window.position() + looked_at as u64;
            return Ok(None);
        }
    }

    fn line_end(&mut self) -> Result<usize, FileError> {
        let mut seen = 0;
        loop {
            let bytes = self.window.bytes();
            let found = memchr2(b'\n', b'\r', &bytes[seen..]).map(|at| seen + at);
            seen = bytes.len();
            if found.unwrap_or(seen) > RECORD_BYTES_MAX {
                return Err(FileError::TooLong { file: self.window.path().to_owned(), what: "record", number: self.number });
            }
            if let Some(at) = found {
                return Ok(at);
            }
            if !self.window.grow()? {
                return Ok(seen);
            }
        }
    }
}

fn decode(header: &[u8], encoding: Encoding) -> Option<String> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(header).ok().map(str::to_owned),
        Encoding::Windows1252 => Some(WINDOWS_1252.decode_without_bom_handling(header).0.into_owned()),
    }
}
