//! The records of a session: behaviour events, and the customer's record if they are new or have
//! moved.

use kassa_model::Contract;

use super::super::catalogue::{Catalogue, product_id};
use super::super::json::Json;
use super::super::ledger::{Effect, Step};
use super::super::outbox::{Pace, Post};
use super::super::rng::Rng;
use super::super::season::WELCOME;
use super::super::words::{MONIES, SHELVES};
use super::super::world::{World, write_customer_id};
use super::{Item, Session, Stage};

impl Session {
    pub(super) fn land(&mut self, world: &mut World, at: i64) {
        let (page, product) = (world.rng.choose(&[(50, Some("/")), (20, Some("/new")), (30, None)]), self.product);
        let [referrer, source, medium, campaign] = self.arrival;
        self.post_event(world, at, "page_viewed", Step::Opened, |json, catalogue| {
            match page {
                Some(page) => url(json, page, ""),
                None => url(json, "/p/", &catalogue.get(product).slug),
            }
            for (key, text) in
                [("referrer", referrer), ("utm_source", source), ("utm_medium", medium), ("utm_campaign", campaign)]
            {
                if !text.is_empty() {
                    json.text(key, text);
                }
            }
        });
        if let Some(promotion) = world.today.promotion {
            let name = if world.rng.permille(120) { "promotion_clicked" } else { "promotion_viewed" };
            self.post_event(world, at, name, Step::None, |json, _| {
                json.text("list_id", promotion.code).integer("position", 1);
            });
        }
    }

    pub(super) fn look_at_shelf(&mut self, world: &mut World, at: i64, name: &str) {
        // Their search leads them to a shelf.
        self.product = world.catalogue.wanted(&mut world.rng);
        self.shelf = world.catalogue.get(self.product).shelf;
        let slug = SHELVES[self.shelf].slug;
        self.post_event(world, at, name, Step::None, |json, _| {
            json.text("list_id", slug);
            url(json, "/c/", slug);
        });
    }

    pub(super) fn click(&mut self, world: &mut World, at: i64) {
        if world.rng.permille(350) {
            self.product = world.catalogue.any_on(self.shelf, &mut world.rng);
        }
        let (product, slug, position) = (self.product, SHELVES[self.shelf].slug, world.rng.below(24) + 1);
        self.post_event(world, at, "product_clicked", Step::None, |json, _| {
            product_id(json, product);
            json.text("list_id", slug).integer("position", position);
        });
    }

    pub(super) fn view(&mut self, world: &mut World, at: i64) {
        let step = if self.viewed { Step::None } else { Step::Viewed };
        self.viewed = true;
        self.tell_product(world, at, "product_viewed", step, None);
    }

    pub(super) fn add(&mut self, world: &mut World, at: i64) {
        let quantity = quantity_of(world.catalogue.get(self.product).by_metre(), &mut world.rng);
        let step = if self.added { Step::None } else { Step::Added };
        self.added = true;
        self.tell_product(world, at, "product_added", step, Some(quantity));
        match self.cart.iter_mut().find(|item| item.product == self.product) {
            Some(item) => item.quantity += quantity,
            None => self.cart.push(Item { product: self.product, quantity }),
        }
        // The shop's next recommendation.
        self.product = world.catalogue.wanted(&mut world.rng);
    }

    /// Unknown visitors open an account or continue as guests.
    pub(super) fn check_out(&mut self, world: &mut World, at: i64) {
        if self.visitor.customer.is_none() && !self.is_test && world.rng.permille(620) {
            world.people.register(&mut self.visitor);
            self.code = world.rng.permille(350).then_some(WELCOME);
            self.announce(world, at);
        }
        self.post_cart_event(world, at, "checkout_started", Step::Checkout);
    }

    /// Posts a record of the customer, if they are new or have moved.
    pub(super) fn announce(&mut self, world: &mut World, at: i64) {
        if let Some(customer) = self.visitor.customer
            && world.people.has_news(customer, &mut world.rng)
        {
            self.visitor.home = world.people.home_of(customer);
            world.post_customer(at, customer, &self.visitor.home);
        }
    }

    pub(super) fn tell_product(&mut self, world: &mut World, at: i64, name: &str, step: Step, quantity: Option<i64>) {
        let (product, cart) = (self.product, self.id);
        let money = self.visitor.home.country.money;
        self.post_event(world, at, name, step, |json, catalogue| {
            let held = catalogue.get(product);
            product_id(json, product);
            if let Some(quantity) = quantity {
                json.quantity("quantity", quantity).opaque_id("cart_id", "k", cart);
            }
            json.amount("price", held.price(money).unit, MONIES[money].digits).text("currency", MONIES[money].code);
            if quantity.is_none() {
                url(json, "/p/", &held.slug);
            }
        });
    }

    /// Posts an event about the whole cart; from the checkout on, it names the checkout too.
    pub(in crate::shop) fn post_cart_event(&mut self, world: &mut World, at: i64, name: &str, step: Step) {
        let (cart, stage) = (self.id, self.stage);
        let (order, tag) = (self.order.filter(|_| stage == Stage::Order), world.tag);
        self.post_event(world, at, name, step, |json, _| {
            if stage == Stage::Cart {
                json.opaque_id("cart_id", "k", cart);
                url(json, "/cart", "");
                return;
            }
            json.opaque_id("checkout_id", "x", cart);
            if step == Step::Checkout {
                url(json, "/checkout", "");
            }
            if let Some(number) = order {
                tag.order_id(json, number);
            }
        });
    }

    /// Posts a behaviour event of this session; `write` adds the fields of its type.
    pub(super) fn post_event(
        &mut self,
        world: &mut World,
        at: i64,
        name: &str,
        step: Step,
        write: impl FnOnce(&mut Json<'_>, &Catalogue),
    ) {
        // The steps of the funnel are never late, because they count the session.
        let pace = if step == Step::None { Pace::Strays } else { Pace::Punctual };
        let effect = self.effect(world.today.key, step);
        let World { outbox, catalogue, .. } = world;
        let visitor = &self.visitor;
        outbox.post(Post { contract: Contract::Event, at, pace, effect }, |json| {
            json.text("type", name).text("channel", visitor.channel).opaque_id("session_id", "s", self.id);
            json.opaque_id("anonymous_id", "a", visitor.anonymous_id);
            write_customer_id(json, visitor.customer);
            if self.is_test {
                json.flag("is_test", true);
            }
            if self.is_bot {
                json.flag("is_bot", true);
            }
            json.text("device", visitor.device).text("country", visitor.home.country.code);
            write(json, catalogue);
        });
    }

    fn effect(&mut self, day: i32, step: Step) -> Effect {
        if self.is_test || self.is_bot {
            return Effect::None;
        }
        let now = (day, self.visitor.person());
        let person = (self.counted != now).then_some(now.1);
        // Only a record that is certain to be on time proves that the day has counted the person.
        if step != Step::None {
            self.counted = now;
        }
        Effect::Event { day, person, step, session_day: self.day }
    }
}

/// In 10^-3: pieces, mostly one; metres in halves.
fn quantity_of(by_metre: bool, rng: &mut Rng) -> i64 {
    if by_metre { rng.between(1, 9) * 500 } else { rng.choose(&[(74, 1_000), (15, 2_000), (4, 3_000), (4, 4_000), (3, 6_000)]) }
}

pub(super) fn url(json: &mut Json<'_>, page: &str, rest: &str) {
    json.texts("url", &["https://harbour.example", page, rest]);
}
