//! `truth.json`: the exact figures of a run of the shop.
//!
//! The definitions are those of the model; these are the choices where it leaves one. Money is in
//! the reporting currency; each amount is converted at the rate of its day. Sums are exact and
//! rounded once, half-even to 6 places. Days are the shop's. `discounts` sums sales only. An order
//! counts from its first line. A session counts from its first event, on the day of that event; it
//! is converted by `order_completed`. A visitor is active on a day with a behaviour event on that
//! day, by customer id, or else by anonymous id. Bots are in no figure. Ratios are rounded
//! half-even to 6 places.

use std::collections::BTreeMap;

use kassa_model::decimal::{format_units, round_half_even};
use kassa_model::{Contract, Counts};
use serde::Serialize;

use super::ledger::{Day, Ledger, Sums};
use super::stream_of;

/// The exact results of a run of the shop. Decimals are texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    pub produced: u64,
    pub accepted: u64,
    pub duplicates: u64,
    pub malformed: u64,
    pub figures: Figures,
    /// By the shop's days, `2026-01-31`; sales on the day of the movement.
    pub by_day: BTreeMap<String, DayFigures>,
    /// Sales on the day of their order.
    pub by_order_day: BTreeMap<String, Sales>,
    /// Streams with records.
    pub streams: BTreeMap<&'static str, StreamCounts>,
}

/// The fates of a stream's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StreamCounts {
    pub produced: u64,
    pub accepted: u64,
    pub duplicates: u64,
    pub malformed: u64,
}

/// Figures that are sums of the sales ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sales {
    pub net_sales: String,
    pub gross_sales: String,
    pub discounts: String,
    pub returns: String,
    pub adjustments: String,
    pub total_sales: String,
    pub tax: String,
    pub shipping: String,
    pub units: String,
}

/// Figures of the whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pub sales: Sales,
    pub orders: u64,
    /// Absent, like every ratio, while the denominator is zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aov: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_rate: Option<String>,
    #[serde(flatten)]
    pub visits: Visits,
    pub new_customers: u64,
    /// Customers with orders on more than one day.
    pub returning_customers: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_rate: Option<String>,
    /// Captured minus refunded.
    pub payments: String,
    /// Successful captures and sales.
    pub payments_captured: String,
    /// Successful refunds and chargebacks, as a positive amount.
    pub payments_refunded: String,
}

/// Figures of sessions, on the day of their first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visits {
    pub sessions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion: Option<String>,
    pub funnel: Funnel,
    /// Sessions that added something to a cart and have not ordered yet.
    pub abandoned_carts: u64,
}

/// Sessions by the furthest step: `product_viewed`, `product_added`, `checkout_started`,
/// `order_completed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Funnel {
    pub viewed: u64,
    pub added: u64,
    pub checkout: u64,
    pub paid: u64,
}

/// Figures of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayFigures {
    #[serde(flatten)]
    pub sales: Sales,
    pub orders: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aov: Option<String>,
    #[serde(flatten)]
    pub visits: Visits,
    pub active_customers: u64,
    pub new_customers: u64,
    /// Customers who ordered on this day and on an earlier one.
    pub returning_customers: u64,
    pub payments: String,
}

impl Truth {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let days = || ledger.days.values();
        let all = ledger.streams.iter().fold(Counts::default(), |all, counts| all.plus(*counts));
        let counts = stream_counts(all);
        let streams = Contract::ALL.into_iter().zip(ledger.streams).filter(|(_, counts)| counts.read > 0);
        let sums = days().fold(Sums::default(), |sums, day| sums.plus(day.by_movement));
        let sessions = days().fold([0; 5], |sums, day| std::array::from_fn(|step| sums[step] + day.sessions[step]));
        let orders = days().map(|day| day.orders).sum();
        let [captured, refunded] = days().fold([0; 2], |sums, day| std::array::from_fn(|at| sums[at] + day.payments[at]));
        let [customers, returning_customers, repeatedly] = ledger.customers;
        let figures = Figures {
            sales: Sales::of(&sums),
            orders,
            aov: aov(&sums, orders),
            return_rate: return_rate(&sums),
            visits: Visits::of(sessions),
            new_customers: customers,
            returning_customers,
            repeat_rate: ratio(repeatedly.into(), customers.into()),
            payments: money(captured - refunded),
            payments_captured: money(captured),
            payments_refunded: money(refunded),
        };
        Self {
            produced: counts.produced,
            accepted: counts.accepted,
            duplicates: counts.duplicates,
            malformed: counts.malformed,
            figures,
            by_day: ledger.days.iter().map(|(day, held)| (day_name(*day), DayFigures::of(held))).collect(),
            by_order_day: ledger.days.iter().map(|(day, held)| (day_name(*day), Sales::of(&held.by_order))).collect(),
            streams: streams.map(|(contract, counts)| (stream_of(contract), stream_counts(counts))).collect(),
        }
    }
}

impl Sales {
    fn of(sums: &Sums) -> Self {
        Self {
            net_sales: money(sums.net_sales),
            gross_sales: money(sums.gross_sales),
            discounts: money(sums.discounts),
            returns: money(sums.returns),
            adjustments: money(sums.adjustments),
            total_sales: money(sums.net_sales + sums.tax + sums.shipping),
            tax: money(sums.tax),
            shipping: money(sums.shipping),
            units: format_units(sums.units, 3, 0),
        }
    }
}

impl Visits {
    fn of([sessions, viewed, added, checkout, paid]: [u64; 5]) -> Self {
        Self {
            sessions,
            conversion: ratio(paid.into(), sessions.into()),
            funnel: Funnel { viewed, added, checkout, paid },
            abandoned_carts: added - paid,
        }
    }
}

impl DayFigures {
    fn of(day: &Day) -> Self {
        Self {
            sales: Sales::of(&day.by_movement),
            orders: day.orders,
            aov: aov(&day.by_movement, day.orders),
            visits: Visits::of(day.sessions),
            active_customers: day.active_customers(),
            new_customers: day.new_customers,
            returning_customers: day.returning_customers,
            payments: money(day.payments[0] - day.payments[1]),
        }
    }
}

fn stream_counts(counts: Counts) -> StreamCounts {
    let count = |value: i64| value.unsigned_abs();
    StreamCounts {
        produced: count(counts.read),
        accepted: count(counts.accepted),
        duplicates: count(counts.duplicates),
        malformed: count(counts.dead_letters),
    }
}

/// 10^-15 in 10^-6.
const EXACT: i128 = 1_000_000_000;

fn money(exact: i128) -> String {
    micros(round_half_even(exact, EXACT))
}

fn micros(micros: i128) -> String {
    format_units(micros, 6, 0)
}

fn aov(sums: &Sums, orders: u64) -> Option<String> {
    (orders > 0).then(|| micros(round_half_even(sums.gross_sales - sums.discounts, EXACT * i128::from(orders))))
}

/// Returned and cancelled units ÷ sold units.
fn return_rate(sums: &Sums) -> Option<String> {
    ratio(sums.sold_units - sums.units, sums.sold_units)
}

fn ratio(part: i128, whole: i128) -> Option<String> {
    (whole > 0).then(|| micros(round_half_even(part * 1_000_000, whole)))
}

fn day_name(key: i32) -> String {
    format!("{:04}-{:02}-{:02}", key / 10_000, key / 100 % 100, key % 100)
}
