//! Checks that every key has its member, and that every member begins once per partition: workers with different partitions each
//! write a member, as does a sink that was ahead of another before a restart. Views show it once.

use std::collections::{BTreeSet, HashMap, HashSet};

use arrow_array::{Array, RecordBatch};
use kassa_model::star::kind::Symbol;
use kassa_model::star::read::Columns;
use kassa_model::{Key, Table};
use xxhash_rust::xxh3::xxh3_64;

use super::Prover;
use super::finding::{Kind, Site};
use super::held::{Lineage, PLACEHOLDER};
use crate::delta::LogError;

/// A table, a column of it, and the dimension that must have the member.
const REFERENCES: [(Table, &str, Table); 26] = [
    (Table::FactSales, "customer_key", Table::DimCustomer),
    (Table::FactSales, "product_key", Table::DimProduct),
    (Table::FactSales, "channel_key", Table::DimChannel),
    (Table::FactSales, "promotion_key", Table::DimPromotion),
    (Table::FactSales, "ship_address_key", Table::DimAddress),
    (Table::FactSales, "ship_country_key", Table::DimCountry),
    (Table::FactOrder, "customer_key", Table::DimCustomer),
    (Table::FactOrder, "channel_key", Table::DimChannel),
    (Table::FactOrder, "promotion_key", Table::DimPromotion),
    (Table::FactOrder, "billing_address_key", Table::DimAddress),
    (Table::FactOrder, "ship_address_key", Table::DimAddress),
    (Table::FactOrder, "ship_country_key", Table::DimCountry),
    (Table::FactPayment, "customer_key", Table::DimCustomer),
    (Table::FactPayment, "channel_key", Table::DimChannel),
    (Table::FactPayment, "payment_method_key", Table::DimPaymentMethod),
    (Table::FactEvent, "customer_key", Table::DimCustomer),
    (Table::FactEvent, "product_key", Table::DimProduct),
    (Table::FactEvent, "channel_key", Table::DimChannel),
    (Table::FactEvent, "country_key", Table::DimCountry),
    (Table::FactInventory, "product_key", Table::DimProduct),
    (Table::DimProduct, "category_key", Table::DimCategory),
    (Table::DimCategory, "parent_key", Table::DimCategory),
    (Table::DimCustomer, "home_city_key", Table::DimCity),
    (Table::DimAddress, "city_key", Table::DimCity),
    (Table::DimCity, "country_key", Table::DimCountry),
    (Table::VaultCustomer, "customer_key", Table::DimCustomer),
];

/// Columns with a currency's code.
const CURRENCIES: [(Table, &str); 7] = [
    (Table::FactSales, "currency"),
    (Table::FactOrder, "currency"),
    (Table::FactPayment, "currency"),
    (Table::FactEvent, "currency"),
    (Table::FactFxRate, "base"),
    (Table::FactFxRate, "quote"),
    (Table::DimProduct, "currency"),
];

/// The maximum number of recorded orphans.
const ORPHANS: usize = 100_000;

/// The number of members that a proof since a day looks up at once among older ones.
const WANTED: usize = 500_000;

#[derive(Debug, Default)]
pub(super) struct Members {
    held: HashSet<(Table, i64)>,
    /// Placeholders by member and partition, and members by the position where they began.
    placeholders: HashSet<(Table, i64, u32)>,
    claims: HashSet<u64>,
    /// Members that were not found yet, with the first position that names them.
    wanted: HashMap<(Table, i64), (Table, &'static str, u32, i64)>,
}

fn claim(table: Table, key: Key, part: u32, offset: i64) -> u64 {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&key.stored().to_le_bytes());
    bytes[8..16].copy_from_slice(&offset.to_le_bytes());
    bytes[16..20].copy_from_slice(&part.to_le_bytes());
    xxh3_64(&bytes) ^ xxh3_64(table.name().as_bytes())
}

impl Members {
    /// Records that a member began with this record.
    pub(super) fn claim(&mut self, table: Table, key: Key, part: u32, offset: i64) {
        self.claims.insert(claim(table, key, part, offset));
    }

    pub(super) fn is_claimed(&self, table: Table, key: Key, part: u32, offset: i64) -> bool {
        self.claims.contains(&claim(table, key, part, offset))
    }

    /// A member that was wanted exists.
    fn find(&mut self, member: (Table, i64)) {
        if self.wanted.remove(&member).is_some() {
            self.held.insert(member);
        }
    }

    fn wants(&self, table: Table) -> bool {
        self.wanted.keys().any(|(wanted, _)| *wanted == table)
    }
}

impl Prover<'_> {
    /// Records a dimension's members, and the keys that rows name.
    pub(super) fn keys(&mut self, table: Table, rows: &RecordBatch) -> Result<(), LogError> {
        let lineage = Lineage::new(table, rows)?;
        if table.name().starts_with("dim_") {
            self.members_of(table, rows, &lineage)?;
        }
        let columns = Columns { table, rows };
        for (_, column, dimension) in REFERENCES.iter().filter(|(from, ..)| *from == table) {
            let keys = columns.named::<Key>(column)?;
            for row in (0..rows.num_rows()).filter(|row| keys.is_valid(*row)) {
                self.named(&lineage, row, table, column, (*dimension, keys.value(row)));
            }
        }
        for (_, column) in CURRENCIES.iter().filter(|(from, _)| *from == table) {
            let codes = columns.named::<Symbol>(column)?;
            let mut last = ("", 0);
            for (row, code) in (0..rows.num_rows()).filter_map(|row| Some((row, codes.get(row)?))) {
                if code != last.0 {
                    last = (code, self.keyring.key("currency", &[code]).stored());
                }
                self.named(&lineage, row, table, column, (Table::DimCurrency, last.1));
            }
        }
        // In a full proof all members are read before the rows that name them.
        if self.since.is_some() && self.members.wanted.len() >= WANTED { self.members() } else { Ok(()) }
    }

    fn members_of(&mut self, table: Table, rows: &RecordBatch, lineage: &Lineage<'_>) -> Result<(), LogError> {
        let columns = Columns { table, rows };
        let placeholder = rows.column_by_name(PLACEHOLDER).map(|_| columns.named::<bool>(PLACEHOLDER)).transpose()?;
        for row in 0..rows.num_rows() {
            let key = lineage.key(row);
            let begins = placeholder.is_none_or(|placeholder| placeholder.value(row));
            let members = &mut self.members;
            members.held.insert((table, key.stored()));
            let part = self.parts.number(lineage.topics.value(row), lineage.numbers.value(row));
            if begins && !members.placeholders.insert((table, key.stored(), part)) {
                let offset = lineage.offsets.value(row);
                // A second one from the same record shows in the sums.
                if offset < self.parts[part].cut && !self.members.is_claimed(table, key, part, offset) {
                    self.findings.mark(Kind::Double, Site::Table(table), part, offset, "the member began before");
                }
            }
        }
        Ok(())
    }

    fn named(&mut self, lineage: &Lineage<'_>, row: usize, from: Table, column: &'static str, member: (Table, i64)) {
        let is_full = self.since.is_none() && self.members.wanted.len() >= ORPHANS;
        if member.1 == 0 || self.members.held.contains(&member) || is_full {
            return;
        }
        let part = self.parts.number(lineage.topics.value(row), lineage.numbers.value(row));
        let offset = lineage.offsets.value(row);
        if offset < self.parts[part].cut {
            self.members.wanted.entry(member).or_insert((from, column, part, offset));
        }
    }

    /// Reports the members that were named and do not exist.
    pub(super) fn members(&mut self) -> Result<(), LogError> {
        if self.since.is_some() {
            self.older_members()?;
        }
        let Members { held, wanted, .. } = &mut self.members;
        let mut orphans: Vec<_> = wanted.drain().filter(|(member, _)| !held.contains(member)).collect();
        orphans.sort_unstable();
        for ((dimension, key), (from, column, part, offset)) in orphans {
            let detail = format!("{column} {key} has no row in {}", dimension.name());
            self.findings.mark(Kind::Orphan, Site::Table(from), part, offset, detail);
        }
        Ok(())
    }

    /// Looks up missing members among all members: those that began before the day are not in the rows that were read.
    fn older_members(&mut self) -> Result<(), LogError> {
        let dimensions: BTreeSet<Table> = self.members.wanted.keys().map(|(dimension, _)| *dimension).collect();
        for table in dimensions {
            let key = table.own_columns()[0].name;
            self.scan_older(table, &[key], &|prover| !prover.members.wants(table), &mut |prover, rows| {
                let keys = Columns { table, rows: &rows }.named::<Key>(key)?;
                keys.values().iter().for_each(|key| prover.members.find((table, *key)));
                Ok(())
            })?;
        }
        Ok(())
    }
}
