//! Derives every record's rows from the archive's bytes with the pipeline's own code, each record
//! separately.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use kassa_model::star::read::Columns;
use kassa_model::star::rejected;
use kassa_model::{Contract, Records, Table};
use kassa_pipeline::Stage;

use super::finding::{Kind, Site};
use super::held::{Lineage, Role};
use super::letters::{REJECTED, record_of};
use super::parts::at;
use super::pending::What;
use super::sums::{Lane, bucket};
use super::{Prover, hash};
use crate::delta::LogError;
use crate::read;
use crate::recover::{Held, identity_columns, is_nested};

impl Prover<'_> {
    pub(super) fn derive(&mut self, stage: &mut Stage) -> Result<(), LogError> {
        for part in self.parts.numbers() {
            for offset in &self.parts[part].accepted & &self.parts[part].letters {
                let offset = i64::try_from(offset).unwrap_or(i64::MAX);
                self.findings.mark(Kind::Double, REJECTED, part, offset, "both accepted and a dead letter");
            }
        }
        for (.., said) in &self.collisions {
            said.iter().for_each(|collision| stage.want(*collision));
        }
        for topic in self.archives.keys().cloned().collect::<Vec<_>>() {
            let Some(contract) = self.contracts.get(&topic).copied() else { continue };
            self.each_archived(&topic, &mut |prover, part, records| prover.run(stage, part, contract, &records))?;
        }
        self.confirm_collisions(stage);
        Ok(())
    }

    /// The records of the archive must name two members with the key that a dead letter calls shared. A proof since a day has not read all.
    fn confirm_collisions(&mut self, stage: &mut Stage) {
        for (part, offset, said) in std::mem::take(&mut self.collisions) {
            if self.since.is_none() && !said.is_some_and(|collision| stage.confirms(collision)) {
                let detail = "no two members have the key that the dead letter names";
                self.findings.mark(Kind::Altered, REJECTED, part, offset, detail);
            }
        }
    }

    fn run(&mut self, stage: &mut Stage, part: u32, contract: Contract, records: &Records) -> Result<(), LogError> {
        for (index, offset) in records.offsets.iter().enumerate() {
            if self.parts[part].logged.contains(at(*offset)) {
                let hash = self.record_hash(records, index);
                self.derived(Lane::Log, part, *offset, hash);
            }
        }
        let stream = stage.stream(&records.partition.topic);
        let schema_ids: Vec<Option<i32>> =
            (0..records.len()).map(|index| stream.and_then(|stream| stream.schema_id(records.value(index)))).collect();
        let stream = stream.map(|stream| stream.name.to_string()).unwrap_or_default();
        for (index, offset) in records.offsets.iter().enumerate() {
            if let Some(held) = self.mapped_letters.get(&(part, *offset)).copied()
                && record_of(records, index, schema_ids[index], &stream, contract)? != held
            {
                self.findings.mark(Kind::Altered, REJECTED, part, *offset, "the dead letter does not belong to its record");
            }
        }
        let first: Vec<bool> = records.offsets.iter().map(|offset| self.parts[part].creators.contains(at(*offset))).collect();
        let tables = stage.alone(records, &first).map_err(LogError::encode)?;
        for (table, rows) in &tables {
            let rows = read::plain(rows)?;
            if *table == Table::Rejected {
                self.bad(part, &rows)?;
            } else {
                self.good(part, contract, *table, &rows, &mut |prover, row_offset| {
                    let index = records.offsets.binary_search(&row_offset).unwrap_or(0);
                    let conflict = prover.conflicts.get(&(part, row_offset)).copied();
                    let same = record_of(records, index, schema_ids[index], &stream, contract)?
                        == conflict.map_or(0, |conflict| conflict.record);
                    if !same {
                        prover.findings.mark(
                            Kind::Altered,
                            REJECTED,
                            part,
                            row_offset,
                            "the dead letter does not belong to its record",
                        );
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn derived(&mut self, lane: Lane, part: u32, offset: i64, hash: u128) {
        match &mut self.drill {
            Some(drill) => drill.derived(lane, part, offset, hash),
            None => self.sums.derived(bucket(lane, part, offset), hash),
        }
    }

    /// Records without rows.
    fn bad(&mut self, part: u32, rows: &RecordBatch) -> Result<(), LogError> {
        let columns = Columns { table: Table::Rejected, rows };
        let (offsets, reasons) = (columns.get(rejected::offset)?, columns.get(rejected::reason)?);
        for (row, hash) in hash::rows(rows, &[])?.into_iter().enumerate() {
            let (offset, held) = (offsets.value(row), &self.parts[part]);
            let (accepted, replayed) = (held.accepted.contains(at(offset)), held.replayed.contains(at(offset)));
            if self.mapped_letters.contains_key(&(part, offset)) {
                continue;
            }
            if held.letters.contains(at(offset)) {
                match self.conflicts.get(&(part, offset)) {
                    Some(conflict) if conflict.whole == hash => {}
                    Some(_) => {
                        let detail = format!("by its bytes the record is a dead letter for {}", reasons.value(row));
                        self.findings.mark(Kind::Altered, REJECTED, part, offset, detail);
                    }
                    None => self.derived(Lane::Table(Table::Rejected), part, offset, hash),
                }
            } else if !accepted && !replayed {
                self.parts[part].lost_letters.insert(at(offset));
                let detail = format!("not accepted ({}), and not set aside", reasons.value(row));
                self.findings.mark(Kind::Missing, REJECTED, part, offset, detail);
            }
        }
        Ok(())
    }

    /// Rows derived from records. `letter` is called for each record that became a dead letter
    /// because of a conflict.
    fn good(
        &mut self,
        part: u32,
        contract: Contract,
        table: Table,
        rows: &RecordBatch,
        letter: &mut dyn FnMut(&mut Self, i64) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let lineage = Lineage::new(table, rows)?;
        let bare = &self.parts[part].bare;
        let hashes = self.hashes(table, rows, &mut |column, row| {
            bare.get(&(table, column)).is_none_or(|bare| !bare.contains(lineage.place(row)))
        })?;
        let mut open = vec![false; rows.num_rows()];
        for (row, hash) in hashes.into_iter().enumerate() {
            let (offset, held) = (lineage.offsets.value(row), &self.parts[part]);
            let role = lineage.role(row, contract);
            if !held.accepted.contains(at(offset)) {
                open[row] = self.drill.is_none() && matches!(role, Role::Own | Role::Line);
                continue;
            }
            let is_held = match role {
                Role::Own | Role::Beside => true,
                Role::Line => held.lines.contains((offset, lineage.places.value(row))),
                Role::Member => self.members.is_claimed(table, lineage.key(row), part, offset),
            };
            if is_held {
                self.derived(Lane::Table(table), part, offset, hash);
            }
            open[row] = self.drill.is_none() && role == Role::Line && !is_held;
        }
        if open.contains(&true) { self.open(part, contract, table, rows, open, letter) } else { Ok(()) }
    }

    /// Notes the record that these repeat or contradict; it must exist elsewhere.
    fn open(
        &mut self,
        part: u32,
        contract: Contract,
        table: Table,
        rows: &RecordBatch,
        open: Vec<bool>,
        letter: &mut dyn FnMut(&mut Self, i64) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let wanted: Vec<usize> = identity_columns(table)
            .iter()
            .map(|name| rows.schema().index_of(name))
            .collect::<Result<_, _>>()
            .map_err(LogError::encode)?;
        let rows = rows.project(&wanted).and_then(|rows| filter_record_batch(&rows, &BooleanArray::from(open)));
        let rows = rows.map_err(LogError::encode)?;
        let held = Held::of_table(&rows, table)?;
        for row in 0..rows.num_rows() {
            let (offset, content, nth) = (held.offset.value(row), held.content.value(row), held.nth.value(row));
            let own = &self.parts[part];
            let is_letter = own.letters.contains(at(offset));
            let line = is_nested(contract, table);
            let what = if own.accepted.contains(at(offset)) {
                What::Line
            } else if let Some(conflict) = self.conflicts.get(&(part, offset)) {
                What::Conflict(conflict.said)
            } else if is_letter || line {
                // A dead letter that should not exist changes the sums; the lines of a duplicate
                // are not looked for.
                continue;
            } else {
                What::Duplicate
            };
            if matches!(what, What::Conflict(_)) && !line {
                letter(self, offset)?;
            }
            let keys = held.keys(&self.keyring, row, contract, table);
            self.pending.add(what, (part, offset), if line { nth } else { 0 }, content, keys.held());
        }
        if self.pending.is_full() { self.settle() } else { Ok(()) }
    }

    pub(super) fn site_of(&self, part: u32) -> Site {
        Site::Table(self.contract(part).map_or(Table::Spans, Table::primary))
    }
}
