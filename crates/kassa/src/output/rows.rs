//! The rows of a query, printed as they come. Only the first rows of a table are held, because its columns are as wide as these.

use std::io::{BufWriter, Write};
use std::mem;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::pretty::pretty_format_batches;
use kassa_model::printable::{self, printable};
use serde_json::{Map, Value};

use super::{csv_cell, formatters, json_cell, texts};
use crate::cli::Format;

/// Rows of a table whose width counts. Later cells that are wider move their line's other cells.
const MEASURED_ROWS: usize = 1_000;

/// Rows on their way to a writer.
#[derive(Debug)]
pub struct Rows<W: Write> {
    out: BufWriter<W>,
    schema: SchemaRef,
    format: Format,
    /// CSV: the header is written. JSON: an object is written.
    begun: bool,
    table: Table,
}

#[derive(Debug)]
enum Table {
    Held(Vec<RecordBatch>),
    /// The border, such as `+----+----+`.
    Measured(String),
}

impl<W: Write> Rows<W> {
    pub fn new(out: W, schema: SchemaRef, format: Format) -> Self {
        Self { out: BufWriter::new(out), schema, format, begun: false, table: Table::Held(Vec::new()) }
    }

    pub fn push(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        match self.format {
            Format::Json => self.objects(batch)?,
            Format::Csv => self.lines(batch)?,
            Format::Table => self.table(batch)?,
        }
        Ok(self.out.flush()?)
    }

    /// Writes what is held, and the end.
    pub fn finish(mut self) -> anyhow::Result<()> {
        match self.format {
            Format::Json => self.out.write_all(if self.begun { b"\n]\n" } else { b"[]\n" })?,
            Format::Csv => self.header()?,
            Format::Table => match mem::replace(&mut self.table, Table::Held(Vec::new())) {
                Table::Held(batches) => writeln!(self.out, "{}", pretty(&self.schema, batches)?)?,
                Table::Measured(border) => writeln!(self.out, "{border}")?,
            },
        }
        Ok(self.out.flush()?)
    }

    fn objects(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let (cells, schema) = (formatters(batch)?, batch.schema());
        for row in 0..batch.num_rows() {
            let fields = schema.fields().iter().enumerate();
            let object: Map<String, Value> =
                fields.map(|(at, field)| (field.name().clone(), json_cell(batch.column(at).as_ref(), row, &cells[at]))).collect();
            let text = serde_json::to_string_pretty(&object)?.replace('\n', "\n  ");
            write!(self.out, "{}  {}", if self.begun { ",\n" } else { "[\n" }, printable::json(&text))?;
            self.begun = true;
        }
        Ok(())
    }

    fn header(&mut self) -> anyhow::Result<()> {
        if !mem::replace(&mut self.begun, true) {
            let names = self.schema.fields().iter().map(|field| csv_cell(field.name(), true));
            writeln!(self.out, "{}", names.collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }

    fn lines(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        self.header()?;
        let cells = formatters(batch)?;
        for row in 0..batch.num_rows() {
            let line = cells.iter().enumerate().map(|(at, cell)| {
                let column = batch.column(at);
                let text = if column.is_null(row) { String::new() } else { cell.value(row).to_string() };
                csv_cell(&text, !column.data_type().is_numeric())
            });
            writeln!(self.out, "{}", line.collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }

    fn table(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        match &mut self.table {
            Table::Measured(border) => {
                let widths: Vec<usize> = border.trim_matches('+').split('+').map(|part| part.len().saturating_sub(2)).collect();
                let cells = formatters(batch)?;
                for row in 0..batch.num_rows() {
                    for (cell, width) in cells.iter().zip(&widths) {
                        let text = cell.value(row).to_string();
                        let text = printable(&text);
                        write!(self.out, "| {text:<width$} ")?;
                    }
                    writeln!(self.out, "|")?;
                }
            }
            Table::Held(batches) => {
                batches.push(batch.clone());
                if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > MEASURED_ROWS {
                    let text = pretty(&self.schema, mem::take(batches))?;
                    let (rows, border) = text.rsplit_once('\n').unwrap_or((&text, ""));
                    writeln!(self.out, "{rows}")?;
                    self.table = Table::Measured(border.to_owned());
                }
            }
        }
        Ok(())
    }
}

fn pretty(schema: &SchemaRef, mut batches: Vec<RecordBatch>) -> anyhow::Result<String> {
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(SchemaRef::clone(schema)));
    }
    let batches = batches.iter().map(texts).collect::<Result<Vec<_>, _>>()?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

#[cfg(test)]
mod tests;
