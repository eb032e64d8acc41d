//! The input of a mapping: the columns that its SQL names, as texts, drawn from JSON or CSV records.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use kassa_model::{DeadLetter, Reason, Records, star};
use serde_json::value::RawValue;

use crate::csv::{Dialect, Fields};
use crate::decode::{self, Value};

/// The columns that every mapping can use beside its record's own fields.
pub fn pseudo_columns() -> Vec<Field> {
    vec![
        Field::new("_row", DataType::Int64, false),
        Field::new("_file", DataType::Utf8, true),
        Field::new("_file_id", DataType::Utf8, false),
        Field::new("_topic", DataType::Utf8, false),
        Field::new("_partition", DataType::Int64, false),
        Field::new("_key", DataType::Utf8, true),
        Field::new("_ingested_at", star::timestamp(), false),
    ]
}

/// A mapping's input in the making: one row a record that could be read.
#[derive(Debug)]
pub struct Extract {
    inputs: Vec<String>,
    columns: Vec<StringBuilder>,
    /// The index in the run of records of each row.
    pub rows: Vec<usize>,
    /// Per row, the inside of a JSON object of the fields that no input names.
    pub extras: Vec<String>,
}

impl Extract {
    pub fn new(inputs: &[String]) -> Self {
        Self {
            inputs: inputs.to_vec(),
            columns: inputs.iter().map(|_| StringBuilder::new()).collect(),
            rows: Vec::new(),
            extras: Vec::new(),
        }
    }

    fn row(&mut self, index: usize, cell: impl Fn(usize) -> Option<String>, extra: String) {
        for (at, column) in self.columns.iter_mut().enumerate() {
            column.append_option(cell(at));
        }
        self.rows.push(index);
        self.extras.push(extra);
    }

    /// Takes a JSON object.
    pub fn json(&mut self, index: usize, bytes: &[u8]) -> Result<(), DeadLetter> {
        let text = decode::utf8(bytes)?;
        let fields: Vec<(String, &RawValue)> = ordered(text).map_err(|error| decode::not_json(text, &error))?;
        let mut cells: Vec<Option<String>> = vec![None; self.inputs.len()];
        let mut extra = String::new();
        for (name, raw) in &fields {
            let mut used = false;
            for (at, input) in self.inputs.iter().enumerate() {
                let inside = input.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.'));
                if input == name {
                    cells[at] = as_text(name, raw.get())?;
                    used = true;
                } else if let Some(path) = inside {
                    cells[at] = descend(name, raw.get(), path)?;
                    used = true;
                }
            }
            if !used {
                decode::value(raw.get(), || name.clone())?;
                decode::keep_extra(&mut extra, name, raw.get());
            }
        }
        self.row(index, |at| cells[at].clone(), extra);
        Ok(())
    }

    /// Takes a CSV record whose fields have been split.
    pub fn csv(&mut self, index: usize, fields: &Fields, plan: &CsvPlan) -> Result<(), DeadLetter> {
        if fields.len() != plan.header.len() {
            let detail = format!("{} fields, where the header has {}", fields.len(), plan.header.len());
            return Err(DeadLetter::new(Reason::NotCsv, "", detail));
        }
        let text = |at: usize| plan.text(fields.get(at), &plan.header[at]);
        // Every field is read before a cell is put, so that a record which is refused leaves no part of itself behind.
        for at in 0..fields.len() {
            text(at)?;
        }
        for (column, source) in self.columns.iter_mut().zip(&plan.sources) {
            match source {
                Some(at) => match text(*at)? {
                    text if text.is_empty() => column.append_null(),
                    text => column.append_value(text),
                },
                None => column.append_null(),
            }
        }
        let mut extra = String::new();
        for at in &plan.unused {
            let text = text(*at)?;
            if !text.is_empty() {
                decode::keep_extra(&mut extra, &plan.header[*at], &serde_json::to_string(&text).unwrap_or_default());
            }
        }
        self.rows.push(index);
        self.extras.push(extra);
        Ok(())
    }

    /// The batch that the mapping evaluates: its inputs, then the pseudo columns.
    pub fn finish(mut self, records: &Records) -> Result<(RecordBatch, Vec<usize>, Vec<String>), ArrowError> {
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let rows = &self.rows;
        let file = records.headers.get(0).and_then(|headers| file_name(headers));
        columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| records.offsets[*row]))));
        columns.push(Arc::new(rows.iter().map(|_| file.as_deref()).collect::<StringArray>()));
        let number = records.partition.number;
        let partition = number.to_string();
        columns.push(Arc::new(StringArray::from_iter_values(rows.iter().map(|_| partition.as_str()))));
        columns.push(Arc::new(StringArray::from_iter_values(rows.iter().map(|_| records.partition.topic.as_ref()))));
        columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|_| number))));
        let key = |row: &usize| records.key(*row).and_then(|key| std::str::from_utf8(key).ok());
        columns.push(Arc::new(rows.iter().map(key).collect::<StringArray>()));
        let ingested = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| records.ingested_at[*row]));
        columns.push(Arc::new(ingested.with_timezone("UTC")));
        Ok((RecordBatch::try_new(input_schema(&self.inputs), columns)?, self.rows, self.extras))
    }
}

/// The schema of a mapping's input.
pub fn input_schema(inputs: &[String]) -> SchemaRef {
    let own = inputs.iter().map(|name| Field::new(name, DataType::Utf8, true));
    Arc::new(Schema::new(own.chain(pseudo_columns()).collect::<Vec<_>>()))
}

/// Which CSV field feeds which input.
#[derive(Debug)]
pub struct CsvPlan {
    header: Vec<String>,
    sources: Vec<Option<usize>>,
    unused: Vec<usize>,
    windows_1252: bool,
}

impl CsvPlan {
    pub fn new(dialect: &Dialect, inputs: &[String]) -> Self {
        let at: HashMap<&str, usize> = dialect.header.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let sources: Vec<Option<usize>> = inputs.iter().map(|name| at.get(name.as_str()).copied()).collect();
        let unused = (0..dialect.header.len()).filter(|at| !sources.contains(&Some(*at))).collect();
        Self { header: dialect.header.clone(), sources, unused, windows_1252: dialect.windows_1252 }
    }

    fn text<'t>(&self, field: &'t [u8], name: &str) -> Result<std::borrow::Cow<'t, str>, DeadLetter> {
        if self.windows_1252 {
            return Ok(encoding_rs::WINDOWS_1252.decode_without_bom_handling(field).0);
        }
        std::str::from_utf8(field)
            .map(std::borrow::Cow::Borrowed)
            .map_err(|_| DeadLetter::new(Reason::NotUtf8, name.to_owned(), "the field is not UTF-8: state the stream's encoding"))
    }
}

/// The name of the file that a record's headers state.
pub fn file_name(headers: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_json::from_str(headers).ok()?;
    pairs.into_iter().find(|(name, _)| name == "file").map(|(_, value)| value)
}

fn ordered(text: &str) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    struct Pairs;
    impl<'d> serde::de::Visitor<'d> for Pairs {
        type Value = Vec<(String, &'d RawValue)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: serde::de::MapAccess<'d>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let pairs = serde::Deserializer::deserialize_map(&mut json, Pairs)?;
    json.end()?;
    Ok(pairs)
}

fn as_text(name: &str, raw: &str) -> Result<Option<String>, DeadLetter> {
    Ok(match decode::value(raw, || name.to_owned())? {
        Value::Absent => None,
        Value::Text(text) => Some(text.into_owned()),
        _ => Some(raw.to_owned()),
    })
}

fn descend(name: &str, raw: &str, path: &str) -> Result<Option<String>, DeadLetter> {
    if !matches!(decode::value(raw, || name.to_owned())?, Value::Nested(_)) {
        return Ok(None);
    }
    let Ok(fields) = ordered(raw) else { return Ok(None) };
    for (inner, raw) in &fields {
        if inner == path {
            return as_text(&format!("{name}.{inner}"), raw.get());
        }
        if let Some(rest) = path.strip_prefix(inner.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            return descend(&format!("{name}.{inner}"), raw.get(), rest);
        }
    }
    Ok(None)
}
