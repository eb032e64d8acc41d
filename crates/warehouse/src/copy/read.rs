//! Decodes the cells of a binary COPY into Arrow columns.

use std::io::Read;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::{EPOCH, EPOCH_DAYS, HEADER, numeric};
use crate::WarehouseError;

/// A column being built.
enum Column {
    Long(PrimitiveBuilder<Int64Type>),
    Int(PrimitiveBuilder<Int32Type>),
    Micros(PrimitiveBuilder<TimestampMicrosecondType>),
    Days(PrimitiveBuilder<Date32Type>),
    Decimal(PrimitiveBuilder<Decimal128Type>, u32),
    Flag(BooleanBuilder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
}

impl Column {
    fn new(kind: &DataType) -> Option<Self> {
        Some(match kind {
            DataType::Int64 => Self::Long(PrimitiveBuilder::new()),
            DataType::Int32 => Self::Int(PrimitiveBuilder::new()),
            DataType::Date32 => Self::Days(PrimitiveBuilder::new()),
            DataType::Timestamp(..) => Self::Micros(PrimitiveBuilder::new().with_data_type(kind.clone())),
            DataType::Decimal128(_, scale) => {
                Self::Decimal(PrimitiveBuilder::new().with_data_type(kind.clone()), u32::try_from(*scale).ok()?)
            }
            DataType::Boolean => Self::Flag(BooleanBuilder::new()),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            _ => return None,
        })
    }

    /// `None` if the cell does not have the column's type.
    fn push(&mut self, cell: Option<&[u8]>) -> Option<()> {
        let long = |cell: &[u8]| Some(i64::from_be_bytes(cell.try_into().ok()?));
        let int = |cell: &[u8]| Some(i32::from_be_bytes(cell.try_into().ok()?));
        match (self, cell) {
            (Self::Long(column), Some(cell)) => column.append_value(long(cell)?),
            (Self::Int(column), Some(cell)) => column.append_value(int(cell)?),
            (Self::Micros(column), Some(cell)) => column.append_value(long(cell)?.checked_add(EPOCH)?),
            (Self::Days(column), Some(cell)) => column.append_value(int(cell)?.checked_add(EPOCH_DAYS)?),
            (Self::Decimal(column, scale), Some(cell)) => column.append_value(numeric::get(cell, *scale)?),
            (Self::Flag(column), Some(cell)) => column.append_value(*cell.first()? != 0),
            (Self::Text(column), Some(cell)) => column.append_value(std::str::from_utf8(cell).ok()?),
            (Self::Bytes(column), Some(cell)) => column.append_value(cell),
            (Self::Long(column), None) => column.append_null(),
            (Self::Int(column), None) => column.append_null(),
            (Self::Micros(column), None) => column.append_null(),
            (Self::Days(column), None) => column.append_null(),
            (Self::Decimal(column, _), None) => column.append_null(),
            (Self::Flag(column), None) => column.append_null(),
            (Self::Text(column), None) => column.append_null(),
            (Self::Bytes(column), None) => column.append_null(),
        }
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Long(column) => Arc::new(column.finish()),
            Self::Int(column) => Arc::new(column.finish()),
            Self::Micros(column) => Arc::new(column.finish()),
            Self::Days(column) => Arc::new(column.finish()),
            Self::Decimal(column, _) => Arc::new(column.finish()),
            Self::Flag(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Bytes(column) => Arc::new(column.finish()),
        }
    }
}

/// Rows per batch, which bounds the memory of reading.
const ROWS: usize = 16 * 1024;

/// Reads a binary COPY to its end and passes it on batch by batch.
pub(crate) fn rows(
    from: &mut dyn Read,
    schema: &SchemaRef,
    take: &mut dyn FnMut(RecordBatch) -> Result<(), WarehouseError>,
) -> Result<(), WarehouseError> {
    let corrupt = || WarehouseError::Corrupt(format!("PostgreSQL sent something other than rows of {schema:?}").into());
    let mut columns: Vec<Column> =
        schema.fields().iter().map(|field| Column::new(field.data_type())).collect::<Option<_>>().ok_or_else(corrupt)?;
    let (mut cell, mut count) = (Vec::new(), 0);
    let mut header = [0; HEADER.len()];
    fill(from, &mut header)?;
    loop {
        let cells = i16::from_be_bytes(exact(from)?);
        if cells < 0 {
            break;
        }
        if usize::try_from(cells).ok() != Some(columns.len()) {
            return Err(corrupt());
        }
        for column in &mut columns {
            let length = i32::from_be_bytes(exact(from)?);
            let value = match usize::try_from(length) {
                Ok(length) => {
                    cell.resize(length, 0);
                    fill(from, &mut cell)?;
                    Some(cell.as_slice())
                }
                Err(_) => None,
            };
            column.push(value).ok_or_else(corrupt)?;
        }
        count += 1;
        if count == ROWS {
            take(batch(schema, &mut columns)?)?;
            count = 0;
        }
    }
    // The statement ends after the trailer.
    std::io::copy(from, &mut std::io::sink()).map_err(broken)?;
    if count > 0 { take(batch(schema, &mut columns)?) } else { Ok(()) }
}

fn batch(schema: &SchemaRef, columns: &mut [Column]) -> Result<RecordBatch, WarehouseError> {
    let arrays = columns.iter_mut().map(Column::finish).collect();
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(WarehouseError::corrupt)
}

fn exact<const SIZE: usize>(from: &mut dyn Read) -> Result<[u8; SIZE], WarehouseError> {
    let mut bytes = [0; SIZE];
    fill(from, &mut bytes)?;
    Ok(bytes)
}

fn fill(from: &mut dyn Read, bytes: &mut [u8]) -> Result<(), WarehouseError> {
    from.read_exact(bytes).map_err(broken)
}

/// A COPY ends early only if its connection or its statement fails.
pub(crate) fn broken(error: std::io::Error) -> WarehouseError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
        Some(inner) => crate::error::of(inner),
        None => WarehouseError::Unavailable(error.to_string()),
    }
}
