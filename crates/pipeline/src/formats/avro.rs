//! Avro in a schema registry's framing. Records of different schemas go into the same rows.

use std::ops::Range;

use super::input::{Decode, Input, Judge, judge_columns};
use crate::error::StageError;
use crate::extract::Extract;
use crate::ports::Mapper;

pub(super) struct Avro;

impl Decode for Avro {
    const IS_FRAMED: bool = true;

    fn read<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError> {
        match &input.stream.mapper {
            Some(mapper) => mapped(input, range, mapper.as_ref(), judge),
            None => straight(input, range, judge),
        }
    }
}

/// Schemas whose fields have the contract's names.
fn straight<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError> {
    let layout = &input.stream.layout;
    judge.take(range.len(), |nth, payload| {
        let index = range.start + nth;
        let plan = input.whole(index).and_then(|value| input.plans.plan(value));
        (index, plan.and_then(|(plan, datum)| plan.read(layout, datum, payload)))
    })
}

fn mapped<J: Judge>(input: Input<'_>, range: Range<usize>, mapper: &dyn Mapper, judge: &mut J) -> Result<(), StageError> {
    let (mut extract, mut json) = (Extract::new(mapper.inputs()), String::new());
    for index in range {
        json.clear();
        let plan = input.whole(index).and_then(|value| input.plans.plan(value));
        let read = plan.and_then(|(plan, datum)| plan.json(datum, &mut json));
        if let Err(letter) = read.and_then(|()| extract.json(index, json.as_bytes())) {
            judge.reject(index, &letter);
        }
    }
    judge_columns(input, extract, judge)
}
