//! Sums of the sales ledger by one dimension.

mod day;

use serde::{Deserialize, Serialize};

use crate::columns::ApplyError;
use crate::rates::Coin;

pub(crate) use self::day::Cells;

/// What a row of the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Movement {
    Sale,
    Return,
    Cancellation,
    Adjustment,
}

impl Movement {
    const ALL: [Movement; 4] = [Movement::Sale, Movement::Return, Movement::Cancellation, Movement::Adjustment];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Movement::Sale => "sale",
            Movement::Return => "return",
            Movement::Cancellation => "cancellation",
            Movement::Adjustment => "adjustment",
        }
    }

    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApplyError> {
        Self::ALL.into_iter().find(|movement| Some(movement.name()) == text).ok_or_else(|| ApplyError::UnknownValue {
            table: "fact_sales",
            column: "movement",
            value: text.unwrap_or_default().to_owned(),
        })
    }
}

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
    /// Nothing where a sum would not fit.
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

/// What is added up over the cells of the ledger. Each is linear, so that any grouping of it adds up to its total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Gross,
    Discounts,
    Returns,
    Adjustments,
    Net,
    NetTaxShipping,
    Units,
    /// Gross less discounts: what the average order is taken of.
    Sold,
    SoldUnits,
    ReturnedUnits,
}

impl Measure {
    /// This measure of a cell; nothing if the cell's movement has no part in it.
    pub(crate) fn of(self, movement: Movement, sums: &Sums) -> Option<i128> {
        use Movement::{Adjustment, Cancellation, Return, Sale};
        let value = match (self, movement) {
            (Measure::Gross, Sale) => i128::from(sums.gross),
            (Measure::Discounts, Sale) => i128::from(sums.discount),
            (Measure::Returns, Return | Cancellation) => -i128::from(sums.net),
            (Measure::Adjustments, Adjustment) | (Measure::Net, _) => i128::from(sums.net),
            (Measure::NetTaxShipping, _) => i128::from(sums.net) + i128::from(sums.tax) + i128::from(sums.shipping),
            (Measure::Units, _) | (Measure::SoldUnits, Sale) => i128::from(sums.units),
            (Measure::Sold, Sale) => i128::from(sums.gross) - i128::from(sums.discount),
            (Measure::ReturnedUnits, Return | Cancellation) => -i128::from(sums.units),
            _ => return None,
        };
        Some(value)
    }

    /// Whether it is money, which a row without a rate to the shop's currency is missing from.
    pub(crate) fn is_money(self) -> bool {
        !matches!(self, Measure::Units | Measure::SoldUnits | Measure::ReturnedUnits)
    }
}

/// A member of a dimension (or a quarter hour, or a currency), a movement and a coin in one word: sums of one cell have one rate.
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
        let total: i128 = cells.iter().filter_map(|(key, sums)| Measure::Net.of(key.movement(), &sums)).sum();
        assert_eq!(total, 99_999_999_999_999_999_900);
        assert_eq!((key.member(), key.movement(), key.coin()), (u32::MAX, Movement::Return, coin));
    }
}
