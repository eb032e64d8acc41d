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
use super::cluster::{self, Clustered, Days};
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

/// Files of neighbouring days are merged with each other, in the order in which they were written.
fn slice(mut files: Vec<&Add>, options: &Options) -> Vec<Add> {
    let written = |add: &Add| (add.modification_time, add.path.clone());
    files.sort_by_cached_key(|add| (cluster::first_day(add), written(add)));
    let mut bytes = 0;
    let fits = |add: &&&Add| {
        bytes += add.size;
        bytes <= options.slice_bytes
    };
    let mut slice: Vec<Add> = files.iter().take(options.slice_files).take_while(fits).map(|add| (*add).clone()).collect();
    slice.sort_by_cached_key(written);
    if slice.len() > 1 { slice } else { Vec::new() }
}

/// Writes one file with the rows of all, in their order, and facts in order of their days; it is no part of the table yet. Memory: one row
/// group, and the rows that are sorted at once. `at` is ms UTC.
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

/// A merged file in the making.
pub(super) struct Merge<'w> {
    pub(super) store: &'w dyn Store,
    spec: &'w TableSpec,
    /// The columns that the file holds.
    pub(super) schema: &'w Schema,
    writer: ArrowWriter<&'w mut (dyn Write + Send)>,
    rows: usize,
    /// Whether its row group is one of rows whose days differ.
    pub(super) is_apart: bool,
}

fn encoded(error: ParquetError) -> LogError {
    LogError::Encode(error.to_string())
}

impl<'w> Merge<'w> {
    pub(super) fn new(
        store: &'w dyn Store,
        spec: &'w TableSpec,
        (schema, zstd_level): (&'w Schema, i32),
        sink: &'w mut (dyn Write + Send),
    ) -> Result<Self, LogError> {
        let stored = kassa_model::star::stored(schema);
        let writer = encode::writer(sink, &stored, &encode::properties(schema, zstd_level)).map_err(encoded)?;
        Ok(Self { store, spec, schema, writer, rows: 0, is_apart: false })
    }

    /// The statistics of the file.
    pub(super) fn close(self) -> Result<String, LogError> {
        Ok(contents::stats(self.rows, &self.writer.close().map_err(encoded)?))
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn folder(&self) -> &'w str {
        &self.spec.folder
    }

    pub(super) fn columns(&self) -> Vec<&'w str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), LogError> {
        self.rows += rows.num_rows();
        self.writer.write(rows).map_err(encoded)?;
        if self.writer.memory_size() > WAITING_BYTES { self.end_group() } else { Ok(()) }
    }

    pub(super) fn end_group(&mut self) -> Result<(), LogError> {
        self.writer.flush().map_err(encoded)
    }

    /// Takes in the rows of files as they come.
    fn append(&mut self, slice: &[Add]) -> Result<(), LogError> {
        for add in slice {
            let before = self.rows;
            let (store, folder, schema, columns) = (self.store, self.folder(), self.schema, self.columns());
            read::file(store, folder, add, schema, &columns, &mut |rows| self.write(&rows))?;
            self.has_all(add, self.rows - before)?;
        }
        Ok(())
    }

    /// A file that lost rows must not be laundered into one that the log agrees with.
    pub(super) fn has_all(&self, add: &Add, count: usize) -> Result<(), LogError> {
        if add.rows().is_some_and(|stated| i64::try_from(count) != Ok(stated)) {
            let (folder, stated) = (&self.spec.folder, add.rows());
            return Err(LogError::Corrupt(format!("{folder}/{}: {count} rows, where the log says {stated:?}", add.path)));
        }
        Ok(())
    }
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
    let mut merge = Merge::new(store, spec, (&held, zstd_level), sink)?;
    match Days::of(&held) {
        Some(days) => Clustered::new(&mut merge, days, slice)?.write()?,
        None => merge.append(slice)?,
    }
    merge.close()
}
