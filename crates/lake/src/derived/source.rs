//! Sessions from the facts, at a cut through them.

use std::collections::{HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use kassa_analytics::{Claim, Claims, SessionRow, SessionRows};
use kassa_model::{Amount, Positions, Shop, Table};
use kassa_pipeline::rows::Rows;

use crate::delta::{Add, LogError, Snapshot};
use crate::figures::{each_before, each_of_file_before};
use crate::read::{self, folder_of};
use crate::store::Store;

/// Session ids made anew in one pass over the events: what bounds the memory.
const IDS: usize = 250_000;
/// Rows of a batch.
const ROWS: usize = 16 * 1024;

/// Whose sessions are asked for.
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

/// The orders that sessions are credited with: whose claim counts, and Σ `net_amount_reporting`.
pub(crate) type Credits = HashMap<i64, (Claim, i128)>;

/// The facts at a cut.
pub(crate) struct Source<'s> {
    pub(crate) store: &'s dyn Store,
    pub(crate) shop: &'s Shop,
    pub(crate) cut: &'s Positions,
    pub(crate) events: Snapshot,
    pub(crate) sales: Snapshot,
}

pub(crate) fn misread(error: kassa_analytics::ApplyError) -> LogError {
    LogError::Corrupt(error.to_string())
}

impl<'s> Source<'s> {
    pub(crate) fn load(store: &'s dyn Store, shop: &'s Shop, cut: &'s Positions) -> Result<Self, LogError> {
        let events = Snapshot::load(store, &folder_of(Table::FactEvent))?;
        Ok(Self { store, shop, cut, events, sales: Snapshot::load(store, &folder_of(Table::FactSales))? })
    }

    /// Which sessions say that they had which orders.
    pub(crate) fn claims(&self) -> Result<Claims, LogError> {
        let mut claims = Claims::default();
        each_before(self.store, (Table::FactEvent, &self.events), Claims::COLUMNS, self.cut, &mut |rows| {
            claims.apply(&rows).map_err(misread)
        })?;
        claims.settle();
        Ok(claims)
    }

    /// What the ledger says of the orders of these sessions.
    pub(crate) fn credits(&self, claims: &Claims, touched: &Touched) -> Result<Credits, LogError> {
        let winners = claims.winners().filter(|claim| touched.has(claim.session_key));
        let mut credits: Credits = winners.map(|claim| (claim.order_key, (*claim, 0))).collect();
        if credits.is_empty() {
            return Ok(credits);
        }
        let columns = ["order_key", "is_test", "net_amount_reporting"];
        each_before(self.store, (Table::FactSales, &self.sales), &columns, self.cut, &mut |rows| {
            let (orders, is_test) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_boolean());
            let amounts = rows.column(2).as_primitive::<Decimal128Type>();
            for row in (0..rows.num_rows()).filter(|row| !is_test.value(*row) && amounts.is_valid(*row)) {
                if let Some((_, sum)) = credits.get_mut(&orders.value(row)) {
                    *sum += amounts.value(row);
                }
            }
            Ok(())
        })?;
        Ok(credits)
    }

    /// How many passes it takes to make these sessions.
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
                sessions.apply(&rows, wanted).map_err(misread)
            })?;
        }
        for rows in sessions.finish().chunks(ROWS) {
            take(&batch(rows, credits)?)?;
        }
        Ok(())
    }

    /// Whether a file has rows of wanted session ids: one narrow column spares the reading of the others.
    pub(crate) fn holds(&self, table: Table, add: &Add, wanted: &dyn Fn(i64) -> bool) -> Result<bool, LogError> {
        let mut any = false;
        read::file(self.store, &folder_of(table), add, &table.schema(), &["session_key"], &mut |rows| {
            any = any || rows.column(0).as_primitive::<Int64Type>().values().iter().any(|key| wanted(*key));
            Ok(())
        })?;
        Ok(any)
    }
}

fn batch(sessions: &[SessionRow], credits: &Credits) -> Result<RecordBatch, LogError> {
    let mut rows = Rows::new(Table::FactSession);
    for session in sessions {
        let counts = |(order, at): &&(i64, i64)| {
            credits.get(order).filter(|(claim, _)| (claim.at, claim.session_key) == (*at, session.session_key))
        };
        let revenue: i128 = session.orders.iter().filter_map(|order| counts(&order)).map(|(_, sum)| sum).sum();
        let revenue = Amount::from_scaled(revenue, 6)
            .map_err(|error| LogError::Corrupt(format!("the revenue of session {}: {error}", session.session_key)))?;
        let _row = rows
            .row()
            .i64(session.session_key)
            .text(session.session_id.as_deref())
            .i64(session.person_key)
            .i64(session.customer_key)
            .i32(session.date_key)
            .i64(session.started_at)
            .i64(session.ended_at)
            .text(session.entry_url.as_deref())
            .text(session.exit_url.as_deref())
            .i64(session.events)
            .bool(session.reached >= 1)
            .bool(session.reached >= 2)
            .bool(session.reached >= 3)
            .bool(session.reached >= 4)
            .bool(session.converted)
            .bool(session.abandoned)
            .decimal(revenue);
    }
    rows.finish().map_err(|error| LogError::Encode(error.to_string()))
}
