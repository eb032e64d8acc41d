//! The figures in the live payload: today, with yesterday and the same weekday last week.

mod parts;

use hashbrown::HashMap;
use kassa_model::time::Local;
use serde::Serialize;

use crate::answer::Unit;
use crate::by_day::shift;
use crate::figures::Figures;
use crate::kind::Kind;
use crate::query::Basis;

/// The shop, and the local time of the latest event; none before the first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveShop {
    pub name: String,
    pub time_zone: String,
    pub currency: String,
    pub today: Option<String>,
    /// Minutes since the shop's midnight.
    pub minute: Option<i32>,
    /// The latest time (RFC 3339) of the records that are ahead of the clock, if there are any. They are on their own days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_to: Option<String>,
}

/// A tile: today's value, and those of two other days up to the same minute of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tile {
    pub figure: &'static str,
    pub unit: Unit,
    pub value: Option<String>,
    pub yesterday: Option<String>,
    pub last_week: Option<String>,
    /// By quarter hour, up to and including the current one.
    pub today: Vec<Option<String>>,
    /// The 96 quarter hours of the same weekday last week; empty if there is no such day.
    pub ghost: Vec<Option<String>>,
}

/// Net sales through the day, cumulative by quarter hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LiveDay {
    pub today: Vec<String>,
    pub last_week: Vec<String>,
    pub last_week_total: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FunnelStep {
    pub step: &'static str,
    pub sessions: i64,
}

/// Orders by hour: today's up to and including the current one, last week's 24 (none if there is no such day).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OrdersByHour {
    pub today: Vec<i64>,
    pub last_week: Vec<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CategorySales {
    pub key: String,
    pub label: String,
    pub net: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountrySales {
    pub key: String,
    pub label: String,
    pub net: String,
    pub orders: i64,
}

/// A product by today's net sales. Its return rate is over all time: few of today's units can have come back today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductSales {
    pub key: String,
    pub label: String,
    pub units: String,
    pub net: String,
    pub return_rate: Option<String>,
    /// Net sales by hour, up to and including the current one.
    pub trend: Vec<String>,
}

/// The figures in `GET /api/v1/live`; the caller adds the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    pub shop: LiveShop,
    pub basis: Basis,
    pub tiles: Vec<Tile>,
    pub day: LiveDay,
    pub funnel: Vec<FunnelStep>,
    pub orders_by_hour: OrdersByHour,
    pub by_category: Vec<CategorySales>,
    pub by_country: Vec<CountrySales>,
    pub top_products: Vec<ProductSales>,
}

const TILES: [Kind; 6] = [Kind::NET_SALES, Kind::Orders, Kind::AOV, Kind::UNITS, Kind::ActiveCustomers, Kind::Conversion];

/// The days that are displayed: none before the first event.
#[derive(Debug, Clone, Copy)]
struct Shown {
    now: Local,
    /// None if the shop's records begin later.
    yesterday: Option<i32>,
    last_week: Option<i32>,
    basis: Basis,
}

impl Shown {
    /// The number of quarter hours or hours of today that have begun.
    fn begun(&self, minutes: i32) -> usize {
        usize::try_from(self.now.minute / minutes + 1).unwrap_or(0)
    }
}

impl Figures {
    /// Today's figures. Today is the day of the latest event time that is not ahead of the clock, so a replayed year displays its
    /// own last day. The values equal those that [`Figures::answer`] gives for that day.
    pub fn live(&self, basis: Basis) -> Live {
        let now = self.today();
        let shop = LiveShop {
            name: self.shop().name.clone(),
            time_zone: self.shop().zone_name.clone(),
            currency: self.shop().currency.code().to_owned(),
            today: now.map(|now| crate::period::key(crate::By::Day, i64::from(now.date_key))),
            minute: now.map(|now| now.minute),
            ahead_to: self.ahead_to().map(kassa_model::time::format),
        };
        let Some(now) = now else {
            return Live::without_events(shop, basis);
        };
        let known = |day: i32| self.first_day().is_some_and(|first| first <= day).then_some(day);
        let (yesterday, last_week) = (known(shift(now.date_key, -1)), known(shift(now.date_key, -7)));
        let shown = Shown { now, yesterday, last_week, basis };
        Live {
            shop,
            basis,
            tiles: TILES.map(|kind| self.tile(kind, &shown)).to_vec(),
            day: self.through_the_day(&shown),
            funnel: self.funnel_of(now.date_key),
            orders_by_hour: self.orders_by_hour(&shown),
            by_category: self.by_category(&shown),
            by_country: self.by_country(&shown),
            top_products: self.top_products(&shown),
        }
    }
}

impl Live {
    fn without_events(shop: LiveShop, basis: Basis) -> Self {
        let tile = |kind: Kind| {
            let figure = kind.figure();
            let (today, ghost) = (Vec::new(), Vec::new());
            Tile { figure: figure.name, unit: figure.unit, value: None, yesterday: None, last_week: None, today, ghost }
        };
        Live {
            shop,
            basis,
            tiles: TILES.map(tile).to_vec(),
            day: LiveDay::default(),
            funnel: Vec::new(),
            orders_by_hour: OrdersByHour::default(),
            by_category: Vec::new(),
            by_country: Vec::new(),
            top_products: Vec::new(),
        }
    }
}

/// Sums by natural key, each with its label and the members that share it.
type ByKey<'a> = HashMap<&'a str, (&'a str, Vec<u32>)>;

#[cfg(test)]
mod tests;
