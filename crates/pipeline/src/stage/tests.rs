//! Records through the whole stage: the fate of each, and the rows made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, RecordBatch};
use arrow_schema::DataType;
use kassa_model::{Currency, Fate, Format, Headers, Partition, decimal, time};

use super::*;
use crate::dedupe::IndexOptions;
use crate::ports::{Mapper, MapperError};

mod avro;
mod collisions;
mod columns;
mod contracts;
mod debezium;
mod eviction;
mod hostile;
mod identity;
mod json;
mod mapped;
mod money;
mod properties;
mod reasons;

/// 2026-01-12T09:30:00Z, when all records of these tests were ingested.
const INGESTED: i64 = 1_768_210_200_000_000;
const LIMIT: usize = 1 << 20;
const KEYS: Keyring = Keyring::keyed([7; 16]);

fn shop(zone: &str) -> Shop {
    Shop::new("Test", zone, Currency::parse("GBP").unwrap()).unwrap()
}

fn index() -> Index {
    Index::new(&IndexOptions { memory_bytes: 64 << 20, dir: None, event_window_us: 7 * time::DAY }).unwrap()
}

/// A stage whose topic `t` is a stream of this contract.
fn stage_in(zone: &str, contract: Contract, format: Format, mapper: Option<Box<dyn Mapper>>) -> Stage {
    let stream = Stream::new("things", contract, format, mapper, LIMIT);
    Stage::new(&shop(zone), KEYS, index(), [(Arc::from("t"), stream)])
}

fn stage(contract: Contract) -> Stage {
    stage_in("Europe/London", contract, Format::Json, None)
}

/// Records from `first` on.
fn records(first: i64, values: &[&[u8]], headers: Headers) -> Records {
    let next = first + i64::try_from(values.len()).unwrap();
    Records {
        partition: Partition::new("t", 0),
        offsets: (first..next).collect(),
        ingested_at: vec![INGESTED; values.len()],
        timestamps: vec![None; values.len()],
        keys: None,
        headers,
        values: BinaryArray::from(values.to_vec()),
        next,
    }
}

/// What became of records, readable.
struct Done {
    batch: Batch,
}

type Cells = BTreeMap<String, String>;

impl Done {
    fn of(stage: &mut Stage, first: i64, values: &[&[u8]]) -> Self {
        Self::with_headers(stage, first, values, Headers::None)
    }

    fn with_headers(stage: &mut Stage, first: i64, values: &[&[u8]], headers: Headers) -> Self {
        let batch = stage.run(records(first, values, headers), first).unwrap();
        assert!(batch.span().counts.add_up(), "law 1");
        Self { batch }
    }

    fn fates(&self) -> &[Fate] {
        self.batch.fates()
    }

    fn rows(&self, table: Table) -> Vec<Cells> {
        let held = self.batch.tables().iter().find(|(held, _)| *held == table);
        held.map_or(Vec::new(), |(_, rows)| cells_of(rows))
    }

    fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<Table> = self.batch.tables().iter().map(|(table, _)| *table).collect();
        tables.sort();
        tables
    }

    /// (offset, reason, field) of each dead letter.
    fn letters(&self) -> Vec<(i64, String, String)> {
        let rows = self.rows(Table::Rejected);
        rows.iter().map(|row| (row["offset"].parse().unwrap(), row["reason"].clone(), row["field"].clone())).collect()
    }
}

/// One record through a fresh stage.
fn one(contract: Contract, value: &str) -> Done {
    Done::of(&mut stage(contract), 0, &[value.as_bytes()])
}

fn accepted(contract: Contract, value: &str) -> Done {
    let done = one(contract, value);
    assert_eq!(done.fates(), [Fate::Accepted], "{value}: {:?}", done.rows(Table::Rejected));
    done
}

/// The reason and field of a record that is a dead letter, or `accepted`.
fn verdict(contract: Contract, value: &[u8]) -> (String, String) {
    let mut stage = stage(contract);
    let told = stage.verdict("t", value).unwrap();
    let done = Done::of(&mut stage, 0, &[value]);
    let found = match done.letters().into_iter().next() {
        Some((_, reason, field)) => (reason, field),
        None => ("accepted".to_owned(), String::new()),
    };
    let told = told
        .map_or(("accepted".to_owned(), String::new()), |letter| (letter.reason.code().to_owned(), letter.field.into_owned()));
    assert_eq!(
        told,
        found,
        "the collector says what the pipeline will do: {}",
        String::from_utf8_lossy(&value[..value.len().min(200)])
    );
    found
}

fn cells_of(rows: &RecordBatch) -> Vec<Cells> {
    let schema = rows.schema();
    let row = |row: usize| {
        let cells = schema.fields().iter().zip(rows.columns());
        cells.map(|(field, column)| (field.name().clone(), text_of(column.as_ref(), row))).collect()
    };
    (0..rows.num_rows()).map(row).collect()
}

/// Absent cells are `∅`.
fn text_of(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "∅".to_owned();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Dictionary(..) => {
            let symbols = column.as_dictionary::<Int32Type>();
            text_of(symbols.values().as_ref(), usize::try_from(symbols.keys().value(row)).unwrap())
        }
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Binary => String::from_utf8_lossy(column.as_binary::<i32>().value(row)).into_owned(),
        DataType::Timestamp(..) => time::format(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Decimal128(_, scale) => {
            decimal::format_units(column.as_primitive::<Decimal128Type>().value(row), u32::try_from(*scale).unwrap(), 0)
        }
        other => panic!("no test reads {other}"),
    }
}

/// The named cells of a row are these.
fn has(row: &Cells, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(row.get(*name).map(String::as_str), Some(*value), "{name} of {row:?}");
    }
}

/// A valid record of each contract; `extra` is the rest of its fields, as JSON text.
fn minimal(contract: Contract) -> &'static str {
    match contract {
        Contract::Event => r#"{"event_id":"e1","occurred_at":"2026-01-12T09:00:00Z","type":"page_viewed"}"#,
        Contract::Order => r#"{"occurred_at":"2026-01-12T09:00:00Z","order_id":"o1"}"#,
        Contract::OrderLine => {
            r#"{"occurred_at":"2026-01-12T09:00:00Z","order_id":"o1","line_id":"1","quantity":2,"unit_price":"3.50","currency":"GBP"}"#
        }
        Contract::Payment => {
            r#"{"occurred_at":"2026-01-12T09:00:00Z","payment_id":"p1","order_id":"o1","kind":"sale","amount":"7.00","currency":"GBP"}"#
        }
        Contract::Refund => r#"{"occurred_at":"2026-01-12T09:00:00Z","refund_id":"r1","order_id":"o1","currency":"GBP"}"#,
        Contract::Customer => r#"{"occurred_at":"2026-01-12T09:00:00Z","customer_id":"c1"}"#,
        Contract::Product => r#"{"occurred_at":"2026-01-12T09:00:00Z","product_id":"p1"}"#,
        Contract::Inventory => r#"{"occurred_at":"2026-01-12T09:00:00Z","product_id":"p1","location":"x","level":3}"#,
        Contract::FxRate => {
            r#"{"occurred_at":"2026-01-12T09:00:00Z","base":"EUR","quote":"GBP","day":"2026-01-12","rate":"0.87"}"#
        }
    }
}

/// The minimal record with one field put or replaced. `value` is JSON text; empty takes the field away.
fn with(contract: Contract, field: &str, value: &str) -> String {
    let mut fields: BTreeMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(minimal(contract)).unwrap();
    fields.remove(field);
    if !value.is_empty() {
        fields.insert(field.to_owned(), serde_json::from_str(value).unwrap());
    }
    serde_json::to_string(&fields).unwrap()
}
