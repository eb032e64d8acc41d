//! What the tables hold: a hash of each row, by where its record is.

use kassa_model::{Contract, Key, Table};

use super::finding::{Kind, Site};
use super::parts::{at, line_at};
use super::sums::{Lane, bucket};
use super::{Prover, columns, hash, positions};
use crate::delta::LogError;
use crate::recover::is_nested;
use arrow_array::{BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray};

/// What a row is to the record that it stems from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The record is there for it.
    Own,
    /// It follows from the record, but says nothing of whether the record was accepted.
    Beside,
    /// A line of an order: there unless an earlier record brought it.
    Line,
    /// A member of a dimension: there unless an earlier record named it.
    Member,
}

/// The lineage columns of a table's rows.
pub(super) struct Lineage<'r> {
    table: Table,
    pub(super) topics: &'r StringArray,
    pub(super) numbers: &'r Int64Array,
    pub(super) offsets: &'r Int64Array,
    pub(super) places: &'r Int32Array,
    keys: Option<&'r Int64Array>,
    placeholder: Option<&'r BooleanArray>,
}

impl<'r> Lineage<'r> {
    pub(super) fn new(table: Table, rows: &'r RecordBatch) -> Result<Self, LogError> {
        let versioned = matches!(table, Table::DimCustomer | Table::DimProduct);
        Ok(Self {
            table,
            topics: columns::texts(rows, "source_topic")?,
            numbers: columns::longs(rows, "source_partition")?,
            offsets: columns::longs(rows, "source_offset")?,
            places: columns::ints(rows, "source_index")?,
            keys: if table.name().starts_with("dim_") { columns::longs(rows, rows.schema().field(0).name()).ok() } else { None },
            placeholder: if versioned { Some(columns::booleans(rows, "is_placeholder")?) } else { None },
        })
    }

    pub(super) fn role(&self, row: usize, contract: Contract) -> Role {
        if self.placeholder.is_some_and(|placeholder| placeholder.value(row)) {
            Role::Member
        } else if Table::primary(contract) == self.table {
            Role::Own
        } else if is_nested(contract, self.table) {
            Role::Line
        } else if self.keys.is_some() && self.placeholder.is_none() {
            Role::Member
        } else {
            Role::Beside
        }
    }

    pub(super) fn key(&self, row: usize) -> Key {
        Key(self.keys.map_or(0, |keys| keys.value(row)))
    }
}

impl Prover<'_> {
    pub(super) fn held(&mut self) -> Result<(), LogError> {
        self.letters()?;
        for table in Table::ALL.into_iter().filter(|table| table.has_lineage()) {
            let held = self.tables.get(&table).map(|snapshot| positions(snapshot)).unwrap_or_default();
            self.scan(table, &[], &mut |prover, rows| {
                prover.keys(table, &rows)?;
                let lineage = Lineage::new(table, &rows)?;
                let hashes = hash::rows(&rows, hash::order_bound(table))?;
                for (row, hash) in hashes.into_iter().enumerate() {
                    let part = prover.parts.number(lineage.topics.value(row), lineage.numbers.value(row));
                    let offset = lineage.offsets.value(row);
                    if offset >= held.next(&prover.parts[part].partition) && !prover.parts[part].replayed.contains(at(offset)) {
                        let detail = "a row beyond the table's position";
                        prover.findings.mark(Kind::Extra, Site::Table(table), part, offset, detail);
                    }
                    prover.row(&lineage, row, part, hash);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn row(&mut self, lineage: &Lineage<'_>, row: usize, part: u32, hash: u128) {
        let (table, offset) = (lineage.table, lineage.offsets.value(row));
        let end = self.parts[part].ends.entry(table).or_default();
        *end = (*end).max(offset + 1);
        if offset >= self.parts[part].cut {
            return;
        }
        let Some(contract) = self.contract(part) else { return };
        match lineage.role(row, contract) {
            Role::Own => {
                self.parts[part].accepted.insert(at(offset));
            }
            Role::Line => {
                self.parts[part].lines.insert(line_at(offset, lineage.places.value(row)));
            }
            Role::Member => {
                self.parts[part].creators.insert(at(offset));
                self.members.claim(table, lineage.key(row), part, offset);
            }
            Role::Beside => {}
        }
        if self.parts[part].is_comparable(offset) {
            self.sums.held(bucket(Lane::Table(table), part, offset), hash);
        }
    }
}
