//! Test shops in short notation: a row is `name=value name=value`; absent columns have their defaults.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema};
use jiff::tz::TimeZone;
use kassa_model::decimal::Decimal;
use kassa_model::key::Keyring;
use kassa_model::{Currency, Shop, Table, time};

use crate::{Figures, Query};

pub(crate) fn shop(zone: &str) -> Shop {
    Shop::new("Harbour & Pine", zone, Currency::parse("GBP").unwrap()).unwrap()
}

/// The columns that a short name sets.
fn columns_of(word: &str) -> &[&str] {
    match word {
        "order" => &["order_key"],
        "at" => &["ordered_at", "moved_at", "occurred_at", "placed_at", "valid_from"],
        "moved" => &["moved_at"],
        "customer" => &["customer_key"],
        "person" => &["person_key"],
        "session" => &["session_key"],
        "product" => &["product_key"],
        "channel" => &["channel_key"],
        "country" => &["ship_country_key", "country_key"],
        "category" => &["category_key"],
        "method" => &["payment_method_key"],
        "gross" => &["gross_amount"],
        "discount" => &["discount_amount"],
        "net" => &["net_amount"],
        "tax" => &["tax_amount"],
        "shipping" => &["shipping_amount"],
        "day" => &["rate_date_key"],
        "test" => &["is_test"],
        "bot" => &["is_bot"],
        "future" => &["is_future"],
        "placeholder" => &["is_placeholder"],
        _ => &[],
    }
}

type Cells = HashMap<String, String>;

/// Reads a row. A line of the ledger gets its net amount.
fn read(table: Table, row: &str) -> Cells {
    let mut cells = Cells::new();
    for (word, value) in row.split_whitespace().map(|pair| pair.split_once('=').unwrap()) {
        let columns = columns_of(word);
        for column in columns.iter().copied().chain(columns.is_empty().then_some(word)) {
            cells.insert(column.to_owned(), value.to_owned());
        }
    }
    if table == Table::FactSales {
        let units = |name: &str| cells.get(name).map_or(0, |text| Decimal::<6>::parse(text).unwrap().0);
        let net = Decimal::<6>(units("gross_amount") - units("discount_amount")).to_string();
        cells.insert("net_amount".to_owned(), net);
    }
    cells
}

/// Rows of a table with the columns that [`Figures::apply`] reads, in the types of the star schema.
pub(crate) fn batch(table: Table, rows: &[impl AsRef<str>]) -> RecordBatch {
    let rows: Vec<Cells> = rows.iter().map(|row| read(table, row.as_ref())).collect();
    let schema = table.schema();
    let fields: Vec<Field> =
        Figures::columns(table).iter().map(|column| schema.field_with_name(column).unwrap().clone()).collect();
    let arrays = fields.iter().map(|field| array(field, &rows)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn array(field: &Field, rows: &[Cells]) -> ArrayRef {
    let cell = |row: &Cells| row.get(field.name()).cloned();
    let texts = || rows.iter().map(|row| cell(row).or((!field.is_nullable()).then(String::new)));
    match field.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| long(&cell(row).unwrap_or_default())))),
        DataType::Int32 => {
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| cell(row).map_or(0, |text| text.parse().unwrap()))))
        }
        DataType::Boolean => Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(cell(row).is_some())))),
        DataType::Timestamp(_, _) => {
            let at = |text: String| time::parse(&text, &TimeZone::UTC).unwrap();
            let times = rows.iter().map(|row| cell(row).map_or(0, at));
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
        }
        DataType::Decimal128(precision, scale) => {
            let units = |text: String| match scale {
                3 => i128::from(Decimal::<3>::parse(&text).unwrap().0),
                9 => i128::from(Decimal::<9>::parse(&text).unwrap().0),
                _ => i128::from(Decimal::<6>::parse(&text).unwrap().0),
            };
            let values = rows.iter().map(|row| cell(row).map(units).or((!field.is_nullable()).then_some(0)));
            Arc::new(Decimal128Array::from_iter(values).with_precision_and_scale(*precision, *scale).unwrap())
        }
        DataType::Utf8 => Arc::new(StringArray::from_iter(texts())),
        _ => {
            let texts: Vec<Option<String>> = texts().collect();
            Arc::new(texts.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>())
        }
    }
}

/// A number as written; a word as the key of its name.
pub(crate) fn long(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| Keyring::unkeyed([0; 16]).key("any", &[text]).stored())
}

pub(crate) type Tables<'a> = [(Table, &'a [&'a str])];

pub(crate) fn figures(zone: &str, tables: &Tables<'_>) -> Figures {
    let mut figures = Figures::new(&shop(zone));
    for (table, rows) in tables {
        figures.apply(*table, &batch(*table, rows)).unwrap();
    }
    figures
}

/// The rows of an answer as `key=value`; the figure may be followed by its grouping, basis and days.
pub(crate) fn ask(figures: &Figures, question: &str) -> String {
    let mut words = question.split_whitespace();
    let figure = words.next().unwrap();
    let mut next = || words.next().filter(|word| *word != "-");
    let (by, basis, from, to) = (next(), next(), next(), next());
    let answer = figures.answer(&Query::parse(figure, by, from, to, basis).unwrap()).unwrap();
    let rows = answer.rows.iter().map(|row| format!("{}={}", row.key, row.value.as_deref().unwrap_or("null")));
    rows.collect::<Vec<_>>().join(" ")
}
