//! The session that an order belongs to: the one that reported it first. A page that is loaded again reports its order again.

use arrow_array::RecordBatch;
use kassa_model::Table;
use kassa_model::star::fact_event;

use super::rows::Visible;
use crate::columns::{ApplyError, Columns};

/// A session's report that it completed an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    pub order_key: i64,
    /// µs UTC.
    pub at: i64,
    pub session_key: i64,
}

/// All claims: 24 bytes each.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    all: Vec<Claim>,
    sorted: bool,
}

impl Claims {
    pub const COLUMNS: &[&str] = &["type", "occurred_at", "session_key", "order_key", "is_test", "is_bot"];

    /// The claims among rows of `fact_event`.
    pub fn read(rows: &RecordBatch, mut take: impl FnMut(usize, Claim)) -> Result<(), ApplyError> {
        let columns = Columns { table: Table::FactEvent, rows };
        let visible = Visible::of(&columns)?;
        let orders = columns.get(fact_event::order_key)?;
        let times = columns.get(fact_event::occurred_at)?;
        let kinds = columns.get(fact_event::r#type)?;
        for row in (0..rows.num_rows()).filter(|row| orders.value(*row) != 0) {
            if let Some(session_key) = visible.session(row)
                && kinds.get(row) == Some("order_completed")
            {
                take(row, Claim { order_key: orders.value(row), at: times.value(row), session_key });
            }
        }
        Ok(())
    }

    pub fn apply(&mut self, rows: &RecordBatch) -> Result<(), ApplyError> {
        self.sorted = false;
        Self::read(rows, |_, claim| self.all.push(claim))
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Sorts the claims; call it when all have been added.
    pub fn settle(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.sorted = true;
    }

    /// The claims to an order, the earliest first.
    pub fn of(&self, order_key: i64) -> &[Claim] {
        debug_assert!(self.sorted, "claims are settled before they are asked for");
        let from = self.all.partition_point(|claim| claim.order_key < order_key);
        let count = self.all[from..].partition_point(|claim| claim.order_key == order_key);
        &self.all[from..from + count]
    }

    /// The winning claim of each order.
    pub fn winners(&self) -> impl Iterator<Item = &Claim> {
        self.all.chunk_by(|a, b| a.order_key == b.order_key).filter_map(|claims| claims.first())
    }
}
