//! Writes the shop's sequence to a folder, one file per stream, with the expected results.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use kassa_model::Contract;

use super::{Emitted, STREAMS, Shop, Truth};

/// A file or folder could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {path}")]
pub struct WriteError {
    pub path: PathBuf,
    source: io::Error,
}

impl WriteError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self { path: path.to_owned(), source }
    }
}

/// A stream's open file.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    records: u64,
}

/// A folder with `<stream>.ndjson`, or `<stream>-00001.ndjson`, `-00002` … if files are limited,
/// and `truth.json`.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    records_per_file: Option<u64>,
    open: [Option<Lines>; STREAMS.len()],
    files: [u64; STREAMS.len()],
}

impl Folder {
    /// Creates the folder if needed. Existing files with the same names are replaced.
    pub fn create(dir: &Path, records_per_file: Option<u64>) -> Result<Self, WriteError> {
        fs::create_dir_all(dir).map_err(WriteError::at(dir))?;
        Ok(Self { dir: dir.to_owned(), records_per_file, open: Default::default(), files: [0; STREAMS.len()] })
    }

    /// Appends a record, which contains no line break, to its stream's file.
    pub fn write(&mut self, contract: Contract, record: &[u8]) -> Result<(), WriteError> {
        let at = contract as usize;
        let limit = self.records_per_file.unwrap_or(u64::MAX);
        if let Some(full) = self.open[at].take_if(|lines| lines.records >= limit) {
            full.close()?;
        }
        if self.open[at].is_none() {
            self.files[at] += 1;
            self.open[at] = Some(Lines::create(self.path(at))?);
        }
        match &mut self.open[at] {
            Some(lines) => lines.write(record),
            None => Ok(()),
        }
    }

    fn path(&self, at: usize) -> PathBuf {
        let stream = STREAMS[at].0;
        self.dir.join(match self.records_per_file {
            Some(_) => format!("{stream}-{:05}.ndjson", self.files[at]),
            None => format!("{stream}.ndjson"),
        })
    }

    /// Writes `truth.json` and closes all files.
    pub fn finish(mut self, truth: &Truth) -> Result<(), WriteError> {
        self.open.iter_mut().filter_map(Option::take).try_for_each(Lines::close)?;
        let path = self.dir.join("truth.json");
        let text = serde_json::to_string_pretty(truth).map_err(io::Error::from).map_err(WriteError::at(&path))?;
        fs::write(&path, text + "\n").map_err(WriteError::at(&path))
    }
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self, WriteError> {
        let file = File::create(&path).map_err(WriteError::at(&path))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 18, file), records: 0 })
    }

    fn write(&mut self, record: &[u8]) -> Result<(), WriteError> {
        self.records += 1;
        self.file.write_all(record).and_then(|()| self.file.write_all(b"\n")).map_err(WriteError::at(&self.path))
    }

    fn close(mut self) -> Result<(), WriteError> {
        self.file.flush().map_err(WriteError::at(&self.path))
    }
}

/// Writes the next `records` of a shop to a folder, with the expected results. Calls `seen` for
/// each record.
pub fn write(
    shop: &mut Shop,
    records: u64,
    dir: &Path,
    records_per_file: Option<u64>,
    mut seen: impl FnMut(Emitted),
) -> Result<Truth, WriteError> {
    let mut folder = Folder::create(dir, records_per_file)?;
    let mut record = Vec::new();
    for _ in 0..records {
        record.clear();
        let emitted = shop.next(&mut record);
        folder.write(emitted.contract, &record)?;
        seen(emitted);
    }
    let truth = shop.truth();
    folder.finish(&truth)?;
    Ok(truth)
}
