//! The types of columns. A declaration names them: `order_id: Text`, `unit_price: Option<Amount>`.

use arrow_array::types::{ArrowPrimitiveType, Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{DataType, Field, TimeUnit};

use super::build::{Bits, Build, Bytes as ByteStore, Nullable, Number, Numbers, Required, Store, Symbols, Texts};
use crate::{Amount, Key, Quantity, Rate};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A computed key of 63 bits; 0 is unknown.
    Key,
    Text,
    /// A text with few distinct values: a dictionary in memory, a plain string to readers of the
    /// table.
    Symbol,
    /// Money or a price: DECIMAL(18,6).
    Amount,
    /// An amount times a rate, and sums of these, unrounded: DECIMAL(38,15).
    Exact,
    /// DECIMAL(18,3).
    Quantity,
    /// DECIMAL(18,9).
    Rate,
    I32,
    I64,
    Date,
    /// µs, UTC.
    Timestamp,
    Bool,
    Bytes,
}

impl Type {
    pub fn data_type(self) -> DataType {
        match self {
            Type::Key | Type::I64 => DataType::Int64,
            Type::Text => DataType::Utf8,
            Type::Symbol => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Type::Amount => DataType::Decimal128(18, 6),
            Type::Exact => DataType::Decimal128(38, 15),
            Type::Quantity => DataType::Decimal128(18, 3),
            Type::Rate => DataType::Decimal128(18, 9),
            Type::I32 => DataType::Int32,
            Type::Date => DataType::Date32,
            Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Type::Bool => DataType::Boolean,
            Type::Bytes => DataType::Binary,
        }
    }
}

/// A declared column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub kind: Type,
    pub is_nullable: bool,
    pub(super) doc: &'static str,
}

impl Column {
    /// The meaning of the column with its unit, in one line.
    pub fn meaning(&self) -> &'static str {
        self.doc.trim()
    }

    pub fn field(&self) -> Field {
        Field::new(self.name, self.kind.data_type(), self.is_nullable)
    }
}

/// A declared column's name together with its type.
#[derive(Debug)]
pub struct Name<K> {
    name: &'static str,
    kind: std::marker::PhantomData<fn() -> K>,
}

impl<K> Clone for Name<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Name<K> {}

impl<K> Name<K> {
    pub(super) const fn new(identifier: &'static str) -> Self {
        Self { name: plain(identifier), kind: std::marker::PhantomData }
    }

    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// The name without the mark of an identifier that is also a keyword: `r#type`.
pub(super) const fn plain(identifier: &'static str) -> &'static str {
    match identifier.as_bytes() {
        [b'r', b'#', rest @ ..] => match std::str::from_utf8(rest) {
            Ok(name) => name,
            Err(_) => identifier,
        },
        _ => identifier,
    }
}

/// A type of cells that cannot be null.
pub trait Scalar {
    type Store: Store;
    const TYPE: Type;
}

/// A type of cells, with or without null: a scalar or an `Option` of one.
pub trait Kind {
    type Cells: Build;
    const TYPE: Type;
    const IS_NULLABLE: bool;
}

impl<S: Scalar> Kind for S {
    type Cells = Required<S::Store>;
    const TYPE: Type = S::TYPE;
    const IS_NULLABLE: bool = false;
}

impl<S: Scalar> Kind for Option<S> {
    type Cells = Nullable<S::Store>;
    const TYPE: Type = S::TYPE;
    const IS_NULLABLE: bool = true;
}

/// The value that a row has for a column of this type.
pub type Cell<'a, K> = <<K as Kind>::Cells as Build>::Value<'a>;

/// [`Type::Text`]; a cell is a `&str`.
#[derive(Debug)]
pub enum Text {}
/// [`Type::Symbol`]; a cell is a `&str`.
#[derive(Debug)]
pub enum Symbol {}
/// [`Type::Bytes`]; a cell is a `&[u8]`.
#[derive(Debug)]
pub enum Bytes {}
/// [`Type::Exact`]; a cell is an `i128` of 10⁻¹⁵ units.
#[derive(Debug)]
pub enum Exact {}
/// [`Type::Date`]; a cell is an `i32` of days since 1970-01-01.
#[derive(Debug)]
pub enum Date {}
/// [`Type::Timestamp`]; a cell is an `i64` of µs since 1970, UTC.
#[derive(Debug)]
pub enum Timestamp {}

macro_rules! stored {
    ($($scalar:ty: $kind:ident in $store:ty;)+) => {$(
        impl Scalar for $scalar {
            type Store = $store;
            const TYPE: Type = Type::$kind;
        }
    )+};
}

stored! {
    Text: Text in Texts;
    Symbol: Symbol in Symbols;
    Bytes: Bytes in ByteStore;
    bool: Bool in Bits;
}

macro_rules! numbers {
    ($($scalar:ty: $kind:ident, $value:ty as $arrow:ty, $native:expr;)+) => {$(
        impl Number for $scalar {
            type Value = $value;
            type Arrow = $arrow;

            fn data_type() -> DataType {
                Type::$kind.data_type()
            }

            #[inline(always)]
            fn native(value: $value) -> <$arrow as ArrowPrimitiveType>::Native {
                let native: fn($value) -> <$arrow as ArrowPrimitiveType>::Native = $native;
                native(value)
            }
        }

        impl Scalar for $scalar {
            type Store = Numbers<Self>;
            const TYPE: Type = Type::$kind;
        }
    )+};
}

numbers! {
    i32: I32, i32 as Int32Type, |value| value;
    i64: I64, i64 as Int64Type, |value| value;
    Date: Date, i32 as Date32Type, |value| value;
    Timestamp: Timestamp, i64 as TimestampMicrosecondType, |value| value;
    Key: Key, Key as Int64Type, |key| key.stored();
    Amount: Amount, Amount as Decimal128Type, |amount| i128::from(amount.0);
    Quantity: Quantity, Quantity as Decimal128Type, |quantity| i128::from(quantity.0);
    Rate: Rate, Rate as Decimal128Type, |rate| i128::from(rate.0);
    Exact: Exact, i128 as Decimal128Type, |exact| exact;
}
