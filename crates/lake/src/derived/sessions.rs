//! `fact_session`, computed from `fact_event`, `fact_sales` and `fact_fx_rate` at the positions
//! that it states.
//!
//! A session depends on the events of its id, on the ledger's rows of its orders, and on the rates
//! of their lines. So the new rows beyond the stated positions determine the ids whose sessions may
//! change: those of new events, and those that claim an order of a new event, of a new line, or of
//! a line whose rate was added or changed. All sessions of these ids are computed again; the rows
//! of all others stay. If the ids cannot be determined (another zone, a replayed dead letter, lower
//! positions), every session is computed again.

use std::collections::HashSet;

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_select::filter::filter_record_batch;
use kassa_analytics::{Claims, Rates, SessionRows};
use kassa_model::key::{hash, positive};
use kassa_model::{Currency, Positions, Rate, Shop, Table};
use kassa_pipeline::cut::{self, are_before};

use super::output::Output;
use super::rates::rates_before;
use super::source::{Source, Touched};
use super::{Basis, REPLAYED};
use crate::delta::table::app_id;
use crate::delta::{Add, DeltaTable, LogError, Snapshot};
use crate::figures::{Side, each_of_file_before};
use crate::read::{self, folder_of};

/// The inputs of the rows besides the positions, stored as versions in the table's log.
const DEFINITION: &str = "kassa-sessions";
/// Increase this when the same facts would give other rows.
const EDITION: &str = "2";
/// Beyond this number of touched ids, all sessions are computed again.
const TOUCHED_IDS: usize = 2_000_000;

#[derive(Debug)]
pub(super) struct SessionTable {
    basis: Basis,
    pub(super) table: DeltaTable,
    /// Files of facts without rows that are new to the table. In this process only.
    known: HashSet<String>,
}

/// Whether a table's rows were computed by the current rules for the current shop. If not, the next
/// refresh computes them again.
pub(crate) fn is_of_today(table: &Snapshot, shop: &Shop) -> bool {
    table.txns.get(DEFINITION) == Some(&definition(shop))
}

/// A hash of the rules, of the zone that decides a session's day, and of the currency of revenue.
fn definition(shop: &Shop) -> i64 {
    positive(hash("sessions", &[EDITION, &shop.zone_name, shop.currency.code()]))
}

impl SessionTable {
    pub(super) fn new(basis: Basis, table: DeltaTable) -> Self {
        Self { basis, table, known: HashSet::new() }
    }

    /// Refreshes the table to the accounted positions. Returns the replaced files, if anything
    /// changed.
    pub(super) fn refresh(&mut self) -> Result<Option<Vec<Add>>, LogError> {
        let cut = self.basis.cut(&[Table::FactEvent, Table::FactSales, Table::FactFxRate])?;
        let stated = [(DEFINITION.to_owned(), definition(&self.basis.shop)), (REPLAYED.to_owned(), self.basis.replayed()?)];
        let held = self.table.positions();
        let is_stated = stated.iter().all(|(name, version)| self.table.snapshot().txns.get(name) == Some(version));
        if cut.is_empty() || (is_stated && held == cut) {
            return Ok(None);
        }
        let store = std::sync::Arc::clone(&self.basis.store);
        let source = Source::load(store.as_ref(), &self.basis.shop, &cut)?;
        let claims = source.claims()?;
        let went_back = held.iter().any(|(partition, next)| cut.next(partition) < next);
        let touched = if is_stated && !went_back { self.touched(&source, &held, &claims)? } else { Touched::All };
        let replaced = self.replaced(&source, &touched)?;
        let added = self.write(&source, &claims, &touched, &replaced)?;
        let mut all = stated.to_vec();
        all.extend(cut.iter().map(|(partition, next)| (app_id(partition), next)));
        self.table.exchange(&replaced, added, all)?;
        self.known = known(&source, &cut);
        Ok(Some(replaced))
    }

    /// The ids whose sessions may differ from the table.
    fn touched(&self, source: &Source<'_>, held: &Positions, claims: &Claims) -> Result<Touched, LogError> {
        let (mut ids, mut orders) = (HashSet::new(), HashSet::new());
        let columns = |of: &[&'static str]| of.iter().chain(&cut::COLUMNS).copied().collect::<Vec<_>>();
        let is_old = |add: &Add| self.known.contains(&add.path) || Side::of(add, held) == Side::Before;
        for add in source.events.files.values().filter(|add| !is_old(add)) {
            let of = (Table::FactEvent, &source.events);
            each_of_file_before(self.basis.store.as_ref(), of, add, &columns(Claims::COLUMNS), source.cut, &mut |rows| {
                let old = are_before(&rows, held).map_err(LogError::corrupt)?;
                SessionRows::keys(&rows, |row, key| ids.extend((!old[row]).then_some(key))).map_err(LogError::corrupt)?;
                Claims::read(&rows, |row, claim| orders.extend((!old[row]).then_some(claim.order_key))).map_err(LogError::corrupt)
            })?;
        }
        let is_new = |add: &&Add| !claims.is_empty() && !is_old(add);
        for add in source.sales.files.values().filter(is_new) {
            let of = (Table::FactSales, &source.sales);
            each_of_file_before(self.basis.store.as_ref(), of, add, &columns(&["order_key"]), source.cut, &mut |rows| {
                let (old, keys) =
                    (are_before(&rows, held).map_err(LogError::corrupt)?, rows.column(0).as_primitive::<Int64Type>());
                orders.extend((0..rows.num_rows()).filter(|row| !old[*row]).map(|row| keys.value(row)));
                Ok(())
            })?;
        }
        if !claims.is_empty() {
            self.repriced(source, held, &mut orders)?;
        }
        ids.extend(orders.iter().flat_map(|order| claims.of(*order)).map(|claim| claim.session_key));
        Ok(if ids.len() > TOUCHED_IDS { Touched::All } else { Touched::Ids(ids) })
    }

    /// The orders with a line in a currency whose rate on the line's day differs from the rate at
    /// the stated positions.
    fn repriced(&self, source: &Source<'_>, held: &Positions, orders: &mut HashSet<i64>) -> Result<(), LogError> {
        let before = rates_before(source.store, &self.basis.shop, held)?;
        let changed = changed(&before, &source.rates);
        let days = changed.iter().map(|(_, day)| *day);
        let Some((first, last)) = days.clone().min().zip(days.max()) else { return Ok(()) };
        let folder = folder_of(Table::FactSales);
        for add in source.sales.files.values() {
            let bounds = read::int_bounds(source.store, &folder, add, "movement_date_key")?;
            if bounds.is_none_or(|(least, most)| most < first || last < least) {
                continue;
            }
            let columns = ["order_key", "currency", "movement_date_key"];
            each_of_file_before(source.store, (Table::FactSales, &source.sales), add, &columns, source.cut, &mut |rows| {
                let (keys, days) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(2).as_primitive::<Int32Type>());
                let currencies = rows.column(1).as_string::<i32>();
                let is_touched = |row: &usize| {
                    Currency::parse(currencies.value(*row)).is_some_and(|code| changed.contains(&(code, days.value(*row))))
                };
                orders.extend((0..rows.num_rows()).filter(is_touched).map(|row| keys.value(row)));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The table's files with rows of these ids.
    fn replaced(&self, source: &Source<'_>, touched: &Touched) -> Result<Vec<Add>, LogError> {
        let mut replaced = Vec::new();
        for add in self.table.snapshot().files.values() {
            if matches!(touched, Touched::All) || source.holds(Table::FactSession, add, &|key| touched.has(key))? {
                replaced.push(add.clone());
            }
        }
        Ok(replaced)
    }

    /// The other rows of the replaced files, and the new sessions of these ids.
    fn write(&self, source: &Source<'_>, claims: &Claims, touched: &Touched, replaced: &[Add]) -> Result<Vec<Add>, LogError> {
        let mut output = Output::new(&self.table, Table::FactSession, self.basis.zstd_level);
        if matches!(touched, Touched::Ids(_)) {
            let (folder, schema) = (folder_of(Table::FactSession), Table::FactSession.schema());
            for add in replaced {
                read::file(self.basis.store.as_ref(), &folder, add, &schema, &[], &mut |rows| {
                    let keys = rows.column(0).as_primitive::<Int64Type>();
                    let stay: BooleanArray = keys.values().iter().map(|key| Some(!touched.has(*key))).collect();
                    let kept = filter_record_batch(&rows, &stay).map_err(LogError::corrupt)?;
                    output.write(&kept)
                })?;
            }
        }
        let credits = source.credits(claims, touched)?;
        let passes = source.passes(touched);
        for pass in 0..passes {
            source.pass(touched, &credits, (pass, passes), &mut |rows| output.write(rows))?;
        }
        output.finish()
    }
}

/// The currencies and days whose rate differs.
fn changed(before: &Rates, now: &Rates) -> HashSet<(Currency, i32)> {
    let priced = |rates: &Rates| -> HashSet<(Currency, i32, Rate)> {
        rates.each().into_iter().map(|(currency, day, _, resolved)| (currency, day, resolved.rate)).collect()
    };
    let (before, now) = (priced(before), priced(now));
    before.symmetric_difference(&now).map(|(currency, day, _)| (*currency, *day)).collect()
}

/// The files whose rows all lie before the position: all files of a table that is not ahead of it.
fn known(source: &Source<'_>, cut: &Positions) -> HashSet<String> {
    let is_behind =
        |snapshot: &Snapshot| crate::figures::positions(snapshot).iter().all(|(partition, next)| next <= cut.next(partition));
    let behind = [&source.events, &source.sales].into_iter().filter(|snapshot| is_behind(snapshot));
    behind.flat_map(|snapshot| snapshot.files.keys().cloned()).collect()
}
