//! The input of a format, and the trait that receives its payloads.

use std::ops::Range;

use arrow_array::RecordBatch;
use jiff::tz::TimeZone;
use kassa_model::{DeadLetter, Reason, Records};

use crate::columns::Plan;
use crate::csv::Dialect;
use crate::decode::Payload;
use crate::decode::avro::Known;
use crate::error::StageError;
use crate::extract::Extract;
use crate::stream::Stream;

/// A format of records.
pub(super) trait Decode {
    /// Whether each value begins with the id of its schema.
    const IS_FRAMED: bool = false;
    /// Whether the headers of a record state how to split it, so that records of several files are separate runs.
    const HAS_HEADERS: bool = false;

    /// Reads records with the same headers, and passes each to `judge`.
    fn read<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError>;
}

/// Receives what a format has read, and decides on it.
pub(crate) trait Judge {
    /// Processes `count` payloads. `fill` reads the n-th one and returns its record index.
    fn take<'p>(
        &mut self,
        count: usize,
        fill: impl FnMut(usize, &mut Payload<'p>) -> (usize, Result<(), DeadLetter>),
    ) -> Result<(), StageError>;

    /// A record that cannot be read.
    fn reject(&mut self, index: usize, letter: &DeadLetter);

    /// A record that adds nothing: it counts as a duplicate.
    fn pass(&mut self, index: usize);
}

/// The values of the records.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'r> {
    Run(&'r Records),
    /// One record without headers, a partition or an offset.
    One(&'r [u8]),
}

/// The records that a format reads, and the context that it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'r> {
    pub(crate) stream: &'r Stream,
    /// The shop's time zone.
    pub(crate) zone: &'r TimeZone,
    pub(crate) values: Values<'r>,
    /// The plans of the records' schemas, if the format has schemas.
    pub(crate) plans: &'r Known,
}

impl<'r> Input<'r> {
    pub(super) fn is_tombstone(&self, index: usize) -> bool {
        matches!(self.values, Values::Run(records) if records.is_tombstone(index))
    }

    /// A value that is present and within the stream's limit.
    pub(super) fn whole(&self, index: usize) -> Result<&'r [u8], DeadLetter> {
        let value = match self.values {
            Values::One(value) => value,
            Values::Run(records) if records.is_tombstone(index) => {
                return Err(DeadLetter::new(Reason::Tombstone, "", "the record has no value"));
            }
            Values::Run(records) => records.value(index),
        };
        within_limit(self.stream, value).map(|()| value)
    }

    /// How the records of a run are split, from the headers of the first one.
    pub(super) fn dialect(&self, first: usize) -> Option<Dialect> {
        let headers = match self.values {
            Values::Run(records) => records.headers.get(first),
            Values::One(_) => None,
        };
        headers.and_then(|headers| Dialect::from_headers(headers)).or_else(|| self.stream.columns.clone())
    }

    /// The extracted columns, and for each row its record and its other fields.
    pub(super) fn columns(&self, extract: Extract) -> Result<(RecordBatch, Vec<usize>, Vec<String>), StageError> {
        Ok(match self.values {
            Values::Run(records) => extract.finish(records)?,
            Values::One(_) => extract.finish(&Records::single(&self.stream.name, b""))?,
        })
    }
}

/// Refuses a value that is larger than the stream allows.
pub(crate) fn within_limit(stream: &Stream, value: &[u8]) -> Result<(), DeadLetter> {
    let (size, limit) = (value.len(), stream.record_bytes_max);
    if size <= limit { Ok(()) } else { Err(DeadLetter::new(Reason::TooLarge, "", format!("{size} bytes, at most {limit}"))) }
}

/// Passes on the rows that the stream's mapping computes from the extracted columns or, without a mapping, the columns
/// themselves.
pub(super) fn judge_columns<J: Judge>(input: Input<'_>, extract: Extract, judge: &mut J) -> Result<(), StageError> {
    let (mut columns, rows, extras) = input.columns(extract)?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut failed = Vec::new();
    if let Some(mapper) = &input.stream.mapper {
        let mapped = mapper.map(&columns)?;
        (columns, failed) = (mapped.columns, failures(mapped.failed, rows.len()));
    }
    let layout = &input.stream.layout;
    let plan = Plan::new(layout, &columns);
    judge.take(rows.len(), |row, payload| {
        if let Some(Some(letter)) = failed.get(row) {
            return (rows[row], Err(letter.clone()));
        }
        plan.fill(layout, &columns, row, &extras[row], payload);
        (rows[row], Ok(()))
    })
}

/// The dead letters of the rows that a mapping could not compute, one entry per row.
pub(super) fn failures(failed: Vec<(usize, String, String)>, rows: usize) -> Vec<Option<DeadLetter>> {
    let mut letters = vec![None; rows];
    for (row, field, detail) in failed {
        letters[row].get_or_insert_with(|| DeadLetter::new(Reason::MappingFailed, field, detail));
    }
    letters
}
