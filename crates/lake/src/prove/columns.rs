//! Columns by name and type.

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, StringArray};

use crate::delta::LogError;

fn missing(name: &str) -> LogError {
    LogError::Corrupt(format!("no column {name} of the type that it should have").into())
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
