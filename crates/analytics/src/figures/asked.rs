//! Of one question: which tables its answer is made of. Of the other facts the watermark alone is wanted, which every answer states.

use kassa_model::Table;

use super::Figures;
use crate::catalogue::Kind;
use crate::columns::{ApplyError, Columns};
use crate::query::{By, Query};

/// What the watermark follows from, of each table of facts: a time, and the flags that keep a row from moving it.
const SALES_TIMES: [&str; 3] = ["moved_at", "is_test", "is_future"];
const TIMES: [&str; 3] = ["occurred_at", "is_test", "is_future"];

/// The question that figures are folded for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    kind: Kind,
    by: By,
}

impl Asked {
    pub(super) fn of(query: &Query) -> Self {
        Self { kind: query.figure.kind, by: query.by }
    }

    /// Whether the answer is made of a table's rows.
    fn needs(self, table: Table) -> bool {
        let of_behaviour = matches!(self.kind, Kind::Sessions | Kind::Conversion | Kind::Funnel | Kind::AbandonedCarts);
        match table {
            Table::FactSales => !of_behaviour && self.kind != Kind::Payments,
            Table::FactOrder => matches!(self.kind, Kind::TotalSales | Kind::ActiveCustomers),
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
    /// The columns that [`Figures::apply`] reads of a table for the question that these figures are folded for; none if it needs nothing of
    /// it.
    pub fn reads(&self, table: Table) -> &'static [&'static str] {
        match self.times(table) {
            Some(times) => times,
            None if self.is_needed(table) => Self::columns(table),
            None => &[],
        }
    }

    /// The time and the flags of a table of which the watermark alone is wanted. Instead of its rows [`Figures::saw_until`] may be given
    /// the latest time of those that have none of the flags.
    pub fn times(&self, table: Table) -> Option<&'static [&'static str; 3]> {
        match table {
            _ if self.is_needed(table) => None,
            Table::FactSales => Some(&SALES_TIMES),
            Table::FactOrder | Table::FactPayment | Table::FactEvent => Some(&TIMES),
            _ => None,
        }
    }

    /// Moves the watermark on.
    pub fn saw_until(&mut self, time: Option<i64>) {
        self.event_time = self.event_time.max(time);
    }

    pub(super) fn is_needed(&self, table: Table) -> bool {
        self.asked.is_none_or(|asked| asked.needs(table))
    }

    pub(super) fn apply_times(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let Some([time, is_test, is_future]) = self.times(columns.table) else { return Ok(()) };
        let (times, is_test, is_future) = (columns.times(time)?, columns.flags(is_test)?, columns.flags(is_future)?);
        let counted = (0..times.len()).filter(|row| !is_test.value(*row) && !is_future.value(*row));
        self.saw_until(counted.map(|row| times.value(row)).max());
        Ok(())
    }
}
