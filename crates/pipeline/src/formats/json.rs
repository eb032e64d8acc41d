//! JSON objects.

use std::ops::Range;

use kassa_model::Records;

use super::input::{Decode, Input, Judge, Values, judge_columns};
use crate::decode::{self, Leads};
use crate::error::StageError;
use crate::extract::Extract;
use crate::ports::Mapper;

pub(super) struct Json;

impl Decode for Json {
    fn read<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError> {
        match &input.stream.mapper {
            Some(mapper) => mapped(input, range, mapper.as_ref(), judge),
            None => straight(input, range, judge),
        }
    }
}

/// Objects with the contract's field names: the fast path.
fn straight<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError> {
    let layout = &input.stream.layout;
    let (texts, mut leads) = (Texts::of(input.values, &range), Leads::default());
    judge.take(range.len(), |nth, payload| {
        let index = range.start + nth;
        let read = input.whole(index).and_then(|value| match texts.get(index) {
            Some(text) => decode::text(layout, text, payload, &mut leads),
            None => decode::json(layout, value, payload, &mut leads),
        });
        (index, read)
    })
}

fn mapped<J: Judge>(input: Input<'_>, range: Range<usize>, mapper: &dyn Mapper, judge: &mut J) -> Result<(), StageError> {
    let mut extract = Extract::new(mapper.inputs());
    for index in range {
        if let Err(letter) = input.whole(index).and_then(|value| extract.json(index, value)) {
            judge.reject(index, &letter);
        }
    }
    judge_columns(input, extract, judge)
}

/// The values of a range of records as one text, if they are UTF-8: one check for all of them.
#[derive(Default)]
struct Texts<'r> {
    whole: Option<&'r str>,
    /// The offset of each value, and the end of the last, in the array's bytes.
    offsets: &'r [i32],
    first: usize,
}

impl<'r> Texts<'r> {
    fn of(values: Values<'r>, range: &Range<usize>) -> Self {
        match values {
            Values::Run(records) => Self::of_records(records, range),
            Values::One(_) => Self::default(),
        }
    }

    fn of_records(records: &'r Records, range: &Range<usize>) -> Self {
        let (offsets, first) = (records.values.value_offsets(), at(records.values.value_offsets(), range.start));
        let bytes = records.values.value_data().get(first..at(offsets, range.end));
        Self { whole: bytes.and_then(|bytes| simdutf8::basic::from_utf8(bytes).ok()), offsets, first }
    }

    fn get(&self, index: usize) -> Option<&'r str> {
        self.whole?.get(at(self.offsets, index) - self.first..at(self.offsets, index + 1) - self.first)
    }
}

fn at(offsets: &[i32], index: usize) -> usize {
    usize::try_from(offsets[index]).unwrap_or(0)
}
