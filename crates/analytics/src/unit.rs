//! The units of values, and their display.

use kassa_model::Currency;
use kassa_model::decimal::{format_units, round_half_even};
use serde::Serialize;

use crate::rates::EXACT;

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The shop's reporting currency.
    Money,
    Count,
    Quantity,
    /// A fraction: `0.0231`.
    Ratio,
}

impl Unit {
    /// The unit's name in JSON and SQL.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Money => "money",
            Unit::Count => "count",
            Unit::Quantity => "quantity",
            Unit::Ratio => "ratio",
        }
    }

    /// A sum for display: money, exact to 10⁻¹⁵, is rounded here and nowhere else, half-even to 10⁻⁶.
    pub(crate) fn rounded(self, sum: i128) -> i128 {
        if self == Unit::Money { round_half_even(sum, EXACT) } else { sum }
    }

    /// A value of this unit as plain decimal text; `units` are 10⁻⁶ of money and ratios, 10⁻³ of quantities, whole counts.
    pub(crate) fn format(self, units: i128, currency: Currency) -> String {
        match self {
            Unit::Money => format_units(units, 6, currency.minor_digits()),
            Unit::Count => format_units(units, 0, 0),
            Unit::Quantity => format_units(units, 3, 0),
            Unit::Ratio => format_units(units, 6, 0),
        }
    }
}
