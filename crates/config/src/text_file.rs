//! Reads the text files of a configuration: the file itself, mappings and secrets.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a whole text file, at most 4 MiB.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    const BYTES_MAX: u64 = 4 << 20;
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4 MiB"));
    }
    Ok(bytes)
}
