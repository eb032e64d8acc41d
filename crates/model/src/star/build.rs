//! Builders of columns: one concrete type for each type of column, so that a row is written without
//! a choice per cell.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Int32Type};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Int32Array, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType};
use hashbrown::HashMap;

use crate::short::same;

/// One column under construction.
pub trait Build: Sized + Debug {
    /// A cell.
    type Value<'a>: Copy + Debug;

    /// Reserves memory for this many rows: growing a column costs more than filling it.
    fn sized(rows: usize) -> Self;
    fn push(&mut self, value: Self::Value<'_>);
    fn finish(self) -> Result<ArrayRef, ArrowError>;
}

/// The values of a column, without its nulls.
pub trait Store: Sized + Debug {
    type Value<'a>: Copy + Debug;

    fn sized(rows: usize) -> Self;
    fn put(&mut self, value: Self::Value<'_>);
    /// Adds a value in place of a null.
    fn put_null(&mut self);
    fn into_array(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError>;
}

/// A column without nulls.
#[derive(Debug)]
pub struct Required<S>(S);

impl<S: Store> Build for Required<S> {
    type Value<'a> = S::Value<'a>;

    fn sized(rows: usize) -> Self {
        Self(S::sized(rows))
    }

    #[inline(always)]
    fn push(&mut self, value: Self::Value<'_>) {
        self.0.put(value);
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        self.0.into_array(None)
    }
}

/// A column that may have nulls.
#[derive(Debug)]
pub struct Nullable<S> {
    store: S,
    nulls: NullBufferBuilder,
}

impl<S: Store> Build for Nullable<S> {
    type Value<'a> = Option<S::Value<'a>>;

    fn sized(rows: usize) -> Self {
        Self { store: S::sized(rows), nulls: NullBufferBuilder::new(rows) }
    }

    #[inline(always)]
    fn push(&mut self, value: Self::Value<'_>) {
        match value {
            Some(value) => {
                self.store.put(value);
                self.nulls.append_non_null();
            }
            None => {
                self.store.put_null();
                self.nulls.append_null();
            }
        }
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        self.store.into_array(self.nulls.finish())
    }
}

/// A scalar that Arrow stores as one number.
pub trait Number {
    type Value: Copy;
    type Arrow: ArrowPrimitiveType;
    fn data_type() -> DataType;
    fn native(value: Self::Value) -> <Self::Arrow as ArrowPrimitiveType>::Native;
}

type Native<N> = <<N as Number>::Arrow as ArrowPrimitiveType>::Native;

/// Numbers, keys, times and decimals.
#[derive(Debug)]
pub struct Numbers<N: Number>(Vec<Native<N>>);

impl<N: Number + Debug> Store for Numbers<N>
where
    N::Value: Debug,
{
    type Value<'a> = N::Value;

    fn sized(rows: usize) -> Self {
        Self(Vec::with_capacity(rows))
    }

    #[inline(always)]
    fn put(&mut self, value: N::Value) {
        self.0.push(N::native(value));
    }

    #[inline(always)]
    fn put_null(&mut self) {
        self.0.push(Native::<N>::default());
    }

    fn into_array(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let array = PrimitiveArray::<N::Arrow>::try_new(self.0.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(N::data_type())))
    }
}

#[derive(Debug)]
pub struct Bits(Vec<bool>);

impl Store for Bits {
    type Value<'a> = bool;

    fn sized(rows: usize) -> Self {
        Self(Vec::with_capacity(rows))
    }

    #[inline(always)]
    fn put(&mut self, value: bool) {
        self.0.push(value);
    }

    #[inline(always)]
    fn put_null(&mut self) {
        self.0.push(false);
    }

    fn into_array(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let bits = BooleanBuffer::collect_bool(self.0.len(), |row| self.0[row]);
        Ok(Arc::new(BooleanArray::new(bits, nulls)))
    }
}

/// Values of any length, stored consecutively: Arrow's own builder takes three times as long for
/// each.
#[derive(Debug)]
struct Spread {
    bytes: Vec<u8>,
    /// Where each begins, and where the last ends.
    offsets: Vec<i32>,
}

impl Spread {
    fn sized(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { bytes: Vec::new(), offsets }
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.offsets.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
    }

    fn finish(self) -> Result<(OffsetBuffer<i32>, Buffer), ArrowError> {
        if i32::try_from(self.bytes.len()).is_err() {
            return Err(ArrowError::OffsetOverflowError(self.bytes.len()));
        }
        Ok((OffsetBuffer::new(self.offsets.into()), Buffer::from_vec(self.bytes)))
    }
}

#[derive(Debug)]
pub struct Texts(Spread);

impl Store for Texts {
    type Value<'a> = &'a str;

    fn sized(rows: usize) -> Self {
        Self(Spread::sized(rows))
    }

    #[inline(always)]
    fn put(&mut self, text: &str) {
        self.0.put(text.as_bytes());
    }

    #[inline(always)]
    fn put_null(&mut self) {
        self.0.put(&[]);
    }

    fn into_array(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let (offsets, bytes) = self.0.finish()?;
        Ok(Arc::new(StringArray::try_new(offsets, bytes, nulls)?))
    }
}

#[derive(Debug)]
pub struct Bytes(Spread);

impl Store for Bytes {
    type Value<'a> = &'a [u8];

    fn sized(rows: usize) -> Self {
        Self(Spread::sized(rows))
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.0.put(bytes);
    }

    #[inline(always)]
    fn put_null(&mut self) {
        self.0.put(&[]);
    }

    fn into_array(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let (offsets, bytes) = self.0.finish()?;
        Ok(Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?))
    }
}

/// Values of a few distinct texts.
#[derive(Debug)]
pub struct Symbols {
    values: Vec<String>,
    index: HashMap<String, i32>,
    keys: Vec<i32>,
    /// The text put last, and its key.
    last: Option<(String, i32)>,
}

impl Symbols {
    fn find(&mut self, text: &str) -> i32 {
        let known = self.index.get(text).copied();
        let key = known.unwrap_or_else(|| {
            let key = i32::try_from(self.values.len()).unwrap_or(i32::MAX);
            self.values.push(text.to_owned());
            self.index.insert(text.to_owned(), key);
            key
        });
        let (last, last_key) = self.last.get_or_insert_default();
        last.clear();
        last.push_str(text);
        *last_key = key;
        key
    }
}

impl Store for Symbols {
    type Value<'a> = &'a str;

    fn sized(rows: usize) -> Self {
        Self { values: Vec::new(), index: HashMap::new(), keys: Vec::with_capacity(rows), last: None }
    }

    #[inline(always)]
    fn put(&mut self, text: &str) {
        let key = match &self.last {
            Some((last, key)) if same(last.as_bytes(), text.as_bytes()) => *key,
            _ => self.find(text),
        };
        self.keys.push(key);
    }

    #[inline(always)]
    fn put_null(&mut self) {
        self.keys.push(0);
    }

    fn into_array(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let keys = Int32Array::try_new(self.keys.into(), nulls)?;
        // Arrow checks the keys of nulls too.
        let values = if self.values.is_empty() { vec![String::new()] } else { self.values };
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(values)))?))
    }
}
