//! Arrow schemas as Delta schema strings, and the evolution of a table's columns.

use std::collections::BTreeMap;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use kassa_model::{Newer, star};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::Metadata;
use super::error::LogError;
use super::spec::TableSpec;
use crate::store::Refused;

/// The key in the table's configuration with the [`star::SCHEMA`] of the program that wrote the
/// columns last. Absent: 1.
pub const VERSION: &str = "kassa.schema";

/// The key in the table's configuration with the columns that kassa has added since the table was
/// created.
pub const ADDED: &str = "kassa.added";

/// A column in a table's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: Value,
    nullable: bool,
    #[serde(default)]
    metadata: BTreeMap<String, Value>,
}

impl Column {
    fn of(field: &Field) -> Self {
        let kind = Value::String(name_of(field.data_type()));
        Self { name: field.name().clone(), kind, nullable: field.is_nullable(), metadata: BTreeMap::new() }
    }

    /// The type, as shown in messages.
    fn kind(&self) -> String {
        self.kind.as_str().map_or_else(|| self.kind.to_string(), str::to_owned)
    }
}

/// The schema string of a table's metadata.
pub fn to_delta(schema: &Schema) -> String {
    text(&schema.fields().iter().map(|field| Column::of(field)).collect::<Vec<_>>())
}

fn text(columns: &[Column]) -> String {
    json!({"type": "struct", "fields": columns}).to_string()
}

fn columns(table: &str, schema_string: &str) -> Result<Vec<Column>, LogError> {
    #[derive(Deserialize)]
    struct Struct {
        fields: Vec<Column>,
    }
    let parsed: Result<Struct, _> = serde_json::from_str(schema_string);
    parsed.map(|parsed| parsed.fields).map_err(|error| LogError::corrupt_at(format!("the schema of {table}"), error))
}

fn version(metadata: &Metadata) -> u32 {
    metadata.configuration.get(VERSION).and_then(|version| version.parse().ok()).unwrap_or(1)
}

/// Refuses a table whose columns were written by a newer kassa, for operations that would drop its
/// new columns permanently.
pub fn refuse_newer(table: &str, held: &Metadata) -> Result<(), Newer> {
    let found = version(held);
    if found <= star::SCHEMA {
        return Ok(());
    }
    let known = format!("schema {}", star::SCHEMA);
    Err(Newer { place: format!("the table {table}"), found: format!("schema {found}"), known })
}

/// The metadata for the next commit, if the program's columns differ from the table's. `None`: no
/// change.
///
/// The table gets the program's columns in the program's order. Columns of other programs follow
/// them; columns that kassa has retired are removed. A column of a derived table may change its
/// type, because a changed definition rewrites all rows. Columns written by a newer kassa stay, as
/// long as this version can write rows to the table.
pub fn evolve(held: &Metadata, spec: &TableSpec) -> Result<Option<Metadata>, LogError> {
    let stored = columns(&spec.folder, &held.schema_string)?;
    if version(held) > star::SCHEMA {
        return accepts(&stored, spec, version(held)).map(|()| None);
    }
    let mut evolved = Vec::with_capacity(stored.len());
    for field in spec.schema.fields() {
        let ours = Column::of(field);
        match stored.iter().find(|column| column.name == ours.name) {
            // Old files may contain nulls in columns that the program now always fills.
            Some(column) if column.kind == ours.kind => {
                evolved.push(Column { nullable: column.nullable || ours.nullable, ..column.clone() });
            }
            Some(column) if spec.is_derived => {
                evolved.push(Column { nullable: column.nullable || ours.nullable, metadata: column.metadata.clone(), ..ours });
            }
            Some(column) => return Err(contradicts(spec, column, &ours.kind())),
            None if ours.nullable => evolved.push(ours),
            None => {
                return Err(LogError::Encode(format!("{}: the new column {} must be nullable", spec.folder, ours.name).into()));
            }
        }
    }
    let is_ours = |column: &&Column| spec.schema.field_with_name(&column.name).is_ok();
    for column in stored.iter().filter(|column| !is_ours(column) && !spec.retired.contains(&column.name.as_str())) {
        if !column.nullable {
            return Err(required(spec, column));
        }
        evolved.push(column.clone());
    }
    if evolved == stored {
        return Ok(None);
    }
    let mut configuration = held.configuration.clone();
    configuration.insert(VERSION.to_owned(), star::SCHEMA.to_string());
    let added = added(held, spec)?;
    if !added.is_empty() {
        configuration.insert(ADDED.to_owned(), added.join(","));
    }
    Ok(Some(Metadata { schema_string: text(&evolved), configuration, ..held.clone() }))
}

/// The program's columns that older rows may lack: those added since the table was created, and
/// those that the next commit adds.
pub fn added(held: &Metadata, spec: &TableSpec) -> Result<Vec<String>, LogError> {
    let stored = columns(&spec.folder, &held.schema_string)?;
    let listed: Vec<&str> = held.configuration.get(ADDED).map(|names| names.split(',').collect()).unwrap_or_default();
    let names = spec.schema.fields().iter().map(|field| field.name());
    let is_added = |name: &&String| listed.contains(&name.as_str()) || stored.iter().all(|column| column.name != **name);
    Ok(names.filter(is_added).cloned().collect())
}

/// Checks that rows of this program may be added to a table whose columns a newer kassa has
/// written.
fn accepts(stored: &[Column], spec: &TableSpec, version: u32) -> Result<(), LogError> {
    for column in stored {
        let found = match spec.schema.field_with_name(&column.name) {
            Ok(field) if Column::of(field).kind == column.kind => continue,
            Ok(_) => format!("its column {} as {}", column.name, column.kind()),
            Err(_) if column.nullable => continue,
            Err(_) => format!("the required column {}", column.name),
        };
        let place = format!("the table {}", spec.folder);
        let found = format!("schema {version} with {found}");
        return Err(Newer { place, found, known: format!("schema {}", star::SCHEMA) }.into());
    }
    Ok(())
}

fn contradicts(spec: &TableSpec, column: &Column, ours: &str) -> LogError {
    LogError::Corrupt(format!("{}: the column {} is {}, and kassa writes {ours}", spec.folder, column.name, column.kind()).into())
}

fn required(spec: &TableSpec, column: &Column) -> LogError {
    LogError::Refused(Refused {
        what: format!("the table {} requires a value in the column {}, which kassa does not write", spec.folder, column.name),
        fix: format!("make the column nullable (ALTER TABLE … ALTER COLUMN {} DROP NOT NULL), or drop it", column.name),
    })
}

/// The program's columns, followed by those that only the table has: a merged file must keep all of
/// them.
pub fn merged(held: &Metadata, spec: &TableSpec) -> Result<Schema, LogError> {
    let mut fields: Vec<Field> = spec.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    for column in columns(&spec.folder, &held.schema_string)? {
        if spec.schema.field_with_name(&column.name).is_err() && !spec.retired.contains(&column.name.as_str()) {
            let kind = type_of(&column.kind()).ok_or_else(|| {
                LogError::Encode(
                    format!("{}: no merge of the column {} of type {}", spec.folder, column.name, column.kind()).into(),
                )
            })?;
            fields.push(Field::new(&column.name, kind, true));
        }
    }
    Ok(Schema::new(fields))
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

/// The Arrow type of a Delta primitive type.
fn type_of(name: &str) -> Option<DataType> {
    Some(match name {
        "string" => DataType::Utf8,
        "long" => DataType::Int64,
        "integer" => DataType::Int32,
        "short" => DataType::Int16,
        "byte" => DataType::Int8,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        decimal => {
            let (precision, scale) = decimal.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

#[cfg(test)]
mod tests;
