//! A sealed run: entries ordered by id in a file that never changes, read through filters in memory.
//!
//! ```text
//!  block × n   up to 256 entries, packed (see `block`)
//!  footer      format · bits of an id · entries · newest time · first id and end of each block · filters
//!  trailer     length of the footer · its checksum                                   16 bytes
//! ```

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::IndexError;
use super::block::{self, Block, PER_BLOCK};
use super::codec::{Reader, put_u64};
use super::entry::{Entry, ID_LOW_BITS, IdWords};
use super::filter::{Filters, FiltersBuilder};

/// The version of the file's format.
const FORMAT: u64 = 2;
const TRAILER: usize = 16;
/// How many blocks a cursor reads at once: 80 to 120 KiB.
const READ_AHEAD: usize = 16;
/// Bytes that a writer buffers.
const BUFFER: usize = 64 << 10;

/// An open run file.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    /// The number of merges that its entries have been through.
    pub(super) level: u32,
    pub(super) path: PathBuf,
    /// Its size.
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// The newest ingest time of its entries, in steps.
    pub(super) newest: u64,
    file: File,
    blocks: Blocks,
    filters: Filters,
}

/// Where the blocks of a run are.
#[derive(Debug, Default)]
struct Blocks {
    /// The first 64 bits of the first id of each.
    firsts: Vec<u64>,
    /// The byte after each.
    ends: Vec<u64>,
}

/// The metadata of a file.
struct Footer {
    entries: u64,
    newest: u64,
    blocks: Blocks,
    filters: Filters,
}

/// The path of run `id` in the folder of the index.
pub fn path_of(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("run-{id:08}.keys"))
}

impl Run {
    /// Opens a finished run file, checking its footer.
    pub(super) fn open(dir: &Path, id: u64, level: u32) -> Result<Self, IndexError> {
        let path = path_of(dir, id);
        let file = File::open(&path).map_err(IndexError::io(&path))?;
        let bytes = file.metadata().map_err(IndexError::io(&path))?.len();
        let footer = read_footer(&file, bytes).map_err(IndexError::io(&path))?;
        let decoded = footer.as_deref().and_then(|footer| Footer::decode(&mut Reader(footer)));
        let Some(Footer { entries, newest, blocks, filters }) = decoded else { return Err(IndexError::Corrupt(path)) };
        Ok(Self { id, level, path, bytes, entries, newest, file, blocks, filters })
    }

    pub(super) fn may_hold(&self, id: IdWords) -> bool {
        self.filters.may_hold(id[0])
    }

    /// Calls `see` with every entry of `id`; returns whether there was one.
    pub(super) fn visit(&self, id: IdWords, mut see: impl FnMut(Entry)) -> Result<bool, IndexError> {
        let firsts = &self.blocks.firsts;
        let first = firsts.partition_point(|first| *first < id[0]).saturating_sub(1);
        let mut found = false;
        for at in (first..firsts.len()).take_while(|at| firsts[*at] <= id[0]) {
            let bytes = self.read(at..at + 1)?;
            found |= self.check(&bytes)?.visit(id, &mut see);
        }
        Ok(found)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let words = self.blocks.firsts.capacity() + self.blocks.ends.capacity();
        self.filters.memory_bytes() + words * size_of::<u64>()
    }

    pub(super) fn sync(&self) -> Result<(), IndexError> {
        self.file.sync_all().map_err(IndexError::io(&self.path))
    }

    /// The bytes of some blocks.
    fn read(&self, blocks: Range<usize>) -> Result<Vec<u8>, IndexError> {
        let (start, end) = (self.blocks.start(blocks.start), self.blocks.start(blocks.end));
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, start).map_err(IndexError::io(&self.path))?;
        Ok(bytes)
    }

    fn check<'b>(&self, bytes: &'b [u8]) -> Result<Block<'b>, IndexError> {
        Block::open(bytes).ok_or_else(|| IndexError::Corrupt(self.path.clone()))
    }
}

impl Blocks {
    fn len(&self) -> usize {
        self.firsts.len()
    }

    /// The first byte of a block, or the end of the last one.
    fn start(&self, block: usize) -> u64 {
        block.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    fn push(&mut self, first: u64, bytes: usize) {
        self.ends.push(self.start(self.len()) + bytes as u64);
        self.firsts.push(first);
    }
}

impl Footer {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let head = [FORMAT, u64::from(ID_LOW_BITS), self.entries, self.newest, self.blocks.len() as u64];
        head.iter().for_each(|word| put_u64(&mut out, *word));
        self.blocks.firsts.iter().chain(&self.blocks.ends).for_each(|word| put_u64(&mut out, *word));
        self.filters.encode(&mut out);
        out
    }

    /// `None`: it is damaged, or of another format.
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        if (from.u64()?, from.u64()?) != (FORMAT, u64::from(ID_LOW_BITS)) {
            return None;
        }
        let (entries, newest, count) = (from.u64()?, from.u64()?, from.u64()?);
        let mut words = || (0..count).map(|_| from.u64()).collect::<Option<Vec<_>>>();
        let blocks = Blocks { firsts: words()?, ends: words()? };
        let is_ordered = blocks.ends.windows(2).all(|pair| pair[0] < pair[1]);
        is_ordered.then_some(())?;
        Some(Self { entries, newest, blocks, filters: Filters::decode(from)? })
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

/// Writes a run from entries ordered by id.
#[derive(Debug)]
pub(super) struct RunWriter {
    id: u64,
    level: u32,
    path: PathBuf,
    file: BufWriter<File>,
    block: Vec<Entry>,
    blocks: Blocks,
    entries: u64,
    newest: u64,
    filters: FiltersBuilder,
}

impl RunWriter {
    pub(super) fn create(dir: &Path, id: u64, level: u32) -> Result<Self, IndexError> {
        let path = path_of(dir, id);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = BufWriter::with_capacity(BUFFER, file.map_err(IndexError::io(&path))?);
        let (filters, blocks) = (FiltersBuilder::default(), Blocks::default());
        Ok(Self { id, level, path, file, block: Vec::with_capacity(PER_BLOCK), blocks, entries: 0, newest: 0, filters })
    }

    /// Bytes of the blocks written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.blocks.start(self.blocks.len())
    }

    pub(super) fn add(&mut self, entry: Entry) -> Result<(), IndexError> {
        self.filters.add(entry.id()[0]);
        self.block.push(entry);
        self.entries += 1;
        self.newest = self.newest.max(entry.step());
        if self.block.len() == PER_BLOCK { self.end_block() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> Result<Run, IndexError> {
        self.end_block()?;
        let start = self.bytes();
        let Self { id, level, path, mut file, mut blocks, entries, newest, filters, .. } = self;
        blocks.firsts.shrink_to_fit();
        blocks.ends.shrink_to_fit();
        let footer = Footer { entries, newest, blocks, filters: filters.finish() };
        let mut tail = footer.encode();
        let (length, checksum) = (tail.len() as u64, xxh3_64(&tail));
        put_u64(&mut tail, length);
        put_u64(&mut tail, checksum);
        file.write_all(&tail).map_err(IndexError::io(&path))?;
        let file = file.into_inner().map_err(|failed| IndexError::io(&path)(failed.into_error()))?;
        let Footer { blocks, filters, .. } = footer;
        Ok(Run { id, level, path, bytes: start + tail.len() as u64, entries, newest, file, blocks, filters })
    }

    fn end_block(&mut self) -> Result<(), IndexError> {
        let Some(first) = self.block.first() else { return Ok(()) };
        let mut bytes = Vec::new();
        block::encode(&self.block, &mut bytes);
        self.blocks.push(first.id()[0], bytes.len());
        self.block.clear();
        self.file.write_all(&bytes).map_err(IndexError::io(&self.path))
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

    /// The next entry, without consuming it; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<Entry>, IndexError> {
        if self.ahead.is_empty() && self.next_block < self.run.blocks.len() {
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
        let blocks = self.next_block..self.run.blocks.len().min(self.next_block + READ_AHEAD);
        let bytes = self.run.read(blocks.clone())?;
        let start = self.run.blocks.start(blocks.start);
        let end = |block: usize| usize::try_from(self.run.blocks.start(block + 1) - start).unwrap_or(0);
        let mut from = 0;
        for to in blocks.clone().map(end) {
            self.ahead.extend(self.run.check(&bytes[from..to])?.entries());
            from = to;
        }
        self.ahead.reverse();
        self.next_block = blocks.end;
        Ok(())
    }
}
