//! Runs of Avro and of Debezium's change events, straight and by a mapping.

use std::ops::Range;

use kassa_model::{DeadLetter, Fate, Reason};

use super::{Run, StageError, is_whole};
use crate::columns::Plan;
use crate::debezium::{Change, Rules};
use crate::decode::avro::Known;
use crate::decode::{Leads, Payload};
use crate::extract::Extract;
use crate::ports::Mapper;

impl Run<'_> {
    /// Avro whose fields are named as the contract's. Records of different schemas go into the same rows.
    pub(super) fn avro(&mut self, range: Range<usize>, plans: &Known) -> Result<(), StageError> {
        let (stream, records) = (self.stream, self.records);
        self.take(range.len(), |nth, payload| {
            let index = range.start + nth;
            let plan = is_whole(stream, records, index).and_then(|()| plans.plan(records.value(index)));
            (index, plan.and_then(|(plan, datum)| plan.read(&stream.layout, datum, payload)))
        })
    }

    pub(super) fn mapped_avro(&mut self, range: Range<usize>, plans: &Known, mapper: &dyn Mapper) -> Result<(), StageError> {
        let (mut extract, mut json) = (Extract::new(mapper.inputs()), String::new());
        for index in range {
            json.clear();
            let plan = self.is_whole(index).and_then(|()| plans.plan(self.records.value(index)));
            let read = plan.and_then(|(plan, datum)| plan.json(datum, &mut json));
            if let Err(letter) = read.and_then(|()| extract.json(index, json.as_bytes())) {
                self.reject(index, &letter);
            }
        }
        let (input, rows, extras) = extract.finish(self.records)?;
        self.map(mapper, &input, &rows, &extras)
    }
}

impl<'s> Run<'s> {
    /// Debezium's change events of a table whose columns are named as the contract's fields.
    pub(super) fn changes(&mut self, range: Range<usize>) -> Result<(), StageError> {
        let changes = self.read_changes(range);
        let rules = Rules { layout: &self.stream.layout, zone: self.zone };
        let (mut before, mut leads) = (Payload::new(rules.layout), Leads::default());
        self.take(changes.len(), |nth, payload| {
            let (index, change) = &changes[nth];
            (*index, change.fill(rules, payload, &mut before, &mut leads))
        })
    }

    pub(super) fn mapped_changes(&mut self, range: Range<usize>, mapper: &dyn Mapper) -> Result<(), StageError> {
        let changes = self.read_changes(range);
        let mut extract = Extract::new(mapper.inputs());
        let mut taken = Vec::with_capacity(changes.len());
        for (index, change) in &changes {
            let first = extract.rows.len();
            match change.extract(*index, &mut extract) {
                Ok(()) => taken.push((*index, change, first)),
                Err(letter) => self.reject(*index, &letter),
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let (input, rows, extras) = extract.finish(self.records)?;
        let mapped = mapper.map(&input)?;
        let (columns, failed) = (mapped.columns, failures(mapped.failed, rows.len()));
        let rules = Rules { layout: &self.stream.layout, zone: self.zone };
        let plan = Plan::new(rules.layout, &columns);
        let mut before = Payload::new(rules.layout);
        self.take(taken.len(), |nth, payload| {
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

    /// The change events of the records. A tombstone follows the deletion that it stands for, and adds nothing to it: it is read, and
    /// counted as a duplicate.
    fn read_changes(&mut self, range: Range<usize>) -> Vec<(usize, Change<'s>)> {
        let records = self.records;
        let mut changes = Vec::with_capacity(range.len());
        for index in range {
            if records.is_tombstone(index) {
                self.fates[index] = Fate::Duplicate;
                continue;
            }
            match self.is_whole(index).and_then(|()| Change::read(records.value(index))) {
                Ok(Some(change)) => changes.push((index, change)),
                Ok(None) => self.fates[index] = Fate::Duplicate,
                Err(letter) => self.reject(index, &letter),
            }
        }
        changes
    }
}

/// What a mapping says of the rows that it could not compute, a row each.
pub(super) fn failures(failed: Vec<(usize, String, String)>, rows: usize) -> Vec<Option<DeadLetter>> {
    let mut letters = vec![None; rows];
    for (row, field, detail) in failed {
        letters[row].get_or_insert_with(|| DeadLetter::new(Reason::MappingFailed, field, detail));
    }
    letters
}
