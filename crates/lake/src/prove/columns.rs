//! Columns by name and type.

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, StringArray};

use crate::delta::LogError;

fn missing(name: &str) -> LogError {
    LogError::Corrupt(format!("no column {name} of the type that it should have"))
}

fn column<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r ArrayRef, LogError> {
    rows.column_by_name(name).ok_or_else(|| missing(name))
}

fn primitive<'r, T: ArrowPrimitiveType>(rows: &'r RecordBatch, name: &str) -> Result<&'r PrimitiveArray<T>, LogError> {
    column(rows, name)?.as_primitive_opt::<T>().ok_or_else(|| missing(name))
}

pub(super) fn longs<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r PrimitiveArray<Int64Type>, LogError> {
    primitive(rows, name)
}

pub(super) fn ints<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r PrimitiveArray<Int32Type>, LogError> {
    primitive(rows, name)
}

pub(super) fn micros<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r PrimitiveArray<TimestampMicrosecondType>, LogError> {
    primitive(rows, name)
}

pub(super) fn texts<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r StringArray, LogError> {
    column(rows, name)?.as_string_opt::<i32>().ok_or_else(|| missing(name))
}

pub(super) fn booleans<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r BooleanArray, LogError> {
    column(rows, name)?.as_boolean_opt().ok_or_else(|| missing(name))
}

/// A decimal column's units, or nothing where there is no such column.
pub(super) fn units(rows: &RecordBatch, name: &str, row: usize) -> Option<i128> {
    let decimals = rows.column_by_name(name)?.as_primitive_opt::<Decimal128Type>()?;
    decimals.is_valid(row).then(|| decimals.value(row))
}
