//! Sorts the rows of merged files by day, so that each row group has few days and readers can skip
//! the others.
//!
//! A table of facts is sorted by its last day column. Rows whose other day differs (a return of an
//! order of last month) follow all others in row groups of their own, because they would widen the
//! other day's bounds for every group. Rows of one day keep their order. Bands of days are read one
//! after the other and sorted in memory. A day is never split; a day larger than the limit is
//! passed through unsorted.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use arrow::compute::interleave_record_batch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{BooleanArray, Int32Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, Schema};
use parquet::file::metadata::RowGroupMetaData;

use super::merge::Merge;
use crate::delta::contents::{Bounds, Extent};
use crate::delta::{Add, LogError};
use crate::read::{self, Test};

/// The limit of rows sorted in memory, in bytes.
const BAND_BYTES: usize = 24 * 1024 * 1024;
/// The limit of rows sorted in memory, in rows.
const BAND_ROWS: usize = 128 * 1024;
/// Rows of a batch of sorted rows.
const BATCH_ROWS: usize = 8 * 1024;

/// The sort key of a row: whether its days differ, and the day.
type SortKey = (bool, i32);

/// The day columns of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    day: &'static str,
    other: Option<&'static str>,
}

/// All day columns that facts are sorted by.
const DAYS: [Days; 6] = [
    Days { day: "movement_date_key", other: Some("order_date_key") },
    Days { day: "order_date_key", other: None },
    Days { day: "payment_date_key", other: None },
    Days { day: "event_date_key", other: None },
    Days { day: "session_date_key", other: None },
    Days { day: "inventory_date_key", other: None },
];

impl Days {
    /// `None` for a table whose rows have no day that a query uses.
    pub(super) fn of(schema: &Schema) -> Option<Self> {
        let has = |name: &str| schema.field_with_name(name).is_ok_and(|field| field.data_type() == &DataType::Int32);
        DAYS.into_iter().find(|days| has(days.day) && days.other.is_none_or(has))
    }

    fn columns(self) -> Vec<&'static str> {
        std::iter::once(self.day).chain(self.other).collect()
    }

    fn sort_keys(self, rows: &RecordBatch) -> Result<Vec<SortKey>, ArrowError> {
        let column = |name: &str| {
            let column = rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int32Type>());
            column.ok_or_else(|| ArrowError::SchemaError(format!("no days in {name}")))
        };
        let days: &Int32Array = column(self.day)?;
        let others = self.other.map(column).transpose()?;
        let key = |(row, day): (usize, &i32)| (others.is_some_and(|others| others.value(row) != *day), *day);
        Ok(days.values().iter().enumerate().map(key).collect())
    }

    /// The sort key of all rows of a file, if its bounds allow only one.
    fn only(self, bounds: &Bounds) -> Option<SortKey> {
        let single = |name: &str| match bounds.of(name) {
            Extent::Within(least, most) if least == most => i32::try_from(least).ok(),
            _ => None,
        };
        let day = single(self.day)?;
        self.other.is_none_or(|other| single(other) == Some(day)).then_some((false, day))
    }
}

/// The first day of a file's rows, if the table has days and the statistics state it.
pub(super) fn first_day(add: &Add) -> Option<i64> {
    let bounds = add.bounds();
    DAYS.into_iter().find_map(|days| match bounds.of(days.day) {
        Extent::Within(first, _) => Some(first),
        Extent::Empty | Extent::Unknown => None,
    })
}

/// The number of a file's rows per sort key.
type Counts = BTreeMap<SortKey, usize>;

/// Files to be merged, and their known contents.
pub(super) struct Clustered<'m, 'w> {
    merge: &'m mut Merge<'w>,
    days: Days,
    files: Vec<(&'m Add, Counts)>,
    band_bytes: usize,
}

impl<'m, 'w> Clustered<'m, 'w> {
    pub(super) fn new(merge: &'m mut Merge<'w>, days: Days, slice: &'m [Add]) -> Result<Self, LogError> {
        let mut files = Vec::with_capacity(slice.len());
        for add in slice {
            files.push((add, count(merge, days, add)?));
        }
        Ok(Self { merge, days, files, band_bytes: BAND_BYTES })
    }

    #[cfg(test)]
    pub(super) fn within(self, band_bytes: usize) -> Self {
        Self { band_bytes, ..self }
    }

    /// Writes all rows, in order.
    pub(super) fn write(mut self) -> Result<(), LogError> {
        let mut all = Counts::new();
        for (key, rows) in self.files.iter().flat_map(|(_, counts)| counts) {
            *all.entry(*key).or_default() += rows;
        }
        let mut bands: Vec<(Vec<SortKey>, usize)> = Vec::new();
        for ((apart, day), rows) in all {
            match bands.last_mut() {
                Some((sort_keys, held)) if sort_keys[0].0 == apart && *held + rows <= BAND_ROWS => {
                    sort_keys.push((apart, day));
                    *held += rows;
                }
                _ => bands.push((vec![(apart, day)], rows)),
            }
        }
        for (sort_keys, _) in &bands {
            if sort_keys[0].0 && !self.merge.is_apart {
                self.merge.end_group()?;
                self.merge.is_apart = true;
            }
            self.band(sort_keys)?;
        }
        let counted = self.files.iter().flat_map(|(_, counts)| counts.values()).sum::<usize>();
        if self.merge.rows() == counted { Ok(()) } else { Err(self.miscounted(counted)) }
    }

    /// A merge must not hide rows that a file has lost: the merged file would agree with the log.
    fn miscounted(&self, counted: usize) -> LogError {
        let (folder, rows) = (self.merge.folder(), self.merge.rows());
        let files: Vec<&str> = self.files.iter().map(|(add, _)| add.path.as_str()).collect();
        LogError::Corrupt(format!("{folder}: {rows} rows, where the log says {counted}, in {}", files.join(", ")).into())
    }

    fn band(&mut self, sort_keys: &[SortKey]) -> Result<(), LogError> {
        let [first, .., last] = sort_keys else {
            return sort_keys
                .first()
                .map_or(Ok(()), |only| self.each(*only..=*only, &mut |merge, rows| merge.write(&rows).map(|()| true)));
        };
        let (mut held, mut bytes, most) = (Vec::new(), 0, self.band_bytes);
        self.each(*first..=*last, &mut |_, rows| {
            bytes += rows.get_array_memory_size();
            held.push(rows);
            Ok(bytes <= most)
        })?;
        if bytes > most {
            drop(held);
            let (earlier, later) = sort_keys.split_at(sort_keys.len() / 2);
            return self.band(earlier).and_then(|()| self.band(later));
        }
        self.sorted(&held)
    }

    /// Passes on the rows of a band, file by file, until the caller stops.
    fn each(
        &mut self,
        band: RangeInclusive<SortKey>,
        take: &mut dyn FnMut(&mut Merge<'w>, RecordBatch) -> Result<bool, LogError>,
    ) -> Result<(), LogError> {
        let days = self.days;
        for (add, counts) in &self.files {
            if counts.range(band.clone()).next().is_none() {
                continue;
            }
            let (is_whole, mut goes_on) = (counts.keys().all(|key| band.contains(key)), true);
            let (store, folder, schema) = (self.merge.store, self.merge.folder(), self.merge.schema);
            let columns = self.merge.columns();
            let mut hand_on = |rows: RecordBatch| {
                goes_on = goes_on && take(self.merge, rows)?;
                Ok(())
            };
            if is_whole {
                read::file(store, folder, add, schema, &columns, &mut hand_on)?;
            } else {
                let (first, last) = (i64::from(band.start().1), i64::from(band.end().1));
                let is_wanted = |group: &RowGroupMetaData| {
                    read::int_bounds_of(group, days.day).is_none_or(|(least, most)| least <= last && first <= most)
                };
                let wanted = band.clone();
                let passes = move |rows: &RecordBatch| -> Result<BooleanArray, ArrowError> {
                    Ok(days.sort_keys(rows)?.iter().map(|key| Some(wanted.contains(key))).collect())
                };
                let test = Test { columns: days.columns(), passes: Box::new(passes) };
                read::passing(store, (folder, add), schema, &columns, (&is_wanted, test), &mut hand_on)?;
            }
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn sorted(&mut self, held: &[RecordBatch]) -> Result<(), LogError> {
        let mut order: Vec<(SortKey, (usize, usize))> = Vec::new();
        for (nth, rows) in held.iter().enumerate() {
            let sort_keys = self.days.sort_keys(rows).map_err(LogError::encode)?;
            order.extend(sort_keys.into_iter().enumerate().map(|(row, key)| (key, (nth, row))));
        }
        if order.is_sorted_by_key(|(key, _)| *key) {
            return held.iter().try_for_each(|rows| self.merge.write(rows));
        }
        order.sort_by_key(|(key, _)| *key);
        let held: Vec<&RecordBatch> = held.iter().collect();
        for some in order.chunks(BATCH_ROWS) {
            let rows: Vec<(usize, usize)> = some.iter().map(|(_, row)| *row).collect();
            self.merge.write(&interleave_record_batch(&held, &rows).map_err(LogError::encode)?)?;
        }
        Ok(())
    }
}

fn count(merge: &Merge<'_>, days: Days, add: &Add) -> Result<Counts, LogError> {
    let bounds = add.bounds();
    if let Some((key, rows)) = days.only(&bounds).zip(bounds.rows().and_then(|rows| usize::try_from(rows).ok())) {
        return Ok(Counts::from([(key, rows)]));
    }
    let mut counts = Counts::new();
    read::file(merge.store, merge.folder(), add, merge.schema, &days.columns(), &mut |rows| {
        for key in days.sort_keys(&rows).map_err(LogError::corrupt)? {
            *counts.entry(key).or_default() += 1;
        }
        Ok(())
    })?;
    merge.has_all(add, counts.values().sum())?;
    Ok(counts)
}

#[cfg(test)]
mod tests;
