//! The revenue of sessions: the money of the orders that they were the first to report.

use arrow_array::RecordBatch;
use hashbrown::HashMap;
use kassa_model::star::fact_sales;
use kassa_model::{Currency, Table};

use super::{Claim, SessionRow};
use crate::columns::{ApplyError, Columns};
use crate::rates::{Coin, Rates, exact};

/// The orders that count, each with its winning claim and Σ `net_amount` of its lines in the shop's currency, 10⁻¹⁵.
#[derive(Debug, Clone, Default)]
pub struct Credits(HashMap<i64, (Claim, i128)>);

/// The maximum of DECIMAL(38,15).
const MOST: i128 = 10_i128.pow(38) - 1;

impl Credits {
    pub const COLUMNS: &[&str] = &["order_key", "is_test", "net_amount", "currency", "movement_date_key"];

    /// From these claims, each the winner of its order; without money yet.
    pub fn of<'c>(winners: impl Iterator<Item = &'c Claim>) -> Self {
        Self(winners.map(|claim| (claim.order_key, (*claim, 0))).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the money in rows of `fact_sales`; rows without a rate are left out.
    pub fn apply(&mut self, rows: &RecordBatch, rates: &Rates) -> Result<(), ApplyError> {
        let columns = Columns { table: Table::FactSales, rows };
        let (orders, is_test) = (columns.get(fact_sales::order_key)?, columns.get(fact_sales::is_test)?);
        let (amounts, days) = (columns.get(fact_sales::net_amount)?, columns.get(fact_sales::movement_date_key)?);
        let currencies = columns.get(fact_sales::currency)?.each(rows.num_rows(), |text| Ok(text.and_then(Currency::parse)))?;
        for row in (0..rows.num_rows()).filter(|row| !is_test.value(*row)) {
            if let Some((_, sum)) = self.0.get_mut(&orders.value(row)) {
                let rate = rates.of(Coin::new(currencies[row], days.value(row))).unwrap_or(0);
                *sum = sum.saturating_add(exact(amounts.get(row)?.unwrap_or_default().into(), rate));
            }
        }
        Ok(())
    }

    /// 10⁻¹⁵ of the shop's currency. Counts the reported orders whose winning claim is this session's.
    pub fn revenue(&self, session: &SessionRow) -> i128 {
        let own = |(order, at): &(i64, i64)| {
            self.0.get(order).filter(|(claim, _)| (claim.at, claim.session_key) == (*at, session.session_key))
        };
        let sum = session.orders.iter().filter_map(own).fold(0_i128, |all, (_, sum)| all.saturating_add(*sum));
        sum.clamp(-MOST, MOST)
    }
}
