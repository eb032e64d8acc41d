//! Reads a mapping's result, or a CSV row, into a payload's slots.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use kassa_model::contract::Kind;

use crate::decode::{Layout, Payload, Value};

/// The slots that the columns of a mapping's result fill.
#[derive(Debug)]
pub struct Plan {
    slots: Vec<Option<usize>>,
}

impl Plan {
    pub fn new(layout: &Layout, columns: &RecordBatch) -> Self {
        Self { slots: columns.schema().fields().iter().map(|field| layout.slot(field.name())).collect() }
    }

    /// Fills the payload from one row. `extra` is the inside of a JSON object.
    pub fn fill<'a>(&self, layout: &Layout, columns: &'a RecordBatch, row: usize, extra: &str, payload: &mut Payload<'a>) {
        payload.clear();
        payload.extra.push_str(extra);
        for (slot, column) in self.slots.iter().zip(columns.columns()) {
            if let Some(slot) = *slot {
                payload.set(slot, cell(column.as_ref(), row, layout.kinds[slot]));
            }
        }
    }
}

/// A cell as a value. A type that no field accepts becomes absent here; a mapping with such a column does not compile.
fn cell<'a>(column: &'a dyn Array, row: usize, kind: Kind) -> Value<'a> {
    if column.is_null(row) {
        return Value::Absent;
    }
    let textual = matches!(kind, Kind::Id | Kind::Text | Kind::LongText | Kind::Day);
    match column.data_type() {
        DataType::Utf8 => text(column.as_string::<i32>().value(row), kind),
        DataType::LargeUtf8 => text(column.as_string::<i64>().value(row), kind),
        DataType::Utf8View => text(column.as_string_view().value(row), kind),
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int64 => whole(column.as_primitive::<Int64Type>().value(row), textual),
        DataType::Int32 => whole(i64::from(column.as_primitive::<Int32Type>().value(row)), textual),
        DataType::Decimal128(_, scale) => {
            let units = column.as_primitive::<Decimal128Type>().value(row);
            let scale = u32::try_from(*scale).unwrap_or(0);
            if textual {
                Value::Text(Cow::Owned(kassa_model::decimal::format_units(units, scale, 0)))
            } else {
                Value::Decimal(units, scale)
            }
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            Value::Micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        _ => Value::Absent,
    }
}

fn text(text: &str, kind: Kind) -> Value<'_> {
    let is_list = match kind {
        Kind::Lines => text.starts_with('['),
        // A name may start with a bracket too: `[Sale] Garden`.
        Kind::Texts | Kind::Category => text.starts_with('[') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        _ => false,
    };
    if is_list { Value::Nested(Cow::Borrowed(text)) } else { Value::Text(Cow::Borrowed(text)) }
}

fn whole<'a>(value: i64, textual: bool) -> Value<'a> {
    if textual { Value::Text(Cow::Owned(value.to_string())) } else { Value::Integer(value) }
}
