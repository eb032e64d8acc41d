//! Typed access to the columns of the star's rows by name.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use crate::WarehouseError;

/// The columns of one batch.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a>(pub(crate) &'a RecordBatch);

/// A text column: plain or dictionary-encoded.
pub(crate) enum Texts<'a> {
    Plain(&'a StringArray),
    Coded(&'a Int32Array, &'a StringArray),
}

impl<'a> Texts<'a> {
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Coded(keys, values) => {
                let key = keys.is_valid(row).then(|| usize::try_from(keys.value(row)).ok()).flatten()?;
                (key < values.len()).then(|| values.value(key))
            }
        }
    }
}

impl<'a> Columns<'a> {
    fn typed<T>(&self, name: &str, read: impl FnOnce(&'a ArrayRef) -> Option<T>) -> Result<T, WarehouseError> {
        self.0
            .column_by_name(name)
            .and_then(read)
            .ok_or_else(|| WarehouseError::Corrupt(format!("rows without their column {name}").into()))
    }

    pub(crate) fn longs(&self, name: &str) -> Result<&'a Int64Array, WarehouseError> {
        self.typed(name, |array| array.as_primitive_opt::<Int64Type>())
    }

    pub(crate) fn ints(&self, name: &str) -> Result<&'a Int32Array, WarehouseError> {
        self.typed(name, |array| array.as_primitive_opt::<Int32Type>())
    }

    pub(crate) fn times(&self, name: &str) -> Result<&'a TimestampMicrosecondArray, WarehouseError> {
        self.typed(name, |array| array.as_primitive_opt::<TimestampMicrosecondType>())
    }

    pub(crate) fn decimals(&self, name: &str) -> Result<&'a Decimal128Array, WarehouseError> {
        self.typed(name, |array| array.as_primitive_opt::<Decimal128Type>())
    }

    pub(crate) fn flags(&self, name: &str) -> Result<&'a BooleanArray, WarehouseError> {
        self.typed(name, |array| array.as_boolean_opt())
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Texts<'a>, WarehouseError> {
        self.typed(name, |array| match array.as_dictionary_opt::<Int32Type>() {
            Some(coded) => Some(Texts::Coded(coded.keys(), coded.values().as_string_opt()?)),
            None => array.as_string_opt().map(Texts::Plain),
        })
    }
}
