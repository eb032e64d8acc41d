//! Evaluates a mapping on a batch. If an expression fails, it finds the rows that cause the
//! failure.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use datafusion::physical_expr::PhysicalExpr;
use kassa_model::Cause;
use kassa_pipeline::ports::{Mapped, Mapper, MapperError};

use crate::Mapping;
use crate::weight::Weight;

/// Row, field, message.
type Failed = Vec<(usize, String, String)>;

impl Mapper for Mapping {
    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn map(&self, input: &RecordBatch) -> Result<Mapped, MapperError> {
        let mut failed = Failed::new();
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (name, expr, weight) in &self.outputs {
            let column = self.column(name, (expr.as_ref(), weight), input, &mut failed)?;
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        failed.sort_by_key(|(row, ..)| *row);
        failed.dedup_by_key(|(row, ..)| *row);
        let columns =
            RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| MapperError(Cause::of(error)))?;
        Ok(Mapped { columns, failed })
    }
}

impl Mapping {
    fn column(
        &self,
        name: &str,
        (expr, weight): (&dyn PhysicalExpr, &Weight),
        input: &RecordBatch,
        failed: &mut Failed,
    ) -> Result<ArrayRef, MapperError> {
        let kind = expr.data_type(&self.schema).map_err(|error| MapperError(Cause::of(error)))?;
        let mut parts = Vec::new();
        narrow((expr, weight), input, 0, &kind, &mut parts, &mut |row, detail| failed.push((row, name.to_owned(), detail)));
        match parts.as_slice() {
            [whole] => Ok(Arc::clone(whole)),
            _ => {
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                arrow::compute::concat(&parts).map_err(|error| MapperError(Cause::of(error)))
            }
        }
    }
}

/// Evaluates the rows from `first`. On failure, or if they are too much at once, it evaluates each half separately, down to the
/// single failing rows.
fn narrow(
    (expr, weight): (&dyn PhysicalExpr, &Weight),
    input: &RecordBatch,
    first: usize,
    kind: &DataType,
    parts: &mut Vec<ArrayRef>,
    fail: &mut dyn FnMut(usize, String),
) {
    let rows = input.num_rows();
    if rows == 0 {
        return parts.push(new_null_array(kind, 0));
    }
    match weight.check(input).and_then(|()| expr.evaluate(input)).and_then(|value| value.into_array(rows)) {
        Ok(column) => parts.push(column),
        Err(error) if rows == 1 => {
            fail(first, error.strip_backtrace());
            parts.push(new_null_array(kind, rows));
        }
        Err(_) => {
            let half = rows / 2;
            narrow((expr, weight), &input.slice(0, half), first, kind, parts, fail);
            narrow((expr, weight), &input.slice(half, rows - half), first + half, kind, parts, fail);
        }
    }
}

#[cfg(test)]
mod tests;
