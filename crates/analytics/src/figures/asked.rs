//! For one query: the tables that its answer needs. From the other facts only the watermark is read, which every answer states.

use std::ops::Range;

use arrow_array::RecordBatch;
use jiff::civil::{Date, Time};
use jiff::tz::AmbiguousTimestamp;
use kassa_model::star::kind::Timestamp;
use kassa_model::{Shop, Table};

use super::{Figures, ledger};
use crate::columns::{ApplyError, Columns};
use crate::kind::Kind;
use crate::query::{Basis, By, Query};

/// The columns of each fact table that determine the watermark: a time, and the flags of rows that do not count.
const SALES_TIMES: [&str; 3] = ["moved_at", "is_test", "is_future"];
const TIMES: [&str; 3] = ["occurred_at", "is_test", "is_future"];

/// The query that figures are folded for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    by: By,
    pub(super) basis: Basis,
    /// The range of its days in µs.
    pub(super) days: Range<i64>,
}

impl Asked {
    pub(super) fn of(shop: &Shop, query: &Query) -> Self {
        let basis = query.basis.unwrap_or_default();
        Self { kind: query.figure.kind, by: query.by, basis, days: days_of(shop, query) }
    }

    pub(super) fn is_of_sessions(&self) -> bool {
        matches!(self.kind, Kind::Sessions | Kind::Conversion | Kind::Funnel | Kind::AbandonedCarts)
    }

    /// Whether the answer depends only on the days on which each customer ordered.
    fn is_of_order_days(&self) -> bool {
        let by_time = self.by == By::Total || self.by.is_time();
        matches!(self.kind, Kind::NewCustomers | Kind::ReturningCustomers | Kind::CohortRetention | Kind::RepeatRate)
            || self.kind == Kind::Orders && by_time
    }

    /// Whether the answer depends on a table's rows.
    fn needs(&self, table: Table) -> bool {
        let of_behaviour = self.is_of_sessions();
        match table {
            Table::FactSales => !of_behaviour && self.kind != Kind::Payments,
            Table::FactOrder => self.kind.has_duty() || self.kind == Kind::ActiveCustomers,
            Table::FactPayment => self.kind == Kind::Payments,
            Table::FactFxRate => self.kind.is_money(),
            Table::FactEvent => of_behaviour || self.kind == Kind::ActiveCustomers,
            Table::DimProduct => matches!(self.by, By::Product | By::Category),
            Table::DimCategory => self.by == By::Category,
            Table::DimCountry => self.by == By::Country,
            Table::DimCustomer => self.by == By::Customer,
            Table::DimChannel => self.by == By::Channel,
            Table::DimPaymentMethod => self.by == By::Method,
            _ => false,
        }
    }
}

impl Figures {
    /// The columns of a table that [`Figures::apply`] reads for the query of these figures; none if it does not read the table.
    pub fn reads(&self, table: Table) -> &'static [&'static str] {
        match self.times(table) {
            Some(times) => times,
            None if !self.is_needed(table) => &[],
            None if table == Table::FactSales && self.is_of_order_days() => ledger::ORDER_DAYS,
            None => Self::columns(table),
        }
    }

    /// The time and the flags of a table from which only the watermark is needed. Instead of applying its rows, the caller may
    /// pass [`Figures::saw_until`] the latest time, up to [`Figures::plausible_until`], of those without flags.
    pub fn times(&self, table: Table) -> Option<&'static [&'static str; 3]> {
        match table {
            _ if self.is_needed(table) => None,
            _ => Self::watermark(table),
        }
    }

    /// The time and the flags of a table, if it contributes to the watermark.
    pub fn watermark(table: Table) -> Option<&'static [&'static str; 3]> {
        match table {
            Table::FactSales => Some(&SALES_TIMES),
            Table::FactOrder | Table::FactPayment | Table::FactEvent => Some(&TIMES),
            _ => None,
        }
    }

    /// The latest time, not later than `until`, of rows with the columns of [`Figures::watermark`].
    pub fn latest(table: Table, rows: &RecordBatch, until: i64) -> Result<Option<i64>, ApplyError> {
        let Some([time, is_test, is_future]) = Self::watermark(table) else { return Ok(None) };
        let columns = Columns { table, rows };
        let (times, is_test, is_future) =
            (columns.named::<Timestamp>(time)?, columns.named::<bool>(is_test)?, columns.named::<bool>(is_future)?);
        let counted = (0..times.len()).filter(|row| !is_test.value(*row) && !is_future.value(*row));
        Ok(counted.map(|row| times.value(row)).filter(|at| *at <= until).max())
    }

    /// Advances the watermark to a time that may move it.
    pub fn saw_until(&mut self, time: Option<i64>) {
        time.into_iter().for_each(|time| self.watermark.saw(time, false));
    }

    pub(super) fn is_needed(&self, table: Table) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.needs(table))
    }

    pub(super) fn is_of_order_days(&self) -> bool {
        self.asked.as_ref().is_some_and(Asked::is_of_order_days)
    }

    pub(super) fn apply_times(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        self.saw_until(Self::latest(columns.table, columns.rows, self.plausible_until())?);
        Ok(())
    }
}

/// The range of µs that a query's days may have in the shop's zone, with a margin for changes of the clock.
fn days_of(shop: &Shop, query: &Query) -> Range<i64> {
    let calendar = shop.calendar();
    let midnight = |day: Date| calendar.zone().to_ambiguous_timestamp(day.to_datetime(Time::midnight()));
    let micros = |at: Result<jiff::Timestamp, jiff::Error>| at.ok().map(jiff::Timestamp::as_microsecond);
    let start = query.from.and_then(|day| micros(AmbiguousTimestamp::earlier(midnight(day))));
    let end = query.to.and_then(|day| micros(AmbiguousTimestamp::later(midnight(day.tomorrow().ok()?))));
    start.unwrap_or(i64::MIN)..end.unwrap_or(i64::MAX)
}
