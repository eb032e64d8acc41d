//! An object that is read in parts, as a Parquet reader does: the end first, then what the end points to.

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

/// An opened object: a file of this machine, or one elsewhere of which the end is held, and the rest when it is asked for.
pub struct Object {
    bytes: u64,
    from: From,
    /// Bytes taken by its readers, by all objects of one count.
    read: Arc<AtomicU64>,
}

enum From {
    File(File),
    Elsewhere { tail: Bytes, fetch: Fetch, whole: OnceLock<Whole> },
}

/// A whole object: in memory, or, if it is large, in a file that vanishes with it.
#[derive(Debug)]
pub(crate) enum Whole {
    Bytes(Bytes),
    File(File),
}

impl Object {
    pub(crate) fn of_file(file: File) -> io::Result<Self> {
        Ok(Self { bytes: file.metadata()?.len(), from: From::File(file), read: Arc::default() })
    }

    /// `tail` are the last of the object's `bytes`.
    pub(crate) fn elsewhere(bytes: u64, tail: Bytes, fetch: Fetch) -> Self {
        Self { bytes, from: From::Elsewhere { tail, fetch, whole: OnceLock::new() }, read: Arc::default() }
    }

    /// Has its readers' bytes counted here. What is fetched to be read in parts counts as much as is read of it.
    pub(crate) fn counted(self, read: Arc<AtomicU64>) -> Self {
        Self { read, ..self }
    }

    fn count(&self, bytes: usize) {
        self.read.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    /// How large it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where a part is: in the tail from this place on, or in the whole.
    fn part(&self, start: u64) -> io::Result<Part<'_>> {
        let (tail, fetch, whole) = match &self.from {
            From::File(file) => return Ok(Part::File(file)),
            From::Elsewhere { tail, fetch, whole } => (tail, fetch, whole),
        };
        let first = self.bytes - u64::try_from(tail.len()).unwrap_or(self.bytes);
        if let Some(at) = start.checked_sub(first) {
            return Ok(Part::Bytes(tail, usize::try_from(at).unwrap_or(usize::MAX)));
        }
        let whole = match whole.get() {
            Some(whole) => whole,
            None => {
                let fetched = fetch()?;
                whole.get_or_init(|| fetched)
            }
        };
        Ok(match whole {
            Whole::Bytes(bytes) => Part::Bytes(bytes, usize::try_from(start).unwrap_or(usize::MAX)),
            Whole::File(file) => Part::File(file),
        })
    }
}

enum Part<'o> {
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
        let from: Box<dyn Read + Send> = match self.part(start).map_err(lost)? {
            Part::File(file) => Box::new(file.get_read(start)?),
            Part::Bytes(bytes, at) if at <= bytes.len() => Box::new(bytes.slice(at..).reader()),
            Part::Bytes(..) => return Err(ParquetError::EOF(format!("byte {start} of {}", self.bytes))),
        };
        Ok(Box::new(Counted { from, read: Arc::clone(&self.read) }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.count(length);
        match self.part(start).map_err(lost)? {
            Part::File(file) => file.get_bytes(start, length),
            Part::Bytes(bytes, at) => match at.checked_add(length).filter(|end| *end <= bytes.len()) {
                Some(end) => Ok(bytes.slice(at..end)),
                None => Err(ParquetError::EOF(format!("{length} bytes from {start} of {}", self.bytes))),
            },
        }
    }
}

/// A part that is read bit by bit.
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

/// A store that does not answer is not a file that is damaged: whoever reads looks for the cause.
fn lost(error: io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
