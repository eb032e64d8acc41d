//! Arrow rows as JSON lines without loss: decimals and instants as exact text; NULLs are omitted.

use std::sync::Arc;

use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, WriterBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, FieldRef};

/// Writes one line per row. Timestamps with a zone become RFC 3339 in UTC; timestamps without one
/// keep their wall-clock time. Bytes become text if they are text, otherwise hex. NaN and the
/// infinities become the texts "NaN", "inf" and "-inf", which no decimal field accepts.
pub(super) fn write_lines(batch: &RecordBatch, lines: &mut Vec<u8>) -> Result<(), ArrowError> {
    let builder = WriterBuilder::new().with_encoder_factory(Arc::new(Exact));
    let mut writer = builder.build::<_, LineDelimited>(lines);
    writer.write(batch)?;
    writer.finish()
}

#[derive(Debug)]
struct Exact;

impl EncoderFactory for Exact {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder> = match array.data_type() {
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                Box::new(Texts::of(array)?)
            }
            DataType::Timestamp(unit, Some(_)) => {
                Box::new(Texts::of(&cast(array, &DataType::Timestamp(*unit, Some("+00:00".into())))?)?)
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Box::new(Bytes(cast(array, &DataType::Binary)?.as_binary().clone()))
            }
            DataType::Float64 => Box::new(Floats(array.as_primitive::<Float64Type>().values())),
            DataType::Float32 => Box::new(Floats(array.as_primitive::<Float32Type>().values())),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

struct Texts(StringArray);

impl Texts {
    fn of(array: &dyn Array) -> Result<Self, ArrowError> {
        let texts: ArrayRef = cast(array, &DataType::Utf8)?;
        Ok(Self(texts.as_string().clone()))
    }
}

impl Encoder for Texts {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        quoted(self.0.value(index), out);
    }
}

struct Bytes(BinaryArray);

impl Encoder for Bytes {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        let bytes = self.0.value(index);
        match std::str::from_utf8(bytes) {
            Ok(text) => quoted(text, out),
            Err(_) => quoted(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), out),
        }
    }
}

struct Floats<'a, T>(&'a [T]);

impl<T: Copy + Into<f64> + std::fmt::Display + serde::Serialize> Encoder for Floats<'_, T> {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        let value = self.0[index];
        match serde_json::to_string(&value) {
            Ok(digits) if value.into().is_finite() => out.extend_from_slice(digits.as_bytes()),
            _ => quoted(&value.to_string(), out),
        }
    }
}
