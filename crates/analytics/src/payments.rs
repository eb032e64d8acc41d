//! Money captured less money given back.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days};
use crate::map::{Map, Set};
use crate::period;
use crate::query::By;
use crate::rates::{Coin, Rates, exact};
use crate::sales::Group;

/// What a payment does to the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Sale,
    Capture,
    Back,
    /// An authorization or a void.
    None,
}

impl Flow {
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "sale" => Flow::Sale,
            "capture" => Flow::Capture,
            "refund" | "chargeback" => Flow::Back,
            _ => Flow::None,
        }
    }
}

/// Whether a payment of this status moved money: one without a status did.
pub(crate) fn is_successful(status: Option<&str>) -> bool {
    let good = ["success", "succeeded", "paid", "captured", "completed"];
    status.is_none_or(|status| good.iter().any(|each| each.eq_ignore_ascii_case(status)))
}

/// Where a payment is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) method: u32,
    pub(crate) status: u32,
    pub(crate) currency: u32,
    /// The currency on the day of the payment.
    pub(crate) coin: Coin,
}

/// A payment that moved money.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) day: i32,
    pub(crate) place: Place,
    /// In its own currency.
    pub(crate) amount: i64,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Cell {
    amount: i128,
    rows: i64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Payments {
    days: ByDay<Map<Place, Cell>>,
    /// Hashes of (store, payment id) of sales.
    sales: Set<u64>,
    /// Captures that name a parent, by the hash of its (store, payment id): should it prove to be a sale, they are no second money.
    captures: Map<u64, Vec<Payment>>,
}

impl Payments {
    pub(crate) fn add(&mut self, flow: Flow, id: u64, parent: Option<u64>, payment: Payment) {
        match flow {
            Flow::None => {}
            Flow::Sale => {
                self.count(&payment, 1);
                if self.sales.insert(id) {
                    for capture in self.captures.remove(&id).unwrap_or_default() {
                        self.count(&capture, -1);
                    }
                }
            }
            Flow::Capture => match parent {
                Some(parent) if self.sales.contains(&parent) => {}
                Some(parent) => {
                    self.count(&payment, 1);
                    self.captures.entry(parent).or_default().push(payment);
                }
                None => self.count(&payment, 1),
            },
            Flow::Back => self.count(&Payment { amount: -payment.amount.abs(), ..payment }, 1),
        }
    }

    fn count(&mut self, payment: &Payment, sign: i64) {
        let cell = self.days.at(payment.day).entry(payment.place).or_default();
        cell.rows += sign;
        cell.amount += i128::from(sign) * i128::from(payment.amount);
    }

    fn cells(&self, days: Days) -> impl Iterator<Item = (i32, &Place, &Cell)> {
        let days = self.days.range(days);
        let cells = days.flat_map(|(day, cells)| cells.iter().map(move |(place, cell)| (day, place, cell)));
        cells.filter(|(_, _, cell)| cell.rows != 0)
    }

    pub(crate) fn sums(&self, rates: &Rates, by: By, days: Days) -> HashMap<Group, i128> {
        let mut all: HashMap<Group, i128> = HashMap::new();
        for (day, place, cell) in self.cells(days) {
            let group = match by {
                By::Method => Group::Member(place.method),
                By::Status => Group::Member(place.status),
                By::Currency => Group::Member(place.currency),
                by if by.is_time() => Group::Period(period::code(by, day, 0)),
                _ => Group::Total,
            };
            let sum = all.entry(group).or_default();
            *sum = sum.saturating_add(exact(cell.amount, rates.of(place.coin).unwrap_or(0)));
        }
        all
    }

    /// Payments that are missing for want of a rate, by currency.
    pub(crate) fn unconverted(&self, rates: &Rates, days: Days) -> HashMap<u32, i64> {
        let mut all = HashMap::new();
        for (_, place, cell) in self.cells(days).filter(|(_, place, _)| rates.of(place.coin).is_none()) {
            *all.entry(place.currency).or_default() += cell.rows;
        }
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let waiting: usize = self.captures.values().map(|captures| captures.capacity() * size_of::<Payment>()).sum();
        self.sales.allocation_size() + self.captures.allocation_size() + waiting
    }
}
