//! How a figure is computed.

use crate::measure::{Measure, NET, SOLD, UNITS};

/// How a figure is computed: as data if it is a sum of the ledger or a ratio of sums, else by code ([`crate::Figures::answer`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sum(&'static Measure),
    /// As `Sum`, plus the duty of orders, which only their headers contain.
    SumWithDuty(&'static Measure),
    /// By order date.
    Ratio {
        part: &'static Measure,
        whole: Whole,
    },
    Orders,
    ActiveCustomers,
    Sessions,
    Conversion,
    Funnel,
    AbandonedCarts,
    NewCustomers,
    ReturningCustomers,
    CohortRetention,
    RepeatRate,
    CustomerValue,
    Rfm,
    Payments,
}

/// The denominator of a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    Measure(&'static Measure),
    /// The count of orders: the ratio is a mean.
    Orders,
}

impl Kind {
    pub(crate) const NET_SALES: Kind = Kind::Sum(NET);
    pub(crate) const UNITS: Kind = Kind::Sum(UNITS);
    pub(crate) const AOV: Kind = Kind::Ratio { part: SOLD, whole: Whole::Orders };

    /// The figure's measure of the ledger.
    pub(crate) fn measure(self) -> Option<&'static Measure> {
        match self {
            Kind::Sum(measure) | Kind::SumWithDuty(measure) | Kind::Ratio { part: measure, .. } => Some(measure),
            Kind::CustomerValue | Kind::Rfm => Some(NET),
            _ => None,
        }
    }

    /// Whether rates affect it.
    pub(crate) fn is_money(self) -> bool {
        self.measure().is_some_and(Measure::is_money) || self == Kind::Payments
    }

    pub(crate) fn has_duty(self) -> bool {
        matches!(self, Kind::SumWithDuty(_))
    }

    /// Whether it counts orders, each on the day of its first line.
    pub(crate) fn counts_orders(self) -> bool {
        matches!(self, Kind::Orders | Kind::RepeatRate | Kind::Ratio { whole: Whole::Orders, .. })
    }
}
