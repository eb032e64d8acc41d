//! Reads only the rows of a table that a query about some days needs: files, row groups and pages
//! of other times are skipped.

use std::sync::Arc;

use arrow::compute::and_not;
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use hashbrown::HashSet;
use kassa_analytics::{ApplyError, Figures, Kin, Times, Wanted};
use parquet::file::metadata::RowGroupMetaData;

use super::before::{RowsBefore, each_before, with_lineage};
use crate::delta::{Add, LogError};
use crate::read::{self, Test, folder_of};

type Take<'t> = &'t mut dyn FnMut(&RecordBatch) -> Result<(), LogError>;

/// Adds the rows of a table that the figures need.
pub(super) fn fold(before: &RowsBefore<'_>, figures: &mut Figures) -> Result<(), LogError> {
    let (table, columns) = (before.table, figures.reads(before.table));
    let misread = |error: ApplyError| LogError::corrupt_at(table.name(), error);
    let Wanted::Some { mut times, kin } = figures.wanted(table) else {
        let of = (table, &before.snapshot);
        return each_before(before.store, of, columns, before.cut, &mut |rows| figures.apply(table, &rows).map_err(misread));
    };
    let mut asked = HashSet::new();
    before.of_times(columns, &times, &mut |rows| {
        if let Some(kin) = kin {
            kin.ask(table, rows, &mut asked).map_err(misread)?;
        }
        figures.apply(table, rows).map_err(misread)
    })?;
    if let Some(kin) = kin.filter(|_| !asked.is_empty()) {
        before.of_kin(columns, &times, (kin, asked), &mut |rows| figures.apply(table, rows).map_err(misread))?;
    }
    while let Some(further) = figures.wanted_beyond(table, &times) {
        before.of_times(columns, &further, &mut |rows| figures.apply(table, rows).map_err(misread))?;
        times = further;
    }
    Ok(())
}

fn in_arrow(error: ApplyError) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}

impl RowsBefore<'_> {
    /// Passes on the rows of these times.
    fn of_times(&self, columns: &[&'static str], times: &Times, take: Take<'_>) -> Result<(), LogError> {
        let (first, last) = (times.range.start, times.range.end.saturating_sub(1));
        for add in self.files() {
            let bounds = add.bounds();
            if !times.columns.iter().any(|column| bounds.of(column).meets(first, last)) {
                continue;
            }
            let is_wanted = |group: &RowGroupMetaData| {
                let meets = |(least, most)| least <= last && first <= most;
                times.columns.iter().any(|column| read::long_bounds(group, column).is_none_or(meets))
            };
            let (table, wanted) = (self.table, times.clone());
            let passes = move |rows: &RecordBatch| wanted.contain(table, rows).map_err(in_arrow);
            let test = Test { columns: times.columns.to_vec(), passes: Box::new(passes) };
            self.passing(add, columns, (&is_wanted, test), take)?;
        }
        Ok(())
    }

    /// Passes on the rows of all other times that are needed.
    fn of_kin(
        &self,
        columns: &[&'static str],
        times: &Times,
        (kin, asked): (Kin, HashSet<u64>),
        take: Take<'_>,
    ) -> Result<(), LogError> {
        let asked = Arc::new(asked);
        for add in self.files() {
            let (table, given, asked) = (self.table, times.clone(), Arc::clone(&asked));
            let passes = move |rows: &RecordBatch| {
                let are_asked = kin.are_asked(table, rows, &asked).map_err(in_arrow)?;
                and_not(&are_asked, &given.contain(table, rows).map_err(in_arrow)?)
            };
            let tested = kin.columns().iter().chain(times.columns).copied().collect();
            self.passing(add, columns, (&|_| true, Test { columns: tested, passes: Box::new(passes) }), take)?;
        }
        Ok(())
    }

    fn passing(
        &self,
        add: &Add,
        columns: &[&'static str],
        which: (&dyn Fn(&RowGroupMetaData) -> bool, Test),
        take: Take<'_>,
    ) -> Result<(), LogError> {
        let (is_cut, columns) = with_lineage(add, &self.snapshot, columns, self.cut);
        read::passing(self.store, (&folder_of(self.table), add), &self.table.schema(), &columns, which, &mut |rows| {
            take(&if is_cut { kassa_pipeline::cut::before(&rows, self.cut).map_err(LogError::corrupt)? } else { rows })
        })
    }
}

#[cfg(test)]
mod tests;
