//! Rebuilds what the pipeline remembers from what the lake holds: state is disposable.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use kassa_model::{Contract, Currency, Key, Partition, Rate, Table};
use kassa_pipeline::dedupe::{self, Class, Index, IndexError};
use kassa_pipeline::dimensions::Members;
use kassa_pipeline::shape::Memory;
use kassa_pipeline::stage;

use crate::delta::{LogError, Snapshot};
use crate::read::{self, folder_of};
use crate::store::Store;

/// Hands every row of a table to `take`, columns as named (all if empty).
pub fn scan(
    store: &dyn Store,
    table: Table,
    columns: &[&str],
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let folder = folder_of(table);
    let snapshot = Snapshot::load(store, &folder)?;
    for add in snapshot.files.values() {
        read::file(store, &folder, add, &table.schema(), columns, take)?;
    }
    Ok(())
}

/// The members and the rates.
pub fn memory(store: &dyn Store, memory: &mut Memory) -> Result<(), LogError> {
    members(store, &mut memory.members)?;
    scan(store, Table::FactFxRate, &["base", "quote", "rate_date_key", "rate"], &mut |rows| {
        let (base, quote) = (texts(&rows, 0)?, texts(&rows, 1)?);
        let days = rows.column(2).as_primitive::<Int32Type>();
        let rates = rows.column(3).as_primitive::<Decimal128Type>();
        for row in 0..rows.num_rows() {
            let pair = Currency::parse(base.value(row)).zip(Currency::parse(quote.value(row)));
            let rate = Rate::from_scaled(rates.value(row), 9).ok();
            if let Some(((base, quote), rate)) = pair.zip(rate) {
                memory.rates.learn(base, quote, days.value(row), rate);
            }
        }
        Ok(())
    })
}

fn texts(rows: &RecordBatch, column: usize) -> Result<&StringArray, LogError> {
    rows.column(column).as_string_opt::<i32>().ok_or_else(|| LogError::Corrupt("a text column of another type".to_owned()))
}

/// The members, by the natural keys that their rows hold.
fn members(store: &dyn Store, members: &mut Members) -> Result<(), LogError> {
    let natural: [(Table, &[&str]); 7] = [
        (Table::DimCustomer, &["customer_key", "store_id", "customer_id"]),
        (Table::DimProduct, &["product_key", "store_id", "variant_id", "product_id"]),
        (Table::DimCategory, &["category_key", "path"]),
        (Table::DimCountry, &["country_key", "code"]),
        (Table::DimChannel, &["channel_key", "name"]),
        (Table::DimPromotion, &["promotion_key", "code"]),
        (Table::DimPaymentMethod, &["payment_method_key", "name"]),
    ];
    for (table, columns) in natural {
        scan(store, table, columns, &mut |rows| {
            let keys = rows.column(0).as_primitive::<Int64Type>();
            let parts = (1..columns.len()).map(|at| texts(&rows, at)).collect::<Result<Vec<_>, _>>()?;
            for row in 0..rows.num_rows() {
                let natural: Vec<&str> = parts.iter().map(|part| if part.is_valid(row) { part.value(row) } else { "" }).collect();
                members.is_new(table, Key(keys.value(row)), &natural).map_err(|error| LogError::Corrupt(error.to_string()))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The columns that tell a record's identity, in each contract's primary table.
const IDENTITY: [&str; 9] = [
    "source_topic",
    "source_partition",
    "source_offset",
    "source_index",
    "event_id",
    "source",
    "store_id",
    "content_hash",
    "ingested_at",
];

/// The columns of the business key, in the primary tables of the money contracts.
fn business_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::FactOrder => &["order_id", "revision"],
        Table::FactSales => &["order_id", "line_id", "movement"],
        Table::FactPayment => &["payment_id", "kind"],
        _ => &[],
    }
}

/// Teaches the index the records that the primary tables hold. `contracts` are those of the topics.
pub fn dedupe(store: &dyn Store, contracts: &HashMap<Arc<str>, Contract>, index: &mut Index) -> Result<(), LogError> {
    let tables: BTreeSet<Table> = contracts.values().map(|contract| Table::primary(*contract)).collect();
    for table in tables.into_iter().chain(nested_sales(contracts)) {
        let business = business_columns(table);
        let columns: Vec<&str> = IDENTITY.iter().chain(business).copied().collect();
        scan(store, table, &columns, &mut |rows| {
            let held = Held::new(&rows, business)?;
            for row in 0..rows.num_rows() {
                // Other records leave rows in a primary table too: an order's placeholder for its customer.
                let contract = contracts.get(held.topic.value(row));
                if let Some(contract) =
                    contract.filter(|contract| Table::primary(**contract) == table || is_nested(**contract, table))
                {
                    held.teach(row, *contract, table, index).map_err(|error| LogError::Corrupt(error.to_string()))?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn is_nested(contract: Contract, table: Table) -> bool {
    contract == Contract::Order && table == Table::FactSales
}

/// Orders may bring lines of their own, where no stream of lines does.
fn nested_sales(contracts: &HashMap<Arc<str>, Contract>) -> Option<Table> {
    let has = |wanted: &[Contract]| contracts.values().any(|contract| wanted.contains(contract));
    (has(&[Contract::Order]) && !has(&[Contract::OrderLine, Contract::Refund])).then_some(Table::FactSales)
}

/// The identity columns of a batch of rows.
struct Held<'r> {
    topic: &'r StringArray,
    partition: &'r Int64Array,
    offset: &'r Int64Array,
    nth: &'r Int32Array,
    event_id: &'r StringArray,
    source: &'r StringArray,
    store: &'r StringArray,
    content: &'r Int64Array,
    ingested_at: &'r TimestampMicrosecondArray,
    business: Vec<&'r ArrayRef>,
}

impl<'r> Held<'r> {
    fn new(rows: &'r RecordBatch, business: &[&str]) -> Result<Self, LogError> {
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
            business: (0..business.len()).map(|at| rows.column(IDENTITY.len() + at)).collect(),
        })
    }

    fn text(&self, column: usize, row: usize) -> &'r str {
        self.business[column].as_string_opt::<i32>().map_or("", |texts| texts.value(row))
    }

    fn teach(&self, row: usize, contract: Contract, table: Table, index: &mut Index) -> Result<(), IndexError> {
        let class = if contract.is_money() { Class::Money } else { Class::Event };
        let partition = index.partition(&Partition::new(self.topic.value(row), self.partition.value(row)))?;
        let known = dedupe::Row {
            partition,
            offset: self.offset.value(row),
            index: 0,
            content: u64::from_ne_bytes(self.content.value(row).to_ne_bytes()),
            ingested_at: self.ingested_at.value(row),
        };
        let store = self.store.value(row);
        if is_nested(contract, table) {
            let nth = u32::try_from(self.nth.value(row)).unwrap_or(u32::MAX);
            let key = stage::line_key(store, self.text(0, row), self.text(1, row));
            return index.remember(key, class, &dedupe::Row { index: nth, ..known });
        }
        let source = self.source.is_valid(row).then(|| self.source.value(row));
        index.remember(stage::event_key(contract, source, self.event_id.value(row)), class, &known)?;
        let business = match contract {
            Contract::Order => {
                let revision = self.business[1].as_primitive::<Int64Type>().value(row);
                Some(stage::order_key(store, self.text(0, row), revision))
            }
            Contract::OrderLine => Some(stage::line_key(store, self.text(0, row), self.text(1, row))),
            Contract::Payment => Some(stage::payment_key(store, self.text(0, row), self.text(1, row))),
            Contract::Refund => {
                let line = self.text(1, row);
                let refund = if self.text(2, row) == "adjustment" {
                    line
                } else {
                    line.rsplit_once('/').map_or(line, |(refund, _)| refund)
                };
                Some(stage::refund_key(store, refund))
            }
            _ => None,
        };
        business.map_or(Ok(()), |key| index.remember(key, class, &known))
    }
}
