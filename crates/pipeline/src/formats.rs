//! The formats of records: a file each, and a line each in the list below.
//!
//! A format reads records into payloads, directly or by a mapping, and passes them to a [`Judge`]: the stage, which dedupes and
//! shapes them, or the collector's verdict on one record, which only validates it.

mod avro;
mod csv;
mod debezium;
mod input;
mod json;

use std::ops::Range;

use kassa_model::Format;

use crate::decode::avro::schema_id;
use crate::error::StageError;
use crate::stream::Stream;

use input::Decode;
pub(crate) use input::{Input, Judge, Values, within_limit};

/// Evaluates an expression with the implementation of a format. Only the format is chosen at run time, once for a run of records.
macro_rules! with {
    ($format:expr, $decode:ident => $body:expr) => {
        match $format {
            // The rows of a Parquet file are read as JSON objects.
            Format::Json | Format::Parquet => {
                type $decode = json::Json;
                $body
            }
            Format::Csv => {
                type $decode = csv::Csv;
                $body
            }
            Format::Avro => {
                type $decode = avro::Avro;
                $body
            }
            Format::Debezium => {
                type $decode = debezium::Debezium;
                $body
            }
        }
    };
}

pub(crate) fn is_framed(format: Format) -> bool {
    with!(format, Decoder => Decoder::IS_FRAMED)
}

impl Stream {
    /// The schema id of a record of this stream, if its format has one.
    pub fn schema_id(&self, value: &[u8]) -> Option<i32> {
        if is_framed(self.format) { schema_id(value) } else { None }
    }
}

pub(crate) fn has_headers(format: Format) -> bool {
    with!(format, Decoder => Decoder::HAS_HEADERS)
}

pub(crate) fn read<J: Judge>(input: Input<'_>, range: Range<usize>, judge: &mut J) -> Result<(), StageError> {
    with!(input.stream.format, Decoder => Decoder::read(input, range, judge))
}
