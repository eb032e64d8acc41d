//! Builds the rows of one star table: cells are put in the order of the table's columns, lineage comes last.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType};
use hashbrown::HashMap;
use kassa_model::decimal::Decimal;
use kassa_model::{Contract, Key, Records, Table};

use crate::short::same;

/// Values of a few distinct texts.
#[derive(Debug, Default)]
struct Symbols {
    values: Vec<String>,
    index: HashMap<String, i32>,
    keys: Vec<i32>,
    /// The text put last, and its key.
    last: Option<(String, i32)>,
}

impl Symbols {
    #[inline]
    fn put(&mut self, text: &str) {
        let key = match &self.last {
            Some((last, key)) if same(last.as_bytes(), text.as_bytes()) => *key,
            _ => self.find(text),
        };
        self.keys.push(key);
    }

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

/// Texts one behind the other: Arrow's own builder takes three times as long over each.
#[derive(Debug)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each begins, and where the last ends.
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Texts {
    fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { bytes: Vec::new(), offsets, nulls: NullBufferBuilder::new(rows) }
    }

    #[inline]
    fn put(&mut self, text: Option<&str>) {
        match text {
            Some(text) => {
                self.bytes.extend_from_slice(text.as_bytes());
                self.nulls.append_non_null();
            }
            None => self.nulls.append_null(),
        }
        self.offsets.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
    }

    fn finish(mut self) -> Result<StringArray, ArrowError> {
        if i32::try_from(self.bytes.len()).is_err() {
            return Err(ArrowError::OffsetOverflowError(self.bytes.len()));
        }
        let nulls = self.nulls.finish();
        StringArray::try_new(OffsetBuffer::new(self.offsets.into()), Buffer::from_vec(self.bytes), nulls)
    }
}

/// One column being built. Absent cells hold a zero behind a null bit.
#[derive(Debug)]
enum Column {
    I64(Vec<i64>, NullBufferBuilder),
    I32(Vec<i32>, NullBufferBuilder),
    Micros(Vec<i64>, NullBufferBuilder),
    Decimal(Vec<i128>, NullBufferBuilder, u8, i8),
    Text(Texts),
    Bytes(BinaryBuilder),
    Bool(Vec<bool>, NullBufferBuilder),
    Symbol(Symbols, NullBufferBuilder),
}

impl Column {
    fn new(kind: &DataType, rows: usize) -> Self {
        let nulls = NullBufferBuilder::new(rows);
        match kind {
            DataType::Int32 | DataType::Date32 => Column::I32(Vec::with_capacity(rows), nulls),
            DataType::Timestamp(..) => Column::Micros(Vec::with_capacity(rows), nulls),
            DataType::Decimal128(precision, scale) => Column::Decimal(Vec::with_capacity(rows), nulls, *precision, *scale),
            DataType::Utf8 => Column::Text(Texts::new(rows)),
            DataType::Binary => Column::Bytes(BinaryBuilder::with_capacity(rows, 0)),
            DataType::Boolean => Column::Bool(Vec::with_capacity(rows), nulls),
            DataType::Dictionary(..) => Column::Symbol(Symbols { keys: Vec::with_capacity(rows), ..Symbols::default() }, nulls),
            _ => Column::I64(Vec::with_capacity(rows), nulls),
        }
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let taken = |mut nulls: NullBufferBuilder| -> Option<NullBuffer> { nulls.finish() };
        Ok(match self {
            Column::I64(values, nulls) => Arc::new(Int64Array::new(values.into(), taken(nulls))),
            Column::I32(values, nulls) => Arc::new(Int32Array::new(values.into(), taken(nulls))),
            Column::Micros(values, nulls) => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), taken(nulls)).with_timezone("UTC"))
            }
            Column::Decimal(values, nulls, precision, scale) => {
                Arc::new(Decimal128Array::new(values.into(), taken(nulls)).with_precision_and_scale(precision, scale)?)
            }
            Column::Text(texts) => Arc::new(texts.finish()?),
            Column::Bytes(mut builder) => Arc::new(builder.finish()),
            Column::Bool(values, nulls) => {
                let bits = BooleanBuffer::collect_bool(values.len(), |row| values[row]);
                Arc::new(BooleanArray::new(bits, taken(nulls)))
            }
            Column::Symbol(symbols, nulls) => {
                let keys = Int32Array::new(symbols.keys.into(), taken(nulls));
                let values = if symbols.values.is_empty() { vec![String::new()] } else { symbols.values };
                Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(values)))?)
            }
        })
    }
}

/// The rows of one table, in the making.
#[derive(Debug)]
pub struct Rows {
    table: Table,
    columns: Vec<Column>,
    rows: usize,
}

impl Rows {
    pub fn new(table: Table) -> Self {
        Self::sized(table, 0)
    }

    /// With room for so many rows: columns that grow cost more than what is put in them.
    pub fn sized(table: Table, rows: usize) -> Self {
        let columns = table.schema().fields().iter().map(|field| Column::new(field.data_type(), rows)).collect();
        Self { table, columns, rows: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Starts a row; its cells follow in the order of the columns.
    pub fn row(&mut self) -> Row<'_> {
        self.rows += 1;
        Row { columns: self.columns.iter_mut() }
    }

    /// A row of `rejected` for one of the records, as it is set aside. `verdict` is its reason, field and detail.
    pub fn letter(
        &mut self,
        records: &Records,
        index: usize,
        schema_id: Option<i32>,
        stream: &str,
        contract: Contract,
        verdict: [&str; 3],
    ) {
        let [reason, field, detail] = verdict;
        let _row = self
            .row()
            .text(records.partition.topic.as_ref())
            .i64(records.partition.number)
            .i64(records.offsets[index])
            .i32(0)
            .i64(records.timestamps[index])
            .bytes(records.key(index))
            .text(records.headers.get(index).map(AsRef::as_ref))
            .i32_or_none(schema_id)
            .bytes(Some(records.value(index)).filter(|_| !records.is_tombstone(index)))
            .text(stream)
            .text(contract.name())
            .text(reason)
            .text(field)
            .text(detail)
            .i64(records.ingested_at[index])
            .i64(None);
    }

    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.into_iter().map(Column::finish).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.table.schema(), columns)
    }
}

/// One row in the making. Each call fills the next column.
///
/// # Panics
/// In debug builds, if a cell has another type than its column: the shape of a row is the code's, never the data's.
#[derive(Debug)]
pub struct Row<'r> {
    columns: std::slice::IterMut<'r, Column>,
}

impl Row<'_> {
    #[inline(always)]
    fn column(&mut self) -> Option<&mut Column> {
        self.columns.next()
    }

    #[inline(always)]
    pub fn i64(mut self, value: impl Into<Option<i64>>) -> Self {
        match self.column() {
            Some(Column::I64(values, nulls) | Column::Micros(values, nulls)) => match value.into() {
                Some(value) => {
                    values.push(value);
                    nulls.append_non_null();
                }
                None => {
                    values.push(0);
                    nulls.append_null();
                }
            },
            other => misplaced("i64", other.as_deref()),
        }
        self
    }

    #[inline(always)]
    pub fn key(self, key: Key) -> Self {
        self.i64(key.stored())
    }

    #[inline(always)]
    pub fn i32(mut self, value: i32) -> Self {
        match self.column() {
            Some(Column::I32(values, nulls)) => {
                values.push(value);
                nulls.append_non_null();
            }
            other => misplaced("i32", other.as_deref()),
        }
        self
    }

    pub fn i32_or_none(self, value: Option<i32>) -> Self {
        match value {
            Some(value) => self.i32(value),
            None => self.no_i32(),
        }
    }

    pub fn no_i32(mut self) -> Self {
        match self.column() {
            Some(Column::I32(values, nulls)) => {
                values.push(0);
                nulls.append_null();
            }
            other => misplaced("i32", other.as_deref()),
        }
        self
    }

    #[inline(always)]
    pub fn decimal<const SCALE: u32>(mut self, value: impl Into<Option<Decimal<SCALE>>>) -> Self {
        match self.column() {
            Some(Column::Decimal(values, nulls, ..)) => match value.into() {
                Some(value) => {
                    values.push(i128::from(value.0));
                    nulls.append_non_null();
                }
                None => {
                    values.push(0);
                    nulls.append_null();
                }
            },
            other => misplaced("decimal", other.as_deref()),
        }
        self
    }

    #[inline(always)]
    pub fn text<'t>(mut self, value: impl Into<Option<&'t str>>) -> Self {
        match self.column() {
            Some(Column::Text(texts)) => texts.put(value.into()),
            Some(Column::Symbol(symbols, nulls)) => match value.into() {
                Some(text) => {
                    symbols.put(text);
                    nulls.append_non_null();
                }
                None => {
                    symbols.keys.push(0);
                    nulls.append_null();
                }
            },
            other => misplaced("text", other.as_deref()),
        }
        self
    }

    pub fn bytes<'t>(mut self, value: impl Into<Option<&'t [u8]>>) -> Self {
        match self.column() {
            Some(Column::Bytes(builder)) => builder.append_option(value.into()),
            other => misplaced("bytes", other.as_deref()),
        }
        self
    }

    #[inline(always)]
    pub fn bool(mut self, value: impl Into<Option<bool>>) -> Self {
        match self.column() {
            Some(Column::Bool(values, nulls)) => {
                let value = value.into();
                values.push(value.unwrap_or_default());
                nulls.append(value.is_some());
            }
            other => misplaced("boolean", other.as_deref()),
        }
        self
    }
}

/// A misplaced cell leaves its column short, so the table's batch is refused when it is finished; tests see it at once.
#[cold]
fn misplaced(kind: &str, column: Option<&Column>) {
    debug_assert!(false, "no {kind} column here but {column:?}");
}
