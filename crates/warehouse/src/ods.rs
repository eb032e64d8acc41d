//! The current state: reduced in memory to one row per customer and per order, which replaces the stored row if it is newer.
//!
//! ```text
//!  customers ──► placeholders for those that orders name ──► orders ──► placeholders for those that lines and payments name
//!            ──► order_details, payments: added, each key once
//! ```

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use hashbrown::{HashMap, HashSet};
use kassa_model::star::kind::{Name, Timestamp};
use kassa_model::star::read::Columns;
use kassa_model::star::{dim_customer, fact_order, fact_payment, fact_sales, lineage};
use kassa_model::{Key, Table, star};
use postgres::Transaction;

use crate::WarehouseError;
use crate::plan::Plan;
use crate::statements::{Statements, copy_in};

/// Columns that `ods.orders` copies from `fact_order`.
#[rustfmt::skip]
const ORDER: [&str; 25] = [
    "order_key", "order_id", "store_id", "revision", "status", "financial_status", "fulfilment_status", "occurred_at", "placed_at",
    "processed_at", "paid_at", "cancelled_at", "closed_at", "cancel_reason", "customer_key", "channel_key", "promotion_key",
    "ship_address_key", "currency", "subtotal", "discount", "tax", "shipping", "duty", "total",
];
const CUSTOMER: [&str; 7] = ["customer_key", "customer_id", "store_id", "segment", "consent", "home_city_key", "valid_from"];
#[rustfmt::skip]
const LINE: [&str; 13] = [
    "order_key", "line_id", "movement", "product_key", "currency", "quantity", "unit_price", "gross_amount", "discount_amount",
    "tax_amount", "shipping_amount", "net_amount", "moved_at",
];
#[rustfmt::skip]
const PAYMENT: [&str; 14] = [
    "payment_id", "kind", "store_id", "order_key", "parent_id", "status", "gateway", "payment_method_key", "occurred_at", "amount",
    "currency", "instalments", "sequence", "is_test",
];

pub(crate) fn put(transaction: &mut Transaction<'_>, statements: &mut Statements, plan: &Plan) -> Result<(), WarehouseError> {
    put_customers(transaction, statements, plan)?;
    put_orders(transaction, statements, plan)?;
    copy_in(transaction, "ods.order_revisions", plan.rows(Table::FactOrder), Some(&["order_key", "revision"]))?;
    copy_in(transaction, "ods.order_details", plan.rows(Table::FactSales), Some(&LINE))?;
    copy_in(transaction, "ods.payments", plan.rows(Table::FactPayment), Some(&PAYMENT))?;
    Ok(())
}

fn put_customers(transaction: &mut Transaction<'_>, statements: &mut Statements, plan: &Plan) -> Result<(), WarehouseError> {
    let mut known = HashSet::new();
    if let Some(rows) = newest(plan, Table::DimCustomer, dim_customer::customer_key, |columns| {
        let placeholder = columns.get(dim_customer::is_placeholder)?.clone();
        let from = columns.get(dim_customer::valid_from)?.clone();
        Ok(Box::new(move |row| (i64::from(!placeholder.value(row)), from.value(row))))
    })? {
        let columns = Columns { table: Table::DimCustomer, rows: &rows };
        known.extend(columns.get(dim_customer::customer_key)?.values().iter().copied());
        let rows = chosen(&rows, &CUSTOMER, "is_placeholder")?;
        statements.insert(transaction, "ods.customers", &[rows], &over(&CUSTOMER, "is_placeholder", "customer_key",
            "NOT new.is_placeholder AND (held.is_placeholder OR new.valid_from >= held.valid_from) OR held.customer_id IS NULL"))?;
    }
    let mut named: Vec<i64> = Vec::new();
    for (table, column) in [(Table::FactOrder, fact_order::customer_key), (Table::FactSales, fact_sales::customer_key)] {
        for rows in plan.rows(table) {
            for key in (Columns { table, rows }).get(column)?.values() {
                if *key != 0 && known.insert(*key) {
                    named.push(*key);
                }
            }
        }
    }
    if !named.is_empty() {
        let sql = "INSERT INTO ods.customers (customer_key, is_placeholder) SELECT key, true FROM unnest($1::int8[]) key ORDER BY 1 ON CONFLICT DO NOTHING";
        statements.execute(transaction, sql, &[&named])?;
    }
    Ok(())
}

fn put_orders(transaction: &mut Transaction<'_>, statements: &mut Statements, plan: &Plan) -> Result<(), WarehouseError> {
    let mut known = HashSet::new();
    if let Some(rows) = newest(plan, Table::FactOrder, fact_order::order_key, |columns| {
        let (revision, at) = (columns.get(fact_order::revision)?.clone(), columns.get(fact_order::occurred_at)?.clone());
        Ok(Box::new(move |row| (revision.value(row), at.value(row))))
    })? {
        let columns = Columns { table: Table::FactOrder, rows: &rows };
        known.extend(columns.get(fact_order::order_key)?.values().iter().copied());
        let rows = with_flag(&chosen(&rows, &ORDER, "is_test")?, "is_placeholder", false)?;
        let rows = without_unknown(Columns { table: Table::FactOrder, rows: &rows }, fact_order::customer_key)?;
        statements.insert(
            transaction,
            "ods.orders",
            &[rows],
            &over(
                &ORDER,
                "is_test, is_placeholder",
                "order_key",
                "held.is_placeholder OR (new.revision, new.occurred_at) >= (held.revision, held.occurred_at)",
            ),
        )?;
    }
    let placeholders = Placeholders::of(plan, known)?;
    if let Some(rows) = placeholders.finish()? {
        statements.insert(transaction, "ods.orders", &[rows], "ON CONFLICT DO NOTHING")?;
    }
    Ok(())
}

/// `ON CONFLICT` that replaces the stored row where `newer` is true. The new row is called `new` in `newer`.
fn over(columns: &[&str], more: &str, key: &str, newer: &str) -> String {
    let all: Vec<&str> = columns.iter().copied().filter(|column| *column != key).chain(more.split(", ")).collect();
    let from: Vec<String> = all.iter().map(|column| format!("excluded.{column}")).collect();
    let newer = newer.replace("new.", "excluded.");
    format!("ON CONFLICT ({key}) DO UPDATE SET ({}) = ROW({}) WHERE {newer}", all.join(", "), from.join(", "))
}

type Rank<'r> = Box<dyn Fn(usize) -> (i64, i64) + 'r>;

/// For each key the row of the highest rank; of equal ones the later.
fn newest<'r>(
    plan: &'r Plan,
    table: Table,
    key: Name<Key>,
    rank: impl Fn(Columns<'_>) -> Result<Rank<'r>, WarehouseError>,
) -> Result<Option<RecordBatch>, WarehouseError> {
    let batches = plan.rows(table);
    let Some(first) = batches.first() else { return Ok(None) };
    // Dictionaries differ between batches; array parameters need plain values.
    let plain = batches.iter().map(star::plain).collect::<Result<Vec<_>, _>>().map_err(WarehouseError::corrupt)?;
    let rows = concat_batches(&star::stored(&first.schema()), &plain).map_err(WarehouseError::corrupt)?;
    let columns = Columns { table, rows: &rows };
    let (keys, rank) = (columns.get(key)?, rank(columns)?);
    let mut best: HashMap<i64, usize> = HashMap::new();
    for row in 0..rows.num_rows() {
        let held = best.entry(keys.value(row)).or_insert(row);
        if rank(row) >= rank(*held) {
            *held = row;
        }
    }
    let mut places: Vec<u32> = best.into_values().filter_map(|row| u32::try_from(row).ok()).collect();
    places.sort_unstable();
    take_record_batch(&rows, &UInt32Array::from(places)).map(Some).map_err(WarehouseError::corrupt)
}

fn chosen(rows: &RecordBatch, columns: &[&str], last: &str) -> Result<RecordBatch, WarehouseError> {
    let schema = rows.schema();
    let places: Vec<usize> = columns.iter().chain([&last]).filter_map(|name| schema.index_of(name).ok()).collect();
    rows.project(&places).map_err(WarehouseError::corrupt)
}

fn with_flag(rows: &RecordBatch, name: &str, flag: bool) -> Result<RecordBatch, WarehouseError> {
    let mut fields: Vec<Arc<Field>> = rows.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(name, DataType::Boolean, false)));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(BooleanArray::from(vec![flag; rows.num_rows()])));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(WarehouseError::corrupt)
}

/// Key 0 is unknown: it becomes null, which foreign keys ignore.
fn without_unknown(of: Columns<'_>, column: Name<Key>) -> Result<RecordBatch, WarehouseError> {
    let rows = of.rows;
    let place = rows.schema().index_of(column.name()).map_err(WarehouseError::corrupt)?;
    let known: Int64Array = of.get(column)?.iter().map(|key| key.filter(|key| *key != 0)).collect();
    let mut columns = rows.columns().to_vec();
    columns[place] = Arc::new(known);
    let fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(WarehouseError::corrupt)
}

/// Orders that are named before their own records came, with the columns that lines and payments have.
#[derive(Default)]
struct Placeholders {
    keys: Vec<i64>,
    ids: Vec<String>,
    stores: Vec<String>,
    placed_at: Vec<Option<i64>>,
    customers: Vec<Option<i64>>,
    currencies: Vec<Option<String>>,
    is_test: Vec<bool>,
}

impl Placeholders {
    fn of(plan: &Plan, mut known: HashSet<i64>) -> Result<Self, WarehouseError> {
        let mut all = Self::default();
        for (table, time) in [(Table::FactSales, Some(fact_sales::ordered_at)), (Table::FactPayment, None)] {
            for rows in plan.rows(table) {
                all.add(Columns { table, rows }, time, &mut known)?;
            }
        }
        Ok(all)
    }

    fn add(
        &mut self,
        columns: Columns<'_>,
        time: Option<Name<Timestamp>>,
        known: &mut HashSet<i64>,
    ) -> Result<(), WarehouseError> {
        // Lines have the same columns.
        let (keys, ids, stores) =
            (columns.get(fact_payment::order_key)?, columns.get(fact_payment::order_id)?, columns.get(lineage::store_id)?);
        let (customers, currencies, tests) =
            (columns.get(fact_payment::customer_key)?, columns.get(fact_payment::currency)?, columns.get(fact_payment::is_test)?);
        let times = time.map(|time| columns.get(time)).transpose()?;
        for row in 0..keys.len() {
            let key = keys.value(row);
            if !known.insert(key) {
                continue;
            }
            self.keys.push(key);
            self.ids.push(ids.get(row).unwrap_or_default().to_owned());
            self.stores.push(stores.get(row).unwrap_or_default().to_owned());
            self.placed_at.push(times.map(|times| times.value(row)));
            // A payment's customer may not be known to `ods` yet.
            self.customers.push(times.and(Some(customers.value(row)).filter(|key| *key != 0)));
            self.currencies.push(currencies.get(row).map(str::to_owned));
            self.is_test.push(tests.value(row));
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<RecordBatch>, WarehouseError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let rows = self.keys.len();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("order_key", Arc::new(Int64Array::from(self.keys))),
            ("order_id", Arc::new(StringArray::from(self.ids))),
            ("store_id", Arc::new(StringArray::from(self.stores))),
            ("placed_at", Arc::new(arrow_array::TimestampMicrosecondArray::from(self.placed_at).with_timezone("UTC"))),
            ("customer_key", Arc::new(Int64Array::from(self.customers))),
            ("currency", Arc::new(StringArray::from(self.currencies))),
            ("is_test", Arc::new(BooleanArray::from(self.is_test))),
            ("is_placeholder", Arc::new(BooleanArray::from(vec![true; rows]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
            .map(Some)
            .map_err(WarehouseError::corrupt)
    }
}
