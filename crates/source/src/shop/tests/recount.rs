//! A second count of the expected results, from the records' bytes only and with the model's own
//! arithmetic.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kassa_model::decimal::round_half_even;
use kassa_model::time::{self, Calendar};
use kassa_model::{Amount, Contract, Fate, Quantity, Rate};
use serde_json::{Value, json};

use super::super::Emitted;

#[derive(Default, Clone)]
struct Sums {
    gross: i128,
    discounts: i128,
    returns: i128,
    adjustments: i128,
    net: i128,
    tax: i128,
    shipping: i128,
    units: i128,
    sold_units: i128,
}

/// A movement in the reporting currency, 10⁻¹⁵.
struct Moved<'a> {
    kind: &'a str,
    net: [i128; 2],
    tax: i128,
    shipping: i128,
    units: i64,
}

#[derive(Default)]
struct Seen {
    started: i64,
    types: BTreeSet<String>,
}

struct Ordered {
    /// By day.
    orders: BTreeMap<i32, u64>,
    /// New and returning, by day.
    customers: BTreeMap<i32, [u64; 2]>,
    /// Customers who ordered, on several days, several times.
    whole: [usize; 3],
}

pub(super) struct Recount {
    shop: kassa_model::Shop,
    calendar: Calendar,
    counts: BTreeMap<&'static str, [u64; 4]>,
    ids: HashSet<(&'static str, String)>,
    rates: BTreeMap<(String, i32), Rate>,
    by_day: BTreeMap<i32, Sums>,
    by_order_day: BTreeMap<i32, Sums>,
    /// By id: day and customer.
    orders: HashMap<String, (i64, Option<String>)>,
    sessions: HashMap<String, Seen>,
    active: BTreeMap<i32, HashSet<String>>,
    payments: BTreeMap<i32, [i128; 2]>,
}

impl Recount {
    pub(super) fn new(shop: kassa_model::Shop) -> Self {
        Self {
            calendar: shop.calendar(),
            shop,
            counts: BTreeMap::new(),
            ids: HashSet::new(),
            rates: BTreeMap::new(),
            by_day: BTreeMap::new(),
            by_order_day: BTreeMap::new(),
            orders: HashMap::new(),
            sessions: HashMap::new(),
            active: BTreeMap::new(),
            payments: BTreeMap::new(),
        }
    }

    pub(super) fn read(&mut self, emitted: &Emitted, bytes: &[u8]) {
        let counts = self.counts.entry(emitted.stream).or_default();
        counts[0] += 1;
        // `rules` decides whether a record is malformed; everything else follows from the bytes.
        if emitted.fate == Fate::DeadLetter {
            counts[3] += 1;
            return;
        }
        let record: Value = serde_json::from_slice(bytes).unwrap();
        let is_new = self.ids.insert((emitted.stream, text(&record["event_id"])));
        counts[if is_new { 1 } else { 2 }] += 1;
        if !is_new || record["is_test"] == true || record["is_bot"] == true {
            return;
        }
        match emitted.contract {
            Contract::Event => self.event(&record),
            Contract::OrderLine => self.line(&record),
            Contract::Refund => self.refund(&record),
            Contract::Payment => self.payment(&record),
            Contract::FxRate => {
                let day = time::date_key(time::parse_day(&text(&record["day"])).unwrap());
                self.rates.insert((text(&record["base"]), day), Rate::parse(&text(&record["rate"])).unwrap());
            }
            _ => {}
        }
    }

    fn at(&self, record: &Value, key: &str) -> i64 {
        time::parse(&text(&record[key]), &self.shop.zone).unwrap()
    }

    /// The latest known rate of the record's currency on its day.
    fn rate(&mut self, record: &Value) -> Rate {
        let (currency, at) = (text(&record["currency"]), self.at(record, "occurred_at"));
        if currency == self.shop.currency.code() {
            return Rate::parse("1").unwrap();
        }
        let day = self.calendar.date_key(at);
        *self.rates.range((currency.clone(), 0)..=(currency, day)).next_back().unwrap().1
    }

    fn event(&mut self, record: &Value) {
        let at = self.at(record, "occurred_at");
        let person = [&record["customer_id"], &record["anonymous_id"]].into_iter().find(|id| !id.is_null()).unwrap();
        let day = self.calendar.date_key(at);
        self.active.entry(day).or_default().insert(text(person));
        let seen =
            self.sessions.entry(text(&record["session_id"])).or_insert_with(|| Seen { started: at, types: BTreeSet::new() });
        seen.started = seen.started.min(at);
        seen.types.insert(text(&record["type"]));
    }

    fn line(&mut self, record: &Value) {
        let movement = record["movement"].as_str().unwrap_or("sale").to_owned();
        let placed_at = self.at(record, "placed_at");
        if movement == "sale" {
            let customer = record["customer_id"].as_str().map(str::to_owned);
            self.orders.insert(text(&record["order_id"]), (placed_at, customer));
            assert_eq!(self.at(record, "occurred_at"), placed_at);
        }
        let rate = self.rate(record);
        let quantity = Quantity::parse(&text(&record["quantity"])).unwrap();
        let computed = || Amount::of(amount(&record["unit_price"]), quantity).unwrap();
        let gross = if record["amount"].is_null() { computed() } else { amount(&record["amount"]) };
        let [gross, discount, tax, shipping] =
            [gross, amount(&record["discount"]), amount(&record["tax"]), amount(&record["shipping"])].map(|a| exact(a, rate));
        self.add(record, &Moved { kind: &movement, net: [gross, discount], tax, shipping, units: quantity.0 });
    }

    fn refund(&mut self, record: &Value) {
        let rate = self.rate(record);
        let at_rate = |value: &Value| -exact(amount(value), rate);
        for line in record["lines"].as_array().into_iter().flatten() {
            let units = -Quantity::parse(&text(&line["quantity"])).unwrap().0;
            let net = [at_rate(&line["amount"]), 0];
            self.add(record, &Moved { kind: "return", net, tax: at_rate(&line["tax"]), shipping: 0, units });
        }
        self.add(record, &Moved { kind: "return", net: [0; 2], tax: 0, shipping: at_rate(&record["shipping"]), units: 0 });
        self.add(record, &Moved { kind: "adjustment", net: [at_rate(&record["adjustments"]), 0], tax: 0, shipping: 0, units: 0 });
    }

    fn add(&mut self, record: &Value, moved: &Moved<'_>) {
        let (at, placed_at) = (self.at(record, "occurred_at"), self.at(record, "placed_at"));
        let (day, order_day) = (self.calendar.date_key(at), self.calendar.date_key(placed_at));
        for sums in [self.by_day.entry(day).or_default(), self.by_order_day.entry(order_day).or_default()] {
            let [gross, discount] = moved.net;
            match moved.kind {
                "sale" => {
                    sums.gross += gross;
                    sums.discounts += discount;
                    sums.sold_units += i128::from(moved.units);
                }
                "adjustment" => sums.adjustments += gross,
                _ => sums.returns -= gross - discount,
            }
            sums.net += gross - discount;
            sums.tax += moved.tax;
            sums.shipping += moved.shipping;
            sums.units += i128::from(moved.units);
        }
    }

    fn payment(&mut self, record: &Value) {
        let value = exact(amount(&record["amount"]), self.rate(record));
        let day = self.calendar.date_key(self.at(record, "occurred_at"));
        let payments = self.payments.entry(day).or_default();
        match (record["status"].as_str().unwrap(), record["kind"].as_str().unwrap()) {
            ("success", "capture" | "sale") => payments[0] += value,
            ("success", "refund" | "chargeback") => payments[1] += value,
            _ => {}
        }
    }

    pub(super) fn truth(&mut self) -> Value {
        let days: BTreeSet<i32> = self
            .by_day
            .keys()
            .chain(self.by_order_day.keys())
            .chain(self.active.keys())
            .chain(self.payments.keys())
            .copied()
            .collect();
        let Ordered { orders, customers, whole } = self.orders_by_day();
        let sessions = self.sessions_by_day();
        let sums = |map: &BTreeMap<i32, Sums>, day: &i32| map.get(day).cloned().unwrap_or_default();
        let mut by_day = serde_json::Map::new();
        let mut by_order_day = serde_json::Map::new();
        for day in &days {
            let counts = sessions.get(day).copied().unwrap_or_default();
            let mut figures = figures(&sums(&self.by_day, day), orders.get(day).copied().unwrap_or(0), counts);
            let [new, returning] = customers.get(day).copied().unwrap_or_default();
            let [captured, refunded] = self.payments.get(day).copied().unwrap_or_default();
            figures["payments"] = json!(Sums::money(captured - refunded));
            figures["active_customers"] = json!(self.active.get(day).map_or(0, HashSet::len));
            figures["new_customers"] = json!(new);
            figures["returning_customers"] = json!(returning);
            by_day.insert(name(*day), figures);
            by_order_day.insert(name(*day), sales(&sums(&self.by_order_day, day)));
        }
        let total = self.by_day.values().fold(Sums::default(), |all, day| all.plus(day));
        let counts = sessions.values().fold([0; 6], |all: [u64; 6], day| std::array::from_fn(|at| all[at] + day[at]));
        let mut figures = figures(&total, orders.values().sum(), counts);
        figures["new_customers"] = json!(customers.values().map(|[new, _]| new).sum::<u64>());
        figures["returning_customers"] = json!(whole[1]);
        figures["repeat_rate"] = json!(ratio(whole[2] as i128, whole[0] as i128));
        figures["return_rate"] = json!(ratio(total.sold_units - total.units, total.sold_units));
        let [captured, refunded] = self.payments.values().fold([0; 2], |all: [i128; 2], day| [all[0] + day[0], all[1] + day[1]]);
        figures["payments"] = json!(Sums::money(captured - refunded));
        figures["payments_captured"] = json!(Sums::money(captured));
        figures["payments_refunded"] = json!(Sums::money(refunded));
        let count = |counts: [u64; 4]| json!({"produced": counts[0], "accepted": counts[1], "duplicates": counts[2], "malformed": counts[3]});
        let mut truth = count(self.counts.values().fold([0; 4], |all, of| std::array::from_fn(|at| all[at] + of[at])));
        truth["figures"] = figures;
        truth["by_day"] = by_day.into();
        truth["by_order_day"] = by_order_day.into();
        truth["streams"] = self.counts.iter().map(|(stream, counts)| ((*stream).to_owned(), count(*counts))).collect();
        truth
    }

    fn orders_by_day(&mut self) -> Ordered {
        let mut placed: Vec<_> = self.orders.values().cloned().collect();
        placed.sort();
        let (mut orders, mut customers) = (BTreeMap::new(), BTreeMap::<i32, [u64; 2]>::new());
        let mut first: HashMap<String, i32> = HashMap::new();
        let mut counted = HashSet::new();
        let mut times: HashMap<String, (HashSet<i32>, u32)> = HashMap::new();
        for (at, customer) in placed {
            let day = self.calendar.date_key(at);
            *orders.entry(day).or_insert(0) += 1;
            let Some(customer) = customer else { continue };
            let (days, orders) = times.entry(customer.clone()).or_default();
            days.insert(day);
            *orders += 1;
            let first = *first.entry(customer.clone()).or_insert(day);
            if counted.insert((day, customer)) {
                customers.entry(day).or_default()[usize::from(first != day)] += 1;
            }
        }
        let whole = [
            times.len(),
            times.values().filter(|(days, _)| days.len() > 1).count(),
            times.values().filter(|(_, orders)| *orders > 1).count(),
        ];
        Ordered { orders, customers, whole }
    }

    fn sessions_by_day(&mut self) -> BTreeMap<i32, [u64; 6]> {
        let mut days = BTreeMap::<i32, [u64; 6]>::new();
        for seen in self.sessions.values() {
            let counts = days.entry(self.calendar.date_key(seen.started)).or_default();
            counts[0] += 1;
            for (at, name) in ["product_viewed", "product_added", "checkout_started", "order_completed"].into_iter().enumerate() {
                counts[at + 1] += u64::from(seen.types.contains(name));
            }
            counts[5] += u64::from(seen.types.contains("product_added") && !seen.types.contains("order_completed"));
        }
        days
    }
}

impl Sums {
    fn plus(mut self, other: &Self) -> Self {
        self.gross += other.gross;
        self.discounts += other.discounts;
        self.returns += other.returns;
        self.adjustments += other.adjustments;
        self.net += other.net;
        self.tax += other.tax;
        self.shipping += other.shipping;
        self.units += other.units;
        self.sold_units += other.sold_units;
        self
    }

    fn money(exact: i128) -> String {
        Self::micros(round_half_even(exact, 1_000_000_000))
    }

    fn micros(micros: i128) -> String {
        kassa_model::decimal::format_units(micros, 6, 0)
    }
}

fn sales(sums: &Sums) -> Value {
    // The identity of the model.
    assert_eq!(sums.net, sums.gross - sums.discounts - sums.returns + sums.adjustments);
    json!({
        "net_sales": Sums::money(sums.net),
        "gross_sales": Sums::money(sums.gross),
        "discounts": Sums::money(sums.discounts),
        "returns": Sums::money(sums.returns),
        "adjustments": Sums::money(sums.adjustments),
        "total_sales": Sums::money(sums.net + sums.tax + sums.shipping),
        "tax": Sums::money(sums.tax),
        "shipping": Sums::money(sums.shipping),
        "units": kassa_model::decimal::format_units(sums.units, 3, 0),
    })
}

fn figures(sums: &Sums, orders: u64, sessions: [u64; 6]) -> Value {
    let mut figures = sales(sums);
    figures["orders"] = json!(orders);
    if orders > 0 {
        figures["aov"] = json!(Sums::micros(round_half_even(sums.gross - sums.discounts, 1_000_000_000 * i128::from(orders))));
    }
    let [opened, viewed, added, checkout, paid, abandoned] = sessions;
    figures["sessions"] = json!(opened);
    if opened > 0 {
        figures["conversion"] = json!(ratio(paid.into(), opened.into()));
    }
    figures["abandoned_carts"] = json!(abandoned);
    figures["funnel"] = json!({"viewed": viewed, "added": added, "checkout": checkout, "paid": paid});
    figures
}

fn ratio(part: i128, whole: i128) -> String {
    Sums::micros(round_half_even(part * 1_000_000, whole))
}

fn name(day: i32) -> String {
    time::date_of(day).unwrap().to_string()
}

/// A text, or the digits of a number.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An amount at a rate, unrounded.
fn exact(amount: Amount, rate: Rate) -> i128 {
    i128::from(amount.0) * i128::from(rate.0)
}

/// 0 if absent.
fn amount(value: &Value) -> Amount {
    if value.is_null() { Amount::ZERO } else { Amount::parse(&text(value)).unwrap() }
}
