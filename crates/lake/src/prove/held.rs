//! Hashes the rows of the tables, by the positions of their records.

use arrow_array::{Array, BooleanArray, Int32Array, Int64Array, RecordBatch};
use kassa_model::star::read::{Columns, Texts};
use kassa_model::star::{dim_customer, lineage};
use kassa_model::{Contract, Key, Table};

use super::finding::{Kind, Site};
use super::parts::at;
use super::sums::{Lane, bucket};
use super::{Prover, hash, positions};
use crate::delta::LogError;
use crate::recover::is_nested;

/// Whether a row of a dimension with versions was written before the member's own record came.
pub(super) const PLACEHOLDER: &str = dim_customer::is_placeholder.name();

/// The tables whose rows come from records. Rates come before the facts that use them, and members before the rows that name
/// them, so that few keys wait for their member.
fn in_order() -> impl Iterator<Item = Table> {
    let is_dimension = |table: &Table| table.name().starts_with("dim_");
    let all = || Table::ALL.into_iter().filter(|table| table.has_lineage() && *table != Table::FactFxRate);
    let dimensions = all().rev().filter(is_dimension);
    std::iter::once(Table::FactFxRate).chain(dimensions).chain(all().filter(move |table| !is_dimension(table)))
}

/// The relation of a row to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The record's own row.
    Own,
    /// Comes from the record, but does not show that the record was accepted.
    Beside,
    /// A line of an order: exists unless an earlier record had it.
    Line,
    /// A member of a dimension: exists unless an earlier record named it.
    Member,
}

/// The lineage columns of a table's rows.
pub(super) struct Lineage<'r> {
    table: Table,
    pub(super) topics: Texts<'r>,
    pub(super) numbers: &'r Int64Array,
    pub(super) offsets: &'r Int64Array,
    pub(super) places: &'r Int32Array,
    keys: Option<&'r Int64Array>,
    placeholder: Option<&'r BooleanArray>,
}

impl<'r> Lineage<'r> {
    pub(super) fn new(table: Table, rows: &'r RecordBatch) -> Result<Self, LogError> {
        let versioned = matches!(table, Table::DimCustomer | Table::DimProduct);
        let columns = Columns { table, rows };
        Ok(Self {
            table,
            topics: columns.get(lineage::source_topic)?,
            numbers: columns.get(lineage::source_partition)?,
            offsets: columns.get(lineage::source_offset)?,
            places: columns.get(lineage::source_index)?,
            keys: if table.name().starts_with("dim_") { columns.named::<Key>(table.own_columns()[0].name).ok() } else { None },
            placeholder: if versioned { Some(columns.get(dim_customer::is_placeholder)?) } else { None },
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

    /// The order of a row among the rows of the same source: offset and index in the record. For members only the offset counts,
    /// because their index depends on which members were new.
    pub(super) fn place(&self, row: usize) -> (i64, i32) {
        let is_bound = hash::order_bound(self.table).contains(&"source_index");
        (self.offsets.value(row), if is_bound { 0 } else { self.places.value(row) })
    }

    pub(super) fn key(&self, row: usize) -> Key {
        self.keys.map_or(Key::UNKNOWN, |keys| Key::from_stored(keys.value(row)))
    }
}

impl Prover<'_> {
    pub(super) fn held(&mut self) -> Result<(), LogError> {
        self.letters()?;
        for table in in_order() {
            let held = self.tables.get(&table).map(|snapshot| positions(snapshot)).unwrap_or_default();
            self.scan(table, &[], &mut |prover, rows| {
                prover.count(&rows);
                prover.keys(table, &rows)?;
                let lineage = Lineage::new(table, &rows)?;
                let hashes = prover.hashes(table, &rows, &mut |_, _| true)?;
                prover.bare(table, &rows, &lineage);
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

    /// A hash for each row of a table, over the cells that come from its record. A cell of a column that was added later counts
    /// if the row has it and `has` states that the other side's row has it.
    pub(super) fn hashes(
        &self,
        table: Table,
        rows: &RecordBatch,
        has: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<u128>, LogError> {
        let added = self.added.get(&table).map(Vec::as_slice).unwrap_or_default();
        let without: Vec<&str> = hash::order_bound(table).iter().copied().chain(added.iter().map(String::as_str)).collect();
        let mut hashes = hash::rows(rows, &without)?;
        hash::added(rows, added, &mut hashes, has)?;
        Ok(hashes)
    }

    /// Records the rows without a value in a column that was added to their table later: most are older than the column.
    fn bare(&mut self, table: Table, rows: &RecordBatch, lineage: &Lineage<'_>) {
        let added = self.added.get(&table).map(Vec::as_slice).unwrap_or_default();
        for (number, column) in added.iter().enumerate().filter_map(|(number, name)| Some((number, rows.column_by_name(name)?))) {
            for row in (0..rows.num_rows()).filter(|row| column.is_null(*row)) {
                let part = self.parts.number(lineage.topics.value(row), lineage.numbers.value(row));
                self.parts[part].bare.entry((table, number)).or_default().insert(lineage.place(row));
            }
        }
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
                self.parts[part].lines.insert((offset, lineage.places.value(row)));
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
