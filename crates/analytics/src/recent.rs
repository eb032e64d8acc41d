//! The last eight days by minute, so that a day can be compared with another up to the same minute.

use std::collections::BTreeMap;

use kassa_model::time::Local;
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days, shift};
use crate::cells::Sums;
use crate::map::Map;
use crate::measure::{NET, SOLD};
use crate::orders::Dated;
use crate::query::Basis;
use crate::rates::{Coin, Rates, exact};
use crate::run::{Head, Run};
use crate::shared::Shared;

fn index(basis: Basis) -> usize {
    match basis {
        Basis::Movement => 0,
        Basis::Order => 1,
    }
}

/// Money of a minute in one coin, 10⁻⁶; or the sum of several in the shop's currency, exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Money {
    net: [i128; 2],
    /// Gross less discounts, by order date.
    sold: i128,
}

impl Money {
    fn add(&mut self, other: &Money, rate: i64) {
        for (sum, more) in self.net.iter_mut().zip(other.net).chain([(&mut self.sold, other.sold)]) {
            *sum = sum.saturating_add(exact(more, rate));
        }
    }
}

/// The counts of a minute, or the sum of several, without money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Minute {
    units: [i128; 2],
    pub(crate) orders: i64,
    /// People first seen that day.
    pub(crate) starters: i64,
    /// People seen in the quarter hour that begins with this minute.
    pub(crate) active: i64,
    /// Sessions that began, and those of them that had an order sooner or later.
    pub(crate) sessions: i64,
    pub(crate) to_convert: i64,
    /// Sessions begun that day that had their order in this minute.
    pub(crate) conversions: i64,
}

impl Minute {
    pub(crate) fn units(&self, basis: Basis) -> i128 {
        self.units[index(basis)]
    }

    fn add(&mut self, other: &Minute) {
        for at in 0..2 {
            self.units[at] += other.units[at];
        }
        self.orders += other.orders;
        self.starters += other.starters;
        self.active += other.active;
        self.sessions += other.sessions;
        self.to_convert += other.to_convert;
        self.conversions += other.conversions;
    }
}

/// Some minutes added up, money exact.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) counts: Minute,
    money: Money,
}

impl Span {
    pub(crate) fn net(&self, basis: Basis) -> i128 {
        self.money.net[index(basis)]
    }

    /// Gross less discounts, by order date.
    pub(crate) fn sold(&self) -> i128 {
        self.money.sold
    }
}

/// A day by minute.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Day {
    counts: BTreeMap<i32, Minute>,
    money: BTreeMap<(i32, Coin), Money>,
}

/// Net amounts by hour and product, in each coin.
type Products = BTreeMap<i32, Shared<Map<u32, Vec<(Coin, i128)>>>>;

/// The minutes of today and the week before, and today's products by hour. Older days are dropped as today advances. Today never
/// goes back, so the contents do not depend on the order of arrival.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Recent {
    from: i32,
    today: i32,
    days: ByDay<Day>,
    products: [ByDay<Products>; 2],
}

impl Default for Recent {
    fn default() -> Self {
        Self { from: i32::MIN, today: i32::MIN, days: ByDay::default(), products: [ByDay::default(), ByDay::default()] }
    }
}

impl Recent {
    /// The first day that is kept by minute.
    pub(crate) fn from(&self) -> i32 {
        self.from
    }

    /// Sets today to the day of the watermark. Returns whether it has changed.
    pub(crate) fn advance(&mut self, today: i32) -> bool {
        if today == self.today {
            return false;
        }
        (self.from, self.today) = (shift(today, -7), today);
        self.days.drop_before(self.from);
        self.products.iter_mut().for_each(|days| days.drop_before(today));
        true
    }

    /// Applies `change` to a minute, if its day is kept.
    pub(crate) fn alter(&mut self, at: Local, change: impl FnOnce(&mut Minute)) {
        if at.date_key >= self.from {
            change(self.days.at(at.date_key).counts.entry(at.minute).or_default());
        }
    }

    pub(crate) fn add_product(&mut self, head: &Head, product: u32, sums: &Sums) {
        for basis in Basis::ALL {
            let local = head.local(basis);
            if local.date_key >= self.today {
                let hours = self.products[index(basis)].at(local.date_key);
                let coins = hours.entry(local.minute / 60).or_default().edit().entry(product).or_default();
                let net = NET.of(head.movement, sums).unwrap_or_default();
                match coins.iter_mut().find(|(coin, _)| *coin == head.coin) {
                    Some((_, sum)) => *sum += net,
                    None => coins.push((head.coin, net)),
                }
            }
        }
    }

    pub(crate) fn add(&mut self, run: &Run) {
        let sums = &run.sums;
        for basis in Basis::ALL {
            let local = run.head.local(basis);
            if local.date_key < self.from {
                continue;
            }
            let day = self.days.at(local.date_key);
            day.counts.entry(local.minute).or_default().units[index(basis)] += i128::from(sums.units);
            let money = day.money.entry((local.minute, run.head.coin)).or_default();
            money.net[index(basis)] += NET.of(run.head.movement, sums).unwrap_or_default();
            if basis == Basis::Order {
                money.sold += SOLD.of(run.head.movement, sums).unwrap_or_default();
            }
        }
    }

    pub(crate) fn add_order(&mut self, dated: Dated) {
        if let Some(from) = dated.from {
            self.alter(from, |minute| minute.orders -= 1);
        }
        self.alter(dated.to, |minute| minute.orders += 1);
    }

    /// A day up to and including a minute.
    pub(crate) fn until(&self, day: i32, minute: i32, rates: &Rates) -> Span {
        let mut sum = Span::default();
        let Some(day) = self.days.get(day) else { return sum };
        day.counts.range(..=minute).for_each(|(_, minute)| sum.counts.add(minute));
        for ((_, coin), money) in day.money.range(..(minute + 1, Coin::default())) {
            sum.money.add(money, rates.of(*coin).unwrap_or(0));
        }
        sum
    }

    /// The 96 quarter hours of a day.
    pub(crate) fn quarters(&self, day: i32, rates: &Rates) -> Vec<Span> {
        let mut quarters = vec![Span::default(); 96];
        let Some(day) = self.days.get(day) else { return quarters };
        let at = |minute: i32| usize::try_from(minute / 15).unwrap_or(usize::MAX);
        for (minute, counts) in &day.counts {
            if let Some(quarter) = quarters.get_mut(at(*minute)) {
                quarter.counts.add(counts);
            }
        }
        for ((minute, coin), money) in &day.money {
            if let Some(quarter) = quarters.get_mut(at(*minute)) {
                quarter.money.add(money, rates.of(*coin).unwrap_or(0));
            }
        }
        quarters
    }

    /// Today's net sales of a product in an hour, exact.
    pub(crate) fn product_hour(&self, product: u32, hour: i32, basis: Basis, rates: &Rates) -> i128 {
        let hours = self.products[index(basis)].get(self.today);
        let coins = hours.and_then(|hours| hours.get(&hour)?.get(&product)).into_iter().flatten();
        coins.fold(0, |sum, (coin, net)| sum.saturating_add(exact(*net, rates.of(*coin).unwrap_or(0))))
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let days = self.days.range(Days::ALL).map(|(_, day)| {
            let (counts, money) = (day.counts.len(), day.money.len());
            2 * (counts * size_of::<(i32, Minute)>() + money * size_of::<((i32, Coin), Money)>())
        });
        let products =
            self.products.iter().flat_map(|days| days.range(Days::ALL)).flat_map(|(_, hours)| hours.values()).map(|hours| {
                let coins: usize = hours.values().map(Vec::capacity).sum();
                hours.allocation_size() + coins * size_of::<(Coin, i128)>()
            });
        days.sum::<usize>() + products.sum::<usize>()
    }
}
