//! Data on stdout: tables for people, JSON and CSV for programs. In JSON, decimals and keys are
//! strings. What a reader's terminal or spreadsheet would obey is escaped (`kassa_model::printable`): JSON keeps every text
//! exactly, tables and CSV show it.

mod rows;

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use kassa_lake::Store;
use kassa_model::printable::{printable, printable_lines};
use serde_json::Value;

pub use self::rows::Rows;
use crate::cli::Format;

/// Writes text to stdout, with escapes. A closed reader (`| head`) is not a failure.
pub fn print(text: &str) -> anyhow::Result<()> {
    write(&printable_lines(text))
}

/// Writes text whose parts from outside are already escaped, because the rest has colours.
pub fn painted(text: &str) -> anyhow::Result<()> {
    write(text)
}

fn write(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    write(&kassa_model::printable::json(&serde_json::to_string_pretty(value)?))
}

/// Prints on stderr how many bytes of the lake's tables an answer read.
pub fn bytes_read(store: &dyn Store, read: u64) -> anyhow::Result<()> {
    let of = kassa_lake::figures::bytes(store)?;
    let parts = u128::from(read) * 10_000 / u128::from(of.max(1));
    say!("read {read} of {of} bytes of the lake's tables ({}.{:02} %)", parts / 100, parts % 100);
    Ok(())
}

/// Rows of texts with a header.
pub fn table(header: &[&str], rows: &[Vec<String>], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let objects: Vec<Value> = rows
                .iter()
                .map(|row| {
                    Value::Object(
                        header.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), Value::from(cell.as_str()))).collect(),
                    )
                })
                .collect();
            json(&objects)
        }
        Format::Csv => {
            let line = |cells: Vec<&str>| cells.iter().map(|cell| csv_cell(cell, !is_number(cell))).collect::<Vec<_>>().join(",");
            let mut lines = vec![line(header.to_vec())];
            lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
            print(&lines.join("\n"))
        }
        Format::Table => {
            let rows: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|cell| printable(cell).into_owned()).collect()).collect();
            print(&aligned(header, &rows))
        }
    }
}

fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([header[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let numeric = |at: usize| rows.iter().all(|row| row.get(at).is_some_and(|cell| is_number(cell))) && !rows.is_empty();
    let right: Vec<bool> = (0..header.len()).map(numeric).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(at, cell)| {
            let gap = " ".repeat(widths[at].saturating_sub(cell.chars().count()));
            if right[at] { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(header.to_vec())];
    lines.push(widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>().join("  "));
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// The beginnings of a spreadsheet's formula, in the keyboard's width and in the East Asian one.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A CSV cell. A text that a spreadsheet would run as a formula gets an apostrophe and quotes;
/// numbers, including negative ones, do not.
fn csv_cell(cell: &str, is_text: bool) -> String {
    let formula = is_text && (cell.starts_with(['\t', '\r', '\n']) || cell.trim_start().starts_with(FORMULA));
    let cell = printable_lines(cell);
    let cell = if formula { format!("'{cell}") } else { cell.into_owned() };
    if cell.contains([',', '"', '\n', '\t']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// The batch with each value as a text on one line.
fn texts(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let cells = formatters(batch)?;
    let columns = batch.columns().iter().zip(&cells).map(|(column, cells)| {
        let value = |row| (!column.is_null(row)).then(|| printable(&cells.value(row).to_string()).into_owned());
        let texts: ArrayRef = Arc::new((0..batch.num_rows()).map(value).collect::<StringArray>());
        texts
    });
    let names = batch.schema();
    let names = names.fields().iter().map(|field| Field::new(printable(field.name()), DataType::Utf8, true));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(names.collect::<Vec<_>>())), columns.collect(), &options)?)
}

fn formatters(batch: &RecordBatch) -> anyhow::Result<Vec<ArrayFormatter<'_>>> {
    let options = FormatOptions::default();
    Ok(batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect::<Result<_, _>>()?)
}

/// Counts and small numbers are numbers. Decimals and 64-bit keys are strings, because JSON readers
/// would round them.
fn json_cell(column: &dyn Array, row: usize, cell: &ArrayFormatter<'_>) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let text = cell.value(row).to_string();
    match column.data_type() {
        DataType::Boolean => Value::Bool(text == "true"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            text.parse::<i64>().map_or(Value::String(text), Value::from)
        }
        _ => Value::String(text),
    }
}

#[cfg(test)]
mod tests;
