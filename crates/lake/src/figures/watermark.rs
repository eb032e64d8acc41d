//! The latest event time of the facts. Only files and row groups that may contain it are read.

use arrow_array::RecordBatch;
use kassa_analytics::Figures;

use super::before::{RowsBefore, with_lineage};
use crate::delta::contents::Extent;
use crate::delta::{Add, LogError};
use crate::read::{self, folder_of};

/// Statistics also count test rows, future times and times after `until`, so their latest time is only an upper bound,
/// and the rows decide.
pub(super) fn latest(tables: &[RowsBefore<'_>], known: Option<i64>, until: i64) -> Result<Option<i64>, LogError> {
    let mut files: Vec<(i64, &RowsBefore<'_>, &Add)> = Vec::new();
    for before in tables {
        let Some([time, ..]) = Figures::watermark(before.table) else { continue };
        files.extend(before.files().filter_map(|add| match add.bounds().of(time) {
            Extent::Within(_, most) => Some((most, before, add)),
            Extent::Unknown => Some((i64::MAX, before, add)),
            Extent::Empty => None,
        }));
    }
    files.sort_by_key(|(most, _, add)| (std::cmp::Reverse(*most), &add.path));
    let mut latest = known;
    for (most, before, add) in files {
        if latest >= Some(most) {
            break;
        }
        latest = latest.max(latest_of(before, add, (latest, until))?);
    }
    Ok(latest)
}

/// The latest time of a file up to `until`, if it is later than `known`.
fn latest_of(before: &RowsBefore<'_>, add: &Add, (known, until): (Option<i64>, i64)) -> Result<Option<i64>, LogError> {
    let Some(columns) = Figures::watermark(before.table) else { return Ok(None) };
    let (is_cut, wanted) = with_lineage(add, &before.snapshot, columns, before.cut);
    let is_later = |(_, most): (i64, i64)| known < Some(most);
    let mut latest = None;
    let mut take = |rows: RecordBatch| {
        let rows = if is_cut { kassa_pipeline::cut::before(&rows, before.cut).map_err(LogError::corrupt)? } else { rows };
        latest = latest.max(Figures::latest(before.table, &rows, until).map_err(LogError::corrupt)?);
        Ok(())
    };
    read::groups(
        before.store,
        &folder_of(before.table),
        add,
        &before.table.schema(),
        &wanted,
        (columns[0], &is_later),
        &mut take,
    )?;
    Ok(latest)
}
