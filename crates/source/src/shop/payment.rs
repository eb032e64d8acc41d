//! Payments of orders: tenders that are charged immediately, or authorized and captured; failed
//! attempts; refunds.

use kassa_model::Contract;
use kassa_model::time::SECOND;

use super::ledger::{Effect, reported};
use super::money::share;
use super::order::{self, Order, Terms};
use super::outbox::{Pace, Post};
use super::rng::Rng;
use super::tender::{CARD, Method, Tender};
use super::visit::Session;
use super::words::MONIES;
use super::world::World;

/// A payment record to be posted.
struct Payment<'a> {
    kind: &'static str,
    parent: Option<u64>,
    succeeded: bool,
    method: &'a Method,
    amount: i64,
    sequence: u64,
}

/// Posts a payment and returns its number.
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

/// An attempt that the card's bank refuses.
pub(super) fn fail(session: &mut Session, world: &mut World, at: i64) {
    let terms = order::terms_of(session, world);
    let amount = order::total(&order::lines_of(session, world));
    let payment = Payment { kind: "authorization", parent: None, succeeded: false, method: &CARD, amount, sequence: 0 };
    post(&terms, world, at, &payment);
}

impl Order {
    /// Charges or authorizes every tender.
    pub(super) fn pay(&mut self, world: &mut World, at: i64) {
        for (tender, sequence) in self.tenders.iter_mut().zip(1..) {
            let Tender { method, amount, .. } = *tender;
            let kind = if method.at_once { "sale" } else { "authorization" };
            let payment = Payment { kind, parent: None, succeeded: true, method, amount, sequence };
            tender.latest = post(&self.terms, world, at, &payment);
            tender.taken = if method.at_once { amount } else { 0 };
        }
    }

    /// Captures the authorized amounts, sometimes in two parts.
    pub(super) fn capture(&mut self, world: &mut World, at: i64) {
        let money = self.terms.money;
        for tender in self.tenders.iter_mut().filter(|tender| tender.taken == 0 && tender.amount > 0) {
            let (authorization, method) = (tender.latest, tender.method);
            let first = if world.rng.permille(500) { share(tender.amount, 2, 3, money) } else { tender.amount };
            for (amount, sequence) in [first, tender.amount - first].into_iter().filter(|amount| *amount > 0).zip(3..) {
                let payment = Payment { kind: "capture", parent: Some(authorization), succeeded: true, method, amount, sequence };
                tender.latest = post(&self.terms, world, at, &payment);
            }
            tender.taken = tender.amount;
        }
    }

    /// Voids the authorizations.
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

    /// Refunds money, up to the charged amount. `kind` is `refund` or `chargeback`.
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

/// Banks capture some minutes after the authorization.
pub(super) fn capture_delay(rng: &mut Rng) -> i64 {
    rng.between(90, 1_500) * SECOND
}
