use memchr::memchr;

use super::window::Window;
use super::{FileError, RECORD_BYTES_MAX};

/// NDJSON: one record per line; blank lines are ignored.
#[derive(Debug)]
pub(super) struct LineRows {
    window: Window,
    /// The length of the last returned record; it is skipped when the next one is requested.
    given: usize,
    line: u64,
}

impl LineRows {
    pub(super) fn begin(mut window: Window) -> Result<Self, FileError> {
        window.pass_mark()?;
        Ok(Self { window, given: 0, line: 0 })
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.window.position()
    }

    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, FileError> {
        loop {
            self.window.pass(std::mem::take(&mut self.given));
            let Some((end, given)) = self.line_end()? else { return Ok(None) };
            self.line += 1;
            self.given = given;
            if self.window.bytes()[..end].iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Ok(Some(&self.window.bytes()[..end]));
            }
        }
    }

    /// The end of the next line, without and with its line end.
    fn line_end(&mut self) -> Result<Option<(usize, usize)>, FileError> {
        let mut seen = 0;
        loop {
            let bytes = self.window.bytes();
            let found = memchr(b'\n', &bytes[seen..]).map(|at| seen + at);
            seen = bytes.len();
            if found.unwrap_or(seen) > RECORD_BYTES_MAX {
                return Err(FileError::TooLong { file: self.window.path().to_owned(), what: "line", number: self.line + 1 });
            }
            if let Some(at) = found {
                return Ok(Some((without_return(&bytes[..at]), at + 1)));
            }
            if !self.window.grow()? {
                return Ok((seen > 0).then(|| (without_return(self.window.bytes()), seen)));
            }
        }
    }
}

fn without_return(line: &[u8]) -> usize {
    line.strip_suffix(b"\r").unwrap_or(line).len()
}
