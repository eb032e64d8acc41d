//! CSV, by the header of the file, or by the columns that the stream states. A record with neither, such as one from the
//! collector, is read as JSON.

use std::ops::Range;

use super::input::{Decode, Input, Judge, judge_columns};
use super::json::Json;
use crate::csv::{Dialect, Fields};
use crate::error::StageError;
use crate::extract::{CsvPlan, Extract};
use crate::stream::Stream;

pub(super) struct Csv;

impl Decode for Csv {
    const HAS_HEADERS: bool = true;

    fn read<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError> {
        let Some(dialect) = input.dialect(range.start) else { return Json::read(input, range, judge) };
        let inputs = inputs(input.stream, &dialect);
        let plan = CsvPlan::new(&dialect, &inputs);
        let (mut extract, mut fields) = (Extract::new(&inputs), Fields::new(dialect.delimiter));
        for index in range {
            let read = input.whole(index).and_then(|value| fields.split(value));
            if let Err(letter) = read.and_then(|()| extract.csv(index, &fields, &plan)) {
                judge.reject(index, &letter);
            }
        }
        judge_columns(input, extract, judge)
    }
}

/// The columns to read: those that the mapping names, or those of the contract.
fn inputs(stream: &Stream, dialect: &Dialect) -> Vec<String> {
    match &stream.mapper {
        Some(mapper) => mapper.inputs().to_vec(),
        None => dialect.header.iter().filter(|name| stream.layout.slot(name).is_some()).cloned().collect(),
    }
}
