//! Money captured less money refunded.

use hashbrown::HashMap;
use kassa_model::key::hash;
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days};
use crate::map::Map;
use crate::packed::Packed;
use crate::period;
use crate::query::By;
use crate::rates::{Coin, Rates, exact};
use crate::sales::Group;
use crate::varint::{read, read_day, read_id, read_scaled, write, write_day, write_id, write_scaled};

/// The effect of a payment on the money.
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

/// The keys under which a payment is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) method: u32,
    pub(crate) status: u32,
    pub(crate) currency: u32,
    /// The currency on the day of the payment.
    pub(crate) coin: Coin,
}

/// A payment that moved money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) day: i32,
    pub(crate) place: Place,
    /// In its own currency.
    pub(crate) amount: i64,
}

/// Most money is whole cents.
const CENT: i64 = 10_000;

impl Payment {
    fn write(&self, out: &mut Vec<u8>) {
        write_day(out, self.day);
        write_scaled(out, self.amount, CENT);
        for id in [self.place.method, self.place.status, self.place.currency, self.place.coin.bits()] {
            write_id(out, id);
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (day, amount) = (read_day(bytes)?, read_scaled(bytes, CENT)?);
        let (method, status, currency) = (read_id(bytes)?, read_id(bytes)?, read_id(bytes)?);
        Some(Self { day, place: Place { method, status, currency, coin: Coin::from_bits(read_id(bytes)?) }, amount })
    }
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
    sales: Packed,
    /// Captures that name a parent, by the hash of its (store, payment id): if the parent is a sale, they do not count a second
    /// time. A value contains the number of the parent's further pieces, and the latest captures.
    captures: Packed,
    /// Earlier captures of parents with many; see [`piece`].
    pieces: Packed,
}

/// The approximate size in bytes of a piece of one parent's captures: if a source gives all captures the same parent, no value
/// may grow and be rewritten with each of them.
const PIECE: usize = 256;

/// The key of a parent's n-th further piece.
fn piece(parent: u64, nth: i64) -> u64 {
    hash("captures", &[&parent.to_string(), &nth.to_string()])
}

fn read_all(mut bytes: &[u8]) -> Vec<Payment> {
    std::iter::from_fn(|| Payment::read(&mut bytes)).collect()
}

impl Payments {
    pub(crate) fn add(&mut self, flow: Flow, id: u64, parent: Option<u64>, payment: Payment) {
        match flow {
            Flow::None => {}
            Flow::Sale => {
                self.count(&payment, 1);
                if self.sales.set(id, &[]) {
                    self.take_captures(id).iter().for_each(|capture| self.count(capture, -1));
                }
            }
            Flow::Capture => match parent {
                Some(parent) if self.sales.contains(parent) => {}
                Some(parent) => {
                    self.count(&payment, 1);
                    self.keep_capture(parent, &payment);
                }
                None => self.count(&payment, 1),
            },
            Flow::Back => self.count(&Payment { amount: -payment.amount.abs(), ..payment }, 1),
        }
    }

    fn keep_capture(&mut self, parent: u64, payment: &Payment) {
        let mut rest = self.captures.get(parent).unwrap_or_default();
        let mut further = read(&mut rest).unwrap_or(0);
        let mut latest = rest.to_vec();
        if latest.len() >= PIECE {
            further += 1;
            self.pieces.set(piece(parent, further), &latest);
            latest.clear();
        }
        let mut value = Vec::with_capacity(latest.len() + 32);
        write(&mut value, further);
        value.extend_from_slice(&latest);
        payment.write(&mut value);
        self.captures.set(parent, &value);
    }

    /// Removes and returns all captures that name a parent.
    fn take_captures(&mut self, parent: u64) -> Vec<Payment> {
        let mut rest = self.captures.get(parent).unwrap_or_default();
        let further = read(&mut rest).unwrap_or(0);
        let mut all = read_all(rest);
        self.captures.remove(parent);
        for at in (1..=further).map(|nth| piece(parent, nth)) {
            all.extend(read_all(self.pieces.get(at).unwrap_or_default()));
            self.pieces.remove(at);
        }
        all
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

    /// Payments that are missing because there is no rate, by currency.
    pub(crate) fn unconverted(&self, rates: &Rates, days: Days) -> HashMap<u32, i64> {
        let mut all = HashMap::new();
        for (_, place, cell) in self.cells(days).filter(|(_, place, _)| rates.of(place.coin).is_none()) {
            *all.entry(place.currency).or_default() += cell.rows;
        }
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let days: usize = self.days.range(Days::ALL).map(|(_, cells)| cells.allocation_size()).sum();
        self.sales.size() + self.captures.size() + self.pieces.size() + self.days.list_size() + days
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payment(day: i32, amount: i64, [method, status, currency]: [u32; 3], bits: u32) -> Payment {
        Payment { day, place: Place { method, status, currency, coin: Coin::from_bits(bits) }, amount }
    }

    proptest! {
        #[test]
        fn payments_are_read_as_they_were_written(
            one in (any::<i32>(), any::<i64>(), any::<[u32; 3]>(), 0..1_u32 << Coin::BITS),
            other in (any::<i32>(), any::<i64>(), any::<[u32; 3]>(), 0..1_u32 << Coin::BITS),
        ) {
            let payments = [one, other].map(|(day, amount, ids, bits)| payment(day, amount, ids, bits));
            let mut bytes = Vec::new();
            payments.iter().for_each(|payment| payment.write(&mut bytes));
            let mut rest = bytes.as_slice();
            let read: Vec<Payment> = std::iter::from_fn(|| Payment::read(&mut rest)).collect();
            prop_assert_eq!(read, payments);
        }
    }

    #[test]
    fn a_sale_that_comes_late_takes_back_all_its_captures() {
        let count =
            |payments: &Payments| payments.cells(Days::ALL).map(|(_, _, cell)| (cell.rows, cell.amount)).collect::<Vec<_>>();
        let mut payments = Payments::default();
        let paid = payment(20_260_101, 5_000_000, [1, 1, 1], 0);
        payments.add(Flow::Capture, 11, Some(10), paid);
        payments.add(Flow::Capture, 12, Some(10), paid);
        assert_eq!(count(&payments), [(2, 10_000_000)]);
        payments.add(Flow::Sale, 10, None, paid);
        assert_eq!(count(&payments), [(1, 5_000_000)]);
        payments.add(Flow::Capture, 13, Some(10), paid);
        assert_eq!(count(&payments), [(1, 5_000_000)]);
    }

    #[test]
    fn captures_that_all_name_one_parent_make_no_long_value_and_are_all_taken_back() {
        let mut payments = Payments::default();
        for nth in 0..5_000_u32 {
            payments.add(Flow::Capture, nth.into(), Some(u64::MAX), payment(20_260_101, i64::from(nth), [1, 1, 1], 0));
        }
        let longest = payments.captures.iter().chain(payments.pieces.iter()).map(|(_, value)| value.len()).max();
        assert!(longest < Some(2 * PIECE), "{longest:?} bytes are written again with each capture");
        let rows = |payments: &Payments| payments.cells(Days::ALL).map(|(_, _, cell)| (cell.rows, cell.amount)).next();
        assert_eq!(rows(&payments), Some((5_000, 5_000 * 4_999 / 2)));
        payments.add(Flow::Sale, u64::MAX, None, payment(20_260_101, 7, [1, 1, 1], 0));
        assert_eq!((rows(&payments), payments.captures.len(), payments.pieces.len()), (Some((1, 7)), 0, 0));
    }
}
