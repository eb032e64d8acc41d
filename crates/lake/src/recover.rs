//! Rebuilds the pipeline's state from the lake.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use kassa_model::key::{Checked, Id, Keyring};
use kassa_model::star::LINEAGE;
use kassa_model::{Contract, Key, Partition, Positions, Table};
use kassa_pipeline::dedupe::{self, Class, Index, IndexError, Verdict};
use kassa_pipeline::dimensions::Members;
use kassa_pipeline::stage::{self, Claim};

use crate::beyond::{Wanted, beyond};
use crate::delta::{LogError, Snapshot};
use crate::figures::positions;
use crate::lease::Lease;
use crate::read::{self, folder_of};
use crate::store::Store;

/// Passes every row of a table to `take`, with the named columns (all if empty). No file of it is deleted meanwhile.
pub fn scan(
    store: &dyn Store,
    table: Table,
    columns: &[&str],
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let _lease = Lease::take(store)?;
    let folder = folder_of(table);
    let snapshot = Snapshot::load(store, &folder)?;
    for add in snapshot.files.values() {
        read::file(store, &folder, add, &table.schema(), columns, take)?;
    }
    Ok(())
}

fn texts(rows: &RecordBatch, column: usize) -> Result<&StringArray, LogError> {
    rows.column(column).as_string_opt::<i32>().ok_or_else(|| LogError::Corrupt("a text column of another type".into()))
}

/// The members of the wanted rows, by the natural keys that the rows hold. `keyring` is that of the records which will name them.
pub fn members(store: &dyn Store, wanted: Wanted<'_>, keyring: &Keyring, members: &mut Members) -> Result<(), LogError> {
    let natural: [(Table, &str, &[&str]); 8] = [
        (Table::DimCustomer, "customer", &["customer_key", "store_id", "customer_id"]),
        (Table::DimProduct, "product", &["product_key", "store_id", "variant_id", "product_id"]),
        (Table::DimCategory, "category", &["category_key", "path"]),
        (Table::DimCountry, "country", &["country_key", "code"]),
        (Table::DimChannel, "channel", &["channel_key", "name"]),
        (Table::DimPromotion, "promotion", &["promotion_key", "code"]),
        (Table::DimPaymentMethod, "payment_method", &["payment_method_key", "name"]),
        (Table::DimCurrency, "currency", &["currency_key", "code"]),
    ];
    // The street of an address is in no dimension, so its check is that of the first record which names it again.
    beyond(store, Table::DimAddress, &["address_key"], wanted, &mut |rows| {
        let keys = rows.column(0).as_primitive::<Int64Type>().values();
        keys.iter().for_each(|key| members.remember(Table::DimAddress, Key::from_stored(*key)));
        Ok(())
    })?;
    for (table, kind, columns) in natural {
        beyond(store, table, columns, wanted, &mut |rows| {
            let keys = rows.column(0).as_primitive::<Int64Type>();
            let parts = (1..columns.len()).map(|at| texts(&rows, at)).collect::<Result<Vec<_>, _>>()?;
            for row in 0..rows.num_rows() {
                let natural: Vec<&str> = parts.iter().map(|part| text_or_none(part, row)).collect();
                members.recall(table, stored(keys.value(row), keyring.checked(kind, &natural)));
            }
            Ok(())
        })?;
    }
    cities(store, wanted, keyring, members)
}

/// A member whose row has this key; the check is that of its natural key.
fn stored(key: i64, Checked { check, .. }: Checked) -> Checked {
    Checked { key: Key::from_stored(key), check }
}

fn text_or_none(texts: &StringArray, row: usize) -> &str {
    if texts.is_valid(row) { texts.value(row) } else { "" }
}

/// The country in a city's natural key is a code, which only the country's own row has.
fn cities(store: &dyn Store, wanted: Wanted<'_>, keyring: &Keyring, members: &mut Members) -> Result<(), LogError> {
    let mut codes: HashMap<i64, String> = HashMap::new();
    scan(store, Table::DimCountry, &["country_key", "code"], &mut |rows| {
        let (keys, texts) = (rows.column(0).as_primitive::<Int64Type>(), texts(&rows, 1)?);
        codes.extend((0..rows.num_rows()).map(|row| (keys.value(row), texts.value(row).to_owned())));
        Ok(())
    })?;
    beyond(store, Table::DimCity, &["city_key", "country_key", "region", "name"], wanted, &mut |rows| {
        let keys = rows.column(0).as_primitive::<Int64Type>();
        let (countries, regions, names) = (rows.column(1).as_primitive::<Int64Type>(), texts(&rows, 2)?, texts(&rows, 3)?);
        for row in 0..rows.num_rows() {
            let code = codes.get(&countries.value(row)).map_or("", String::as_str);
            let natural = [code, text_or_none(regions, row), names.value(row)];
            members.recall(Table::DimCity, stored(keys.value(row), keyring.checked("city", &natural)));
        }
        Ok(())
    })?;
    Ok(())
}

/// The columns of the business key, in the primary tables of the money contracts.
fn business_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::FactOrder => &["order_id", "revision"],
        Table::FactSales => &["order_id", "line_id", "movement"],
        Table::FactPayment => &["payment_id", "kind"],
        _ => &[],
    }
}

/// Adds to the index the records in the primary tables at or beyond these positions, before which the index is complete.
/// `contracts` are those of the topics.
pub fn dedupe(
    store: &dyn Store,
    contracts: &HashMap<Arc<str>, Contract>,
    from: &Positions,
    (keyring, index): (&Keyring, &mut Index),
) -> Result<(), LogError> {
    for table in primary_tables(contracts) {
        let wanted = Wanted { from, to: None };
        beyond(store, table, &identity_columns(table), wanted, &mut |rows| {
            teach(&rows, table, (contracts, from), (keyring, &mut *index))
        })?;
    }
    Ok(())
}

/// The tables with a row for each accepted record; their [`identity_columns`] identify the record.
pub fn primary_tables(contracts: &HashMap<Arc<str>, Contract>) -> BTreeSet<Table> {
    contracts.values().map(|contract| Table::primary(*contract)).chain(nested_sales(contracts)).collect()
}

/// The positions up to which the lake has decided on records: those of the primary tables.
pub fn decided(store: &dyn Store, contracts: &HashMap<Arc<str>, Contract>) -> Result<Positions, LogError> {
    let mut decided = Positions::default();
    for table in primary_tables(contracts) {
        let held = positions(&Snapshot::load(store, &folder_of(table))?);
        for (partition, next) in held.iter() {
            if contracts.get(&partition.topic).is_some_and(|contract| Table::primary(*contract) == table) {
                decided.advance(partition, next);
            }
        }
    }
    Ok(decided)
}

/// Adds to the index the records of rows with the [`identity_columns`] of a primary table, in their order. `known`: the positions
/// of the index before.
pub fn teach(
    rows: &RecordBatch,
    table: Table,
    (contracts, known): (&HashMap<Arc<str>, Contract>, &Positions),
    (keyring, index): (&Keyring, &mut Index),
) -> Result<(), LogError> {
    let held = Held::of_table(rows, table)?;
    for row in 0..rows.num_rows() {
        // Other records leave rows in a primary table too: an order's placeholder for its customer.
        let contract = contracts.get(held.topic.value(row)).copied();
        if let Some(contract) = contract.filter(|contract| Table::primary(*contract) == table || is_nested(*contract, table)) {
            held.teach(row, (contract, table), known, (keyring, &mut *index)).map_err(LogError::corrupt)?;
        }
    }
    Ok(())
}

/// Whether the rows are the nested lines of orders.
pub(crate) fn is_nested(contract: Contract, table: Table) -> bool {
    contract == Contract::Order && table == Table::FactSales
}

/// The ledger, if only nested lines of orders can feed it: there is no stream of lines or refunds.
fn nested_sales(contracts: &HashMap<Arc<str>, Contract>) -> Option<Table> {
    let has = |wanted: &[Contract]| contracts.values().any(|contract| wanted.contains(contract));
    (has(&[Contract::Order]) && !has(&[Contract::OrderLine, Contract::Refund])).then_some(Table::FactSales)
}

/// The columns of a primary table that determine the keys of a row's record.
pub fn identity_columns(table: Table) -> Vec<&'static str> {
    LINEAGE.iter().chain(business_columns(table)).copied().collect()
}

/// The keys of a row: one or two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeysOf {
    keys: [Id; 2],
    count: usize,
}

impl KeysOf {
    pub(crate) fn held(&self) -> &[Id] {
        &self.keys[..self.count]
    }
}

/// The identity columns of a batch of rows.
pub(crate) struct Held<'r> {
    pub(crate) topic: &'r StringArray,
    pub(crate) partition: &'r Int64Array,
    pub(crate) offset: &'r Int64Array,
    pub(crate) nth: &'r Int32Array,
    event_id: &'r StringArray,
    source: &'r StringArray,
    store: &'r StringArray,
    pub(crate) content: &'r Int64Array,
    ingested_at: &'r TimestampMicrosecondArray,
    business: Vec<&'r ArrayRef>,
}

impl<'r> Held<'r> {
    /// `rows` has the [`identity_columns`] of its table, in their order, with the stored types.
    pub(crate) fn new(rows: &'r RecordBatch, business: usize) -> Result<Self, LogError> {
        Ok(Self {
            topic: texts(rows, 0)?,
            partition: rows.column(1).as_primitive::<Int64Type>(),
            offset: rows.column(2).as_primitive::<Int64Type>(),
            nth: rows.column(3).as_primitive::<Int32Type>(),
            event_id: texts(rows, 4)?,
            source: texts(rows, 5)?,
            store: texts(rows, 6)?,
            content: rows.column(7).as_primitive::<Int64Type>(),
            ingested_at: rows.column(8).as_primitive::<TimestampMicrosecondType>(),
            business: (0..business).map(|at| rows.column(LINEAGE.len() + at)).collect(),
        })
    }

    pub(crate) fn of_table(rows: &'r RecordBatch, table: Table) -> Result<Self, LogError> {
        Self::new(rows, business_columns(table).len())
    }

    fn text(&self, column: usize, row: usize) -> &'r str {
        self.business[column].as_string_opt::<i32>().map_or("", |texts| texts.value(row))
    }

    fn teach(
        &self,
        row: usize,
        (contract, table): (Contract, Table),
        known: &Positions,
        (keyring, index): (&Keyring, &mut Index),
    ) -> Result<(), IndexError> {
        let class = Class::of(contract);
        let partition = Partition::new(self.topic.value(row), self.partition.value(row));
        // For a partition that is new to the index, all its history is added, which must not count as recent.
        let remember = if known.get(&partition).is_some() { Index::remember_since } else { Index::remember };
        let partition = index.partition(&partition)?;
        let nth = if is_nested(contract, table) { self.nth.value(row) } else { 0 };
        let taught = dedupe::Row {
            partition,
            offset: self.offset.value(row),
            index: u32::try_from(nth).unwrap_or(u32::MAX),
            content: u64::from_ne_bytes(self.content.value(row).to_ne_bytes()),
            ingested_at: self.ingested_at.value(row),
        };
        if !keyring.is_keyed() && Claim::is_made_by(contract) {
            let claim = Claim::of_order(keyring, self.store.value(row), self.text(0, row));
            let claiming = claim.row(taught);
            if index.probe(claim.id, Class::Money, &claiming)? == Verdict::New {
                remember(index, claim.id, Class::Money, &claiming)?;
            }
        }
        self.keys(keyring, row, contract, table).held().iter().try_for_each(|key| remember(index, *key, class, &taught))
    }

    /// The keys by which the row's record is known, or, of an order's line, the line.
    pub(crate) fn keys(&self, keyring: &Keyring, row: usize, contract: Contract, table: Table) -> KeysOf {
        let store = self.store.value(row);
        if is_nested(contract, table) {
            let line = stage::line_key(keyring, store, self.text(0, row), self.text(1, row));
            return KeysOf { keys: [line, Id::default()], count: 1 };
        }
        let source = self.source.is_valid(row).then(|| self.source.value(row));
        let event = stage::event_key(keyring, contract, source, self.event_id.value(row));
        match self.business_key(keyring, row, contract, store) {
            Some(business) => KeysOf { keys: [event, business], count: 2 },
            None => KeysOf { keys: [event, Id::default()], count: 1 },
        }
    }

    fn business_key(&self, keyring: &Keyring, row: usize, contract: Contract, store: &str) -> Option<Id> {
        match contract {
            Contract::Order => {
                let revision = self.business[1].as_primitive::<Int64Type>().value(row);
                Some(stage::order_key(keyring, store, self.text(0, row), revision))
            }
            Contract::OrderLine => Some(stage::line_key(keyring, store, self.text(0, row), self.text(1, row))),
            Contract::Payment => Some(stage::payment_key(keyring, store, self.text(0, row), self.text(1, row))),
            Contract::Refund => {
                let line = self.text(1, row);
                let refund = if self.text(2, row) == "adjustment" {
                    line
                } else {
                    line.rsplit_once('/').map_or(line, |(refund, _)| refund)
                };
                Some(stage::refund_key(keyring, store, refund))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
