//! The latest event time of the facts, of which no more is read than the files and row groups that may hold it.

use arrow_array::RecordBatch;
use kassa_analytics::Figures;

use super::part::{Part, with_lineage};
use crate::delta::contents::Extent;
use crate::delta::{Add, LogError};
use crate::read::{self, folder_of};

/// Statistics count rows of tests and of the future too, so the latest time that they state is a bound, and the rows decide.
pub(super) fn latest(parts: &[Part<'_>], known: Option<i64>) -> Result<Option<i64>, LogError> {
    let mut files: Vec<(i64, &Part<'_>, &Add)> = Vec::new();
    for part in parts {
        let Some([time, ..]) = Figures::watermark(part.table) else { continue };
        files.extend(part.files().filter_map(|add| match add.bounds().of(time) {
            Extent::Within(_, most) => Some((most, part, add)),
            Extent::Unknown => Some((i64::MAX, part, add)),
            Extent::Empty => None,
        }));
    }
    files.sort_by_key(|(most, _, add)| (std::cmp::Reverse(*most), &add.path));
    let mut latest = known;
    for (most, part, add) in files {
        if latest >= Some(most) {
            break;
        }
        latest = latest.max(latest_of(part, add, latest)?);
    }
    Ok(latest)
}

/// The latest time of a file, if it is later than `known`.
fn latest_of(part: &Part<'_>, add: &Add, known: Option<i64>) -> Result<Option<i64>, LogError> {
    let Some(columns) = Figures::watermark(part.table) else { return Ok(None) };
    let (is_cut, wanted) = with_lineage(add, &part.snapshot, columns, part.cut);
    let is_later = |(_, most): (i64, i64)| known < Some(most);
    let mut latest = None;
    let mut take = |rows: RecordBatch| {
        let rows = if is_cut { kassa_pipeline::cut::before(&rows, part.cut).map_err(LogError::corrupt)? } else { rows };
        latest = latest.max(Figures::latest(part.table, &rows).map_err(LogError::corrupt)?);
        Ok(())
    };
    read::groups(part.store, &folder_of(part.table), add, &part.table.schema(), &wanted, (columns[0], &is_later), &mut take)?;
    Ok(latest)
}
