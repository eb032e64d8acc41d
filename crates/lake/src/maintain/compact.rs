//! Merges small files: which ones, and how.
//!
//! Files of one size class are merged with each other, so that a row is rewritten once a class and not with every merge: five
//! classes, each eight times the one before, lead from a commit's file to a full one.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;

use super::Options;
use crate::delta::table::NewFile;
use crate::delta::{Add, DeltaTable, LogError};
use crate::{encode, read};

/// Files of a class are at most so many times as large as each other; fewer files than this are no class worth merging.
const FACTOR: i64 = 8;
const CLASS_LEAST: usize = 8;

/// Encoded rows that wait for their row group's end: the merge's memory beyond the merged file itself.
const WAITING_BYTES: usize = 32 * 1024 * 1024;

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

/// One file with the rows of all, in their order. Memory: the merged file and one row group.
pub(super) fn merge(table: &DeltaTable, slice: &[Add]) -> Result<NewFile, LogError> {
    let spec = table.spec();
    let fields = spec.schema.fields().iter().filter(|field| !spec.partition_columns.contains(field.name()));
    let held = Schema::new(fields.cloned().collect::<Vec<_>>());
    let columns: Vec<&str> = held.fields().iter().map(|field| field.name().as_str()).collect();
    let encoded = |error: parquet::errors::ParquetError| LogError::Encode(error.to_string());
    let bytes: i64 = slice.iter().map(|add| add.size).sum();
    let buffer = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    let stored = kassa_model::star::stored(&held);
    let mut writer = encode::writer(buffer, &stored, &encode::properties(&held)).map_err(encoded)?;
    let mut rows = 0;
    for add in slice {
        let mut count = 0;
        read::file(table.store().as_ref(), &spec.folder, add, &held, &columns, &mut |batch| {
            count += batch.num_rows();
            write(&mut writer, &batch).map_err(encoded)
        })?;
        // A file that lost rows must not be laundered into one that the log agrees with.
        if add.rows().is_some_and(|stated| i64::try_from(count) != Ok(stated)) {
            return Err(LogError::Corrupt(format!(
                "{}/{}: {count} rows, where the log says {:?}",
                spec.folder,
                add.path,
                add.rows()
            )));
        }
        rows += count;
    }
    let partition_values = slice.first().map(|add| add.partition_values.clone()).unwrap_or_default();
    Ok(NewFile { bytes: writer.into_inner().map_err(encoded)?, rows, partition_values })
}

fn write(writer: &mut ArrowWriter<Vec<u8>>, batch: &RecordBatch) -> Result<(), parquet::errors::ParquetError> {
    writer.write(batch)?;
    if writer.memory_size() > WAITING_BYTES { writer.flush() } else { Ok(()) }
}
