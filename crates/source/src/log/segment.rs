//! Reads one segment from its start, frame by frame, with memory for one frame or a quarter MiB.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::{IoContext, LogError};
use super::frame::{self, FRAME_BYTES_MIN, Frame, HEADER_BYTES, Header, HeaderFault, Parsed};

const BUFFER_BYTES: usize = 256 << 10;

/// What is wrong with bytes that are the beginning of a frame.
pub(super) const ENDS_WITHIN: &str = "the file ends within a frame";

/// What is at the position of the next frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    Frame(Frame<'a>),
    /// Nothing: the file ends here.
    End,
    /// Bytes that are not a frame.
    Bad(&'static str),
}

#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    pub(super) header: Header,
    seed: u32,
    /// The number of the next frame.
    index: u32,
    /// The file position of the next frame.
    byte: u64,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Segment {
    /// `None` if the header was not written yet: after a crash, or while its writer is about to
    /// write it.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, LogError> {
        let mut file = File::open(path).during("open", path)?;
        let mut bytes = [0; HEADER_BYTES];
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read.during("read", path)?,
        }
        match Header::parse(&bytes) {
            Ok((header, seed)) => {
                let byte = u64::try_from(HEADER_BYTES).unwrap_or_default();
                Ok(Some(Self { file, path: path.to_owned(), header, seed, index: 0, byte, buffer: Vec::new(), start: 0, end: 0 }))
            }
            Err(HeaderFault::Version(version)) => Err(LogError::Version { file: path.to_owned(), version }),
            // The power failed before the header reached the disk: the file has its length, but
            // only zeros.
            Err(HeaderFault::NotOurs) if bytes == [0; HEADER_BYTES] && rest_is_zero(&mut file).during("read", path)? => Ok(None),
            Err(HeaderFault::NotOurs) => {
                Err(LogError::Corrupt { file: path.to_owned(), byte: 0, offset: 0, what: "the header is not that of a segment" })
            }
        }
    }

    pub(super) fn seed(&self) -> u32 {
        self.seed
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// The offset of the next frame's record.
    pub(super) fn offset(&self) -> i64 {
        self.header.first + i64::from(self.index)
    }

    pub(super) fn byte(&self) -> u64 {
        self.byte
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the next frame; [`Segment::pass`] moves on. It may be called again at the end,
    /// because the file may have grown.
    pub(super) fn next(&mut self) -> Result<Next<'_>, LogError> {
        self.fill()?;
        let bytes = &self.buffer[self.start..self.end];
        Ok(match frame::parse(bytes, self.seed, self.index) {
            Parsed::Frame(frame) => Next::Frame(frame),
            Parsed::Short if bytes.is_empty() => Next::End,
            Parsed::Short => Next::Bad(ENDS_WITHIN),
            Parsed::Bad(why) => Next::Bad(why),
        })
    }

    /// Skips the frame that [`Segment::next`] returned, with this number of bytes.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        self.byte += u64::try_from(bytes).unwrap_or_default();
        self.index += 1;
    }

    /// Reads until the buffer contains the whole next frame, or the file ends.
    fn fill(&mut self) -> Result<(), LogError> {
        loop {
            let held = self.end - self.start;
            let Some(needed) = frame::bytes_needed(&self.buffer[self.start..self.end]) else { return Ok(()) };
            if held >= needed && held >= FRAME_BYTES_MIN {
                return Ok(());
            }
            self.make_room(needed);
            match self.file.read(&mut self.buffer[self.end..]).during("read", &self.path)? {
                0 => return Ok(()),
                read => self.end += read,
            }
        }
    }

    fn make_room(&mut self, needed: usize) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < needed.max(BUFFER_BYTES) {
            self.buffer.resize(needed.max(BUFFER_BYTES), 0);
        }
    }

    /// Whether there is a whole frame of a later record after the bad bytes at the current
    /// position: then they are not a torn tail.
    pub(super) fn goes_on_beyond(&self) -> Result<bool, LogError> {
        Ok(self.beyond()?.is_some())
    }

    /// The next whole frame after the bad bytes at the current position: its byte and its number.
    fn beyond(&self) -> Result<Option<(u64, u32)>, LogError> {
        let length = self.file.metadata().during("read", &self.path)?.len();
        let mut window = vec![0; BUFFER_BYTES];
        let mut at = self.byte + 1;
        while at < length {
            let read = read_at(&self.file, &mut window, at).during("read", &self.path)?;
            let whole = read.saturating_sub(FRAME_BYTES_MIN - 1);
            for (place, byte) in (0..whole).zip(at..) {
                if let Some(index) = self.frame_at(&window[place..read], byte, length)? {
                    return Ok(Some((byte, index)));
                }
            }
            if whole == 0 {
                break;
            }
            at += u64::try_from(whole).unwrap_or(u64::MAX);
        }
        Ok(None)
    }

    /// Moves on to the next whole frame after the bad bytes at the current position. `false`: there
    /// is none.
    pub(super) fn skip_damage(&mut self) -> Result<bool, LogError> {
        let Some((byte, index)) = self.beyond()? else { return Ok(false) };
        self.file.seek(SeekFrom::Start(byte)).during("read", &self.path)?;
        (self.byte, self.index, self.start, self.end) = (byte, index, 0, 0);
        Ok(true)
    }

    /// Cheap checks first: the length and the number are rarely valid, and only then is the body
    /// read for its checksum. Returns the frame's number.
    fn frame_at(&self, head: &[u8], byte: u64, length: u64) -> Result<Option<u32>, LogError> {
        let (Some(needed), Some(index)) = (frame::bytes_needed(head), frame::claimed_index(head)) else { return Ok(None) };
        let fits = u64::try_from(needed).is_ok_and(|needed| byte + needed <= length);
        let between = (byte - self.byte) / FRAME_BYTES_MIN as u64 + 1;
        if !fits || index <= self.index || u64::from(index - self.index) > between {
            return Ok(None);
        }
        let mut bytes = vec![0; needed];
        self.file.read_exact_at(&mut bytes, byte).during("read", &self.path)?;
        Ok(matches!(frame::parse(&bytes, self.seed, index), Parsed::Frame(_)).then_some(index))
    }

    pub(super) fn corrupt(&self, what: &'static str) -> LogError {
        LogError::Corrupt { file: self.path.clone(), byte: self.byte, offset: self.offset(), what }
    }
}

fn read_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn rest_is_zero(file: &mut File) -> std::io::Result<bool> {
    let mut buffer = vec![0; BUFFER_BYTES];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(true),
            read if buffer[..read].iter().all(|byte| *byte == 0) => {}
            _ => return Ok(false),
        }
    }
}
