//! The files that a checkpoint is made of. Each is written once, under a number of its own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Unusable;

/// A piece, and what must be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Name {
    number: u64,
    bytes: u64,
    checksum: u64,
}

impl Name {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[derive(Debug, Clone)]
pub(super) struct Pieces(PathBuf);

impl Pieces {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.0
    }

    pub(super) fn path(&self, name: &Name) -> PathBuf {
        self.numbered(name.number)
    }

    fn numbered(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:08}.piece"))
    }

    pub(super) fn read(&self, name: &Name) -> Result<Vec<u8>, Unusable> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) if bytes.len() as u64 == name.bytes && xxh3_64(&bytes) == name.checksum => Ok(bytes),
            _ => Err(Unusable::Damaged(path)),
        }
    }

    /// Writes a piece, to the disk.
    pub(super) fn write(&self, number: u64, fill: impl FnOnce(&mut Counted) -> io::Result<()>) -> io::Result<Name> {
        fs::create_dir_all(&self.0)?;
        let file = BufWriter::with_capacity(1 << 16, File::create(self.numbered(number))?);
        let mut counted = Counted { file, hash: Xxh3::new(), bytes: 0 };
        fill(&mut counted)?;
        counted.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(Name { number, bytes: counted.bytes, checksum: counted.hash.digest() })
    }

    /// Removes the pieces that are not named.
    pub(super) fn keep<'n>(&self, names: impl Iterator<Item = &'n Name>) -> io::Result<()> {
        let kept: BTreeSet<PathBuf> = names.map(|name| self.path(name)).collect();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "piece") && !kept.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// A file that counts and hashes what is written to it.
pub(super) struct Counted {
    file: BufWriter<File>,
    hash: Xxh3,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
