//! What sessions are credited with: the money of the orders that they were the first to report.

use arrow_array::RecordBatch;
use hashbrown::HashMap;
use kassa_model::decimal::DecimalError;
use kassa_model::{Amount, Table};

use super::{Claim, SessionRow};
use crate::columns::{ApplyError, Columns};

/// The orders that count, each with the claim that won it and Σ `net_amount_reporting` of its lines.
#[derive(Debug, Clone, Default)]
pub struct Credits(HashMap<i64, (Claim, i128)>);

impl Credits {
    pub const COLUMNS: &[&str] = &["order_key", "is_test", "net_amount_reporting"];

    /// Of these claims, each the winner of its order; without money yet.
    pub fn of<'c>(winners: impl Iterator<Item = &'c Claim>) -> Self {
        Self(winners.map(|claim| (claim.order_key, (*claim, 0))).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the money among rows of `fact_sales`.
    pub fn apply(&mut self, rows: &RecordBatch) -> Result<(), ApplyError> {
        let columns = Columns { table: Table::FactSales, rows };
        let (orders, is_test) = (columns.longs("order_key")?, columns.flags("is_test")?);
        let amounts = columns.amounts("net_amount_reporting")?;
        for row in (0..rows.num_rows()).filter(|row| !is_test.value(*row)) {
            if let Some((_, sum)) = self.0.get_mut(&orders.value(row)) {
                *sum += i128::from(amounts.get(row)?.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Of the orders that a session reported, those whose winning claim is its own.
    pub fn revenue(&self, session: &SessionRow) -> Result<Amount, DecimalError> {
        let own = |(order, at): &(i64, i64)| {
            self.0.get(order).filter(|(claim, _)| (claim.at, claim.session_key) == (*at, session.session_key))
        };
        Amount::from_scaled(session.orders.iter().filter_map(own).map(|(_, sum)| sum).sum(), 6)
    }
}
