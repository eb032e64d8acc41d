//! `fact_session`, kept true of `fact_event` and `fact_sales` at the positions that it states.
//!
//! A session follows from the events of its id and from what the ledger says of its orders. So what is new since the stated positions
//! names the ids whose sessions may differ: those of new events, and those that claim an order of a new event or a new line. All
//! sessions of these ids are made anew; the rows of all others stand. Where that cannot be told (another zone, a replayed dead letter,
//! positions that went back), every session is made anew.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray};
use arrow_select::filter::filter_record_batch;
use kassa_analytics::{Claims, SessionRows};
use kassa_model::key::{hash, positive};
use kassa_model::{Positions, Shop, Table};
use kassa_pipeline::cut::{self, are_before};

use super::Basis;
use super::output::Output;
use super::source::{Source, Touched, misread};
use crate::delta::table::app_id;
use crate::delta::{Add, DeltaTable, LogError, Snapshot};
use crate::figures::{Lies, accounted, corrupt, each_of_file_before};
use crate::read::{self, folder_of};
use crate::recover::scan;
use crate::store::Store;

/// What the rows are true of beside the positions, as versions in the table's log.
const DEFINITION: &str = "kassa-sessions";
const REPLAYED: &str = "kassa-replayed";
/// Changes whenever the same facts would give other rows.
const EDITION: &str = "1";
/// Ids touched at once beyond which all sessions are made anew.
const TOUCHED_IDS: usize = 2_000_000;

#[derive(Debug)]
pub(super) struct SessionTable {
    basis: Basis,
    pub(super) table: DeltaTable,
    /// Files of facts that hold nothing that the table does not know. Of this process alone.
    known: HashSet<String>,
}

/// Stands for the rules and the zone whose days sessions begin on.
pub(crate) fn definition(shop: &Shop) -> i64 {
    positive(hash("sessions", &[EDITION, &shop.zone_name]))
}

/// The accounted positions of the topics that sessions follow from.
fn cut(basis: &Basis) -> Result<Positions, LogError> {
    // A topic that no stream reads any more still has its rows in the tables.
    let feeds = |topic: &str| {
        basis.contracts.get(topic).is_none_or(|contract| {
            let tables = Table::fed_by(*contract);
            tables.contains(&Table::FactEvent) || tables.contains(&Table::FactSales)
        })
    };
    let all = accounted(basis.store.as_ref())?;
    Ok(all.iter().filter(|(partition, _)| feeds(&partition.topic)).map(|(partition, next)| (partition.clone(), next)).collect())
}

/// Dead letters replayed so far. Their rows lie before positions that a table has passed.
fn replayed(store: &dyn Store) -> Result<i64, LogError> {
    let mut count = 0;
    scan(store, Table::Rejected, &["replayed_at"], &mut |rows| {
        let marks = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        count += marks.len() - marks.null_count();
        Ok(())
    })?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

impl SessionTable {
    pub(super) fn new(basis: Basis, table: DeltaTable) -> Self {
        Self { basis, table, known: HashSet::new() }
    }

    /// Brings the table up to the accounted positions. The files that were replaced, if anything had to be done.
    pub(super) fn refresh(&mut self) -> Result<Option<Vec<Add>>, LogError> {
        let cut = cut(&self.basis)?;
        let stated =
            [(DEFINITION.to_owned(), definition(&self.basis.shop)), (REPLAYED.to_owned(), replayed(self.basis.store.as_ref())?)];
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

    /// The ids whose sessions may differ from what the table says.
    fn touched(&self, source: &Source<'_>, held: &Positions, claims: &Claims) -> Result<Touched, LogError> {
        let (mut ids, mut orders) = (HashSet::new(), HashSet::new());
        let columns = |of: &[&'static str]| of.iter().chain(&cut::COLUMNS).copied().collect::<Vec<_>>();
        let is_old = |add: &Add| self.known.contains(&add.path) || Lies::of(add, held) == Lies::Before;
        for add in source.events.files.values().filter(|add| !is_old(add)) {
            let of = (Table::FactEvent, &source.events);
            each_of_file_before(self.basis.store.as_ref(), of, add, &columns(Claims::COLUMNS), source.cut, &mut |rows| {
                let old = are_before(&rows, held).map_err(corrupt)?;
                SessionRows::keys(&rows, |row, key| ids.extend((!old[row]).then_some(key))).map_err(misread)?;
                Claims::read(&rows, |row, claim| orders.extend((!old[row]).then_some(claim.order_key))).map_err(misread)
            })?;
        }
        let is_new = |add: &&Add| !claims.is_empty() && !is_old(add);
        for add in source.sales.files.values().filter(is_new) {
            let of = (Table::FactSales, &source.sales);
            each_of_file_before(self.basis.store.as_ref(), of, add, &columns(&["order_key"]), source.cut, &mut |rows| {
                let (old, keys) = (are_before(&rows, held).map_err(corrupt)?, rows.column(0).as_primitive::<Int64Type>());
                orders.extend((0..rows.num_rows()).filter(|row| !old[*row]).map(|row| keys.value(row)));
                Ok(())
            })?;
        }
        ids.extend(orders.iter().flat_map(|order| claims.of(*order)).map(|claim| claim.session_key));
        Ok(if ids.len() > TOUCHED_IDS { Touched::All } else { Touched::Ids(ids) })
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

    /// The other rows of the replaced files, and the sessions of these ids.
    fn write(&self, source: &Source<'_>, claims: &Claims, touched: &Touched, replaced: &[Add]) -> Result<Vec<Add>, LogError> {
        let mut output = Output::new(&self.table, Table::FactSession, self.basis.zstd_level);
        if matches!(touched, Touched::Ids(_)) {
            let (folder, schema) = (folder_of(Table::FactSession), Table::FactSession.schema());
            for add in replaced {
                read::file(self.basis.store.as_ref(), &folder, add, &schema, &[], &mut |rows| {
                    let keys = rows.column(0).as_primitive::<Int64Type>();
                    let stay: BooleanArray = keys.values().iter().map(|key| Some(!touched.has(*key))).collect();
                    let kept = filter_record_batch(&rows, &stay).map_err(|error| LogError::Corrupt(error.to_string()))?;
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

/// The files all of whose rows lie before the cut: all of a table that is not ahead of it.
fn known(source: &Source<'_>, cut: &Positions) -> HashSet<String> {
    let is_behind =
        |snapshot: &Snapshot| crate::figures::positions(snapshot).iter().all(|(partition, next)| next <= cut.next(partition));
    let behind = [&source.events, &source.sales].into_iter().filter(|snapshot| is_behind(snapshot));
    behind.flat_map(|snapshot| snapshot.files.keys().cloned()).collect()
}
