//! For one query about some days: the rows of each table that its answer needs. A reader that knows the times of rows before
//! reading them skips the others.
//!
//! | figure | rows |
//! |---|---|
//! | sums of the ledger, people seen | those of the days, each for itself |
//! | orders and what is divided by them | those of the days, and all rows of their orders: the first line dates the order, and only all of them tell which is the first |
//! | duty | those of the days, and all revisions of their orders: the highest one counts |
//! | payments | those of the days, and the parents of their captures: a capture of a sale is no second money |
//! | sessions | those of the days, half an hour before and as long after as a session goes on |
//! | customers by their first order | all |
//!
//! Rates are never skipped by their days: one of an earlier day may count on a later one.

use std::ops::Range;

use arrow_array::{BooleanArray, RecordBatch};
use hashbrown::HashSet;
use kassa_model::Table;
use kassa_model::star::kind::Timestamp;
use kassa_model::star::{fact_order, fact_payment, lineage};
use kassa_model::time::HOUR;

use super::Figures;
use super::asked::Asked;
use super::money::payment_hash;
use crate::columns::{ApplyError, Columns};
use crate::kind::Kind;
use crate::query::Basis;
use crate::visits::SILENCE;

/// The rows of a table that an answer needs. Others may be given too: they do not change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    All,
    Some { times: Times, kin: Option<Kin> },
}

/// Rows with a time in the range in one of these columns (µs UTC, half-open).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    pub columns: &'static [&'static str],
    pub range: Range<i64>,
}

impl Times {
    /// Which of the rows are in the range.
    pub fn contain(&self, table: Table, rows: &RecordBatch) -> Result<BooleanArray, ApplyError> {
        let columns = Columns { table, rows };
        let times = self.columns.iter().map(|name| columns.named::<Timestamp>(name)).collect::<Result<Vec<_>, _>>()?;
        let is_within = |row: usize| times.iter().any(|times| self.range.contains(&times.value(row)));
        Ok((0..rows.num_rows()).map(|row| Some(is_within(row))).collect())
    }
}

/// The relation by which an answer needs rows at other times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// All rows of an order.
    Order,
    /// The sale that a capture names as its parent.
    Parent,
}

impl Kin {
    /// The columns that identify related rows.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Kin::Order => &["order_key"],
            Kin::Parent => &["store_id", "payment_id"],
        }
    }

    /// Adds the keys of the rows' relations. The rows have the columns that [`Figures::apply`] reads.
    pub fn ask(self, table: Table, rows: &RecordBatch, asked: &mut HashSet<u64>) -> Result<(), ApplyError> {
        let columns = Columns { table, rows };
        match self {
            // The ledger has the same column.
            Kin::Order => asked.extend(columns.get(fact_order::order_key)?.values().iter().map(|key| key.cast_unsigned())),
            Kin::Parent => {
                let (stores, parents) = (columns.get(lineage::store_id)?, columns.get(fact_payment::parent_id)?);
                let parent = |row: usize| Some((row, parents.get(row).filter(|id| !id.is_empty())?));
                let named = (0..rows.num_rows()).filter_map(parent);
                asked.extend(named.map(|(row, id)| payment_hash(stores.get(row), id)));
            }
        }
        Ok(())
    }

    /// Which rows have one of the keys. The rows have [`Kin::columns`].
    pub fn are_asked(self, table: Table, rows: &RecordBatch, asked: &HashSet<u64>) -> Result<BooleanArray, ApplyError> {
        let columns = Columns { table, rows };
        Ok(match self {
            Kin::Order => columns
                .get(fact_order::order_key)?
                .values()
                .iter()
                .map(|key| Some(asked.contains(&key.cast_unsigned())))
                .collect(),
            Kin::Parent => {
                let (stores, ids) = (columns.get(lineage::store_id)?, columns.get(fact_payment::payment_id)?);
                let is_asked = |row| asked.contains(&payment_hash(stores.get(row), ids.get(row).unwrap_or_default()));
                (0..rows.num_rows()).map(|row| Some(is_asked(row))).collect()
            }
        })
    }
}

/// The first extension of the range after the days, for sessions that go on.
const LATER: i64 = HOUR;

impl Figures {
    /// The rows of a table that the answer needs, besides the watermark: see [`Figures::times`].
    pub fn wanted(&self, table: Table) -> Wanted {
        let wanted = self.asked.as_ref().and_then(|asked| asked.wanted(table));
        wanted.map_or(Wanted::All, |(times, kin)| Wanted::Some { times, kin })
    }

    /// The times to read after those read last; `None` if no session goes on.
    pub fn wanted_beyond(&self, table: Table, read: &Times) -> Option<Times> {
        let asked = self.asked.as_ref().filter(|asked| table == Table::FactEvent && asked.is_of_sessions())?;
        let (until, days) = (read.range.end, &asked.days);
        let further = until.saturating_sub(days.end).saturating_mul(2);
        let goes_on = self.sessions.go_on(days, until);
        goes_on.then(|| Times { range: until..until.saturating_add(further), ..read.clone() })
    }
}

impl Asked {
    fn wanted(&self, table: Table) -> Option<(Times, Option<Kin>)> {
        if self.days == (i64::MIN..i64::MAX) {
            return None;
        }
        let (columns, kin): (&'static [&'static str], Option<Kin>) = match (table, self.kind) {
            (Table::FactSales, Kind::NewCustomers | Kind::ReturningCustomers | Kind::CohortRetention) => return None,
            (Table::FactSales, kind) if kind.counts_orders() => (&["ordered_at"], Some(Kin::Order)),
            (Table::FactSales, Kind::Rfm) if self.basis == Basis::Movement => (&["ordered_at", "moved_at"], Some(Kin::Order)),
            (Table::FactSales, Kind::Rfm) => (&["ordered_at"], Some(Kin::Order)),
            (Table::FactSales, Kind::ActiveCustomers) => (&["ordered_at"], None),
            (Table::FactSales, _) if self.basis == Basis::Movement => (&["moved_at"], None),
            (Table::FactSales, _) => (&["ordered_at"], None),
            (Table::FactOrder, kind) if kind.has_duty() => (&["placed_at"], Some(Kin::Order)),
            (Table::FactOrder, _) => (&["placed_at"], None),
            (Table::FactPayment, _) => (&["occurred_at"], Some(Kin::Parent)),
            (Table::FactEvent, _) if self.is_of_sessions() => {
                let range = self.days.start.saturating_sub(SILENCE)..self.days.end.saturating_add(LATER);
                return Some((Times { columns: &["occurred_at"], range }, None));
            }
            (Table::FactEvent, _) => (&["occurred_at"], None),
            _ => return None,
        };
        Some((Times { columns, range: self.days.clone() }, kin))
    }
}

#[cfg(test)]
mod tests;
