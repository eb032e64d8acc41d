//! A file's decompressed contents: hashed once, then read.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use xxhash_rust::xxh3::Xxh3;

use super::window::Window;
use super::{FileError, Format};

const READ_BYTES: usize = 256 << 10;
/// Contents up to this size are decompressed once and kept in memory.
const HELD_BYTES_MAX: usize = 8 << 20;
/// Parquet needs random access, so a compressed one must be kept in memory.
const HELD_PARQUET_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A zstd frame, or one of the skippable frames that some programs write first.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::None,
        }
    }

    fn what(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip stream"),
            Self::Zstd => Some("zstd stream"),
        }
    }
}

pub(super) struct Contents {
    path: PathBuf,
    packing: Packing,
    hash: u64,
    len_bytes: u64,
    /// The whole contents, if they are small.
    held: Option<Bytes>,
}

/// The random-access input for Parquet.
pub(super) enum Random {
    Held(Bytes),
    File(File),
}

impl Contents {
    pub(super) fn open(path: &Path, format: Format) -> Result<Self, FileError> {
        let packing = sniff(path)?;
        let hold_max = if format == Format::Parquet { HELD_PARQUET_BYTES_MAX } else { HELD_BYTES_MAX };
        let mut reader = unpack(path, packing)?;
        let mut digest = Xxh3::new();
        let mut chunk = vec![0; READ_BYTES];
        let (mut len_bytes, mut held) = (0, Some(Vec::new()));
        loop {
            let read = reader.read(&mut chunk).map_err(|error| FileError::reading(path, packing.what(), error))?;
            if read == 0 {
                break;
            }
            if len_bytes == 0 {
                must_be(format, &chunk[..read], path)?;
            }
            digest.update(&chunk[..read]);
            len_bytes += read as u64;
            held = held.filter(|held: &Vec<u8>| held.len() + read <= hold_max);
            if let Some(held) = &mut held {
                held.extend_from_slice(&chunk[..read]);
            }
        }
        Ok(Self { path: path.to_owned(), packing, hash: digest.digest(), len_bytes, held: held.map(Bytes::from) })
    }

    /// The partition's number: 63 bits of the hash.
    pub(super) fn number(&self) -> i64 {
        i64::try_from(self.hash & (u64::MAX >> 1)).unwrap_or(0)
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the contents from the start, and compares them with the hashed contents.
    pub(super) fn window(&self) -> Result<Window, FileError> {
        let reader: Box<dyn Read + Send> = match &self.held {
            Some(held) => Box::new(Cursor::new(held.clone())),
            None => unpack(&self.path, self.packing)?,
        };
        Ok(Window::new(reader, &self.path, self.packing.what(), self.hash))
    }

    pub(super) fn random(&self) -> Result<Random, FileError> {
        match (&self.held, self.packing) {
            (Some(held), _) => Ok(Random::Held(held.clone())),
            (None, Packing::None) => open(&self.path).map(Random::File),
            (None, _) => Err(FileError::PackedParquet { file: self.path.clone() }),
        }
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held.is_some();
        f.debug_struct("Contents").field("path", &self.path).field("packing", &self.packing).field("held", &held).finish()
    }
}

/// Opens a file that has an end. A device may have none, and a named pipe waits for a writer and can be read only once.
fn open(path: &Path) -> Result<File, FileError> {
    let failed = |source| FileError::Io { file: path.to_owned(), source };
    let about = fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        return Err(FileError::NotAFile {
            file: path.to_owned(),
            found: if about.is_dir() { "a folder" } else { "not a regular file" },
        });
    }
    File::open(path).map_err(failed)
}

fn sniff(path: &Path) -> Result<Packing, FileError> {
    let mut head = Vec::with_capacity(4);
    let read = open(path)?.take(4).read_to_end(&mut head);
    read.map_err(|source| FileError::Io { file: path.to_owned(), source })?;
    Ok(Packing::of(&head))
}

fn unpack(path: &Path, packing: Packing) -> Result<Box<dyn Read + Send>, FileError> {
    let file = open(path)?;
    Ok(match packing {
        Packing::None => Box::new(file),
        Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, file))),
        Packing::Zstd => {
            let decoder = zstd::Decoder::new(file);
            Box::new(decoder.map_err(|error| FileError::reading(path, packing.what(), error))?)
        }
    })
}

/// Detects common mistakes before they cause a million dead letters.
fn must_be(format: Format, head: &[u8], path: &Path) -> Result<(), FileError> {
    let found = match head {
        [b'P', b'A', b'R', b'1', ..] if format != Format::Parquet => "a Parquet file",
        [b'P', b'K', 3, 4, ..] => "a zip archive or a spreadsheet",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] if matches!(format, Format::Csv { .. }) => "UTF-16 text",
        _ => return Ok(()),
    };
    Err(FileError::OtherFormat { file: path.to_owned(), found })
}
