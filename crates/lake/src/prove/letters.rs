//! Dead letters: what is held of them. Those of a conflict cannot be derived from their record alone: they are kept apart, and held
//! against the record that they contradict. Those of a shared key are held against the members that records name.

use std::collections::HashMap;

use arrow_array::{Array, RecordBatch};
use kassa_model::star::read::{Columns, Texts};
use kassa_model::star::rejected;
use kassa_model::{Contract, Reason, Records, Table};
use kassa_pipeline::dimensions::Collision;
use kassa_pipeline::letter::{Refusal, letter};
use xxhash_rust::xxh3::xxh3_64;

use super::finding::{Kind, Site};
use super::parts::at;
use super::sums::{Lane, bucket};
use super::{Prover, hash};
use crate::delta::LogError;
use crate::read;

pub(super) const REJECTED: Site = Site::Table(Table::Rejected);

/// The columns with the verdict on the record.
const VERDICT: [&str; 3] = ["reason", "field", "detail"];

/// A conflict's letter, by partition and offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conflict {
    /// Hashes of the whole letter, of the letter without its verdict, and of its verdict.
    pub(super) whole: u128,
    pub(super) record: u128,
    pub(super) said: u64,
}

pub(super) type Conflicts = HashMap<(u32, i64), Conflict>;

/// A hash of a letter's verdict: the field, and the text that names the other record.
pub(super) fn said(field: &str, detail: &str) -> u64 {
    xxh3_64(format!("{field}\0{detail}").as_bytes())
}

/// The positions of letters, by the columns of `rejected`.
pub(super) struct Places<'r> {
    pub(super) topics: Texts<'r>,
    pub(super) numbers: &'r arrow_array::Int64Array,
    pub(super) offsets: &'r arrow_array::Int64Array,
}

impl<'r> Places<'r> {
    pub(super) fn new(rows: &'r RecordBatch) -> Result<Self, LogError> {
        let columns = Columns { table: Table::Rejected, rows };
        let (topics, numbers) = (columns.get(rejected::topic)?, columns.get(rejected::partition)?);
        Ok(Self { topics, numbers, offsets: columns.get(rejected::offset)? })
    }
}

/// Whether the reason depends on the schema registry, which may have changed: then only the record is compared.
fn is_of_the_registry(reason: &str) -> bool {
    [Reason::UnknownSchema, Reason::BadSchema].iter().any(|known| known.code() == reason)
}

impl Prover<'_> {
    pub(super) fn letters(&mut self) -> Result<(), LogError> {
        self.scan(Table::Rejected, &["topic", "partition", "offset", "replayed_at"], &mut |prover, rows| {
            let columns = Columns { table: Table::Rejected, rows: &rows };
            let (places, replayed_at) = (Places::new(&rows)?, columns.get(rejected::replayed_at)?);
            for row in (0..rows.num_rows()).filter(|row| replayed_at.is_valid(*row)) {
                let part = prover.parts.number(places.topics.value(row), places.numbers.value(row));
                prover.parts[part].replayed.insert(at(places.offsets.value(row)));
            }
            Ok(())
        })?;
        self.scan(Table::Rejected, &[], &mut |prover, rows| {
            prover.count(&rows);
            prover.letters_of(&rows)
        })
    }

    fn letters_of(&mut self, rows: &RecordBatch) -> Result<(), LogError> {
        let (places, hashes) = (Places::new(rows)?, hash::rows(rows, &[])?);
        let records = hash::rows(rows, &VERDICT)?;
        let columns = Columns { table: Table::Rejected, rows };
        let (reasons, fields) = (columns.get(rejected::reason)?, columns.get(rejected::field)?);
        let details = columns.get(rejected::detail)?;
        for row in 0..rows.num_rows() {
            let part = self.parts.number(places.topics.value(row), places.numbers.value(row));
            let offset = places.offsets.value(row);
            let end = self.parts[part].ends.entry(Table::Rejected).or_default();
            *end = (*end).max(offset + 1);
            let held = &mut self.parts[part];
            if offset >= held.cut || held.replayed.contains(at(offset)) {
                continue;
            }
            if !held.letters.insert(at(offset)) {
                self.findings.mark(Kind::Double, REJECTED, part, offset, "set aside more than once");
            } else if reasons.value(row) == Reason::Conflict.code() {
                let said = said(fields.value(row), details.value(row));
                self.conflicts.insert((part, offset), Conflict { whole: hashes[row], record: records[row], said });
            } else if reasons.value(row) == Reason::KeyCollision.code() {
                self.collisions.push((part, offset, Collision::of_detail(details.value(row))));
                self.mapped_letters.insert((part, offset), records[row]);
            } else if self.mapped.contains(&self.parts[part].partition.topic) || is_of_the_registry(reasons.value(row)) {
                self.mapped_letters.insert((part, offset), records[row]);
            } else if self.parts[part].is_comparable(offset) {
                self.sums.held(bucket(Lane::Table(Table::Rejected), part, offset), hashes[row]);
            }
        }
        Ok(())
    }
}

/// The hash of a letter without its verdict, computed from its record.
pub(super) fn record_of(
    records: &Records,
    index: usize,
    schema_id: Option<i32>,
    stream: &str,
    contract: Contract,
) -> Result<u128, LogError> {
    let mut rows = rejected::Builder::sized(1);
    rows.push(&letter(records, index, schema_id, stream, contract, Refusal::default()));
    let rows = rows.finish().map_err(LogError::encode)?;
    let hashes = hash::rows(&read::plain(&rows)?, &VERDICT)?;
    Ok(hashes.first().copied().unwrap_or_default())
}
