//! A sealed run: entries in the order of their keys in a file that never changes, asked through filters held in memory.
//!
//! ```text
//!  block × n   170 entries of 24 bytes · how many of them are used · checksum        4,096 bytes
//!  footer      entries · newest time · first key of each block · filters
//!  trailer     length of the footer · its checksum                                   16 bytes
//! ```

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::IndexError;
use super::codec::{Reader, put_u64};
use super::entry::{Entry, Words};
use super::filter::{Filters, FiltersBuilder};

const BLOCK: usize = 4096;
const PER_BLOCK: usize = (BLOCK - 16) / size_of::<Words>();
const TRAILER: usize = 16;
/// How many blocks a cursor reads at once: 64 KiB.
const READ_AHEAD: usize = 16;

/// An open run file.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    /// How many rounds of merging its entries have been through.
    pub(super) level: u32,
    pub(super) entries: u64,
    /// The newest ingest time of its entries, in steps.
    pub(super) newest: u64,
    pub(super) path: PathBuf,
    file: File,
    /// The first key of each block.
    firsts: Vec<u64>,
    filters: Filters,
}

/// Where run `id` is kept.
pub(super) fn path_of(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("run-{id:08}.keys"))
}

impl Run {
    /// Opens a finished run file, checking its footer.
    pub(super) fn open(dir: &Path, id: u64, level: u32) -> Result<Self, IndexError> {
        let path = path_of(dir, id);
        let file = File::open(&path).map_err(IndexError::io(&path))?;
        let length = file.metadata().map_err(IndexError::io(&path))?.len();
        let footer = read_footer(&file, length).map_err(IndexError::io(&path))?;
        let decoded = footer.as_deref().and_then(|footer| decode_footer(&mut Reader(footer)));
        let Some((entries, newest, firsts, filters)) = decoded else { return Err(IndexError::Corrupt(path)) };
        Ok(Self { id, level, entries, newest, path, file, firsts, filters })
    }

    pub(super) fn may_hold(&self, key: u64) -> bool {
        self.filters.may_hold(key)
    }

    /// Calls `see` with every entry of `key`; says whether there was one.
    pub(super) fn visit(&self, key: u64, mut see: impl FnMut(Entry)) -> Result<bool, IndexError> {
        let first = self.firsts.partition_point(|first| *first < key).saturating_sub(1);
        let mut found = false;
        let mut block = [0; BLOCK];
        for at in first..self.firsts.len() {
            if self.firsts[at] > key {
                break;
            }
            self.read(at, &mut block)?;
            let entries = self.check(&block)?;
            for entry in entries.filter(|entry| entry.key() == key) {
                found = true;
                see(entry);
            }
        }
        Ok(found)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.filters.memory_bytes() + self.firsts.capacity() * size_of::<u64>()
    }

    pub(super) fn sync(&self) -> Result<(), IndexError> {
        self.file.sync_all().map_err(IndexError::io(&self.path))
    }

    fn read(&self, block: usize, into: &mut [u8]) -> Result<(), IndexError> {
        self.file.read_exact_at(into, (block * BLOCK) as u64).map_err(IndexError::io(&self.path))
    }

    /// The entries of a block, if it is as it was written.
    fn check<'a>(&self, block: &'a [u8]) -> Result<impl Iterator<Item = Entry> + use<'a>, IndexError> {
        let corrupt = || IndexError::Corrupt(self.path.clone());
        let (body, checksum) = block.split_at_checked(BLOCK - 8).ok_or_else(corrupt)?;
        if xxh3_64(body).to_le_bytes() != checksum {
            return Err(corrupt());
        }
        let used = Reader(&body[BLOCK - 16..]).u64().and_then(|used| usize::try_from(used).ok());
        let used = used.filter(|used| *used <= PER_BLOCK).ok_or_else(corrupt)?;
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        let entries = body[..used * size_of::<Words>()].chunks_exact(size_of::<Words>());
        Ok(entries.map(move |entry| Entry([word(&entry[..8]), word(&entry[8..16]), word(&entry[16..])])))
    }
}

fn read_footer(file: &File, length: u64) -> std::io::Result<Option<Vec<u8>>> {
    let Some(end) = length.checked_sub(TRAILER as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, end)?;
    let mut trailer = Reader(&trailer);
    let (size, checksum) = (trailer.u64().unwrap_or(0), trailer.u64().unwrap_or(0));
    let (Some(from), Ok(size)) = (end.checked_sub(size), usize::try_from(size)) else { return Ok(None) };
    let mut footer = vec![0; size];
    file.read_exact_at(&mut footer, from)?;
    Ok((xxh3_64(&footer) == checksum).then_some(footer))
}

fn decode_footer(from: &mut Reader<'_>) -> Option<(u64, u64, Vec<u64>, Filters)> {
    let (entries, newest, blocks) = (from.u64()?, from.u64()?, from.u64()?);
    let firsts = (0..blocks).map(|_| from.u64()).collect::<Option<Vec<_>>>()?;
    Some((entries, newest, firsts, Filters::decode(from)?))
}

/// Writes a run from entries that come in the order of their keys.
#[derive(Debug)]
pub(super) struct RunWriter {
    id: u64,
    level: u32,
    path: PathBuf,
    file: BufWriter<File>,
    block: Vec<u8>,
    firsts: Vec<u64>,
    entries: u64,
    newest: u64,
    filters: FiltersBuilder,
}

impl RunWriter {
    pub(super) fn create(dir: &Path, id: u64, level: u32) -> Result<Self, IndexError> {
        let path = path_of(dir, id);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = BufWriter::with_capacity(16 * BLOCK, file.map_err(IndexError::io(&path))?);
        let filters = FiltersBuilder::default();
        let block = Vec::with_capacity(BLOCK);
        Ok(Self { id, level, path, file, block, firsts: Vec::new(), entries: 0, newest: 0, filters })
    }

    pub(super) fn add(&mut self, entry: Entry) -> Result<(), IndexError> {
        if self.block.is_empty() {
            self.firsts.push(entry.key());
        }
        self.filters.add(entry.key());
        entry.0.iter().for_each(|word| put_u64(&mut self.block, *word));
        self.entries += 1;
        self.newest = self.newest.max(entry.step());
        if self.block.len() == PER_BLOCK * size_of::<Words>() { self.end_block() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> Result<Run, IndexError> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        let filters = self.filters.finish();
        let mut footer = Vec::new();
        put_u64(&mut footer, self.entries);
        put_u64(&mut footer, self.newest);
        put_u64(&mut footer, self.firsts.len() as u64);
        self.firsts.iter().for_each(|first| put_u64(&mut footer, *first));
        filters.encode(&mut footer);
        let (length, checksum) = (footer.len() as u64, xxh3_64(&footer));
        put_u64(&mut footer, length);
        put_u64(&mut footer, checksum);
        self.file.write_all(&footer).map_err(IndexError::io(&self.path))?;
        let file = self.file.into_inner().map_err(|failed| IndexError::io(&self.path)(failed.into_error()))?;
        let Self { id, level, path, mut firsts, entries, newest, .. } = self;
        firsts.shrink_to_fit();
        Ok(Run { id, level, entries, newest, path, file, firsts, filters })
    }

    fn end_block(&mut self) -> Result<(), IndexError> {
        let used = self.block.len() / size_of::<Words>();
        self.block.resize(BLOCK - 16, 0);
        put_u64(&mut self.block, used as u64);
        let checksum = xxh3_64(&self.block);
        put_u64(&mut self.block, checksum);
        let written = self.file.write_all(&self.block).map_err(IndexError::io(&self.path));
        self.block.clear();
        written
    }
}

/// Reads a run from its start to its end.
#[derive(Debug)]
pub(super) struct Cursor {
    run: Arc<Run>,
    next_block: usize,
    /// Entries read ahead, last first.
    ahead: Vec<Entry>,
}

impl Cursor {
    pub(super) fn new(run: Arc<Run>) -> Self {
        Self { run, next_block: 0, ahead: Vec::new() }
    }

    pub(super) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// The next entry, which stays; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<Entry>, IndexError> {
        if self.ahead.is_empty() && self.next_block < self.run.firsts.len() {
            self.read_ahead()?;
        }
        Ok(self.ahead.last().copied())
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, IndexError> {
        let next = self.peek()?;
        self.ahead.pop();
        Ok(next)
    }

    fn read_ahead(&mut self) -> Result<(), IndexError> {
        let blocks = READ_AHEAD.min(self.run.firsts.len() - self.next_block);
        let mut bytes = vec![0; blocks * BLOCK];
        self.run.read(self.next_block, &mut bytes)?;
        for block in bytes.chunks_exact(BLOCK) {
            self.ahead.extend(self.run.check(block)?);
        }
        self.ahead.reverse();
        self.next_block += blocks;
        Ok(())
    }
}
