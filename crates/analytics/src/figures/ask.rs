//! Answers, each from the one definition of its figure.

use hashbrown::{HashMap, HashSet};

use super::Figures;
use crate::answer::{Answer, Keyed, Unconverted, Values, mean, ratio};
use crate::by_day::Days;
use crate::catalogue::Kind;
use crate::cells::Measure;
use crate::names::Names;
use crate::period;
use crate::query::{Basis, By, Query, QueryError};
use crate::sales::Group;

impl Kind {
    /// The money of the ledger that the figure is made of.
    fn measure(self) -> Option<Measure> {
        match self {
            Kind::NetSales | Kind::CustomerValue | Kind::Rfm => Some(Measure::Net),
            Kind::GrossSales => Some(Measure::Gross),
            Kind::Discounts => Some(Measure::Discounts),
            Kind::Returns => Some(Measure::Returns),
            Kind::Adjustments => Some(Measure::Adjustments),
            Kind::TotalSales => Some(Measure::NetTaxShipping),
            Kind::Units => Some(Measure::Units),
            Kind::Aov => Some(Measure::Sold),
            _ => None,
        }
    }
}

impl Figures {
    /// Answers a query from all rows applied so far.
    pub fn answer(&self, query: &Query) -> Result<Answer, QueryError> {
        query.check()?;
        let currency = self.shop.currency;
        Ok(Answer {
            figure: query.figure.name,
            unit: query.figure.unit,
            currency: currency.code().to_owned(),
            basis: query.basis,
            time_zone: self.shop.zone_name.clone(),
            by: query.by,
            from: query.from.map(|day| day.to_string()),
            to: query.to.map(|day| day.to_string()),
            event_time: self.event_time,
            unconverted: self.unconverted(query),
            rows: self.values(query).into_rows(query, currency),
        })
    }

    pub(crate) fn values(&self, query: &Query) -> Values {
        let (by, days, basis) = (query.by, query.days(), query.basis.unwrap_or_default());
        match query.figure.kind {
            Kind::Orders => self.orders(by, days).into(),
            Kind::Aov => self.ledger(Measure::Sold, by, Basis::Order, days).over(&self.orders(by, days), mean),
            Kind::ReturnRate => {
                let sold = self.ledger(Measure::SoldUnits, by, Basis::Order, days);
                self.ledger(Measure::ReturnedUnits, by, Basis::Order, days).over(&sold, ratio)
            }
            kind => kind.measure().map_or_else(Values::default, |measure| self.ledger(measure, by, basis, days).into()),
        }
    }

    /// A measure of the ledger by key; the total is there even of no rows.
    pub(crate) fn ledger(&self, measure: Measure, by: By, basis: Basis, days: Days) -> Keyed {
        self.keyed(by, self.sales.sums(measure, by, basis, days))
    }

    fn keyed(&self, by: By, sums: HashMap<Group, i128>) -> Keyed {
        let mut all = Keyed::default();
        if by == By::Total {
            all.add("total", "total", 0);
        }
        for (group, value) in sums {
            match group {
                Group::Total => all.add("total", "total", value),
                Group::Period(code) => {
                    let key = period::key(by, code);
                    all.add(&key, &key, value);
                }
                Group::Member(id) => {
                    let (key, label) = self.names.of(by, id);
                    all.add(key, label, value);
                }
                Group::Movement(movement) => {
                    let (key, label) = Names::of_movement(movement);
                    all.add(key, label, value);
                }
            }
        }
        all
    }

    pub(crate) fn orders(&self, by: By, days: Days) -> Keyed {
        match by {
            By::Total => {
                self.keyed(by, self.orders.by_time(by, days).into_iter().map(|(_, count)| (Group::Total, count)).collect())
            }
            By::Hour | By::QuarterHour | By::Day | By::Week | By::Month => {
                let counts = self.orders.by_time(by, days).into_iter();
                self.keyed(by, counts.map(|(code, count)| (Group::Period(code), count)).collect())
            }
            _ => self.orders_by_member(by, days),
        }
    }

    /// Several members can have one key (all unknown ones, the products of a category): an order counts once in it.
    fn orders_by_member(&self, by: By, days: Days) -> Keyed {
        let mut all = Keyed::default();
        let mut seen: HashSet<(u32, &str)> = HashSet::new();
        for (order, member) in self.orders.members(by, days) {
            let (key, label) = self.names.of(by, member);
            all.add(key, label, i128::from(seen.insert((order, key))));
        }
        all
    }

    fn unconverted(&self, query: &Query) -> Vec<Unconverted> {
        let (days, basis) = (query.days(), query.basis.unwrap_or_default());
        let rows = query.figure.kind.measure().map(|measure| self.sales.unconverted(measure, basis, days)).unwrap_or_default();
        let mut all: Vec<_> = rows
            .into_iter()
            .map(|(currency, rows)| Unconverted { currency: self.names.symbols.text(currency).to_owned(), rows })
            .collect();
        all.sort_by(|left, right| left.currency.cmp(&right.currency));
        all
    }
}
