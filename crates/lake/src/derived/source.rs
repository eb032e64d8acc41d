//! Sessions computed from the facts up to a position.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use kassa_analytics::derived::session_rows;
use kassa_analytics::{Claims, Credits, Rates, SessionRows};
use kassa_model::{Positions, Shop, Table};

use super::rates::rates_before;
use crate::delta::{Add, LogError, Snapshot};
use crate::figures::{each_before, each_of_file_before};
use crate::read::{self, folder_of};
use crate::store::Store;

/// Session ids processed in one pass over the events, which bounds the memory.
pub(crate) const IDS: usize = 250_000;
/// Rows of a batch.
const ROWS: usize = 16 * 1024;

/// The ids whose sessions are wanted.
#[derive(Debug)]
pub(crate) enum Touched {
    All,
    Ids(HashSet<i64>),
}

impl Touched {
    pub(crate) fn has(&self, key: i64) -> bool {
        match self {
            Touched::All => true,
            Touched::Ids(ids) => ids.contains(&key),
        }
    }
}

/// The facts up to a position.
pub(crate) struct Source<'s> {
    pub(crate) store: &'s dyn Store,
    pub(crate) shop: &'s Shop,
    pub(crate) cut: &'s Positions,
    pub(crate) events: Snapshot,
    pub(crate) sales: Snapshot,
    pub(crate) rates: Rates,
}

impl<'s> Source<'s> {
    pub(crate) fn load(store: &'s dyn Store, shop: &'s Shop, cut: &'s Positions) -> Result<Self, LogError> {
        let events = Snapshot::load(store, &folder_of(Table::FactEvent))?;
        let sales = Snapshot::load(store, &folder_of(Table::FactSales))?;
        Ok(Self { store, shop, cut, events, sales, rates: rates_before(store, shop, cut)? })
    }

    /// Which sessions claim which orders.
    pub(crate) fn claims(&self) -> Result<Claims, LogError> {
        let mut claims = Claims::default();
        each_before(self.store, (Table::FactEvent, &self.events), Claims::COLUMNS, self.cut, &mut |rows| {
            claims.apply(&rows).map_err(LogError::corrupt)
        })?;
        claims.settle();
        Ok(claims)
    }

    /// The ledger's values of these sessions' orders.
    pub(crate) fn credits(&self, claims: &Claims, touched: &Touched) -> Result<Credits, LogError> {
        let winners = claims.winners().filter(|claim| touched.has(claim.session_key));
        let mut credits = Credits::of(winners);
        if !credits.is_empty() {
            each_before(self.store, (Table::FactSales, &self.sales), Credits::COLUMNS, self.cut, &mut |rows| {
                credits.apply(&rows, &self.rates).map_err(LogError::corrupt)
            })?;
        }
        Ok(credits)
    }

    /// The number of passes for these sessions.
    pub(crate) fn passes(&self, touched: &Touched) -> i64 {
        let ids = match touched {
            // An id has at least one event.
            Touched::All => self.events.files.values().filter_map(Add::rows).sum(),
            Touched::Ids(ids) => i64::try_from(ids.len()).unwrap_or(i64::MAX),
        };
        let most = i64::try_from(IDS).unwrap_or(i64::MAX);
        (ids + most - 1) / most
    }

    /// The sessions of the ids of one pass, as rows of `fact_session`.
    pub(crate) fn pass(
        &self,
        touched: &Touched,
        credits: &Credits,
        (pass, passes): (i64, i64),
        take: &mut dyn FnMut(&RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let wanted = |key: i64| key.rem_euclid(passes) == pass && touched.has(key);
        let mut sessions = SessionRows::new(self.shop);
        for add in self.events.files.values() {
            if matches!(touched, Touched::Ids(_)) && !self.holds(Table::FactEvent, add, &wanted)? {
                continue;
            }
            let of = (Table::FactEvent, &self.events);
            each_of_file_before(self.store, of, add, SessionRows::COLUMNS, self.cut, &mut |rows| {
                sessions.apply(&rows, wanted).map_err(LogError::corrupt)
            })?;
        }
        for rows in sessions.finish().chunks(ROWS) {
            take(&session_rows(rows, credits).map_err(LogError::corrupt)?)?;
        }
        Ok(())
    }

    /// Whether a file has rows of wanted session ids. Reading this one narrow column avoids reading
    /// the others.
    pub(crate) fn holds(&self, table: Table, add: &Add, wanted: &dyn Fn(i64) -> bool) -> Result<bool, LogError> {
        let mut any = false;
        read::file(self.store, &folder_of(table), add, &table.schema(), &["session_key"], &mut |rows| {
            any = any || rows.column(0).as_primitive::<Int64Type>().values().iter().any(|key| wanted(*key));
            Ok(())
        })?;
        Ok(any)
    }
}
