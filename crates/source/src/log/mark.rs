//! The acknowledged end of a partition: `<partition folder>/acknowledged`.
//!
//! ```text
//! magic "kassaack" · offset after the last acknowledged record i64 · crc32 u32 over both     (little endian)
//! ```
//!
//! It is written after a group is synced and before anybody gets an answer, so it is never ahead of
//! the records. It tells what was torn by a crash (records beyond it: nobody was answered) from
//! what was damaged later (records before it). It is not synced with each group: after a power
//! failure it may be older, and then a little more than the torn tail counts as unanswered.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::{IoContext, LogError};
use super::folder;

const NAME: &str = "acknowledged";
const MAGIC: &[u8; 8] = b"kassaack";
const BYTES: usize = 20;
/// A reader in another process may see a mark that is half written.
const READS: usize = 8;

/// A partition's mark, open for writing.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
    path: PathBuf,
}

impl Acknowledged {
    /// Opens the mark. A new one is created durably, with this offset.
    pub(super) fn open(partition_dir: &Path, next: i64) -> Result<Self, LogError> {
        let path = partition_dir.join(NAME);
        let open = || OpenOptions::new().write(true).open(&path);
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                folder::replace(&path, &encode(next))?;
                open()
            }
            opened => opened,
        };
        Ok(Self { file: file.during("open", &path)?, path })
    }

    pub(super) fn set(&self, next: i64) -> Result<(), LogError> {
        self.file.write_all_at(&encode(next), 0).during("write", &self.path)
    }

    pub(super) fn sync(&self) -> Result<(), LogError> {
        self.file.sync_data().during("sync", &self.path)
    }
}

/// The offset after the last acknowledged record. `None`: the log was written by a version without
/// marks, or has no records.
pub(super) fn read(partition_dir: &Path) -> Result<Option<i64>, LogError> {
    let path = partition_dir.join(NAME);
    for _ in 0..READS {
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => {
                if let Some(next) = parse(&bytes.during("read", &path)?) {
                    return Ok(Some(next));
                }
            }
        }
    }
    Err(LogError::Corrupt { file: path, byte: 0, offset: 0, what: "the mark of the acknowledged end is damaged" })
}

/// Replaces the mark durably.
pub(super) fn write(partition_dir: &Path, next: i64) -> Result<(), LogError> {
    folder::replace(&partition_dir.join(NAME), &encode(next))
}

pub(super) fn path(partition_dir: &Path) -> PathBuf {
    partition_dir.join(NAME)
}

fn encode(next: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&next.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<i64> {
    let (held, crc) = bytes.split_at_checked(BYTES - 4).filter(|_| bytes.len() == BYTES)?;
    let next = held.strip_prefix(MAGIC.as_slice())?.first_chunk().map(|next| i64::from_le_bytes(*next))?;
    (crc == crc32fast::hash(held).to_le_bytes() && next >= 0).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_a_changed_bit_is_not_a_mark() {
        for next in [0, 1, 1 << 40] {
            let bytes = encode(next);
            assert_eq!(parse(&bytes), Some(next));
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(parse(&changed), None, "bit {bit}");
            }
            assert_eq!((parse(&bytes[1..]), parse(&[])), (None, None));
        }
        assert_eq!(parse(&encode(-1)), None);
    }
}
