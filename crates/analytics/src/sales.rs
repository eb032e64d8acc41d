//! The sales ledger by day, dimension and date basis.

use hashbrown::HashMap;
use kassa_model::time::Local;
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days};
use crate::cells::{CellKey, Cells, Movement, Sums};
use crate::map::Map;
use crate::measure::{Measure, RETURNED_UNITS, SOLD_UNITS};
use crate::period;
use crate::query::{Basis, By};
use crate::rates::{Rates, exact};
use crate::run::{Head, Run};

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

    /// The cells that hold a grouping: of those that would do, the fewest.
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
        let cells = [&self.quarters, &self.products, &self.customers, &self.countries, &self.channels, &self.currencies];
        cells.into_iter().map(Cells::size).sum::<usize>() + self.rows.allocation_size()
    }
}

/// What a sum is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    Total,
    /// See [`period::code`].
    Period(i64),
    /// A member of the dimension, or a symbol, by its small number.
    Member(u32),
    Movement(Movement),
}

/// Every row stands on its day of movement and on its day of order. Most rows have both on one day and are kept once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sales {
    same: ByDay<Facets>,
    moved: ByDay<Facets>,
    ordered: ByDay<Facets>,
    /// Units sold and returned of each product, to date, by its small number.
    product_units: Vec<[i128; 2]>,
}

impl Sales {
    /// Adds a line to what differs from line to line; the rest of it is added with its run.
    pub(crate) fn add_product(&mut self, head: &Head, product: u32, sums: &Sums) {
        let (moved, ordered) = (head.moved.date_key, head.ordered.date_key);
        if moved == ordered {
            self.same.at(moved).products.add(head.key(product), sums);
        } else {
            self.moved.at(moved).products.add(head.key(product), sums);
            self.ordered.at(ordered).products.add(head.key(product), sums);
        }
        let at = usize::try_from(product).unwrap_or(0);
        if at >= self.product_units.len() {
            self.product_units.resize(at + 1, [0, 0]);
        }
        let units = &mut self.product_units[at];
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

    /// Units sold and returned of a product, to date.
    pub(crate) fn product_units(&self, product: u32) -> [i128; 2] {
        usize::try_from(product).ok().and_then(|at| self.product_units.get(at)).copied().unwrap_or_default()
    }

    fn days(&self, basis: Basis, days: Days) -> impl Iterator<Item = (i32, &Facets)> {
        let apart = match basis {
            Basis::Movement => &self.moved,
            Basis::Order => &self.ordered,
        };
        self.same.range(days).chain(apart.range(days))
    }

    /// The sums of a measure by group, money at these rates. A group whose rows have no part in the measure is absent; one whose rows have no
    /// rate is there.
    pub(crate) fn sums(&self, (measure, rates): (&Measure, &Rates), by: By, basis: Basis, days: Days) -> HashMap<Group, i128> {
        let mut all: HashMap<Group, i128> = HashMap::new();
        for (day, facets) in self.days(basis, days) {
            for (key, sums) in facets.by(by).iter() {
                let Some(value) = measure.of(key.movement(), sums) else { continue };
                let value = if measure.is_money() { exact(value, rates.of(key.coin()).unwrap_or(0)) } else { value };
                let sum = all.entry(group(by, day, key)).or_default();
                *sum = sum.saturating_add(value);
            }
        }
        all
    }

    /// Rows that a measure misses for want of a rate, by currency.
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
        let days: usize = [&self.same, &self.moved, &self.ordered]
            .into_iter()
            .flat_map(|days| days.range(Days::ALL))
            .map(|(_, day)| day.size())
            .sum();
        days + self.product_units.capacity() * size_of::<[i128; 2]>()
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
