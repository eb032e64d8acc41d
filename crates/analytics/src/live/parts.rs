//! Each part of the page, from the same sums as answers.

use std::cmp::Reverse;

use hashbrown::HashMap;

use super::{ByKey, CategorySales, CountrySales, FunnelStep, LiveDay, OrdersByHour, ProductSales, Shown, Tile};
use crate::answer::{Unit, mean, ratio};
use crate::by_day::Days;
use crate::figures::Figures;
use crate::kind::Kind;
use crate::measure::{Measure, NET, UNITS};
use crate::query::{Basis, By, Query};
use crate::recent::Span;
use crate::sales::Group;

const CATEGORIES_MAX: usize = 8;
const PRODUCTS_MAX: usize = 10;

/// A tile's figure from midnight on.
fn until(kind: Kind, sum: &Span, basis: Basis) -> Option<i128> {
    match kind {
        Kind::ActiveCustomers => Some(i128::from(sum.counts.starters)),
        Kind::Conversion => ratio(i128::from(sum.counts.conversions), i128::from(sum.counts.sessions)),
        _ => of_quarter(kind, sum, basis),
    }
}

/// A tile's figure for one quarter hour; conversion is that of the sessions begun in it.
fn of_quarter(kind: Kind, sum: &Span, basis: Basis) -> Option<i128> {
    let counts = &sum.counts;
    match kind {
        Kind::NET_SALES => Some(Unit::Money.rounded(sum.net(basis))),
        Kind::UNITS => Some(counts.units(basis)),
        Kind::Orders => Some(i128::from(counts.orders)),
        Kind::AOV => mean(sum.sold(), i128::from(counts.orders)),
        Kind::ActiveCustomers => Some(i128::from(counts.active)),
        Kind::Conversion => ratio(i128::from(counts.to_convert), i128::from(counts.sessions)),
        _ => None,
    }
}

impl Figures {
    fn text(&self, unit: Unit, value: i128) -> String {
        unit.format(value, self.shop().currency)
    }

    /// Exact money, rounded for display.
    fn money(&self, exact: i128) -> String {
        self.text(Unit::Money, Unit::Money.rounded(exact))
    }

    /// The quarter hours of a day.
    fn quarters(&self, day: i32) -> Vec<Span> {
        self.recent().quarters(day, self.rates())
    }

    pub(super) fn tile(&self, kind: Kind, shown: &Shown) -> Tile {
        let (figure, basis) = (kind.figure(), shown.basis);
        let text = |value: Option<i128>| value.map(|value| self.text(figure.unit, value));
        let to_now = |day: i32| self.recent().until(day, shown.now.minute, self.rates());
        let by_now = |day: Option<i32>| text(day.and_then(|day| until(kind, &to_now(day), basis)));
        let series = |day: i32, quarters: usize| -> Vec<Option<String>> {
            self.quarters(day).iter().take(quarters).map(|quarter| text(of_quarter(kind, quarter, basis))).collect()
        };
        let today = self.values(&Query::of_day(figure, shown.now.date_key, basis));
        Tile {
            figure: figure.name,
            unit: figure.unit,
            value: text(today.0.first().and_then(|(value, _, _)| *value)),
            yesterday: by_now(shown.yesterday),
            last_week: by_now(shown.last_week),
            today: series(shown.now.date_key, shown.begun(15)),
            ghost: shown.last_week.map(|day| series(day, 96)).unwrap_or_default(),
        }
    }

    pub(super) fn through_the_day(&self, shown: &Shown) -> LiveDay {
        let cumulative = |day: i32, quarters: usize| -> Vec<i128> {
            let nets = self.quarters(day).into_iter().take(quarters).map(|quarter| quarter.net(shown.basis));
            nets.scan(0, |sum, net| {
                *sum += net;
                Some(*sum)
            })
            .collect()
        };
        let text = |nets: Vec<i128>| -> Vec<String> { nets.into_iter().map(|net| self.money(net)).collect() };
        let last_week = shown.last_week.map(|day| text(cumulative(day, 96))).unwrap_or_default();
        LiveDay {
            today: text(cumulative(shown.now.date_key, shown.begun(15))),
            last_week_total: last_week.last().cloned(),
            last_week,
        }
    }

    pub(super) fn funnel_of(&self, day: i32) -> Vec<FunnelStep> {
        self.reached(Days::only(day)).into_iter().map(|(step, sessions)| FunnelStep { step, sessions }).collect()
    }

    pub(super) fn orders_by_hour(&self, shown: &Shown) -> OrdersByHour {
        let by_hour = |day: i32, hours: usize| -> Vec<i64> {
            let quarters = self.quarters(day);
            quarters.chunks(4).take(hours).map(|hour| hour.iter().map(|quarter| quarter.counts.orders).sum()).collect()
        };
        OrdersByHour {
            today: by_hour(shown.now.date_key, shown.begun(60)),
            last_week: shown.last_week.map(|day| by_hour(day, 24)).unwrap_or_default(),
        }
    }

    pub(super) fn by_category(&self, shown: &Shown) -> Vec<CategorySales> {
        let net = self.ledger(NET, By::Category, shown.basis, Days::only(shown.now.date_key));
        let mut rows: Vec<_> = net.iter().collect();
        rows.sort_by_key(|(key, _, net)| (Reverse(*net), *key));
        let rest = rows.split_off(rows.len().min(CATEGORIES_MAX));
        if !rest.is_empty() {
            rows.push(("Other", "Other", rest.iter().map(|(_, _, net)| net).sum()));
        }
        let row = |(key, label, net): (&str, &str, i128)| CategorySales {
            key: key.to_owned(),
            label: label.to_owned(),
            net: self.money(net),
        };
        rows.into_iter().map(row).collect()
    }

    pub(super) fn by_country(&self, shown: &Shown) -> Vec<CountrySales> {
        let day = Days::only(shown.now.date_key);
        let mut net = self.ledger(NET, By::Country, shown.basis, day);
        let orders = self.orders(By::Country, day);
        // Include a country whose orders all moved on another day.
        orders.iter().for_each(|(key, label, _)| net.add(key, label, 0));
        let mut rows: Vec<_> = net.iter().collect();
        rows.sort_by_key(|(key, _, net)| (Reverse(*net), *key));
        let row = |(key, label, net): (&str, &str, i128)| CountrySales {
            key: key.to_owned(),
            label: label.to_owned(),
            net: self.money(net),
            orders: i64::try_from(orders.value(key)).unwrap_or(i64::MAX),
        };
        rows.into_iter().map(row).collect()
    }

    pub(super) fn top_products(&self, shown: &Shown) -> Vec<ProductSales> {
        let day = Days::only(shown.now.date_key);
        let sums = |measure: &Measure| self.sales().sums((measure, self.rates()), By::Product, shown.basis, day);
        let (net, units) = (sums(NET), sums(UNITS));
        let mut by_key = ByKey::new();
        for group in net.keys() {
            if let Group::Member(product) = group {
                let (key, label) = self.names().of(By::Product, *product);
                let known = by_key.entry(key).or_insert_with(|| (label, Vec::new()));
                known.0 = known.0.min(label);
                known.1.push(*product);
            }
        }
        let total = |sums: &HashMap<Group, i128>, products: &[u32]| -> i128 {
            products.iter().filter_map(|product| sums.get(&Group::Member(*product))).sum()
        };
        let mut rows: Vec<_> = by_key.into_iter().map(|(key, (label, of))| (total(&net, &of), key, label, of)).collect();
        rows.sort_unstable_by_key(|(net, key, _, _)| (Reverse(*net), *key));
        rows.truncate(PRODUCTS_MAX);
        let row = |(net, key, label, of): (i128, &str, &str, Vec<u32>)| ProductSales {
            key: key.to_owned(),
            label: label.to_owned(),
            units: self.text(Unit::Quantity, total(&units, &of)),
            net: self.money(net),
            return_rate: self.return_rate_to_date(&of),
            trend: self.trend(&of, shown),
        };
        rows.into_iter().map(row).collect()
    }

    fn return_rate_to_date(&self, products: &[u32]) -> Option<String> {
        let units = products.iter().map(|product| self.sales().product_units(*product));
        let [sold, returned] = units.fold([0, 0], |sum, units| [sum[0] + units[0], sum[1] + units[1]]);
        ratio(returned, sold).map(|rate| self.text(Unit::Ratio, rate))
    }

    fn trend(&self, products: &[u32], shown: &Shown) -> Vec<String> {
        let hours = 0..=shown.now.minute / 60;
        let net =
            |hour| products.iter().map(|product| self.recent().product_hour(*product, hour, shown.basis, self.rates())).sum();
        hours.map(|hour| self.money(net(hour))).collect()
    }
}
