//! Keys in slices by hash: in memory if there are few, in temporary files if there are many. So one
//! slice at a time fits in memory, and the tables are read once for any number of keys.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

/// A key, and the partition and offset of its record.
pub(super) type Entry = (u64, u32, i64);

/// Bytes per entry in a file.
const BYTES: usize = 20;

/// The buffer size of each file's writer.
const BUFFER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) enum Spill {
    Memory(Vec<Entry>),
    Files(Vec<BufWriter<File>>),
}

impl Spill {
    /// A single slice is not written to a file.
    pub(super) fn new(folder: &Path, slices: usize) -> io::Result<Self> {
        if slices <= 1 {
            return Ok(Self::Memory(Vec::new()));
        }
        let file = |_| temporary(folder).map(|file| BufWriter::with_capacity(BUFFER, file));
        let files: io::Result<Vec<_>> = (0..slices).map(file).collect();
        files.map(Self::Files)
    }

    pub(super) fn add(&mut self, (key, part, offset): Entry) -> io::Result<()> {
        match self {
            Self::Memory(entries) => entries.push((key, part, offset)),
            Self::Files(files) => {
                let slices = u64::try_from(files.len()).unwrap_or(u64::MAX);
                let slice = usize::try_from(key % slices).unwrap_or(0);
                let mut bytes = [0; BYTES];
                bytes[..8].copy_from_slice(&key.to_le_bytes());
                bytes[8..12].copy_from_slice(&part.to_le_bytes());
                bytes[12..].copy_from_slice(&offset.to_le_bytes());
                files[slice].write_all(&bytes)?;
            }
        }
        Ok(())
    }

    /// Passes on the entries of each slice. All entries of a key are in one slice.
    pub(super) fn each_slice(self, take: &mut dyn FnMut(Vec<Entry>)) -> io::Result<()> {
        match self {
            Self::Memory(entries) => take(entries),
            Self::Files(files) => {
                for file in files {
                    take(entries(file.into_inner().map_err(io::IntoInnerError::into_error)?)?);
                }
            }
        }
        Ok(())
    }
}

/// An anonymous temporary file. If the reader may not write to the lake, it is in a folder of the
/// machine.
fn temporary(folder: &Path) -> io::Result<File> {
    let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    made.or_else(|_| tempfile::tempfile())
}

fn entries(mut file: File) -> io::Result<Vec<Entry>> {
    file.rewind()?;
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let mut entries = Vec::new();
    while !reader.fill_buf()?.is_empty() {
        let (mut key, mut part, mut offset) = ([0; 8], [0; 4], [0; 8]);
        reader.read_exact(&mut key)?;
        reader.read_exact(&mut part)?;
        reader.read_exact(&mut offset)?;
        entries.push((u64::from_le_bytes(key), u32::from_le_bytes(part), i64::from_le_bytes(offset)));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn entries_come_back_once_and_a_key_is_in_one_slice() {
        let dir = tempfile::tempdir().unwrap();
        let all: BTreeSet<Entry> = (0..10_000_u32).map(|nth| (u64::from(nth % 3_000), nth, -i64::from(nth))).collect();
        for slices in [1, 2, 7] {
            let mut spill = Spill::new(&dir.path().join("spill"), slices).unwrap();
            all.iter().for_each(|entry| spill.add(*entry).unwrap());
            let (mut back, mut seen, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
            spill
                .each_slice(&mut |entries| {
                    let keys: BTreeSet<u64> = entries.iter().map(|(key, ..)| *key).collect();
                    assert!(seen.is_disjoint(&keys), "a key is in two slices");
                    seen.extend(keys);
                    count += entries.len();
                    back.extend(entries);
                })
                .unwrap();
            assert_eq!((back, count), (all.clone(), all.len()), "{slices} slices");
        }
    }
}
