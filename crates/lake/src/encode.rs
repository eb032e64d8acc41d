//! Encodes rows as Parquet: zstd, dictionaries where values repeat, deltas where they rise.

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

/// The default compression level: fast, and nearly as small as the slower ones.
pub const ZSTD_LEVEL: i32 = 1;

/// How the columns of a schema are written.
pub fn properties(schema: &Schema, zstd_level: i32) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(zstd_level).unwrap_or_default()))
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(256 * 1024));
    for field in schema.fields() {
        properties = column(properties, field.name(), field.data_type());
        if !is_searched(field.name(), field.data_type()) {
            properties =
                properties.set_column_statistics_enabled(ColumnPath::from(field.name().as_str()), EnabledStatistics::None);
        }
    }
    properties.build()
}

/// Whether the bounds of a column ever let a reader skip a row group: those of times, positions and
/// ids do, because they rise. Hashes, sums, flags and enumerations have the same bounds everywhere,
/// and computing their bounds costs as much as writing them.
fn is_searched(name: &str, kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 => name.ends_with("_id") && name != "line_id",
        DataType::Int64 => !name.ends_with("_key") && name != "content_hash",
        DataType::Int32 | DataType::Date32 | DataType::Timestamp(..) => true,
        _ => false,
    }
}

fn column(properties: WriterPropertiesBuilder, name: &str, kind: &DataType) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(name);
    match (name, kind) {
        // Thousands of rows have the same value: compression alone reduces it to nearly nothing,
        // and plain encoding is the cheapest.
        ("source_partition" | "partition" | "source_index", _) => properties,
        ("source_offset" | "offset" | "ingested_at" | "occurred_at" | "moved_at" | "ordered_at", _) => {
            properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
        }
        // Sums and products rarely repeat, and a dictionary costs more than packing; prices and
        // quantities repeat. Numbers of more than 18 digits are byte arrays in Parquet, which
        // cannot be packed.
        (name, DataType::Decimal128(0..=18, _)) if !["unit_price", "list_price", "price", "quantity"].contains(&name) => {
            properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
        }
        (_, DataType::Dictionary(..) | DataType::Int32 | DataType::Decimal128(..)) => {
            properties.set_column_dictionary_enabled(path, true)
        }
        ("order_key" | "customer_key" | "person_key" | "session_key", _) => properties,
        (name, DataType::Int64) if name.ends_with("_key") => properties.set_column_dictionary_enabled(path, true),
        ("status" | "name" | "customer_id" | "product_id" | "sku" | "postcode", DataType::Utf8) => {
            properties.set_column_dictionary_enabled(path, true)
        }
        _ => properties,
    }
}

/// Writes rows as one Parquet file.
pub fn writer<W: Write + Send>(
    sink: W,
    schema: &SchemaRef,
    properties: &WriterProperties,
) -> Result<ArrowWriter<W>, ParquetError> {
    // Without the embedded Arrow schema, every reader sees plain Parquet types: strings, not
    // dictionaries.
    let options = ArrowWriterOptions::new().with_properties(properties.clone()).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(sink, Arc::clone(schema), options)
}

/// One Parquet file of the batches' rows.
pub fn parquet(batches: &[RecordBatch], properties: &WriterProperties) -> Result<Vec<u8>, ParquetError> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let mut writer = writer(Vec::new(), &first.schema(), properties)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}
