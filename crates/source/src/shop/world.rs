//! The state that sessions and orders share: the day with its rates and promotion, the catalogue,
//! the people, and the outbox.

use kassa_model::decimal::Decimal;
use kassa_model::{Contract, Rate};

use super::catalogue::{Catalogue, product_id};
use super::json::Json;
use super::ledger::Effect;
use super::outbox::{Outbox, Pace, Post};
use super::people::{Home, People, customer_id};
use super::rng::{Rng, seed_of};
use super::season::Promotion;
use super::words::MONIES;

/// The shop's day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Today {
    /// yyyymmdd.
    pub(super) key: i32,
    /// Days since 1970-01-01.
    pub(super) number: i64,
    pub(super) promotion: Option<Promotion>,
    /// From each of [`MONIES`] to the reporting currency.
    pub(super) rates: [Rate; MONIES.len()],
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) today: Today,
    pub(super) catalogue: Catalogue,
    pub(super) people: People,
    pub(super) outbox: Outbox,
    /// The reporting currency, as an index in [`MONIES`].
    pub(super) home: usize,
    pub(super) tag: Tag,
    pub(super) orders: u64,
    pub(super) payments: u64,
    pub(super) refunds: u64,
}

/// Three letters or digits of the seed in the ids of orders, payments and refunds, so that shops
/// with different seeds share no ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag([u8; 3]);

impl Tag {
    pub(super) fn new(seed: u64) -> Self {
        const SIGNS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        let mixed = seed_of(seed, "tag");
        Self(std::array::from_fn(|at| SIGNS[(mixed >> (5 * at)) as usize % SIGNS.len()]))
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(super) fn order_id(self, json: &mut Json<'_>, number: u64) {
        json.id("order_id", &["HP", self.as_str(), "-"], number, "");
    }

    /// `key` is `payment_id` or `parent_id`.
    pub(super) fn payment_id(self, json: &mut Json<'_>, key: &str, number: u64) {
        json.id(key, &["PAY", self.as_str(), "-"], number, "");
    }

    pub(super) fn refund_id(self, json: &mut Json<'_>, number: u64) {
        json.id("refund_id", &["R", self.as_str(), "-"], number, "");
    }
}

impl World {
    pub(super) fn rate(&self, money: usize) -> Rate {
        self.today.rates[money]
    }

    /// Posts today's rates: the value of every currency varies around its mean, by at most 0.8 % a
    /// day.
    pub(super) fn post_rates(&mut self, at: i64, values: &mut [i64; MONIES.len()]) {
        for (value, money) in values.iter_mut().zip(&MONIES).skip(1) {
            let pull = (money.pounds - *value) / 20;
            let step = *value / 1_000 * self.rng.between(-50, 50) / 10;
            *value += pull + step / 2;
        }
        let of = |money: usize| Rate::ONE as i128 * i128::from(values[money]) / i128::from(values[self.home]);
        self.today.rates = std::array::from_fn(|money| Decimal(of(money) as i64));
        for money in (0..MONIES.len()).filter(|money| *money != self.home) {
            let (rate, day, quote) = (self.rate(money).0, self.today.key, MONIES[self.home].code);
            let post = Post { contract: Contract::FxRate, at, pace: Pace::Punctual, effect: Effect::None };
            self.outbox.post(post, |json| {
                json.text("base", MONIES[money].code).text("quote", quote).date("day", day).decimal("rate", rate, 9, 0);
            });
        }
    }

    pub(super) fn post_product(&mut self, at: i64, product: u16) {
        let post = Post { contract: Contract::Product, at, pace: Pace::Punctual, effect: Effect::None };
        let (catalogue, home) = (&self.catalogue, self.home);
        self.outbox.post(post, |json| {
            product_id(json, product);
            catalogue.write_product(product, home, json);
        });
    }

    pub(super) fn post_customer(&mut self, at: i64, customer: u32, home: &Home) {
        let post = Post { contract: Contract::Customer, at, pace: Pace::Punctual, effect: Effect::None };
        let people = &self.people;
        self.outbox.post(post, |json| people.write_customer(customer, home, json));
    }

    pub(super) fn post_level(&mut self, at: i64, product: u16) {
        let post = Post { contract: Contract::Inventory, at, pace: Pace::Slips, effect: Effect::None };
        let level = self.rng.between(0, 240) * 1_000;
        let location = self.rng.choose(&[(6, "Whitstable"), (3, "Leeds"), (1, "Venlo")]);
        self.outbox.post(post, |json| {
            product_id(json, product);
            json.text("location", location).quantity("level", level);
        });
    }
}

/// Writes the ids that connect a record to a person.
pub(super) fn write_customer_id(json: &mut Json<'_>, customer: Option<u32>) {
    if let Some(customer) = customer {
        customer_id(json, customer);
    }
}
