//! The files of a checkpoint. Each is written once, under its own number.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use postcard::de_flavors::Flavor;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Unusable;

/// A piece, with its size and checksum.
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

    /// A reader of a large piece. The bytes have been verified before.
    pub(super) fn open(&self, name: &Name) -> Result<BufReader<File>, Unusable> {
        let path = self.path(name);
        match checked(&path, name) {
            Ok(Some(file)) => Ok(file),
            _ => Err(Unusable::Damaged(path)),
        }
    }

    /// Writes a piece and syncs it.
    pub(super) fn write(&self, number: u64, fill: impl FnOnce(&mut Counted) -> io::Result<()>) -> io::Result<Name> {
        fs::create_dir_all(&self.0)?;
        let file = BufWriter::with_capacity(1 << 16, File::create(self.numbered(number))?);
        let mut counted = Counted { file, hash: Xxh3::new(), bytes: 0 };
        fill(&mut counted)?;
        counted.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(Name { number, bytes: counted.bytes, checksum: counted.hash.digest() })
    }

    /// Removes all pieces except these.
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

/// `None`: the file has other contents.
fn checked(path: &Path, name: &Name) -> io::Result<Option<BufReader<File>>> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let (mut hash, mut length) = (Xxh3::new(), 0);
    loop {
        let bytes = file.fill_buf()?;
        let count = bytes.len();
        if count == 0 {
            break;
        }
        hash.update(bytes);
        length += count as u64;
        file.consume(count);
    }
    file.rewind()?;
    Ok((length == name.bytes && hash.digest() == name.checksum).then_some(file))
}

/// The input of a deserializer that streams a piece, so that the piece and the decoded value are not in memory together.
pub(super) struct Streamed {
    file: BufReader<File>,
    /// Bytes that have not been read.
    rest: u64,
    /// The last text or byte string.
    buffer: Vec<u8>,
}

impl Streamed {
    pub(super) fn new(file: BufReader<File>, name: &Name) -> Self {
        Self { file, rest: name.bytes, buffer: Vec::new() }
    }

    fn fill(&mut self, bytes: usize) -> postcard::Result<()> {
        self.rest = self.rest.checked_sub(bytes as u64).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.buffer.resize(bytes, 0);
        self.file.read_exact(&mut self.buffer).map_err(|_| postcard::Error::DeserializeUnexpectedEnd)
    }
}

impl<'de> Flavor<'de> for Streamed {
    type Remainder = ();
    type Source = ();

    fn pop(&mut self) -> postcard::Result<u8> {
        let byte = self.file.fill_buf().ok().and_then(|bytes| bytes.first().copied());
        self.file.consume(usize::from(byte.is_some()));
        self.rest = self.rest.saturating_sub(1);
        byte.ok_or(postcard::Error::DeserializeUnexpectedEnd)
    }

    /// Checkpoints contain no borrowed values.
    fn try_take_n(&mut self, _bytes: usize) -> postcard::Result<&'de [u8]> {
        Err(postcard::Error::WontImplement)
    }

    fn try_take_n_temp<'a>(&'a mut self, bytes: usize) -> postcard::Result<&'a [u8]>
    where
        'de: 'a,
    {
        self.fill(bytes)?;
        Ok(&self.buffer)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// A file that counts and hashes the written bytes.
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

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    fn written(dir: &Path, bytes: &[u8]) -> (Pieces, Name) {
        let pieces = Pieces::new(dir.to_owned());
        let name = pieces.write(7, |file| file.write_all(bytes)).unwrap();
        (pieces, name)
    }

    fn streamed<T: DeserializeOwned>(pieces: &Pieces, name: &Name) -> postcard::Result<T> {
        let file = Streamed::new(pieces.open(name).unwrap(), name);
        T::deserialize(&mut postcard::Deserializer::from_flavor(file))
    }

    type Saved = (String, Vec<(i64, Option<f64>, char)>, Box<str>, u128);

    #[test]
    fn a_piece_is_read_from_its_file_as_from_memory() {
        let dir = tempfile::tempdir().unwrap();
        let rows = (0..50_000).map(|number| (number * 7_919, (number % 3 == 0).then_some(0.5), 'é')).collect();
        let saved: Saved = ("long ".repeat(40_000), rows, "".into(), u128::MAX);
        let (pieces, name) = written(dir.path(), &postcard::to_stdvec(&saved).unwrap());
        assert_eq!(streamed::<Saved>(&pieces, &name).unwrap(), saved);
    }

    #[test]
    fn a_damaged_piece_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (pieces, name) = written(dir.path(), &[1; 200_000]);
        let path = pieces.path(&name);
        pieces.open(&name).unwrap();
        for bytes in [vec![1_u8; 199_999], vec![1; 200_001], [vec![1; 199_999], vec![2]].concat()] {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(pieces.open(&name), Err(Unusable::Damaged(damaged)) if damaged == path));
        }
        fs::remove_file(&path).unwrap();
        pieces.open(&name).unwrap_err();
    }

    /// A length beyond the end of the file allocates nothing.
    #[test]
    fn a_text_longer_than_its_piece_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (pieces, name) = written(dir.path(), &postcard::to_stdvec(&u64::MAX).unwrap());
        assert_eq!(streamed::<String>(&pieces, &name), Err(postcard::Error::DeserializeUnexpectedEnd));
    }
}
