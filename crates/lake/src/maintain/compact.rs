//! Merges small files: the selection and the merge.
//!
//! Files are merged within a size class, so that a row is rewritten once per class and not with
//! every merge. Five classes, each eight times larger than the one before, lead from a commit's
//! file to a full one.

use std::collections::BTreeMap;
use std::io::{self, Write};

use arrow_schema::Schema;

use super::Options;
use super::cluster::{self, Clustered, Days};
use super::merge::Merge;
use crate::delta::table::file_path;
use crate::delta::{Add, LogError, TableSpec, contents};
use crate::store::Store;

/// The ratio of the largest to the smallest file of a class; with fewer files than this a class is
/// not merged.
const FACTOR: i64 = 8;
const CLASS_LEAST: usize = 8;

type Values<'s> = &'s BTreeMap<String, Option<String>>;

/// The files to merge next, in the order of writing; empty if no merge is needed.
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
    // If a day has only a few files of each class, whole days are merged.
    let chosen = most.or_else(|| parts.into_values().max_by_key(Vec::len)).unwrap_or_default();
    slice(chosen, options)
}

/// 0 for files just below full size, plus one for each factor of eight below.
fn class(size: i64, full: i64) -> u32 {
    let mut floor = full / FACTOR;
    let mut class = 0;
    while size < floor && class < 4 {
        floor /= FACTOR;
        class += 1;
    }
    class
}

/// Files of neighbouring days are merged, in the order of writing.
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

/// Writes one file with the rows of all, facts sorted by day; the file is not yet part of the
/// table. Memory: one row group, plus the rows that are sorted at once. `at` is ms UTC.
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

/// Writes the rows of all files to the sink; returns the statistics of the new file.
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
