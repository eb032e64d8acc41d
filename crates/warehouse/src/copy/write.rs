//! Encodes Arrow columns as cells.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use bytes::{BufMut, BytesMut};
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::{EPOCH, EPOCH_DAYS, HEADER, NULL, TRAILER, numeric};
use crate::WarehouseError;

/// A column, ready to be written cell by cell.
enum Column<'a> {
    Long(&'a Int64Array),
    Int(&'a Int32Array),
    Micros(&'a ScalarBuffer<i64>, Option<&'a NullBuffer>),
    Days(&'a ScalarBuffer<i32>, Option<&'a NullBuffer>),
    Decimal(&'a Decimal128Array, u32),
    Flag(&'a BooleanArray),
    Text(&'a StringArray, bool),
    Bytes(&'a BinaryArray),
    /// The values of a dictionary are encoded once.
    Symbol(&'a Int32Array, Vec<Vec<u8>>),
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self, WarehouseError> {
        let unknown =
            || WarehouseError::Corrupt(format!("a column of type {} is not supported in PostgreSQL", array.data_type()).into());
        let column = match array.data_type() {
            DataType::Int64 => array.as_primitive_opt::<Int64Type>().map(Self::Long),
            DataType::Int32 => array.as_primitive_opt::<Int32Type>().map(Self::Int),
            DataType::Date32 => array.as_primitive_opt::<Date32Type>().map(|days| Self::Days(days.values(), days.nulls())),
            DataType::Timestamp(..) => {
                array.as_primitive_opt::<TimestampMicrosecondType>().map(|times| Self::Micros(times.values(), times.nulls()))
            }
            DataType::Decimal128(_, scale) => {
                let scale = u32::try_from(*scale).map_err(|_| unknown())?;
                array.as_primitive_opt::<Decimal128Type>().map(|decimals| Self::Decimal(decimals, scale))
            }
            DataType::Boolean => array.as_boolean_opt().map(Self::Flag),
            DataType::Utf8 => array
                .as_string_opt()
                .map(|texts: &StringArray| Self::Text(texts, memchr::memchr(0, texts.value_data()).is_some())),
            DataType::Binary => array.as_binary_opt().map(Self::Bytes),
            DataType::Dictionary(..) => array.as_dictionary_opt::<Int32Type>().and_then(|symbols| {
                let values: &StringArray = symbols.values().as_string_opt()?;
                let cells = (0..values.len()).map(|at| {
                    let mut cell = Vec::new();
                    put_bytes(without_nul(values.value(at)).as_bytes(), &mut cell);
                    cell
                });
                Some(Self::Symbol(symbols.keys(), cells.collect()))
            }),
            _ => None,
        };
        column.ok_or_else(unknown)
    }

    #[inline]
    fn put(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Long(values) => fixed(values.nulls(), row, out, || values.value(row).to_be_bytes()),
            Self::Int(values) => fixed(values.nulls(), row, out, || values.value(row).to_be_bytes()),
            Self::Micros(values, nulls) => fixed(*nulls, row, out, || (values[row] - EPOCH).to_be_bytes()),
            Self::Days(values, nulls) => fixed(*nulls, row, out, || (values[row] - EPOCH_DAYS).to_be_bytes()),
            Self::Flag(values) => fixed(values.nulls(), row, out, || [u8::from(values.value(row))]),
            Self::Decimal(values, scale) if values.is_valid(row) => numeric::put(values.value(row), *scale, out),
            Self::Text(values, false) if values.is_valid(row) => put_bytes(values.value(row).as_bytes(), out),
            Self::Text(values, true) if values.is_valid(row) => put_bytes(without_nul(values.value(row)).as_bytes(), out),
            Self::Bytes(values) if values.is_valid(row) => put_bytes(values.value(row), out),
            Self::Symbol(keys, cells) if keys.is_valid(row) => {
                let cell = usize::try_from(keys.value(row)).ok().and_then(|key| cells.get(key));
                out.extend_from_slice(cell.map_or(&NULL, Vec::as_slice));
            }
            _ => out.extend_from_slice(&NULL),
        }
    }
}

#[inline]
fn fixed<const SIZE: usize>(nulls: Option<&NullBuffer>, row: usize, out: &mut Vec<u8>, bytes: impl FnOnce() -> [u8; SIZE]) {
    if nulls.is_some_and(|nulls| nulls.is_null(row)) {
        return out.extend_from_slice(&NULL);
    }
    let size = u32::try_from(SIZE).unwrap_or(0);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(&bytes());
}

#[inline]
fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// PostgreSQL text cannot contain NUL; the replacement character stands for it.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Bytes per chunk of a COPY, which bounds its memory.
const CHUNK: usize = 256 * 1024;

/// Writes batches as one binary COPY, in chunks. Returns the number of rows.
pub(crate) fn copy(
    batches: &[RecordBatch],
    columns: Option<&[usize]>,
    mut send: impl FnMut(&[u8]) -> Result<(), WarehouseError>,
) -> Result<u64, WarehouseError> {
    let mut out = Vec::with_capacity(CHUNK + CHUNK / 4);
    out.extend_from_slice(HEADER);
    let mut rows = 0;
    for batch in batches {
        let all: Vec<usize> = columns.map_or_else(|| (0..batch.num_columns()).collect(), <[usize]>::to_vec);
        let cells = all.iter().map(|at| Column::new(batch.column(*at))).collect::<Result<Vec<_>, _>>()?;
        let count = i16::try_from(cells.len()).unwrap_or(i16::MAX).to_be_bytes();
        for row in 0..batch.num_rows() {
            out.extend_from_slice(&count);
            cells.iter().for_each(|column| column.put(row, &mut out));
            if out.len() >= CHUNK {
                send(&out)?;
                out.clear();
            }
        }
        rows += batch.num_rows() as u64;
    }
    out.extend_from_slice(&TRAILER);
    send(&out)?;
    Ok(rows)
}

/// One column of all batches as one array parameter.
#[derive(Debug)]
pub(crate) struct Cells {
    element: Type,
    count: i32,
    bytes: Vec<u8>,
}

impl Cells {
    /// Every column of the batches, which have the same schema.
    pub(crate) fn of(batches: &[RecordBatch]) -> Result<Vec<Cells>, WarehouseError> {
        let columns = batches.first().map_or(0, RecordBatch::num_columns);
        (0..columns).map(|at| Self::column(batches, at)).collect()
    }

    fn column(batches: &[RecordBatch], at: usize) -> Result<Cells, WarehouseError> {
        let (mut bytes, mut count, mut element) = (Vec::new(), 0, Type::TEXT);
        for batch in batches {
            let column = Column::new(batch.column(at))?;
            element = element_of(batch.column(at).data_type());
            (0..batch.num_rows()).for_each(|row| column.put(row, &mut bytes));
            count += i32::try_from(batch.num_rows()).unwrap_or(i32::MAX);
        }
        Ok(Cells { element, count, bytes })
    }
}

fn element_of(kind: &DataType) -> Type {
    match kind {
        DataType::Int64 => Type::INT8,
        DataType::Int32 => Type::INT4,
        DataType::Date32 => Type::DATE,
        DataType::Timestamp(..) => Type::TIMESTAMPTZ,
        DataType::Decimal128(..) => Type::NUMERIC,
        DataType::Boolean => Type::BOOL,
        DataType::Binary => Type::BYTEA,
        _ => Type::TEXT,
    }
}

/// The type name of a parameter with such a column.
pub(crate) fn array_type(kind: &DataType) -> String {
    format!("{}[]", element_of(kind).name())
}

impl ToSql for Cells {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_i32(i32::from(self.count > 0));
        out.put_i32(1);
        out.put_u32(self.element.oid());
        if self.count > 0 {
            out.put_i32(self.count);
            out.put_i32(1);
            out.put_slice(&self.bytes);
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
