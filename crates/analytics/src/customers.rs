//! Customers over time, from the days of their orders.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use crate::answer::{Keyed, Values, ratio};
use crate::by_day::Days;
use crate::period;
use crate::query::By;

/// The days on which each known customer ordered, one per order: sorted by customer and time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct History(Vec<(u32, i32)>);

impl History {
    pub(crate) fn of(mut days: Vec<(u32, i32)>) -> Self {
        days.sort_unstable();
        Self(days)
    }

    /// The orders of each customer, at least one.
    fn customers(&self) -> impl Iterator<Item = Customer<'_>> {
        self.0.chunk_by(|one, other| one.0 == other.0).map(Customer)
    }
}

/// The orders of one customer in order of time.
#[derive(Debug, Clone, Copy)]
struct Customer<'h>(&'h [(u32, i32)]);

impl<'h> Customer<'h> {
    fn days(self) -> impl DoubleEndedIterator<Item = i32> + Clone + 'h {
        self.0.iter().map(|(_, day)| *day)
    }

    fn first(self) -> Option<i32> {
        self.0.first().map(|(_, day)| *day)
    }
}

fn code(by: By, day: i32) -> i64 {
    if by == By::Total { 0 } else { period::code(by, day, 0) }
}

/// Customers by the period of their first order ever.
pub(crate) fn new(history: &History, by: By, days: Days) -> HashMap<i64, i128> {
    let mut all = HashMap::new();
    for first in history.customers().filter_map(Customer::first).filter(|day| days.contains(*day)) {
        *all.entry(code(by, first)).or_default() += 1;
    }
    all
}

/// Customers with an order in the period on a later day than that of their first.
pub(crate) fn returning(history: &History, by: By, days: Days) -> HashMap<i64, i128> {
    let mut all = HashMap::new();
    for orders in history.customers() {
        let again = orders.days().filter(|day| Some(*day) > orders.first() && days.contains(*day));
        // Days are sorted, so a customer's periods come in runs.
        let mut last = None;
        for period in again.map(|day| code(by, day)) {
            if last.replace(period) != Some(period) {
                *all.entry(period).or_default() += 1;
            }
        }
    }
    all
}

/// The share of the customers with an order within the days that ordered more than once.
pub(crate) fn repeat_rate(history: &History, days: Days) -> Option<i128> {
    let counts = history.customers().map(|orders| orders.days().filter(|day| days.contains(*day)).count());
    let (mut once, mut again) = (0, 0);
    for count in counts.filter(|count| *count > 0) {
        once += 1;
        again += i128::from(count > 1);
    }
    ratio(again, once)
}

/// Months since year 0.
fn month(day: i32) -> i32 {
    day / 10_000 * 12 + day / 100 % 100 - 1
}

/// The share of each cohort that ordered in each later month, up to the last month with an order.
pub(crate) fn cohorts(history: &History, days: Days) -> Values {
    let last = history.0.iter().map(|(_, day)| month(*day)).max().unwrap_or(0);
    let mut sizes: BTreeMap<i32, i128> = BTreeMap::new();
    let mut active: HashMap<(i32, i32), i128> = HashMap::new();
    for orders in history.customers() {
        let Some(first) = orders.first().filter(|day| days.contains(*day)) else { continue };
        let cohort = month(first);
        *sizes.entry(cohort).or_default() += 1;
        let months: HashSet<i32> = orders.days().map(|day| month(day) - cohort).collect();
        for since in months {
            *active.entry((cohort, since)).or_default() += 1;
        }
    }
    let cells = sizes.into_iter().flat_map(|(cohort, size)| (0..=last - cohort).map(move |since| (cohort, since, size)));
    let rows = cells.map(|(cohort, since, size)| {
        let key = format!("{:04}-{:02}+{since}", cohort / 12, cohort % 12 + 1);
        (ratio(active.get(&(cohort, since)).copied().unwrap_or_default(), size), key.clone(), key)
    });
    Values(rows.collect())
}

/// Quintiles of recency, frequency and money of each customer who ordered within the days; `net` is each customer's money.
pub(crate) fn rfm(history: &History, days: Days, net: &HashMap<u32, i128>) -> Vec<(u32, [usize; 3])> {
    let scored = |orders: Customer<'_>| {
        let within = orders.days().filter(|day| days.contains(*day));
        let (last, count) = (within.clone().next_back()?, i128::try_from(within.count()).unwrap_or(0));
        let id = orders.0.first()?.0;
        Some((id, [i128::from(last), count, net.get(&id).copied().unwrap_or_default()]))
    };
    let customers: Vec<(u32, [i128; 3])> = history.customers().filter_map(scored).collect();
    let sorted = [0, 1, 2].map(|measure| {
        let mut values: Vec<i128> = customers.iter().map(|(_, measures)| measures[measure]).collect();
        values.sort_unstable();
        values
    });
    let score = |measure: usize, value: i128| {
        let below = sorted[measure].partition_point(|other| *other < value);
        1 + 5 * below / sorted[measure].len().max(1)
    };
    customers.iter().map(|(id, measures)| (*id, [0, 1, 2].map(|measure| score(measure, measures[measure])))).collect()
}

/// The number of customers in each segment.
pub(crate) fn segments(scores: &[(u32, [usize; 3])]) -> Keyed {
    let mut all = Keyed::default();
    for (_, [r, f, m]) in scores {
        let key = format!("R{r}F{f}M{m}");
        all.add(&key, &key, 1);
    }
    all
}
