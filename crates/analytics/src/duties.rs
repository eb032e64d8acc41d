//! Duty, which only the header of an order knows: that of the highest revision counts.

use hashbrown::HashMap;
use kassa_model::time::{Calendar, Local};
use serde::{Deserialize, Serialize};

use crate::by_day::Days;
use crate::map::Map;
use crate::period;
use crate::query::By;
use crate::rates::{Coin, Rates, exact};
use crate::sales::Group;

/// A revision of an order; ordered by revision, and among equal ones by the rest, so that the same one wins in any order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) revision: i64,
    pub(crate) placed_at: i64,
    /// In the order's currency.
    pub(crate) duty: i64,
    pub(crate) country: u32,
    pub(crate) customer: u32,
    pub(crate) channel: u32,
    pub(crate) currency: u32,
    /// The order's currency on the day of the order.
    pub(crate) coin: Coin,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Duties {
    headers: Map<i64, Header>,
    #[serde(skip, default = "crate::figures::unset")]
    pub(crate) calendar: Calendar,
}

impl Duties {
    pub(crate) fn new(calendar: Calendar) -> Self {
        Self { headers: Map::default(), calendar }
    }

    pub(crate) fn add(&mut self, order_key: i64, header: Header) {
        let known = self.headers.entry(order_key).or_insert(header);
        *known = header.max(*known);
    }

    fn within(&self, days: Days) -> impl Iterator<Item = (Local, &Header)> {
        let mut calendar = self.calendar.clone();
        let with_duty = self.headers.values().filter(|header| header.duty != 0);
        with_duty.map(move |header| (calendar.local(header.placed_at), header)).filter(move |(at, _)| days.contains(at.date_key))
    }

    pub(crate) fn sums(&self, rates: &Rates, by: By, days: Days) -> HashMap<Group, i128> {
        let mut all: HashMap<Group, i128> = HashMap::new();
        for (at, header) in self.within(days) {
            let group = match by {
                By::Country => Group::Member(header.country),
                By::Customer => Group::Member(header.customer),
                By::Channel => Group::Member(header.channel),
                By::Currency => Group::Member(header.currency),
                by if by.is_time() => Group::Period(period::code(by, at.date_key, period::quarter(at))),
                _ => Group::Total,
            };
            let sum = all.entry(group).or_default();
            *sum = sum.saturating_add(exact(header.duty.into(), rates.of(header.coin).unwrap_or(0)));
        }
        all
    }

    /// Orders whose duty is missing for want of a rate, by currency.
    pub(crate) fn unconverted(&self, rates: &Rates, days: Days) -> HashMap<u32, i64> {
        let mut all = HashMap::new();
        for (_, header) in self.within(days).filter(|(_, header)| rates.of(header.coin).is_none()) {
            *all.entry(header.currency).or_default() += 1;
        }
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        self.headers.allocation_size()
    }
}
