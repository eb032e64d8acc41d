//! Reads a table's rows file by file, in bounded memory, as plain types.

use std::error::Error;
use std::io;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use kassa_model::{Table, star};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::delta::{Add, LogError};
use crate::store::{Object, Refused, Store};

/// The limits of a batch in rows and bytes: large rows come in smaller batches.
const ROWS: usize = 16 * 1024;
const BYTES: i64 = 16 * 1024 * 1024;

/// Reads the named columns (all if empty) of one data file and passes its batches to `take`.
/// Columns have the stored types of `schema`; a column that an older file lacks is null.
pub fn file(
    store: &dyn Store,
    folder: &str,
    add: &Add,
    schema: &Schema,
    columns: &[&str],
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    each_batch(opened(store, folder, add)?, (folder, add), schema, columns, take)
}

/// Whether a row group with these bounds of a column is wanted.
pub(crate) type Within<'w> = &'w dyn Fn((i64, i64)) -> bool;

/// The same for the row groups whose bounds of an INT64 column are wanted, and for those without
/// bounds.
pub(crate) fn groups(
    store: &dyn Store,
    folder: &str,
    add: &Add,
    schema: &Schema,
    columns: &[&str],
    (column, within): (&str, Within<'_>),
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let builder = opened(store, folder, add)?;
    let wanted = wanted_groups(builder.metadata(), &|group| long_bounds(group, column).is_none_or(within));
    each_batch(builder.with_row_groups(wanted), (folder, add), schema, columns, take)
}

/// Selects rows of a batch.
pub(crate) type Passes = Box<dyn FnMut(&RecordBatch) -> Result<BooleanArray, ArrowError> + Send>;

/// A test of each row by some of its columns.
pub(crate) struct Test {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) passes: Passes,
}

/// The same for the rows that pass a test, in wanted row groups. Of the other columns, only pages
/// with such rows are read.
pub(crate) fn passing(
    store: &dyn Store,
    (folder, add): (&str, &Add),
    schema: &Schema,
    columns: &[&str],
    (is_wanted, mut test): (&dyn Fn(&RowGroupMetaData) -> bool, Test),
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let builder = opened_with(store, folder, add, options)?;
    let wanted = wanted_groups(builder.metadata(), is_wanted);
    if wanted.is_empty() {
        return Ok(());
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), test.columns.iter().copied());
    let predicate = ArrowPredicateFn::new(mask, move |rows| (test.passes)(&rows));
    let builder = builder.with_row_groups(wanted).with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
    each_batch(builder, (folder, add), schema, columns, take)
}

fn wanted_groups(metadata: &ParquetMetaData, is_wanted: &dyn Fn(&RowGroupMetaData) -> bool) -> Vec<usize> {
    let groups = metadata.row_groups().iter().enumerate();
    groups.filter(|(_, group)| is_wanted(group)).map(|(at, _)| at).collect()
}

/// The bounds of an INT64 column in a row group, if stated.
pub(crate) fn long_bounds(group: &RowGroupMetaData, column: &str) -> Option<(i64, i64)> {
    let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == column)?;
    match chunk.statistics()? {
        Statistics::Int64(stated) => stated.min_opt().copied().zip(stated.max_opt().copied()),
        _ => None,
    }
}

fn each_batch(
    builder: ParquetRecordBatchReaderBuilder<Object>,
    (folder, add): (&str, &Add),
    schema: &Schema,
    columns: &[&str],
    take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let path = format!("{folder}/{}", add.path);
    let wanted = projected(schema, columns);
    let held: Vec<&str> = wanted.fields().iter().map(|field| field.name().as_str()).collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), held);
    let rows = batch_rows(builder.metadata());
    let reader =
        builder.with_projection(mask).with_batch_size(rows).build().map_err(|error| LogError::corrupt_at(&path, error))?;
    for batch in reader {
        let batch = batch.map_err(|error| unreadable(folder, add, ParquetError::from(error)))?;
        take(conform(&batch, &wanted).map_err(|error| LogError::corrupt_at(&path, error))?)?;
    }
    Ok(())
}

/// The bounds of an INT32 column in a row group, if stated.
pub(crate) fn int_bounds_of(group: &RowGroupMetaData, column: &str) -> Option<(i64, i64)> {
    let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == column)?;
    match chunk.statistics()? {
        Statistics::Int32(stated) => {
            stated.min_opt().zip(stated.max_opt()).map(|(least, most)| (i64::from(*least), i64::from(*most)))
        }
        _ => None,
    }
}

/// The smallest and largest value of an INT32 column of one data file; `None` if it has no value.
pub(crate) fn int_bounds(store: &dyn Store, folder: &str, add: &Add, column: &str) -> Result<Option<(i32, i32)>, LogError> {
    let metadata = opened(store, folder, add)?;
    let mut bounds: Option<(i32, i32)> = None;
    for group in metadata.metadata().row_groups() {
        let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == column);
        let Some(Statistics::Int32(stated)) = chunk.and_then(|chunk| chunk.statistics()) else {
            return Err(LogError::Corrupt(format!("{folder}/{}: no statistics of {column}", add.path).into()));
        };
        if let Some((least, most)) = stated.min_opt().zip(stated.max_opt()) {
            let (first, last) = bounds.unwrap_or((*least, *most));
            bounds = Some((first.min(*least), last.max(*most)));
        }
    }
    Ok(bounds)
}

/// A data file's columns in file order, each with the uncompressed size of its values in the
/// largest row group.
pub fn columns(store: &dyn Store, folder: &str, add: &Add) -> Result<Vec<(String, u64)>, LogError> {
    let opened = opened(store, folder, add)?;
    let metadata = opened.metadata();
    let fields = opened.parquet_schema().columns().iter().enumerate().map(|(at, column)| {
        let sizes = metadata.row_groups().iter().map(|group| group.column(at).uncompressed_size());
        (column.name().to_owned(), sizes.max().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    });
    Ok(fields.collect())
}

fn opened(store: &dyn Store, folder: &str, add: &Add) -> Result<ParquetRecordBatchReaderBuilder<Object>, LogError> {
    opened_with(store, folder, add, ArrowReaderOptions::new())
}

fn opened_with(
    store: &dyn Store,
    folder: &str,
    add: &Add,
    options: ArrowReaderOptions,
) -> Result<ParquetRecordBatchReaderBuilder<Object>, LogError> {
    let path = format!("{folder}/{}", add.path);
    let object = store.open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LogError::corrupt_at(&path, error),
        _ => LogError::from(error),
    })?;
    ParquetRecordBatchReaderBuilder::try_new_with_options(object, options).map_err(|error| unreadable(folder, add, error))
}

/// The file is damaged, or the store could not read it.
fn unreadable(folder: &str, add: &Add, error: ParquetError) -> LogError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(held) = cause {
        if let Some(lost) = held.downcast_ref::<io::Error>() {
            return LogError::from(same(lost));
        }
        cause = held.source();
    }
    LogError::corrupt_at(format!("{folder}/{}", add.path), error)
}

/// A copy of the error, because a source is only borrowed from the error that holds it.
fn same(error: &io::Error) -> io::Error {
    match Refused::of(error) {
        Some(refused) => io::Error::new(error.kind(), refused.clone()),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let bytes: i64 = metadata.row_groups().iter().map(RowGroupMetaData::total_byte_size).sum();
    let row = (bytes / metadata.file_metadata().num_rows().max(1)).max(1);
    usize::try_from(BYTES / row).map_or(1, |rows| rows.clamp(1, ROWS))
}

fn projected(schema: &Schema, columns: &[&str]) -> SchemaRef {
    let stored = star::stored(schema);
    if columns.is_empty() {
        return stored;
    }
    let fields = columns.iter().filter_map(|name| stored.field_with_name(name).ok().cloned());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => cast(column, field.data_type()),
        None => Ok(arrow_array::new_null_array(field.data_type(), batch.num_rows())),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>, _>>()?)
}

/// The folder of a star table.
pub fn folder_of(table: Table) -> String {
    format!("DWH/{}", table.name())
}

/// The folder of a topic's archive.
pub fn archive_folder(topic: &str) -> String {
    format!("topics/{topic}")
}

/// Rows with their stored types: symbols as plain strings.
pub fn plain(rows: &RecordBatch) -> Result<RecordBatch, LogError> {
    star::plain(rows).map_err(LogError::encode)
}

/// The sum of a decimal column's units.
pub fn sum_decimals(rows: &RecordBatch, column: usize) -> i128 {
    use arrow_array::cast::AsArray;
    let decimals = rows.column(column).as_primitive_opt::<arrow_array::types::Decimal128Type>();
    decimals.map_or(0, |decimals| decimals.iter().flatten().sum())
}
