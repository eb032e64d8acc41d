//! The parameters of a query: the day on which a row counts, and the grouping.

use serde::{Serialize, Serializer};

/// The day on which a row of the ledger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Basis {
    /// Returns count on the day they happen.
    #[default]
    Movement,
    /// Returns count on the day of their order.
    Order,
}

impl Basis {
    pub const ALL: [Basis; 2] = [Basis::Movement, Basis::Order];

    pub fn name(self) -> &'static str {
        match self {
            Basis::Movement => "movement",
            Basis::Order => "order",
        }
    }
}

/// How a figure is split into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    Total,
    Hour,
    QuarterHour,
    Day,
    Week,
    Month,
    Category,
    Product,
    Country,
    Customer,
    Channel,
    Currency,
    Movement,
    Method,
    Status,
    /// The steps of the funnel.
    Step,
    /// Month of the first order and months since: `2026-01+2`.
    Cohort,
    /// Quintiles of recency, frequency and money: `R5F4M3`.
    Segment,
}

impl By {
    pub const ALL: [By; 18] = [
        By::Total,
        By::Hour,
        By::QuarterHour,
        By::Day,
        By::Week,
        By::Month,
        By::Category,
        By::Product,
        By::Country,
        By::Customer,
        By::Channel,
        By::Currency,
        By::Movement,
        By::Method,
        By::Status,
        By::Step,
        By::Cohort,
        By::Segment,
    ];

    pub fn name(self) -> &'static str {
        match self {
            By::Total => "total",
            By::Hour => "hour",
            By::QuarterHour => "quarter_hour",
            By::Day => "day",
            By::Week => "week",
            By::Month => "month",
            By::Category => "category",
            By::Product => "product",
            By::Country => "country",
            By::Customer => "customer",
            By::Channel => "channel",
            By::Currency => "currency",
            By::Movement => "movement",
            By::Method => "method",
            By::Status => "status",
            By::Step => "step",
            By::Cohort => "cohort",
            By::Segment => "segment",
        }
    }

    /// Whether the keys are times, whose rows come in order.
    pub(crate) fn is_time(self) -> bool {
        matches!(self, By::Hour | By::QuarterHour | By::Day | By::Week | By::Month)
    }
}

macro_rules! serialize_as_name {
    ($($kind:ty),*) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    )*};
}
serialize_as_name!(Basis, By);
