//! An object that is read in parts, as by a Parquet reader: the end first, then the parts that the
//! end refers to.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Fetches a whole object.
pub(crate) type Fetch = Box<dyn Fn() -> io::Result<Whole> + Send + Sync>;

/// An opened object: a local file, or a remote one whose end is in memory and whose rest is fetched
/// on demand.
pub struct Object {
    bytes: u64,
    from: From,
    /// The bytes that all readers with the same counter have read.
    read: Arc<AtomicU64>,
}

enum From {
    File(File),
    Elsewhere { tail: Bytes, fetch: Fetch, whole: OnceLock<Whole> },
}

/// A whole object: in memory, or in a temporary file if it is large.
#[derive(Debug)]
pub(crate) enum Whole {
    Bytes(Bytes),
    File(File),
}

impl Object {
    pub(crate) fn of_file(file: File) -> io::Result<Self> {
        Ok(Self { bytes: file.metadata()?.len(), from: From::File(file), read: Arc::default() })
    }

    /// `tail` contains the last of the object's `bytes`.
    pub(crate) fn elsewhere(bytes: u64, tail: Bytes, fetch: Fetch) -> Self {
        Self { bytes, from: From::Elsewhere { tail, fetch, whole: OnceLock::new() }, read: Arc::default() }
    }

    /// Counts the bytes of its readers here. A fetched object counts only as far as it is read.
    pub(crate) fn counted(self, read: Arc<AtomicU64>) -> Self {
        Self { read, ..self }
    }

    fn count(&self, bytes: usize) {
        self.read.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    /// The size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where a part is: in the tail at this offset, or in the whole object.
    fn locate(&self, start: u64) -> io::Result<Location<'_>> {
        let (tail, fetch, whole) = match &self.from {
            From::File(file) => return Ok(Location::File(file)),
            From::Elsewhere { tail, fetch, whole } => (tail, fetch, whole),
        };
        let first = self.bytes - u64::try_from(tail.len()).unwrap_or(self.bytes);
        if let Some(at) = start.checked_sub(first) {
            return Ok(Location::Bytes(tail, usize::try_from(at).unwrap_or(usize::MAX)));
        }
        let whole = match whole.get() {
            Some(whole) => whole,
            None => {
                let fetched = fetch()?;
                whole.get_or_init(|| fetched)
            }
        };
        Ok(match whole {
            Whole::Bytes(bytes) => Location::Bytes(bytes, usize::try_from(start).unwrap_or(usize::MAX)),
            Whole::File(file) => Location::File(file),
        })
    }
}

enum Location<'o> {
    File(&'o File),
    Bytes(&'o Bytes, usize),
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Length for Object {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Object {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let from: Box<dyn Read + Send> = match self.locate(start).map_err(lost)? {
            Location::File(file) => Box::new(file.get_read(start)?),
            Location::Bytes(bytes, at) if at <= bytes.len() => Box::new(bytes.slice(at..).reader()),
            Location::Bytes(..) => return Err(ParquetError::EOF(format!("byte {start} of {}", self.bytes))),
        };
        Ok(Box::new(Counted { from, read: Arc::clone(&self.read) }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.count(length);
        match self.locate(start).map_err(lost)? {
            Location::File(file) => file.get_bytes(start, length),
            Location::Bytes(bytes, at) => match at.checked_add(length).filter(|end| *end <= bytes.len()) {
                Some(end) => Ok(bytes.slice(at..end)),
                None => Err(ParquetError::EOF(format!("{length} bytes from {start} of {}", self.bytes))),
            },
        }
    }
}

/// A part that is read in small steps.
struct Counted {
    from: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.from.read(into)?;
        self.read.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        Ok(bytes)
    }
}

/// A store that does not answer is not a damaged file: callers look for this cause.
fn lost(error: io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
