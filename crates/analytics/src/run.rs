//! Groups of ledger lines that are added to sums together.

use kassa_model::Movement;
use kassa_model::time::Local;

use crate::cells::{CellKey, Sums};
use crate::query::Basis;
use crate::rates::Coin;

/// The common fields of the lines of one movement of an order, keys and texts as small numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) order_key: i64,
    pub(crate) customer_key: i64,
    pub(crate) movement: Movement,
    pub(crate) ordered_at: i64,
    pub(crate) ordered: Local,
    pub(crate) moved: Local,
    pub(crate) customer: u32,
    pub(crate) country: u32,
    pub(crate) channel: u32,
    pub(crate) currency: u32,
    /// The currency on the day of the movement, on either basis.
    pub(crate) coin: Coin,
}

impl Head {
    pub(crate) fn local(&self, basis: Basis) -> Local {
        match basis {
            Basis::Movement => self.moved,
            Basis::Order => self.ordered,
        }
    }

    pub(crate) fn key(&self, member: u32) -> CellKey {
        CellKey::new(member, self.movement, self.coin)
    }
}

/// Adjacent lines that differ only in their products: most of their sums are shared, and are added once.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) head: Head,
    pub(crate) sums: Sums,
    pub(crate) rows: i64,
    pub(crate) products: Vec<u32>,
}

impl Run {
    pub(crate) fn new(head: Head, product: u32, sums: Sums) -> Self {
        Self { head, sums, rows: 1, products: vec![product] }
    }

    /// Adds a line with the same head; returns whether it could.
    pub(crate) fn extend(&mut self, head: &Head, product: u32, sums: &Sums) -> bool {
        match self.sums.plus(sums) {
            Some(total) if self.head == *head => {
                self.sums = total;
                self.rows += 1;
                self.products.push(product);
                true
            }
            _ => false,
        }
    }
}
