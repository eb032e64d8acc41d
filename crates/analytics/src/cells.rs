//! Sums of the sales ledger by one dimension.

mod day;

use kassa_model::Movement;
use serde::{Deserialize, Serialize};

use crate::rates::Coin;

pub(crate) use self::day::Cells;

/// Money in 10⁻⁶ of its own currency, units in 10⁻³.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) gross: i64,
    pub(crate) discount: i64,
    pub(crate) net: i64,
    pub(crate) tax: i64,
    pub(crate) shipping: i64,
    pub(crate) units: i64,
}

impl Sums {
    /// `None` if a sum would overflow.
    pub(crate) fn plus(&self, other: &Sums) -> Option<Sums> {
        Some(Sums {
            gross: self.gross.checked_add(other.gross)?,
            discount: self.discount.checked_add(other.discount)?,
            net: self.net.checked_add(other.net)?,
            tax: self.tax.checked_add(other.tax)?,
            shipping: self.shipping.checked_add(other.shipping)?,
            units: self.units.checked_add(other.units)?,
        })
    }
}

/// A member of a dimension (or a quarter hour, or a currency), a movement and a coin in one word: all sums of a cell have the
/// same rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct CellKey(u64);

impl CellKey {
    pub(crate) fn new(member: u32, movement: Movement, coin: Coin) -> Self {
        let movement = Movement::ALL.iter().position(|each| *each == movement).unwrap_or(0);
        let place = u64::from(member) << 2 | u64::try_from(movement).unwrap_or(0);
        Self(place << Coin::BITS | u64::from(coin.bits()))
    }

    pub(crate) fn member(self) -> u32 {
        u32::try_from(self.0 >> (Coin::BITS + 2)).unwrap_or(0)
    }

    pub(crate) fn movement(self) -> Movement {
        Movement::ALL[usize::try_from(self.0 >> Coin::BITS & 3).unwrap_or(0)]
    }

    pub(crate) fn coin(self) -> Coin {
        Coin::from_bits(u32::try_from(self.0 & ((1 << Coin::BITS) - 1)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_overflows_loses_nothing() {
        let mut cells = Cells::default();
        let coin = Coin::new(kassa_model::Currency::parse("ZWG"), 21_991_231);
        let key = CellKey::new(u32::MAX, Movement::Return, coin);
        let sums = Sums { net: 999_999_999_999_999_999, ..Sums::default() };
        for _ in 0..100 {
            cells.add(key, &sums);
        }
        let total: i128 = cells.iter().map(|(_, sums)| i128::from(sums.net)).sum();
        assert_eq!(total, 99_999_999_999_999_999_900);
        assert_eq!((key.member(), key.movement(), key.coin()), (u32::MAX, Movement::Return, coin));
    }
}
