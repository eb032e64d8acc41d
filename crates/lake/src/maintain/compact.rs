//! Merges small files: which ones, and how.
//!
//! Files of one size class are merged with each other, so that a row is rewritten once a class and not with every merge: five
//! classes, each eight times the one before, lead from a commit's file to a full one.

use std::collections::BTreeMap;
use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::Options;
use crate::delta::table::{TableSpec, file_path};
use crate::delta::{Add, LogError, contents};
use crate::store::Store;
use crate::{encode, read};

/// Files of a class are at most so many times as large as each other; fewer files than this are no class worth merging.
const FACTOR: i64 = 8;
const CLASS_LEAST: usize = 8;

/// Encoded rows that wait for their row group's end: the merge's memory beyond the merged file itself.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

type Values<'s> = &'s BTreeMap<String, Option<String>>;

/// The files to merge next, in the order in which they were written; none where there is no need.
pub(super) fn choose<'s>(files: impl ExactSizeIterator<Item = &'s Add>, options: &Options) -> Vec<Add> {
    if files.len() <= options.small_files {
        return Vec::new();
    }
    let full = options.slice_bytes / 4;
    let mut parts: BTreeMap<Values<'s>, Vec<&Add>> = BTreeMap::new();
    for add in files.filter(|add| add.size < full) {
        parts.entry(&add.partition_values).or_default().push(add);
    }
    let mergeable: usize = parts.values().map(|files| files.len() - 1).sum();
    if mergeable < options.small_files {
        return Vec::new();
    }
    let mut classes: BTreeMap<(Values<'s>, u32), Vec<&Add>> = BTreeMap::new();
    for add in parts.values().flatten() {
        classes.entry((&add.partition_values, class(add.size, full))).or_default().push(add);
    }
    let most = classes.into_values().max_by_key(Vec::len).filter(|files| files.len() >= CLASS_LEAST);
    // Where days hold a few files of each class, whole days are merged.
    let chosen = most.or_else(|| parts.into_values().max_by_key(Vec::len)).unwrap_or_default();
    slice(chosen, options)
}

/// 0 for files just short of full, one more for each eighth of that.
fn class(size: i64, full: i64) -> u32 {
    let mut floor = full / FACTOR;
    let mut class = 0;
    while size < floor && class < 4 {
        floor /= FACTOR;
        class += 1;
    }
    class
}

fn slice(mut files: Vec<&Add>, options: &Options) -> Vec<Add> {
    files.sort_by(|a, b| (a.modification_time, &a.path).cmp(&(b.modification_time, &b.path)));
    let mut bytes = 0;
    let fits = |add: &&&Add| {
        bytes += add.size;
        bytes <= options.slice_bytes
    };
    let slice: Vec<Add> = files.iter().take(options.slice_files).take_while(fits).map(|add| (*add).clone()).collect();
    if slice.len() > 1 { slice } else { Vec::new() }
}

/// Writes one file with the rows of all, in their order; it is no part of the table yet. Memory: one row group. `at` is ms UTC.
pub(super) fn merge(store: &dyn Store, spec: &TableSpec, slice: &[Add], (at, zstd_level): (i64, i32)) -> Result<Add, LogError> {
    let partition_values = slice.first().map(|add| add.partition_values.clone()).unwrap_or_default();
    let path = file_path(&partition_values);
    let mut outcome = Ok(String::new());
    let size = store.put_with(&format!("{}/{path}", spec.folder), &mut |sink| {
        outcome = rows_of(store, (spec, zstd_level), slice, sink);
        if outcome.is_ok() { Ok(()) } else { Err(io::Error::other("the merge failed")) }
    });
    let (stats, size) = match (outcome, size) {
        (Ok(stats), Ok(size)) => (stats, size),
        (outcome, size) => {
            store.delete(&format!("{}/{path}", spec.folder))?;
            return Err(outcome.err().or_else(|| size.err().map(LogError::from)).unwrap_or(LogError::Fenced(path)));
        }
    };
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let tags = contents::merged_tags(slice);
    Ok(Add { path, partition_values, size, modification_time: at, data_change: false, stats: Some(stats), tags })
}

/// Hands the rows of all to the sink; returns the statistics of the file that they make.
fn rows_of(
    store: &dyn Store,
    (spec, zstd_level): (&TableSpec, i32),
    slice: &[Add],
    sink: &mut (dyn Write + Send),
) -> Result<String, LogError> {
    let fields = spec.schema.fields().iter().filter(|field| !spec.partition_columns.contains(field.name()));
    let held = Schema::new(fields.cloned().collect::<Vec<_>>());
    let columns: Vec<&str> = held.fields().iter().map(|field| field.name().as_str()).collect();
    let encoded = |error: ParquetError| LogError::Encode(error.to_string());
    let stored = kassa_model::star::stored(&held);
    let mut writer = encode::writer(sink, &stored, &encode::properties(&held, zstd_level)).map_err(encoded)?;
    let mut rows = 0;
    for add in slice {
        let mut count = 0;
        read::file(store, &spec.folder, add, &held, &columns, &mut |batch| {
            count += batch.num_rows();
            write(&mut writer, &batch).map_err(encoded)
        })?;
        // A file that lost rows must not be laundered into one that the log agrees with.
        if add.rows().is_some_and(|stated| i64::try_from(count) != Ok(stated)) {
            let stated = add.rows();
            return Err(LogError::Corrupt(format!("{}/{}: {count} rows, where the log says {stated:?}", spec.folder, add.path)));
        }
        rows += count;
    }
    Ok(contents::stats(rows, &writer.close().map_err(encoded)?))
}

fn write<W: Write + Send>(writer: &mut ArrowWriter<W>, batch: &RecordBatch) -> Result<(), ParquetError> {
    writer.write(batch)?;
    if writer.memory_size() > WAITING_BYTES { writer.flush() } else { Ok(()) }
}
