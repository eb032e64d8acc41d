//! The sales ledger by day, dimension and date basis.

use hashbrown::HashMap;
use kassa_model::Movement;
use kassa_model::time::Local;
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days};
use crate::cells::{CellKey, Cells, Sums};
use crate::map::Map;
use crate::measure::{Measure, RETURNED_UNITS, SOLD_UNITS};
use crate::period;
use crate::query::{Basis, By};
use crate::rates::{Rates, exact};
use crate::run::{Head, Run};
use crate::shared::Sharded;

/// The cells of one day, by one dimension each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Facets {
    quarters: Cells,
    products: Cells,
    customers: Cells,
    countries: Cells,
    channels: Cells,
    currencies: Cells,
    /// The rows in each cell of `currencies`.
    rows: Map<CellKey, i64>,
}

impl Facets {
    fn all(&self) -> [&Cells; 6] {
        [&self.quarters, &self.products, &self.customers, &self.countries, &self.channels, &self.currencies]
    }

    /// Packs a day that few more rows will come for.
    fn settle(&mut self) {
        let Self { quarters, products, customers, countries, channels, currencies, rows: _ } = self;
        [quarters, products, customers, countries, channels, currencies].into_iter().for_each(Cells::settle);
    }

    fn is_past(&self) -> bool {
        self.currencies.is_past()
    }

    fn past() -> Self {
        let mut facets = Self::default();
        facets.settle();
        facets
    }

    fn add(&mut self, run: &Run) {
        let head = &run.head;
        self.customers.add(head.key(head.customer), &run.sums);
        self.countries.add(head.key(head.country), &run.sums);
        self.channels.add(head.key(head.channel), &run.sums);
        self.currencies.add(head.key(head.currency), &run.sums);
        *self.rows.entry(head.key(head.currency)).or_default() += run.rows;
    }

    fn add_quarter(&mut self, run: &Run, at: Local) {
        self.quarters.add(run.head.key(period::quarter(at)), &run.sums);
    }

    /// The smallest cell set that supports this grouping.
    fn by(&self, by: By) -> &Cells {
        match by {
            By::Hour | By::QuarterHour => &self.quarters,
            By::Product | By::Category => &self.products,
            By::Customer => &self.customers,
            By::Country => &self.countries,
            By::Channel => &self.channels,
            _ => &self.currencies,
        }
    }

    fn size(&self) -> usize {
        self.all().into_iter().map(Cells::size).sum::<usize>() + self.rows.allocation_size()
    }
}

/// The group of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    Total,
    /// See [`period::code`].
    Period(i64),
    /// A member of the dimension, or a symbol, by its small number.
    Member(u32),
    Movement(Movement),
}

/// The days of one kind. Those before `past` are packed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SalesDays {
    days: ByDay<Facets>,
    past: i32,
}

impl Default for SalesDays {
    fn default() -> Self {
        Self { days: ByDay::default(), past: i32::MIN }
    }
}

impl SalesDays {
    fn at(&mut self, day: i32) -> &mut Facets {
        let is_past = day < self.past;
        self.days.at_or(day, || if is_past { Facets::past() } else { Facets::default() })
    }

    fn settle(&mut self, before: i32) {
        self.past = before;
        self.days.before_mut(before).filter(|day| !day.is_past()).for_each(|day| day.edit().settle());
    }

    fn size(&self) -> usize {
        self.days.list_size() + self.days.range(Days::ALL).map(|(_, day)| day.size()).sum::<usize>()
    }
}

/// Every row counts on its day of movement and on its day of order. Most rows have both on one day and are stored once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sales {
    same: SalesDays,
    moved: SalesDays,
    ordered: SalesDays,
    /// Units sold and returned of each product, over all time, by its small number.
    product_units: Sharded<[i128; 2]>,
}

impl Sales {
    /// Packs the days before this one.
    pub(crate) fn settle(&mut self, before: i32) {
        [&mut self.same, &mut self.moved, &mut self.ordered].into_iter().for_each(|days| days.settle(before));
    }

    /// Adds the parts of a line that differ between the lines of a run; the rest is added with the run.
    pub(crate) fn add_product(&mut self, head: &Head, product: u32, sums: &Sums) {
        let (moved, ordered) = (head.moved.date_key, head.ordered.date_key);
        if moved == ordered {
            self.same.at(moved).products.add(head.key(product), sums);
        } else {
            self.moved.at(moved).products.add(head.key(product), sums);
            self.ordered.at(ordered).products.add(head.key(product), sums);
        }
        let at = i64::from(product);
        let units = self.product_units.edit(at).entry(at).or_default();
        units[0] += SOLD_UNITS.of(head.movement, sums).unwrap_or_default();
        units[1] += RETURNED_UNITS.of(head.movement, sums).unwrap_or_default();
    }

    pub(crate) fn add(&mut self, run: &Run) {
        let (moved, ordered) = (run.head.moved, run.head.ordered);
        if moved.date_key == ordered.date_key {
            self.same.at(moved.date_key).add(run);
        } else {
            self.moved.at(moved.date_key).add(run);
            self.ordered.at(ordered.date_key).add(run);
        }
        if moved.date_key == ordered.date_key && period::quarter(moved) == period::quarter(ordered) {
            self.same.at(moved.date_key).add_quarter(run, moved);
        } else {
            self.moved.at(moved.date_key).add_quarter(run, moved);
            self.ordered.at(ordered.date_key).add_quarter(run, ordered);
        }
    }

    /// Units sold and returned of a product, over all time.
    pub(crate) fn product_units(&self, product: u32) -> [i128; 2] {
        self.product_units.get(i64::from(product)).copied().unwrap_or_default()
    }

    fn days(&self, basis: Basis, days: Days) -> impl Iterator<Item = (i32, &Facets)> {
        let apart = match basis {
            Basis::Movement => &self.moved,
            Basis::Order => &self.ordered,
        };
        self.same.days.range(days).chain(apart.days.range(days))
    }

    /// The sums of a measure by group, money at these rates. A group without rows in the measure is absent; one whose rows have
    /// no rate is present.
    pub(crate) fn sums(&self, (measure, rates): (&Measure, &Rates), by: By, basis: Basis, days: Days) -> HashMap<Group, i128> {
        let mut all: HashMap<Group, i128> = HashMap::new();
        for (day, facets) in self.days(basis, days) {
            for (key, sums) in facets.by(by).iter() {
                let Some(value) = measure.of(key.movement(), &sums) else { continue };
                let value = if measure.is_money() { exact(value, rates.of(key.coin()).unwrap_or(0)) } else { value };
                let sum = all.entry(group(by, day, key)).or_default();
                *sum = sum.saturating_add(value);
            }
        }
        all
    }

    /// Rows that are missing from a measure because there is no rate, by currency.
    pub(crate) fn unconverted(&self, (measure, rates): (&Measure, &Rates), basis: Basis, days: Days) -> HashMap<u32, i64> {
        let mut all = HashMap::new();
        if measure.is_money() {
            for (key, rows) in self.days(basis, days).flat_map(|(_, facets)| facets.rows.iter()) {
                if measure.of(key.movement(), &Sums::default()).is_some() && rates.of(key.coin()).is_none() {
                    *all.entry(key.member()).or_default() += rows;
                }
            }
        }
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        self.same.size() + self.moved.size() + self.ordered.size() + self.product_units.allocation_size()
    }

    /// The number of days that share memory with those of a clone, and the number of all days.
    #[cfg(test)]
    pub(crate) fn shared_days(&self, other: &Self) -> (usize, usize) {
        let days = [(&self.same, &other.same), (&self.moved, &other.moved), (&self.ordered, &other.ordered)];
        let shared = days.map(|(own, other)| own.days.shared_days(&other.days));
        shared.into_iter().fold((0, 0), |sum, (shared, all)| (sum.0 + shared, sum.1 + all))
    }
}

fn group(by: By, day: i32, key: CellKey) -> Group {
    match by {
        By::Hour | By::QuarterHour => Group::Period(period::code(by, day, key.member())),
        By::Day | By::Week | By::Month => Group::Period(period::code(by, day, 0)),
        By::Category | By::Product | By::Country | By::Customer | By::Channel | By::Currency => Group::Member(key.member()),
        By::Movement => Group::Movement(key.movement()),
        _ => Group::Total,
    }
}
