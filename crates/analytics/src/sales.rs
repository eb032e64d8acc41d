//! The sales ledger by day, dimension and date basis.

use hashbrown::HashMap;
use kassa_model::time::Local;

use crate::by_day::{ByDay, Days};
use crate::cells::{CellKey, Cells, Measure, Movement, Sums};
use crate::period;
use crate::query::{Basis, By};

/// One row of the ledger, its keys and texts as small numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) order_key: i64,
    pub(crate) customer_key: i64,
    pub(crate) movement: Movement,
    pub(crate) ordered_at: i64,
    pub(crate) ordered: Local,
    pub(crate) moved: Local,
    pub(crate) product: u32,
    pub(crate) customer: u32,
    pub(crate) country: u32,
    pub(crate) channel: u32,
    pub(crate) currency: u32,
    /// Money is 0 where no rate to the reporting currency is known.
    pub(crate) sums: Sums,
    pub(crate) is_converted: bool,
}

impl Line {
    pub(crate) fn local(&self, basis: Basis) -> Local {
        match basis {
            Basis::Movement => self.moved,
            Basis::Order => self.ordered,
        }
    }

    fn member(&self, dimension: Dimension) -> u32 {
        match dimension {
            Dimension::Product => self.product,
            Dimension::Customer => self.customer,
            Dimension::Country => self.country,
            Dimension::Channel => self.channel,
            Dimension::Currency => self.currency,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Product,
    Customer,
    Country,
    Channel,
    Currency,
}

const DIMENSIONS: [Dimension; 5] =
    [Dimension::Product, Dimension::Customer, Dimension::Country, Dimension::Channel, Dimension::Currency];

/// The cells of one day, by each dimension in turn.
#[derive(Debug, Clone, Default)]
struct Facets {
    cells: [Cells; 5],
    quarters: Cells,
    /// Rows by their own currency.
    unconverted: HashMap<CellKey, i64>,
}

impl Facets {
    fn add(&mut self, line: &Line) {
        for (cells, dimension) in self.cells.iter_mut().zip(DIMENSIONS) {
            cells.add(CellKey::new(line.member(dimension), line.movement), &line.sums);
        }
        if !line.is_converted {
            *self.unconverted.entry(CellKey::new(line.currency, line.movement)).or_default() += 1;
        }
    }

    fn add_quarter(&mut self, line: &Line, at: Local) {
        self.quarters.add(CellKey::new(period::quarter(at), line.movement), &line.sums);
    }

    /// The cells that hold a grouping: of those that would do, the fewest.
    fn by(&self, by: By) -> &Cells {
        match by {
            By::Hour | By::QuarterHour => &self.quarters,
            By::Product | By::Category => &self.cells[0],
            By::Customer => &self.cells[1],
            By::Country => &self.cells[2],
            By::Channel => &self.cells[3],
            _ => &self.cells[4],
        }
    }

    fn size(&self) -> usize {
        self.cells.iter().chain([&self.quarters]).map(Cells::size).sum::<usize>() + self.unconverted.allocation_size()
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
#[derive(Debug, Clone, Default)]
pub(crate) struct Sales {
    same: ByDay<Facets>,
    moved: ByDay<Facets>,
    ordered: ByDay<Facets>,
    /// Units sold and returned of each product, to date.
    products: HashMap<u32, [i128; 2]>,
}

impl Sales {
    pub(crate) fn add(&mut self, line: &Line) {
        let (moved, ordered) = (line.moved, line.ordered);
        if moved.date_key == ordered.date_key {
            self.same.at(moved.date_key).add(line);
        } else {
            self.moved.at(moved.date_key).add(line);
            self.ordered.at(ordered.date_key).add(line);
        }
        if moved.date_key == ordered.date_key && period::quarter(moved) == period::quarter(ordered) {
            self.same.at(moved.date_key).add_quarter(line, moved);
        } else {
            self.moved.at(moved.date_key).add_quarter(line, moved);
            self.ordered.at(ordered.date_key).add_quarter(line, ordered);
        }
        let units = self.products.entry(line.product).or_default();
        units[0] += Measure::SoldUnits.of(line.movement, &line.sums).unwrap_or_default();
        units[1] += Measure::ReturnedUnits.of(line.movement, &line.sums).unwrap_or_default();
    }

    /// Units sold and returned of a product, to date.
    pub(crate) fn product_units(&self, product: u32) -> [i128; 2] {
        self.products.get(&product).copied().unwrap_or_default()
    }

    fn days(&self, basis: Basis, days: Days) -> impl Iterator<Item = (i32, &Facets)> {
        let apart = match basis {
            Basis::Movement => &self.moved,
            Basis::Order => &self.ordered,
        };
        self.same.range(days).chain(apart.range(days))
    }

    /// The sums of a measure by group. A group whose rows have no part in the measure is absent.
    pub(crate) fn sums(&self, measure: Measure, by: By, basis: Basis, days: Days) -> HashMap<Group, i128> {
        let mut all = HashMap::new();
        for (day, facets) in self.days(basis, days) {
            for (key, sums) in facets.by(by).iter() {
                if let Some(value) = measure.of(key.movement(), sums) {
                    *all.entry(group(by, day, key)).or_default() += value;
                }
            }
        }
        all
    }

    /// Rows that a measure misses for want of a rate, by currency.
    pub(crate) fn unconverted(&self, measure: Measure, basis: Basis, days: Days) -> HashMap<u32, i64> {
        let mut all = HashMap::new();
        if measure.is_money() {
            for (_, facets) in self.days(basis, days) {
                for (key, rows) in &facets.unconverted {
                    if measure.of(key.movement(), &Sums::default()).is_some() {
                        *all.entry(key.member()).or_default() += rows;
                    }
                }
            }
        }
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        [&self.same, &self.moved, &self.ordered]
            .into_iter()
            .flat_map(|days| days.range(Days::ALL))
            .map(|(_, day)| day.size())
            .sum()
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
