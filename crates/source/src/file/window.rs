use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::FileError;

const READ_BYTES: usize = 256 << 10;

/// The part of a file in memory. It grows to the size of one record and then moves on.
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    path: PathBuf,
    packing: Option<&'static str>,
    hash: u64,
    digest: Xxh3,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The position of the window in the contents.
    position: u64,
    ended: bool,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>, path: &Path, packing: Option<&'static str>, hash: u64) -> Self {
        let (path, digest, buffer) = (path.to_owned(), Xxh3::new(), vec![0; READ_BYTES]);
        Self { reader, path, packing, hash, digest, buffer, start: 0, end: 0, position: 0, ended: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        self.position += bytes as u64;
    }

    /// Reads more; `false` at the end of the file. The contents must then equal the hashed ones.
    pub(super) fn grow(&mut self) -> Result<bool, FileError> {
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        let read = loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(|error| FileError::reading(&self.path, self.packing, error))?,
            }
        };
        self.digest.update(&self.buffer[self.end..self.end + read]);
        self.end += read;
        self.ended = read == 0;
        if self.ended && self.digest.digest() != self.hash {
            return Err(FileError::Changed { file: self.path.clone() });
        }
        Ok(!self.ended)
    }

    fn make_room(&mut self) {
        if self.end < self.buffer.len() {
            return;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    /// A byte order mark belongs to the file, not to its first record.
    pub(super) fn pass_mark(&mut self) -> Result<(), FileError> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        while self.bytes().len() < MARK.len() && self.grow()? {}
        if self.bytes().starts_with(MARK) {
            self.pass(MARK.len());
        }
        Ok(())
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").field("path", &self.path).field("position", &self.position).finish_non_exhaustive()
    }
}
