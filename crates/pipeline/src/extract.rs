//! The input of a mapping: the columns that its SQL names, as texts, from JSON or CSV records.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use kassa_model::{DeadLetter, Reason, Records, star};

use crate::csv::{Dialect, Fields};
use crate::decode::{self, Value};

/// The columns that every mapping can use besides the record's own fields.
pub fn pseudo_columns() -> Vec<Field> {
    vec![
        Field::new("_row", DataType::Int64, false),
        Field::new("_file", DataType::Utf8, true),
        Field::new("_file_id", DataType::Utf8, false),
        Field::new("_topic", DataType::Utf8, false),
        Field::new("_partition", DataType::Int64, false),
        Field::new("_key", DataType::Utf8, true),
        Field::new("_ingested_at", star::kind::Type::Timestamp.data_type(), false),
    ]
}

/// Builds a mapping's input: one row per readable record.
#[derive(Debug)]
pub struct Extract {
    inputs: Vec<String>,
    columns: Vec<StringBuilder>,
    /// The index of each row's record in the run.
    pub rows: Vec<usize>,
    /// Per row, a JSON object of the fields that are no input; empty if there are none.
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

    /// Adds a JSON object.
    pub fn json(&mut self, index: usize, bytes: &[u8]) -> Result<(), DeadLetter> {
        let cells = self.cells(decode::utf8(bytes)?, &[])?;
        self.push(index, cells);
        Ok(())
    }

    /// Reads a JSON object, with columns that are `given` beside it.
    pub(crate) fn cells(&self, text: &str, given: &[(&str, Option<String>)]) -> Result<Cells, DeadLetter> {
        let fields = decode::pairs(text).map_err(|_| decode::not_json(text))?;
        let mut found = Found { inputs: &self.inputs, cells: vec![None; self.inputs.len()], extra: String::new() };
        for (name, value) in given {
            if let Some(at) = self.inputs.iter().position(|input| input == name) {
                found.cells[at] = Some(value.clone());
            }
        }
        for (name, raw) in &fields {
            found.take(name, raw.get(), Unnamed::Keep)?;
        }
        Ok(Cells { cells: found.cells.into_iter().map(Option::flatten).collect(), extra: found.extra })
    }

    /// Adds the cells as the row of a record.
    pub(crate) fn push(&mut self, index: usize, cells: Cells) {
        for (column, cell) in self.columns.iter_mut().zip(cells.cells) {
            column.append_option(cell);
        }
        self.rows.push(index);
        self.extras.push(cells.extra);
    }

    /// Adds a CSV record whose fields have been split.
    pub fn csv(&mut self, index: usize, fields: &Fields, plan: &CsvPlan) -> Result<(), DeadLetter> {
        if fields.len() != plan.header.len() {
            let detail = format!("{} fields, where the header has {}", fields.len(), plan.header.len());
            return Err(DeadLetter::new(Reason::NotCsv, "", detail));
        }
        // Every field is read before a cell is added, so that an invalid record adds nothing.
        let texts = fields.iter().zip(&plan.header).map(|(field, name)| plan.text(field, name));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        for (column, source) in self.columns.iter_mut().zip(&plan.sources) {
            column.append_option(source.map(|at| texts[at].as_ref()).filter(|text| !text.is_empty()));
        }
        let mut extra = String::new();
        for at in &plan.unused {
            if !texts[*at].is_empty() {
                decode::keep_extra(&mut extra, &plan.header[*at], &serde_json::to_string(&texts[*at]).unwrap_or_default());
            }
        }
        self.rows.push(index);
        self.extras.push(extra);
        Ok(())
    }

    /// The batch that the mapping evaluates: its inputs, then the pseudo columns. All its records share their headers.
    pub fn finish(mut self, records: &Records) -> Result<(RecordBatch, Vec<usize>, Vec<String>), ArrowError> {
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let rows = &self.rows;
        let file = rows.first().and_then(|row| records.headers.get(*row)).and_then(|headers| file_name(headers));
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

/// The inputs of one record, and its other fields.
#[derive(Debug)]
pub(crate) struct Cells {
    cells: Vec<Option<String>>,
    extra: String,
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

/// The fields of a JSON object that are inputs, and those that are not.
struct Found<'i> {
    inputs: &'i [String],
    /// `None`: absent; `Some(None)`: null.
    cells: Vec<Option<Option<String>>>,
    extra: String,
}

/// What to do with fields that are no input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    Keep,
    /// They are part of an object that is an input as a whole.
    Leave,
}

impl Found<'_> {
    /// Adds a field by its path. If inputs name fields inside an object, its other fields are kept under their own paths.
    fn take(&mut self, path: &str, raw: &str, unnamed: Unnamed) -> Result<(), DeadLetter> {
        let value = decode::value(raw, || decode::shorten(path).to_owned())?;
        let whole = self.inputs.iter().position(|input| input == path);
        let goes_inside = |input: &String| input.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let is_entered = raw.starts_with('{') && self.inputs.iter().any(goes_inside);
        if is_entered {
            let wrong = |error: serde_json::Error| DeadLetter::new(Reason::NotJson, path.to_owned(), error.to_string());
            let inside = if whole.is_some() { Unnamed::Leave } else { unnamed };
            for (name, raw) in &decode::pairs(raw).map_err(wrong)? {
                self.take(&format!("{path}.{name}"), raw.get(), inside)?;
            }
        }
        match whole {
            Some(at) if self.cells[at].is_some() => {
                Err(DeadLetter::new(Reason::DuplicateField, path.to_owned(), "the field appears twice"))
            }
            Some(at) => {
                self.cells[at] = Some(as_text(value, raw));
                Ok(())
            }
            None => {
                if unnamed == Unnamed::Keep && !is_entered {
                    decode::keep_extra(&mut self.extra, path, raw);
                }
                Ok(())
            }
        }
    }
}

fn as_text(value: Value<'_>, raw: &str) -> Option<String> {
    match value {
        Value::Absent => None,
        Value::Text(text) => Some(text.into_owned()),
        _ => Some(raw.to_owned()),
    }
}

#[cfg(test)]
mod tests;
