//! The life of an order after it is placed.
//!
//! ```text
//!  placed ─► Capture ─► Fulfil ─► Return ─► Close
//!                │ └► Drop line ─┘ └───────┘
//!                └► Cancel
//! ```

use kassa_model::Contract;
use kassa_model::time::HOUR;

use super::catalogue::{in_money, product_id};
use super::json::Json;
use super::ledger::{Effect, Kind};
use super::money::share;
use super::order::{LINE_IDS, Life, Order};
use super::outbox::{Pace, Post};
use super::payment::capture_delay;
use super::rng::Rng;
use super::words::MONIES;
use super::world::{Tag, World};

/// A line of a refund: which line, and how much of it.
struct Returned {
    line: usize,
    product: u16,
    quantity: i64,
    amount: i64,
    tax: i64,
    restock: bool,
}

struct Refund {
    lines: Vec<Returned>,
    shipping: i64,
    adjustments: i64,
    reason: &'static str,
}

impl Order {
    /// The time until the first step.
    pub(super) fn first_wait(&mut self, rng: &mut Rng) -> Option<i64> {
        if self.terms.is_test {
            return None;
        }
        match self.paid_at {
            None => Some(capture_delay(rng)),
            Some(_) => self.plan(rng),
        }
    }

    /// Decides the next step of a paid order.
    fn plan(&mut self, rng: &mut Rng) -> Option<i64> {
        self.next = rng.choose(&[(40, Life::Cancel), (25, Life::DropLine), (935, Life::Fulfil)]);
        Some(match self.next {
            Life::Fulfil => rng.between(16, 52) * HOUR + rng.between(0, HOUR),
            _ => rng.between(HOUR / 2, 12 * HOUR),
        })
    }

    /// Performs the current step, and returns the time until the next; `None` when the order is
    /// finished.
    pub(super) fn live(&mut self, world: &mut World, at: i64) -> Option<i64> {
        match self.next {
            Life::Capture if world.rng.permille(8) => {
                self.void(world, at);
                self.pay_back(world, at, "refund", self.taken());
                self.cancel(world, at, "fraud");
                None
            }
            Life::Capture => {
                self.capture(world, at);
                (self.status, self.financial_status, self.paid_at) = ("paid", "paid", Some(at));
                self.post(world, at);
                self.plan(&mut world.rng)
            }
            Life::Cancel => {
                let reason = world.rng.one_of(&["customer", "customer", "inventory", "other"]);
                self.pay_back(world, at, "refund", self.taken());
                self.financial_status = "refunded";
                self.cancel(world, at, reason);
                None
            }
            Life::DropLine => {
                self.drop_line(world, at);
                self.next = Life::Fulfil;
                Some(world.rng.between(8, 40) * HOUR)
            }
            Life::Fulfil => {
                self.status = "fulfilled";
                self.post(world, at);
                self.next = world.rng.choose(&[(120, Life::Return), (430, Life::Close), (450, Life::Over)]);
                (self.next != Life::Over).then(|| world.rng.between(30 * HOUR, 100 * HOUR))
            }
            Life::Return => {
                self.give_back(world, at);
                self.next = Life::Close;
                world.rng.permille(400).then(|| world.rng.between(10 * HOUR, 40 * HOUR))
            }
            Life::Close => {
                (self.status, self.closed_at) = ("closed", Some(at));
                self.post(world, at);
                None
            }
            Life::Over => None,
        }
    }

    fn cancel(&mut self, world: &mut World, at: i64, reason: &'static str) {
        for line in 0..self.lines.len() {
            self.cancel_line(world, at, line);
        }
        (self.status, self.cancelled_at, self.cancel_reason) = ("cancelled", Some(at), reason);
        self.post(world, at);
    }

    /// The last of several lines is out of stock. The first line stays, because it has the
    /// shipping.
    fn drop_line(&mut self, world: &mut World, at: i64) {
        let last = self.lines.len() - 1;
        if last > 0 {
            let amount = self.lines[last].net() + self.lines[last].tax;
            self.cancel_line(world, at, last);
            self.pay_back(world, at, "refund", amount);
            self.financial_status = "partially_refunded";
            self.post(world, at);
        }
    }

    fn give_back(&mut self, world: &mut World, at: i64) {
        if world.rng.permille(30) {
            self.pay_back(world, at, "chargeback", self.taken());
            return;
        }
        let refund = self.draw_refund(&mut world.rng);
        self.post_refund(world, at, &refund);
        let lines: i64 = refund.lines.iter().map(|line| line.amount + line.tax).sum();
        self.pay_back(world, at, "refund", lines + refund.shipping + refund.adjustments);
        self.financial_status = if self.taken() == 0 { "refunded" } else { "partially_refunded" };
        self.post(world, at);
    }

    fn draw_refund(&self, rng: &mut Rng) -> Refund {
        let money = self.terms.money;
        let goodwill_only = rng.permille(60);
        let mut lines = Vec::new();
        for (at, line) in self.lines.iter().enumerate().filter(|(_, line)| !line.cancelled) {
            if goodwill_only || (!lines.is_empty() && rng.permille(620)) {
                continue;
            }
            let whole = line.quantity < 2_000 || rng.permille(500);
            let quantity = if whole { line.quantity } else { line.quantity / 2_000 * 1_000 };
            let part = |amount| share(amount, quantity, line.quantity, money);
            let (amount, tax, restock) = (part(line.net()), part(line.tax), rng.permille(800));
            lines.push(Returned { line: at, product: line.product, quantity, amount, tax, restock });
        }
        Refund {
            shipping: if rng.permille(200) { self.lines[0].shipping } else { 0 },
            adjustments: if goodwill_only || rng.permille(80) { in_money(rng.between(1, 6) * 100, money, false) } else { 0 },
            reason: if goodwill_only {
                "late"
            } else {
                rng.one_of(&["unwanted", "unwanted", "damaged", "not as described", "size"])
            },
            lines,
        }
    }

    fn post_refund(&self, world: &mut World, at: i64, refund: &Refund) {
        let mut movements: Vec<_> = refund
            .lines
            .iter()
            .map(|line| self.movement(world, Kind::Return, [-line.amount, 0, -line.tax, 0], -line.quantity))
            .collect();
        movements.push(self.movement(world, Kind::Return, [0, 0, 0, -refund.shipping], 0));
        movements.push(self.movement(world, Kind::Adjustment, [-refund.adjustments, 0, 0, 0], 0));
        world.refunds += 1;
        let (number, tag) = (world.refunds, world.tag);
        let effect = Effect::Movements(movements.into());
        let post = Post { contract: Contract::Refund, at, pace: Pace::Slips, effect };
        world.outbox.post(post, |json| self.write_refund(json, tag, number, refund));
    }

    fn write_refund(&self, json: &mut Json<'_>, tag: Tag, number: u64, refund: &Refund) {
        tag.refund_id(json, number);
        self.terms.write(tag, json);
        json.text("currency", MONIES[self.terms.money].code).time("placed_at", self.placed_at).text("reason", refund.reason);
        for (key, micros) in [("shipping", refund.shipping), ("adjustments", refund.adjustments)] {
            if micros != 0 {
                self.terms.amount(json, key, micros);
            }
        }
        if !refund.lines.is_empty() {
            json.objects("lines", &refund.lines, |json, line| {
                json.text("line_id", LINE_IDS[line.line]);
                product_id(json, line.product);
                json.quantity("quantity", line.quantity);
                self.terms.amount(json, "amount", line.amount);
                self.terms.amount(json, "tax", line.tax);
                json.flag("restock", line.restock);
            });
        }
        self.write_ship_to(json);
    }
}
