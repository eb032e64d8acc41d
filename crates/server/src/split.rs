//! Splits a body into records, as ranges of its bytes, so that the bytes stay unchanged. The
//! pipeline decides whether a record is JSON. So a bad record among good ones is one dead letter. A
//! body of unknown form is one record.

use std::ops::Range;

use serde::de::IgnoredAny;

use crate::Limits;

/// Why a whole body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SplitError {
    Empty,
    TooMany,
    RecordTooLarge { index: usize, bytes: usize },
}

/// The records of a body. `by_line`: the sender declares NDJSON.
pub(crate) fn split(body: &[u8], by_line: bool, limits: &Limits) -> Result<Vec<Range<usize>>, SplitError> {
    let whole = trim(body, 0..body.len());
    if whole.is_empty() {
        return Err(SplitError::Empty);
    }
    let mut records = Taken { limits, ranges: Vec::new() };
    if by_line {
        records.lines(body)?;
    } else if body[whole.start] == b'[' && records.elements(body, whole.clone())? {
        // `[]` contains none.
    } else if !is_json(&body[whole.clone()]) && is_by_line(body, whole.start) {
        records.lines(body)?;
    } else {
        let range = if is_json(&body[whole.clone()]) { whole } else { 0..body.len() };
        records.take(range)?;
    }
    if records.ranges.is_empty() { Err(SplitError::Empty) } else { Ok(records.ranges) }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn trim(body: &[u8], mut range: Range<usize>) -> Range<usize> {
    while range.start < range.end && is_space(body[range.start]) {
        range.start += 1;
    }
    while range.start < range.end && is_space(body[range.end - 1]) {
        range.end -= 1;
    }
    range
}

fn lines(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    body.split(|byte| *byte == b'\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end + 1;
        range
    })
}

/// Whether a body that is not a JSON value is NDJSON with bad lines, instead of one truncated or
/// invalid value. It is if its first line is a value, or another line that is not indented is an
/// object. A truncated array, which often has one element per line, is not.
fn is_by_line(body: &[u8], start: usize) -> bool {
    let mut first = true;
    for line in lines(body) {
        let text = trim(body, line.clone());
        if text.is_empty() {
            continue;
        }
        let value = &body[text.clone()];
        if std::mem::take(&mut first) {
            if is_json(value) {
                return true;
            }
            if body[start] == b'[' {
                return false;
            }
        } else if text.start == line.start && value.starts_with(b"{") && is_json(value) {
            return true;
        }
    }
    false
}

struct Taken<'a> {
    limits: &'a Limits,
    ranges: Vec<Range<usize>>,
}

impl Taken<'_> {
    fn take(&mut self, range: Range<usize>) -> Result<(), SplitError> {
        let (index, bytes) = (self.ranges.len(), range.len());
        if index == self.limits.max_records {
            return Err(SplitError::TooMany);
        }
        if bytes > self.limits.max_record_bytes {
            return Err(SplitError::RecordTooLarge { index, bytes });
        }
        self.ranges.push(range);
        Ok(())
    }

    /// Every line that is not white space, without its line end.
    fn lines(&mut self, body: &[u8]) -> Result<(), SplitError> {
        for line in lines(body) {
            let end = if body[line.clone()].ends_with(b"\r") { line.end - 1 } else { line.end };
            if !trim(body, line.start..end).is_empty() {
                self.take(line.start..end)?;
            }
        }
        Ok(())
    }

    /// The elements of an array, split at its commas; `false`, without any element, if its brackets
    /// do not match.
    fn elements(&mut self, body: &[u8], whole: Range<usize>) -> Result<bool, SplitError> {
        let Some(cuts) = commas(&body[whole.clone()], self.limits.max_records) else {
            return Ok(false);
        };
        let ends = cuts.iter().map(|at| whole.start + at);
        let starts = std::iter::once(whole.start).chain(ends.clone()).map(|at| at + 1);
        let ranges: Vec<_> = starts.zip(ends).map(|(start, end)| trim(body, start..end)).collect();
        if ranges.len() == 1 && ranges[0].is_empty() {
            return Ok(true);
        }
        if ranges.iter().any(Range::is_empty) {
            return Ok(false);
        }
        ranges.into_iter().try_for_each(|range| self.take(range)).map(|()| true)
    }
}

/// The ends of an array's elements: its own commas, and its closing bracket, which must be the last
/// byte. The search stops after `max` + 1 of them.
fn commas(array: &[u8], max: usize) -> Option<Vec<usize>> {
    let (mut ends, mut depth, mut quoted, mut escaped) = (Vec::new(), 0_usize, false, false);
    for (at, byte) in array.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    ends.push(at);
                    return (*byte == b']' && at + 1 == array.len()).then_some(ends);
                }
            }
            b',' if depth == 1 => {
                ends.push(at);
                if ends.len() > max {
                    return Some(ends);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
