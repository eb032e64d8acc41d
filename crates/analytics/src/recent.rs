//! The last eight days by the minute, so that a day can be compared with another up to the same minute.

use std::collections::BTreeMap;

use jiff::ToSpan;
use kassa_model::time::{Local, date_key, date_of};
use serde::{Deserialize, Serialize};

use crate::by_day::ByDay;
use crate::cells::{Measure, Sums};
use crate::map::Map;
use crate::orders::Dated;
use crate::query::Basis;
use crate::run::{Head, Run};

/// A day of the shop so many days away.
pub(crate) fn shift(day: i32, by: i32) -> i32 {
    date_of(day).and_then(|date| date.checked_add(by.days()).ok()).map_or(day, date_key)
}

fn index(basis: Basis) -> usize {
    match basis {
        Basis::Movement => 0,
        Basis::Order => 1,
    }
}

/// What happened in a minute, or in several added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Minute {
    net: [i128; 2],
    units: [i128; 2],
    /// Gross less discounts, by order date.
    pub(crate) sold: i128,
    pub(crate) orders: i64,
    /// People first seen that day.
    pub(crate) starters: i64,
    /// People seen in the quarter hour that begins with this minute.
    pub(crate) active: i64,
    /// Sessions that began, and those of them that had an order sooner or later.
    pub(crate) sessions: i64,
    pub(crate) to_convert: i64,
    /// Sessions begun that day that had their order now.
    pub(crate) conversions: i64,
}

impl Minute {
    pub(crate) fn net(&self, basis: Basis) -> i128 {
        self.net[index(basis)]
    }

    pub(crate) fn units(&self, basis: Basis) -> i128 {
        self.units[index(basis)]
    }

    fn add(&mut self, other: &Minute) {
        for at in 0..2 {
            self.net[at] += other.net[at];
            self.units[at] += other.units[at];
        }
        self.sold += other.sold;
        self.orders += other.orders;
        self.starters += other.starters;
        self.active += other.active;
        self.sessions += other.sessions;
        self.to_convert += other.to_convert;
        self.conversions += other.conversions;
    }
}

/// Minutes of the days from a week before today on, and today's products by the hour. Older days are dropped as today moves on, which
/// it never takes back, so that what is here does not depend on the order of arrival.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Recent {
    from: i32,
    today: i32,
    days: ByDay<BTreeMap<i32, Minute>>,
    products: [ByDay<Map<(u32, i32), i128>>; 2],
}

impl Default for Recent {
    fn default() -> Self {
        Self { from: i32::MIN, today: i32::MIN, days: ByDay::default(), products: [ByDay::default(), ByDay::default()] }
    }
}

impl Recent {
    /// The first day that is kept by the minute.
    pub(crate) fn from(&self) -> i32 {
        self.from
    }

    /// Today is the day of the watermark. Tells whether it is another than before.
    pub(crate) fn advance(&mut self, today: i32) -> bool {
        if today == self.today {
            return false;
        }
        (self.from, self.today) = (shift(today, -7), today);
        self.days.drop_before(self.from);
        self.products.iter_mut().for_each(|days| days.drop_before(today));
        true
    }

    /// Lets `change` alter a minute, if its day is kept.
    pub(crate) fn alter(&mut self, at: Local, change: impl FnOnce(&mut Minute)) {
        if at.date_key >= self.from {
            change(self.days.at(at.date_key).entry(at.minute).or_default());
        }
    }

    pub(crate) fn add_product(&mut self, head: &Head, product: u32, sums: &Sums) {
        for basis in Basis::ALL {
            let local = head.local(basis);
            if local.date_key >= self.today {
                let hours = self.products[index(basis)].at(local.date_key);
                *hours.entry((product, local.minute / 60)).or_default() += i128::from(sums.net);
            }
        }
    }

    pub(crate) fn add(&mut self, run: &Run) {
        let sums = &run.sums;
        for basis in Basis::ALL {
            self.alter(run.head.local(basis), |minute| {
                minute.net[index(basis)] += i128::from(sums.net);
                minute.units[index(basis)] += i128::from(sums.units);
                if basis == Basis::Order {
                    minute.sold += Measure::Sold.of(run.head.movement, sums).unwrap_or_default();
                }
            });
        }
    }

    pub(crate) fn add_order(&mut self, dated: Dated) {
        if let Some(from) = dated.from {
            self.alter(from, |minute| minute.orders -= 1);
        }
        self.alter(dated.to, |minute| minute.orders += 1);
    }

    /// A day up to and with a minute.
    pub(crate) fn until(&self, day: i32, minute: i32) -> Minute {
        let mut sum = Minute::default();
        self.days.get(day).into_iter().flat_map(|minutes| minutes.range(..=minute)).for_each(|(_, minute)| sum.add(minute));
        sum
    }

    /// The 96 quarter hours of a day.
    pub(crate) fn quarters(&self, day: i32) -> Vec<Minute> {
        let mut quarters = vec![Minute::default(); 96];
        for (at, minute) in self.days.get(day).into_iter().flatten() {
            if let Some(quarter) = usize::try_from(at / 15).ok().and_then(|at| quarters.get_mut(at)) {
                quarter.add(minute);
            }
        }
        quarters
    }

    /// Today's net sales of a product in an hour.
    pub(crate) fn product_hour(&self, product: u32, hour: i32, basis: Basis) -> i128 {
        let hours = self.products[index(basis)].get(self.today);
        hours.and_then(|hours| hours.get(&(product, hour))).copied().unwrap_or_default()
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let minutes: usize = self.days.range(crate::by_day::Days::ALL).map(|(_, day)| day.len()).sum();
        let products = self.products.iter().flat_map(|days| days.range(crate::by_day::Days::ALL));
        minutes * 2 * size_of::<(i32, Minute)>() + products.map(|(_, hours)| hours.allocation_size()).sum::<usize>()
    }
}
