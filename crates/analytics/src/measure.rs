//! Measures of the ledger as data: the columns to add up, the movements and the sign. A measure is linear, so any grouping of it
//! adds up to its total. Both the sums of [`crate::Figures`] and the SQL of every dialect ([`crate::sql`]) follow from the same
//! terms.

use kassa_model::Movement;

use crate::cells::Sums;

/// An amount of a row of `fact_sales`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Gross,
    Discount,
    Tax,
    Shipping,
    Net,
    Quantity,
}

const COLUMNS: usize = 6;
const MOVEMENTS: usize = Movement::ALL.len();

impl Column {
    /// The column's name in `fact_sales`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Column::Gross => "gross_amount",
            Column::Discount => "discount_amount",
            Column::Tax => "tax_amount",
            Column::Shipping => "shipping_amount",
            Column::Net => "net_amount",
            Column::Quantity => "quantity",
        }
    }

    pub(crate) const fn is_money(self) -> bool {
        !matches!(self, Column::Quantity)
    }
}

/// The sums of a cell in the order of [`Column`].
fn values(sums: &Sums) -> [i64; COLUMNS] {
    [sums.gross, sums.discount, sums.tax, sums.shipping, sums.net, sums.units]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// A column of the rows of some movements, added or subtracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) column: Column,
    pub(crate) movements: &'static [Movement],
    pub(crate) sign: Sign,
}

/// A sum of terms: all of them money, or all of them quantities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) terms: &'static [Term],
    /// The factor of each column, by the row's movement; `None`: the measure does not include the movement.
    weights: [Option<[i64; COLUMNS]>; MOVEMENTS],
}

impl Measure {
    /// Resolves the terms, at compile time.
    pub(crate) const fn new(terms: &'static [Term]) -> Self {
        let mut weights = [None; MOVEMENTS];
        let mut at = 0;
        while at < terms.len() {
            let Term { column, movements, sign } = terms[at];
            let mut nth = 0;
            while nth < movements.len() {
                let movement = movements[nth] as usize;
                let mut of_movement = match weights[movement] {
                    Some(known) => known,
                    None => [0; COLUMNS],
                };
                of_movement[column as usize] += match sign {
                    Sign::Plus => 1,
                    Sign::Minus => -1,
                };
                weights[movement] = Some(of_movement);
                nth += 1;
            }
            at += 1;
        }
        Self { terms, weights }
    }

    /// This measure of a cell; `None` if it does not include the cell's movement. Money in 10⁻⁶ of the cell's currency, units in
    /// 10⁻³.
    pub(crate) fn of(&self, movement: Movement, sums: &Sums) -> Option<i128> {
        let weights = self.weights[movement as usize].as_ref()?;
        Some(weights.iter().zip(values(sums)).map(|(weight, value)| i128::from(*weight) * i128::from(value)).sum())
    }

    /// The movements that it includes.
    pub(crate) fn movements(&self) -> Vec<Movement> {
        Movement::ALL.into_iter().filter(|movement| self.weights[*movement as usize].is_some()).collect()
    }

    /// Whether it is money, which does not include rows without a rate to the shop's currency.
    pub(crate) fn is_money(&self) -> bool {
        self.terms.iter().any(|term| term.column.is_money())
    }
}

pub(crate) const EVERY: &[Movement] = &Movement::ALL;
pub(crate) const SALE: &[Movement] = &[Movement::Sale];
pub(crate) const BACK: &[Movement] = &[Movement::Return, Movement::Cancellation];

/// The measures that code refers to; those of single figures are in the catalogue.
pub(crate) const NET: &Measure = &Measure::new(&[Term { column: Column::Net, movements: EVERY, sign: Sign::Plus }]);
pub(crate) const UNITS: &Measure = &Measure::new(&[Term { column: Column::Quantity, movements: EVERY, sign: Sign::Plus }]);
/// Gross less discounts: the numerator of the average order value.
pub(crate) const SOLD: &Measure = &Measure::new(&[
    Term { column: Column::Gross, movements: SALE, sign: Sign::Plus },
    Term { column: Column::Discount, movements: SALE, sign: Sign::Minus },
]);
pub(crate) const SOLD_UNITS: &Measure = &Measure::new(&[Term { column: Column::Quantity, movements: SALE, sign: Sign::Plus }]);
pub(crate) const RETURNED_UNITS: &Measure =
    &Measure::new(&[Term { column: Column::Quantity, movements: BACK, sign: Sign::Minus }]);

#[cfg(test)]
mod tests {
    use super::*;

    const SUMS: Sums = Sums { gross: 1_000, discount: 100, net: 900, tax: 90, shipping: 7, units: 3 };

    #[test]
    fn a_measure_adds_up_its_terms_of_the_movements_that_have_a_part() {
        for (measure, expected) in [
            (NET, [Some(900); 4]),
            (UNITS, [Some(3); 4]),
            (SOLD, [Some(900), None, None, None]),
            (SOLD_UNITS, [Some(3), None, None, None]),
            (RETURNED_UNITS, [None, Some(-3), Some(-3), None]),
        ] {
            assert_eq!(Movement::ALL.map(|movement| measure.of(movement, &SUMS)), expected, "{:?}", measure.terms);
        }
    }

    #[test]
    fn terms_of_different_movements_count_where_they_apply() {
        const MIXED: &Measure = &Measure::new(&[
            Term { column: Column::Net, movements: EVERY, sign: Sign::Plus },
            Term { column: Column::Shipping, movements: SALE, sign: Sign::Minus },
            Term { column: Column::Tax, movements: BACK, sign: Sign::Plus },
        ]);
        assert_eq!(Movement::ALL.map(|movement| MIXED.of(movement, &SUMS)), [Some(893), Some(990), Some(990), Some(900)]);
        assert_eq!(MIXED.movements(), Movement::ALL);
    }

    #[test]
    fn a_sum_beyond_64_bits_is_exact() {
        let sums = Sums { gross: i64::MIN, discount: i64::MAX, ..Sums::default() };
        assert_eq!(SOLD.of(Movement::Sale, &sums), Some(i128::from(i64::MIN) - i128::from(i64::MAX)));
    }
}
