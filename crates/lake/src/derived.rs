//! Derived tables: they follow from other tables and from the shop's calendar, and are replaced
//! when those change.
//!
//! ```text
//!  calendar ───────────────────────────────► dim_date, dim_time     when the zone, the country or the years change
//!  fact_fx_rate ─► a rate per currency & day ► dim_fx_rate            when rates have come, or the years change
//!  spans ─► cut ─┐
//!  fact_event ───┼─► session ids touched ─► sessions recomputed ─► fact_session     Remove + Add + positions, one log entry
//!  fact_sales ───┤   since its positions
//!  fact_fx_rate ─┘
//! ```
//!
//! Each commit is one log entry, which removes the old rows, adds the new ones and states their
//! positions. A crash before it leaves files that no reader sees; after it nothing remains to be
//! done. Nothing waits for a refresh, and nothing is lost with a table: if its folder is deleted,
//! the next refresh computes it again.

pub(crate) mod calendar;
pub(crate) mod output;
pub(crate) mod rates;
pub(crate) mod sessions;
pub(crate) mod source;
mod years;

pub use rates::rates_now;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use kassa_model::time::Clock;
use kassa_model::{Contract, Positions, Shop, Table};

use self::calendar::CalendarTables;
use self::rates::RateTable;
use self::sessions::SessionTable;
use crate::delta::{DeltaTable, LogError};
use crate::figures::accounted;
use crate::lease::Lease;
use crate::maintain::{Maintainer, Options};
use crate::recover::scan;
use crate::star::table_spec;
use crate::store::Store;

/// The derived tables of a lake. One writer at a time.
#[derive(Debug)]
pub struct Derived {
    store: Arc<dyn Store>,
    calendar: CalendarTables,
    rates: RateTable,
    sessions: SessionTable,
    maintainer: Maintainer,
    clock: Arc<dyn Clock>,
}

/// How often a refresh is repeated when another process was faster.
const ATTEMPTS: usize = 3;

/// The inputs of the derived tables.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) shop: Shop,
    pub(crate) contracts: HashMap<Arc<str>, Contract>,
    pub(crate) zstd_level: i32,
}

impl Basis {
    /// The accounted positions of the topics that feed these tables.
    fn cut(&self, tables: &[Table]) -> Result<Positions, LogError> {
        // A topic that no stream reads any more still has rows in the tables.
        let feeds = |topic: &str| {
            self.contracts.get(topic).is_none_or(|contract| Table::fed_by(*contract).iter().any(|table| tables.contains(table)))
        };
        let all = accounted(self.store.as_ref())?;
        Ok(all
            .iter()
            .filter(|(partition, _)| feeds(&partition.topic))
            .map(|(partition, next)| (partition.clone(), next))
            .collect())
    }

    /// The number of replayed dead letters. Their rows lie before positions that a table has
    /// already passed.
    fn replayed(&self) -> Result<i64, LogError> {
        let mut count = 0;
        scan(self.store.as_ref(), Table::Rejected, &["replayed_at"], &mut |rows| {
            let marks = rows.column(0).as_primitive::<TimestampMicrosecondType>();
            count += marks.len() - marks.null_count();
            Ok(())
        })?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// The number of replayed dead letters, stored as a version in a table's log.
const REPLAYED: &str = "kassa-replayed";

impl Derived {
    /// `contracts` are those of the topics.
    pub fn open(
        store: &Arc<dyn Store>,
        shop: &Shop,
        contracts: HashMap<Arc<str>, Contract>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, LogError> {
        let basis = Basis { store: Arc::clone(store), shop: shop.clone(), contracts, zstd_level: options.zstd_level };
        let open = |table| DeltaTable::open(Arc::clone(store), table_spec(table), Arc::clone(&clock));
        let calendar = CalendarTables::new(basis.clone(), open(Table::DimDate)?, open(Table::DimTime)?);
        let rates = RateTable::new(basis.clone(), open(Table::DimFxRate)?);
        let sessions = SessionTable::new(basis, open(Table::FactSession)?);
        Ok(Self { store: Arc::clone(store), calendar, rates, sessions, maintainer: Maintainer::new(options), clock })
    }

    /// Refreshes every derived table to the accounted positions. Returns whether any had to be
    /// changed.
    pub fn refresh(&mut self) -> Result<bool, LogError> {
        for _ in 1..ATTEMPTS {
            match self.refresh_once() {
                // Another process has refreshed them meanwhile: this one continues from its result.
                Err(LogError::Fenced(_)) => {}
                result => return result,
            }
        }
        self.refresh_once()
    }

    fn refresh_once(&mut self) -> Result<bool, LogError> {
        self.calendar.take_in()?;
        self.rates.table.refresh()?;
        self.sessions.table.refresh()?;
        let now = self.clock.now();
        let mut changed = false;
        // Files of the facts are not deleted while they are read; files replaced here may be
        // deleted at once.
        let lease = Lease::take(self.store.as_ref())?;
        let calendar = self.calendar.refresh()?;
        drop(lease);
        for (table, replaced) in calendar {
            self.maintainer.replaced(table, &replaced, now);
            self.maintainer.maintain(table, now)?;
            changed = true;
        }
        let lease = Lease::take(self.store.as_ref())?;
        let rates = self.rates.refresh(self.calendar.years())?;
        let sessions = self.sessions.refresh()?;
        drop(lease);
        for (table, replaced) in [(&mut self.rates.table, rates), (&mut self.sessions.table, sessions)] {
            if let Some(replaced) = replaced {
                self.maintainer.replaced(table, &replaced, now);
                self.maintainer.maintain(table, now)?;
                changed = true;
            }
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests;
