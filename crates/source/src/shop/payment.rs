//! How orders are paid: tenders that are taken at once or authorized and captured, tries that fail, money given back.

use kassa_model::Contract;
use kassa_model::time::SECOND;

use super::ledger::{Effect, reported};
use super::order::{self, Order, Terms};
use super::outbox::{Pace, Post};
use super::rng::Rng;
use super::session::Session;
use super::words::{Country, MONIES};
use super::world::World;

/// A way to pay.
#[derive(Debug)]
pub(super) struct Method {
    name: &'static str,
    gateway: &'static str,
    /// Taken at once, without an authorization before.
    pub(super) at_once: bool,
    instalments: u64,
}

const fn method(name: &'static str, gateway: &'static str, at_once: bool, instalments: u64) -> Method {
    Method { name, gateway, at_once, instalments }
}

static CARD: Method = method("card", "stripe", false, 0);
static WALLET: Method = method("apple_pay", "stripe", false, 0);
static PAYPAL: Method = method("paypal", "paypal", true, 0);
static LATER: Method = method("klarna", "klarna", false, 3);
static IDEAL: Method = method("ideal", "mollie", true, 0);
static SWISH: Method = method("swish", "swish", true, 0);
static UPI: Method = method("upi", "razorpay", true, 0);
static GIFT_CARD: Method = method("gift_card", "shop", true, 0);

/// A part of an order's total and how it is paid. Amounts in 10^-6 of the order's currency.
#[derive(Debug)]
pub(super) struct Tender {
    pub(super) method: &'static Method,
    amount: i64,
    /// What has been taken and not given back.
    taken: i64,
    /// The number of the payment that a later one refers to.
    latest: u64,
}

impl Tender {
    pub(super) fn drawn(country: &Country, total: i64, rng: &mut Rng) -> Vec<Self> {
        let local = match country.code {
            "NL" => &IDEAL,
            "SE" => &SWISH,
            "IN" => &UPI,
            _ => &PAYPAL,
        };
        let method = rng.choose(&[(50, &CARD), (18, &WALLET), (20, local), (12, &LATER)]);
        let tender = |method, amount| Self { method, amount, taken: 0, latest: 0 };
        let minor = order::minor(country.money);
        let by_card = total / minor / 3 * minor;
        if by_card > 0 && rng.permille(170) {
            return vec![tender(&GIFT_CARD, by_card), tender(method, total - by_card)];
        }
        vec![tender(method, total)]
    }
}

/// A payment record about to be posted.
struct Payment<'a> {
    kind: &'static str,
    parent: Option<u64>,
    succeeded: bool,
    method: &'a Method,
    amount: i64,
    sequence: u64,
}

/// Posts a payment and tells its number.
fn post(terms: &Terms, world: &mut World, at: i64, payment: &Payment<'_>) -> u64 {
    world.payments += 1;
    let (number, tag, day) = (world.payments, world.tag, world.today.key);
    let amount = reported(payment.amount, world.rate(terms.money));
    let counts = payment.succeeded && !terms.is_test;
    let effect = match payment.kind {
        "capture" | "sale" if counts => Effect::Payment { day, captured: amount, refunded: 0 },
        "refund" | "chargeback" if counts => Effect::Payment { day, captured: 0, refunded: amount },
        _ => Effect::None,
    };
    world.outbox.post(Post { contract: Contract::Payment, at, pace: Pace::Strays, effect }, |json| {
        tag.payment_id(json, "payment_id", number);
        terms.write(tag, json);
        json.text("kind", payment.kind);
        if let Some(parent) = payment.parent {
            tag.payment_id(json, "parent_id", parent);
        }
        json.text("status", if payment.succeeded { "success" } else { "failure" });
        json.text("gateway", payment.method.gateway).text("method", payment.method.name);
        terms.amount(json, "amount", payment.amount);
        json.text("currency", MONIES[terms.money].code);
        if payment.method.instalments > 0 {
            json.integer("instalments", payment.method.instalments);
        }
        json.integer("sequence", payment.sequence);
    });
    number
}

/// A try to pay that the card's bank refuses.
pub(super) fn fail(session: &mut Session, world: &mut World, at: i64) {
    let terms = order::terms_of(session, world);
    let amount = order::total(&order::lines_of(session, world));
    let payment = Payment { kind: "authorization", parent: None, succeeded: false, method: &CARD, amount, sequence: 0 };
    post(&terms, world, at, &payment);
}

impl Order {
    /// Takes or authorizes every tender.
    pub(super) fn pay(&mut self, world: &mut World, at: i64) {
        for (tender, sequence) in self.tenders.iter_mut().zip(1..) {
            let Tender { method, amount, .. } = *tender;
            let kind = if method.at_once { "sale" } else { "authorization" };
            let payment = Payment { kind, parent: None, succeeded: true, method, amount, sequence };
            tender.latest = post(&self.terms, world, at, &payment);
            tender.taken = if method.at_once { amount } else { 0 };
        }
    }

    /// Captures what is authorized, now and then in two parts.
    pub(super) fn capture(&mut self, world: &mut World, at: i64) {
        let money = self.terms.money;
        for tender in self.tenders.iter_mut().filter(|tender| tender.taken == 0 && tender.amount > 0) {
            let (authorization, method) = (tender.latest, tender.method);
            let first = if world.rng.permille(500) { order::share(tender.amount, 2, 3, money) } else { tender.amount };
            for (amount, sequence) in [first, tender.amount - first].into_iter().filter(|amount| *amount > 0).zip(3..) {
                let payment = Payment { kind: "capture", parent: Some(authorization), succeeded: true, method, amount, sequence };
                tender.latest = post(&self.terms, world, at, &payment);
            }
            tender.taken = tender.amount;
        }
    }

    /// Gives authorizations up.
    pub(super) fn void(&mut self, world: &mut World, at: i64) {
        for tender in self.tenders.iter().filter(|tender| tender.taken == 0) {
            let (parent, amount) = (Some(tender.latest), tender.amount);
            post(
                &self.terms,
                world,
                at,
                &Payment { kind: "void", parent, succeeded: true, method: tender.method, amount, sequence: 5 },
            );
        }
    }

    /// Gives money back, as far as it has been taken. `kind` is `refund` or `chargeback`.
    pub(super) fn pay_back(&mut self, world: &mut World, at: i64, kind: &'static str, mut amount: i64) {
        for tender in &mut self.tenders {
            let part = amount.min(tender.taken);
            if part > 0 {
                let (parent, method) = (Some(tender.latest), tender.method);
                post(&self.terms, world, at, &Payment { kind, parent, succeeded: true, method, amount: part, sequence: 6 });
                tender.taken -= part;
                amount -= part;
            }
        }
    }

    pub(super) fn taken(&self) -> i64 {
        self.tenders.iter().map(|tender| tender.taken).sum()
    }
}

/// Banks capture some minutes after they have authorized.
pub(super) fn capture_delay(rng: &mut Rng) -> i64 {
    rng.between(90, 1_500) * SECOND
}
