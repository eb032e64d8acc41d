//! Arrow schemas in Delta's words.

use arrow_schema::{DataType, Schema};
use serde_json::{Value, json};

/// The schema string of a table's metadata.
pub fn to_delta(schema: &Schema) -> String {
    let fields: Vec<Value> = schema
        .fields()
        .iter()
        .map(|field| json!({"name": field.name(), "type": name_of(field.data_type()), "nullable": field.is_nullable(), "metadata": {}}))
        .collect();
    json!({"type": "struct", "fields": fields}).to_string()
}

fn name_of(kind: &DataType) -> String {
    match kind {
        DataType::Int32 => "integer".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 => "string".to_owned(),
        DataType::Dictionary(_, values) => name_of(values),
        _ => "long".to_owned(),
    }
}
