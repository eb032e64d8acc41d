//! Reads a table's columns from a batch: found by their declared names, checked by type. Texts may
//! come in any of Arrow's forms, as the readers of stores choose.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int32Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow_schema::DataType;

use super::kind::{Bytes, Name, Symbol, Text, Timestamp};
use crate::{Amount, Key, Quantity, Rate, Table};

/// A batch does not have the rows of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("{table}.{column} is missing")]
    MissingColumn { table: &'static str, column: String },
    #[error("{table}.{column} is {found}, expected {expected}")]
    WrongType { table: &'static str, column: String, expected: &'static str, found: String },
    #[error("{table}.{column} holds {value:?}, which has no meaning here")]
    UnknownValue { table: &'static str, column: &'static str, value: String },
    #[error("{table}.{column} holds a number of more than 18 digits")]
    TooLarge { table: &'static str, column: &'static str },
}

/// The table or archive that rows belong to.
pub trait Owner: Copy {
    /// Its name in errors.
    fn name(self) -> &'static str;
}

impl Owner for Table {
    fn name(self) -> &'static str {
        Table::name(self)
    }
}

/// The archive of a topic.
#[derive(Debug, Clone, Copy)]
pub struct Archive;

impl Owner for Archive {
    fn name(self) -> &'static str {
        "archive"
    }
}

/// The columns of one batch.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a, T = Table> {
    pub table: T,
    pub rows: &'a RecordBatch,
}

/// A type of columns that can be read.
pub trait Read {
    type Array<'a>;
    fn read<'a>(columns: &Columns<'a, impl Owner>, column: &'static str) -> Result<Self::Array<'a>, ReadError>;
}

macro_rules! read {
    ($a:lifetime; $($kind:ty: $array:ty, $method:ident;)+) => {$(
        impl Read for $kind {
            type Array<$a> = $array;

            fn read<$a>(columns: &Columns<$a, impl Owner>, column: &'static str) -> Result<$array, ReadError> {
                columns.$method(column)
            }
        }

        impl Read for Option<$kind> {
            type Array<$a> = $array;

            fn read<$a>(columns: &Columns<$a, impl Owner>, column: &'static str) -> Result<$array, ReadError> {
                columns.$method(column)
            }
        }
    )+};
}

read! {
    'a;
    Key: &'a Int64Array, longs;
    i64: &'a Int64Array, longs;
    i32: &'a Int32Array, ints;
    bool: &'a BooleanArray, flags;
    Timestamp: &'a TimestampMicrosecondArray, times;
    Amount: Decimals<'a>, amounts;
    Quantity: Decimals<'a>, quantities;
    Rate: Decimals<'a>, rates;
    Text: Texts<'a>, texts;
    Symbol: Texts<'a>, texts;
    Bytes: &'a BinaryArray, bytes;
}

impl<'a, T: Owner> Columns<'a, T> {
    /// A declared column.
    pub fn get<K: Read>(&self, column: Name<K>) -> Result<K::Array<'a>, ReadError> {
        K::read(self, column.name())
    }

    /// A column whose name is data, such as the time by which rows are chosen.
    pub fn named<K: Read>(&self, column: &'static str) -> Result<K::Array<'a>, ReadError> {
        K::read(self, column)
    }

    fn array(&self, column: &str) -> Result<&'a ArrayRef, ReadError> {
        let missing = || ReadError::MissingColumn { table: self.table.name(), column: column.to_owned() };
        self.rows.column_by_name(column).ok_or_else(missing)
    }

    fn typed<A>(
        &self,
        column: &str,
        expected: &'static str,
        cast: impl FnOnce(&'a ArrayRef) -> Option<A>,
    ) -> Result<A, ReadError> {
        let array = self.array(column)?;
        cast(array).ok_or_else(|| ReadError::WrongType {
            table: self.table.name(),
            column: column.to_owned(),
            expected,
            found: array.data_type().to_string(),
        })
    }

    fn longs(&self, column: &'static str) -> Result<&'a Int64Array, ReadError> {
        self.typed(column, "Int64", |array| array.as_primitive_opt::<Int64Type>())
    }

    fn ints(&self, column: &'static str) -> Result<&'a Int32Array, ReadError> {
        self.typed(column, "Int32", |array| array.as_primitive_opt::<Int32Type>())
    }

    fn flags(&self, column: &'static str) -> Result<&'a BooleanArray, ReadError> {
        self.typed(column, "Boolean", |array| array.as_boolean_opt())
    }

    fn times(&self, column: &'static str) -> Result<&'a TimestampMicrosecondArray, ReadError> {
        self.typed(column, "Timestamp(µs)", |array| array.as_primitive_opt::<TimestampMicrosecondType>())
    }

    fn bytes(&self, column: &'static str) -> Result<&'a BinaryArray, ReadError> {
        self.typed(column, "Binary", |array| array.as_binary_opt::<i32>())
    }

    fn amounts(&self, column: &'static str) -> Result<Decimals<'a>, ReadError> {
        self.decimals(column, "Decimal128(18, 6)", 6)
    }

    fn quantities(&self, column: &'static str) -> Result<Decimals<'a>, ReadError> {
        self.decimals(column, "Decimal128(18, 3)", 3)
    }

    fn rates(&self, column: &'static str) -> Result<Decimals<'a>, ReadError> {
        self.decimals(column, "Decimal128(18, 9)", 9)
    }

    fn decimals(&self, column: &'static str, expected: &'static str, scale: i8) -> Result<Decimals<'a>, ReadError> {
        let array = self
            .typed(column, expected, |array| array.as_primitive_opt::<Decimal128Type>().filter(|array| array.scale() == scale))?;
        Ok(Decimals { array, table: self.table.name(), column })
    }

    fn texts(&self, column: &'static str) -> Result<Texts<'a>, ReadError> {
        self.typed(column, "text", Texts::of)
    }
}

/// A decimal column whose values fit 64 bits.
#[derive(Debug, Clone, Copy)]
pub struct Decimals<'a> {
    array: &'a Decimal128Array,
    table: &'static str,
    column: &'static str,
}

impl Decimals<'_> {
    /// The units of a row; `None` if it has no number.
    pub fn get(&self, row: usize) -> Result<Option<i64>, ReadError> {
        if self.array.is_null(row) {
            return Ok(None);
        }
        let fits = i64::try_from(self.array.value(row));
        fits.map(Some).map_err(|_| ReadError::TooLarge { table: self.table, column: self.column })
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Strings<'a> {
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
pub enum Texts<'a> {
    Plain(Strings<'a>),
    Coded { codes: &'a Int32Array, values: Strings<'a> },
}

impl<'a> Texts<'a> {
    /// `None`: the array holds no texts.
    pub fn of(array: &'a ArrayRef) -> Option<Self> {
        match array.data_type() {
            DataType::Dictionary(_, _) => {
                let coded = array.as_dictionary_opt::<Int32Type>()?;
                Some(Self::Coded { codes: coded.keys(), values: Strings::of(coded.values())? })
            }
            _ => Strings::of(array).map(Self::Plain),
        }
    }

    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(values) => values.get(row),
            Self::Coded { codes, values } => {
                codes.is_valid(row).then(|| usize::try_from(codes.value(row)).ok()).flatten().and_then(|at| values.get(at))
            }
        }
    }

    /// The text of a row; empty if it has none.
    pub fn value(&self, row: usize) -> &'a str {
        self.get(row).unwrap_or_default()
    }

    /// Applies `meaning` to each row's text; called once per distinct value of a dictionary, and once per sequence of equal plain
    /// texts.
    pub fn each<T: Copy, E>(&self, rows: usize, mut meaning: impl FnMut(Option<&'a str>) -> Result<T, E>) -> Result<Vec<T>, E> {
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
