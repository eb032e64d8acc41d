//! Typed columns of a batch, found by name. Texts may come in any of Arrow's forms, as the lake's readers choose.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use kassa_model::Table;

/// Why rows could not be folded in: the batch is not rows of that table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error("{table}.{column} is missing")]
    MissingColumn { table: &'static str, column: &'static str },
    #[error("{table}.{column} is {found}, expected {expected}")]
    WrongType { table: &'static str, column: &'static str, expected: &'static str, found: String },
    #[error("{table}.{column} holds {value:?}, which has no meaning here")]
    UnknownValue { table: &'static str, column: &'static str, value: String },
    #[error("{table}.{column} holds a number of more than 18 digits")]
    TooLarge { table: &'static str, column: &'static str },
}

/// The columns of one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) table: Table,
    pub(crate) rows: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    fn array(&self, column: &'static str) -> Result<&'a ArrayRef, ApplyError> {
        self.rows.column_by_name(column).ok_or(ApplyError::MissingColumn { table: self.table.name(), column })
    }

    fn typed<T>(
        &self,
        column: &'static str,
        expected: &'static str,
        cast: impl FnOnce(&'a ArrayRef) -> Option<T>,
    ) -> Result<T, ApplyError> {
        let array = self.array(column)?;
        cast(array).ok_or_else(|| ApplyError::WrongType {
            table: self.table.name(),
            column,
            expected,
            found: array.data_type().to_string(),
        })
    }

    pub(crate) fn longs(&self, column: &'static str) -> Result<&'a Int64Array, ApplyError> {
        self.typed(column, "Int64", |array| array.as_primitive_opt::<Int64Type>())
    }

    pub(crate) fn ints(&self, column: &'static str) -> Result<&'a Int32Array, ApplyError> {
        self.typed(column, "Int32", |array| array.as_primitive_opt::<Int32Type>())
    }

    pub(crate) fn flags(&self, column: &'static str) -> Result<&'a BooleanArray, ApplyError> {
        self.typed(column, "Boolean", |array| array.as_boolean_opt())
    }

    pub(crate) fn times(&self, column: &'static str) -> Result<&'a TimestampMicrosecondArray, ApplyError> {
        self.typed(column, "Timestamp(µs)", |array| array.as_primitive_opt::<TimestampMicrosecondType>())
    }

    pub(crate) fn amounts(&self, column: &'static str) -> Result<Decimals<'a>, ApplyError> {
        self.decimals(column, "Decimal128(18, 6)", 6)
    }

    pub(crate) fn quantities(&self, column: &'static str) -> Result<Decimals<'a>, ApplyError> {
        self.decimals(column, "Decimal128(18, 3)", 3)
    }

    pub(crate) fn rates(&self, column: &'static str) -> Result<Decimals<'a>, ApplyError> {
        self.decimals(column, "Decimal128(18, 9)", 9)
    }

    fn decimals(&self, column: &'static str, expected: &'static str, scale: i8) -> Result<Decimals<'a>, ApplyError> {
        let array = self
            .typed(column, expected, |array| array.as_primitive_opt::<Decimal128Type>().filter(|array| array.scale() == scale))?;
        Ok(Decimals { array, table: self.table.name(), column })
    }

    pub(crate) fn texts(&self, column: &'static str) -> Result<Texts<'a>, ApplyError> {
        self.typed(column, "text", |array| match array.data_type() {
            DataType::Dictionary(_, _) => {
                let coded = array.as_dictionary_opt::<Int32Type>()?;
                Some(Texts::Coded { codes: coded.keys(), values: Strings::of(coded.values())? })
            }
            _ => Strings::of(array).map(Texts::Plain),
        })
    }
}

/// A decimal column whose values fit 64 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimals<'a> {
    array: &'a Decimal128Array,
    table: &'static str,
    column: &'static str,
}

impl Decimals<'_> {
    pub(crate) fn get(&self, row: usize) -> Result<Option<i64>, ApplyError> {
        if self.array.is_null(row) {
            return Ok(None);
        }
        let fits = i64::try_from(self.array.value(row));
        fits.map(Some).map_err(|_| ApplyError::TooLarge { table: self.table, column: self.column })
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Strings<'a> {
    Short(&'a StringArray),
    Long(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Strings<'a> {
    fn of(array: &'a ArrayRef) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => array.as_string_opt().map(Self::Short),
            DataType::LargeUtf8 => array.as_string_opt().map(Self::Long),
            DataType::Utf8View => array.as_string_view_opt().map(Self::View),
            _ => None,
        }
    }

    fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Short(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Long(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Texts<'a> {
    Plain(Strings<'a>),
    Coded { codes: &'a Int32Array, values: Strings<'a> },
}

impl<'a> Texts<'a> {
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(values) => values.get(row),
            Self::Coded { codes, values } => {
                codes.is_valid(row).then(|| usize::try_from(codes.value(row)).ok()).flatten().and_then(|at| values.get(at))
            }
        }
    }

    /// What `meaning` makes of each row's text; asked once a distinct value of a dictionary, once a run of equal plain texts.
    pub(crate) fn each<T: Copy, E>(
        &self,
        rows: usize,
        mut meaning: impl FnMut(Option<&'a str>) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let mut all = Vec::with_capacity(rows);
        match self {
            Self::Plain(values) => {
                let mut last: Option<(Option<&str>, T)> = None;
                for row in 0..rows {
                    let text = values.get(row);
                    let known = last.filter(|(of, _)| *of == text);
                    let value = known.map_or_else(|| meaning(text), |(_, value)| Ok(value))?;
                    last = Some((text, value));
                    all.push(value);
                }
            }
            Self::Coded { codes, values } => {
                let mut seen: Vec<Option<T>> = Vec::new();
                let mut null = None;
                for row in 0..rows {
                    let at = codes.is_valid(row).then(|| usize::try_from(codes.value(row)).unwrap_or(0));
                    let slot = match at {
                        Some(at) => {
                            if at >= seen.len() {
                                seen.resize(at + 1, None);
                            }
                            &mut seen[at]
                        }
                        None => &mut null,
                    };
                    let value = match *slot {
                        Some(value) => value,
                        None => *slot.insert(meaning(at.and_then(|at| values.get(at)))?),
                    };
                    all.push(value);
                }
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests;
