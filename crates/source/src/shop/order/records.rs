//! The records of an order: revisions of its header, sold lines, cancelled lines.

use kassa_model::Contract;

use super::super::catalogue::product_id;
use super::super::json::Json;
use super::super::ledger::{Effect, Kind, Movement, reported};
use super::super::outbox::{Pace, Post};
use super::super::words::{MONIES, SHELVES};
use super::super::world::World;
use super::{LINE_IDS, Line, Order, total};

impl Order {
    /// Posts the next revision of the header.
    pub(in crate::shop) fn post(&mut self, world: &mut World, at: i64) {
        self.revision += 1;
        let (order, tag, home) = (&*self, world.tag, world.home);
        world.outbox.post(Post { contract: Contract::Order, at, pace: Pace::Slips, effect: Effect::None }, |json| {
            order.terms.write(tag, json);
            json.integer("revision", order.revision).text("status", order.status);
            json.text("financial_status", order.financial_status).text("fulfilment_status", order.fulfilment_status());
            json.time("placed_at", order.placed_at);
            for (key, time) in [("paid_at", order.paid_at), ("cancelled_at", order.cancelled_at), ("closed_at", order.closed_at)]
            {
                if let Some(time) = time {
                    json.time(key, time);
                }
            }
            if !order.cancel_reason.is_empty() {
                json.text("cancel_reason", order.cancel_reason);
            }
            json.text("currency", MONIES[order.terms.money].code)
                .text("shop_currency", MONIES[home].code)
                .flag("tax_included", false);
            order.write_totals(json);
            order.write_addresses(json);
            json.text("attribution", order.attribution).opaque_id("session_id", "s", order.terms.session);
        });
    }

    fn fulfilment_status(&self) -> &'static str {
        if matches!(self.status, "fulfilled" | "closed") { "fulfilled" } else { "unfulfilled" }
    }

    fn write_totals(&self, json: &mut Json<'_>) {
        let sum = |part: fn(&Line) -> i64| self.lines.iter().map(part).sum();
        self.terms.amount(json, "subtotal", sum(Line::gross));
        self.terms.amount(json, "discount", sum(|line| line.discount));
        self.terms.amount(json, "tax", sum(|line| line.tax));
        self.terms.amount(json, "shipping", sum(|line| line.shipping));
        self.terms.amount(json, "total", total(&self.lines));
        if let Some(coupon) = self.coupon {
            json.array_of_texts("coupons", &[coupon]);
        }
    }

    fn write_addresses(&self, json: &mut Json<'_>) {
        if let Some(home) = &self.bill_to {
            home.write("billing_address", json);
        }
        self.ship_to.write("shipping_address", json);
    }

    pub(in crate::shop) fn write_ship_to(&self, json: &mut Json<'_>) {
        self.ship_to.write_short("shipping_address", json);
    }

    /// A movement of this order today, in the reporting currency; for a test order it counts
    /// nothing.
    pub(in crate::shop) fn movement(&self, world: &World, kind: Kind, amounts: [i64; 4], units: i64) -> Movement {
        let rate = world.rate(self.terms.money);
        let [gross, discount, tax, shipping] = amounts.map(|micros| reported(micros, rate));
        let (day, order_day, customer) = (world.today.key, self.day, self.terms.customer);
        Movement { kind, day, order_day, customer, gross, discount, tax, shipping, units }
    }

    fn effect(&self, movement: Movement) -> Effect {
        if self.terms.is_test { Effect::None } else { Effect::Movement(movement) }
    }

    pub(super) fn post_sale(&self, world: &mut World, at: usize) {
        let line = &self.lines[at];
        let (opens, amounts) = (at == 0, [line.gross(), line.discount, line.tax, line.shipping]);
        let effect = self.effect(self.movement(world, Kind::Sale { opens }, amounts, line.quantity));
        // The first line counts the order.
        let pace = if opens { Pace::Punctual } else { Pace::Strays };
        let (tag, catalogue) = (world.tag, &world.catalogue);
        world.outbox.post(Post { contract: Contract::OrderLine, at: self.placed_at, pace, effect }, |json| {
            self.terms.write(tag, json);
            json.text("line_id", LINE_IDS[at]).time("placed_at", self.placed_at);
            let product = catalogue.get(line.product);
            product_id(json, line.product);
            json.text("name", &product.name).text("brand", product.brand).array_of_texts("category", SHELVES[product.shelf].path);
            json.quantity("quantity", line.quantity);
            self.terms.amount(json, "list_price", line.list);
            self.terms.amount(json, "unit_price", line.unit);
            for (key, micros) in [("discount", line.discount), ("tax", line.tax), ("shipping", line.shipping)] {
                if micros != 0 {
                    self.terms.amount(json, key, micros);
                }
            }
            if line.discount == 0 && self.terms.channel == "app" {
                self.terms.amount(json, "amount", line.gross());
            }
            json.text("currency", MONIES[self.terms.money].code);
            if let Some(promotion) = line.promotion {
                json.text("promotion", promotion);
            }
            json.opaque_id("session_id", "s", self.terms.session);
            self.write_ship_to(json);
        });
    }

    /// Cancels a line before it is shipped.
    pub(in crate::shop) fn cancel_line(&mut self, world: &mut World, now: i64, at: usize) {
        self.lines[at].cancelled = true;
        let line = &self.lines[at];
        let amounts = [-line.net(), 0, -line.tax, -line.shipping];
        let effect = self.effect(self.movement(world, Kind::Cancellation, amounts, -line.quantity));
        let tag = world.tag;
        let (category, name) = (SHELVES[world.catalogue.get(line.product).shelf].path, &world.catalogue.get(line.product).name);
        world.outbox.post(Post { contract: Contract::OrderLine, at: now, pace: Pace::Strays, effect }, |json| {
            self.terms.write(tag, json);
            json.texts("line_id", &[LINE_IDS[at], "-c"]).text("movement", "cancellation");
            json.time("placed_at", self.placed_at);
            product_id(json, line.product);
            json.text("name", name).array_of_texts("category", category).quantity("quantity", -line.quantity);
            // A discounted line is cancelled at its amount, because no unit price gives that amount
            // for its quantity.
            match line.discount {
                0 => self.terms.amount(json, "unit_price", line.unit),
                _ => self.terms.amount(json, "amount", -line.net()),
            }
            self.terms.amount(json, "tax", -line.tax);
            if line.shipping != 0 {
                self.terms.amount(json, "shipping", -line.shipping);
            }
            json.text("currency", MONIES[self.terms.money].code).opaque_id("session_id", "s", self.terms.session);
            self.write_ship_to(json);
        });
    }
}
