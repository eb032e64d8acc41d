//! Debezium's change events of a table, as JSON.

use std::ops::Range;

use super::input::{Decode, Input, Judge, failures};
use crate::columns::Plan;
use crate::debezium::{Change, Rules};
use crate::decode::{Leads, Payload};
use crate::error::StageError;
use crate::extract::Extract;
use crate::ports::Mapper;

pub(super) struct Debezium;

impl Decode for Debezium {
    fn read<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError> {
        let changes = changes(input, range, judge);
        let rules = Rules { layout: &input.stream.layout, zone: input.zone };
        match &input.stream.mapper {
            Some(mapper) => mapped(input, rules, &changes, mapper.as_ref(), judge),
            None => straight(rules, &changes, judge),
        }
    }
}

/// Tables whose columns have the names of the contract's fields.
fn straight<J: Judge>(rules: Rules<'_>, changes: &[(usize, Change<'_>)], judge: &mut J) -> Result<(), StageError> {
    let (mut before, mut leads) = (Payload::new(rules.layout), Leads::default());
    judge.take(changes.len(), |nth, payload| {
        let (index, change) = &changes[nth];
        (*index, change.fill(rules, payload, &mut before, &mut leads))
    })
}

fn mapped<J: Judge>(
    input: Input<'_>,
    rules: Rules<'_>,
    changes: &[(usize, Change<'_>)],
    mapper: &dyn Mapper,
    judge: &mut J,
) -> Result<(), StageError> {
    let mut extract = Extract::new(mapper.inputs());
    let mut taken = Vec::with_capacity(changes.len());
    for (index, change) in changes {
        let first = extract.rows.len();
        match change.extract(*index, &mut extract) {
            Ok(()) => taken.push((*index, change, first)),
            Err(letter) => judge.reject(*index, &letter),
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    let (columns, rows, extras) = input.columns(extract)?;
    let mapped = mapper.map(&columns)?;
    let (columns, failed) = (mapped.columns, failures(mapped.failed, rows.len()));
    let plan = Plan::new(rules.layout, &columns);
    let mut before = Payload::new(rules.layout);
    judge.take(taken.len(), |nth, payload| {
        let (index, change, first) = taken[nth];
        let last = first + usize::from(change.has_before());
        if let Some(letter) = failed[first..=last].iter().flatten().next() {
            return (index, Err(letter.clone()));
        }
        plan.fill(rules.layout, &columns, first, &extras[first], payload);
        if last > first {
            plan.fill(rules.layout, &columns, last, &extras[last], &mut before);
        }
        (index, change.apply(rules, payload, &mut before))
    })
}

/// The change events of the records. A tombstone repeats the deletion before it, and adds nothing.
fn changes<'r, J: Judge>(input: Input<'r>, range: Range<usize>, judge: &mut J) -> Vec<(usize, Change<'r>)> {
    let mut changes = Vec::with_capacity(range.len());
    for index in range {
        if input.is_tombstone(index) {
            judge.pass(index);
            continue;
        }
        match input.whole(index).and_then(Change::read) {
            Ok(Some(change)) => changes.push((index, change)),
            Ok(None) => judge.pass(index),
            Err(letter) => judge.reject(index, &letter),
        }
    }
    changes
}
