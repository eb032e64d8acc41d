//! The years of the facts.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use kassa_model::Table;

use crate::delta::{LogError, Snapshot};
use crate::read::{self, folder_of};
use crate::store::Store;

/// The facts and their day columns.
const DAYS: [(Table, &[&str]); 6] = [
    (Table::FactSales, &["order_date_key", "movement_date_key"]),
    (Table::FactOrder, &["order_date_key"]),
    (Table::FactPayment, &["payment_date_key"]),
    (Table::FactEvent, &["event_date_key"]),
    (Table::FactInventory, &["inventory_date_key"]),
    (Table::FactFxRate, &["rate_date_key"]),
];

/// The first and last day of the inspected files, yyyymmdd. Files never change, so each is
/// inspected once.
#[derive(Debug, Default)]
pub(super) struct Years {
    seen: HashSet<String>,
    days: Option<(i32, i32)>,
}

impl Years {
    pub(super) fn look(&mut self, store: &dyn Store) -> Result<(), LogError> {
        let mut seen = HashSet::new();
        for (table, columns) in DAYS {
            let folder = folder_of(table);
            for add in Snapshot::load(store, &folder)?.files.values() {
                if !self.seen.contains(&add.path) {
                    self.look_at(store, table, add, columns)?;
                }
                seen.insert(add.path.clone());
            }
        }
        self.seen = seen;
        Ok(())
    }

    fn look_at(&mut self, store: &dyn Store, table: Table, add: &crate::delta::Add, columns: &[&str]) -> Result<(), LogError> {
        for column in columns {
            let stated = read::int_bounds(store, &folder_of(table), add, column)?;
            let Some((least, most)) = stated else { continue };
            let (first, last) = self.days.unwrap_or((least, most));
            self.days = Some((first.min(least), last.max(most)));
        }
        Ok(())
    }

    /// Widens the years by decades to include those of the facts.
    pub(super) fn covered_by(&self, years: RangeInclusive<i16>) -> RangeInclusive<i16> {
        let Some((first, last)) = self.days else { return years };
        let decade = |day: i32| i16::try_from(day / 100_000 * 10).unwrap_or(0);
        (*years.start()).min(decade(first))..=(*years.end()).max(decade(last) + 9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_grow_by_decades_and_never_shrink() {
        for (days, years) in [
            (None, 2000..=2049),
            (Some((20110101, 20261231)), 2000..=2049),
            (Some((19991231, 20260101)), 1990..=2049),
            (Some((20110101, 20500101)), 2000..=2059),
        ] {
            assert_eq!(Years { days, ..Years::default() }.covered_by(2000..=2049), years);
        }
    }
}
