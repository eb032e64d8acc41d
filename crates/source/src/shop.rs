//! The synthetic shop: an endless, seeded sequence of a shop's records in the contracts' form, with
//! faults at configured rates and exact expected results.
//!
//! It is pure: no clock, no IO. The same options give the same bytes on every machine.
//!
//! ```text
//!  Agenda (≤ 1 + sessions + orders) ─► session.rs ─► order.rs, payment.rs, fulfil.rs ─► Outbox (faults) ─► Shop::next ─► bytes
//!     by the simulated clock              └── world.rs: day, rates, catalogue, people                         └─► Ledger ─► Truth
//! ```
//!
//! Bounded: at most 65,536 sessions, 131,072 open orders and 65,536 delayed copies. Beyond that,
//! visitors are refused, orders end when they are placed, and nothing is late. Growing state: 28
//! bytes per customer and a few hundred bytes per day; visitors of the last five days are stored by
//! number.

mod agenda;
pub mod avro;
mod catalogue;
pub mod files;
mod fulfil;
mod json;
mod ledger;
mod money;
mod order;
mod outbox;
mod payment;
mod people;
mod rng;
mod season;
mod session;
mod spoil;
mod tender;
mod truth;
mod visit;
mod words;
mod world;

use kassa_model::decimal::Decimal;
use kassa_model::time::{Calendar, DAY, SECOND, date_of};
use kassa_model::{Contract, Fate, Rate};

use agenda::{Agenda, Event, Places};
use catalogue::Catalogue;
use ledger::Ledger;
use order::Order;
use outbox::Outbox;
use people::People;
use rng::{Rng, seed_of};
use season::{Promotion, busyness};
use session::Next;
use visit::Session;
use words::MONIES;
use world::{Tag, Today, World};

pub use outbox::Faults;
pub use truth::{DayFigures, Figures, Funnel, Sales, StreamCounts, Truth, Visits};

const SESSIONS_MAX: usize = 65_536;
const ORDERS_MAX: usize = 131_072;
/// The number of records of a thousand sessions in the end, without faults (measured).
const RECORDS_A_THOUSAND_SESSIONS: u64 = 8_200;
/// The percentage of products whose price changes per day.
const REPRICED_PERCENT: u64 = 2;

/// The streams of the shop with their contracts.
pub const STREAMS: [(&str, Contract); 9] = [
    ("events", Contract::Event),
    ("orders", Contract::Order),
    ("order_lines", Contract::OrderLine),
    ("payments", Contract::Payment),
    ("refunds", Contract::Refund),
    ("customers", Contract::Customer),
    ("products", Contract::Product),
    ("inventory", Contract::Inventory),
    ("fx_rates", Contract::FxRate),
];

/// The name of a contract's stream: `order_lines`.
pub fn stream_of(contract: Contract) -> &'static str {
    STREAMS[contract as usize].0
}

/// The parameters of a shop.
#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    /// The start of the simulated clock, µs UTC. It should be far enough in the past that the
    /// records do not get ahead of the real time.
    pub start: i64,
    /// Simulated volume: records on an average day, including faults.
    pub records_per_day: u64,
    /// Its zone determines days, hours and weeks; its currency is that of the rates and of the
    /// expected results.
    pub shop: kassa_model::Shop,
    pub faults: Faults,
}

/// The shop does not trade in its own reporting currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the synthetic shop has no prices in {0}: it trades in GBP, EUR, USD, SEK, JPY and INR")]
pub struct UnknownPrices(pub kassa_model::Currency);

/// A record that was appended to the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emitted {
    pub stream: &'static str,
    pub contract: Contract,
    /// When it happened, µs UTC; for a late record, long before its neighbours.
    pub event_time: i64,
    /// The fate that kassa must give it.
    pub fate: Fate,
}

/// A running shop.
#[derive(Debug)]
pub struct Shop {
    seed: u64,
    sessions_per_day: u64,
    /// Customers whose records are sent on the first day.
    listed: u32,
    calendar: Calendar,
    agenda: Agenda,
    world: World,
    sessions: Places<Session>,
    orders: Places<Order>,
    visits: u64,
    /// The value of each currency in 10^-9 pounds.
    values: [i64; MONIES.len()],
    ledger: Ledger,
}

impl Shop {
    pub fn new(options: Options) -> Result<Self, UnknownPrices> {
        let Options { seed, start, records_per_day, shop, faults } = options;
        let code = shop.currency;
        let home = MONIES.iter().position(|money| money.code == code.code()).ok_or(UnknownPrices(code))?;
        let mut rng = Rng::new(seed_of(seed, "world"));
        let extra = 1_000_000 + u64::from(faults.duplicates_ppm) + u64::from(faults.malformed_ppm);
        let sessions_per_day = records_per_day.saturating_mul(1_000) / RECORDS_A_THOUSAND_SESSIONS * 1_000_000 / extra;
        let today = Today { key: 0, number: 0, promotion: None, rates: [Decimal(Rate::ONE); MONIES.len()] };
        let world = World {
            today,
            catalogue: Catalogue::new(&mut rng),
            people: People::new(seed, (records_per_day / 200).clamp(100, 50_000)),
            outbox: Outbox::new(seed, faults),
            rng,
            home,
            tag: Tag::new(seed),
            orders: 100_000,
            payments: 0,
            refunds: 0,
        };
        let mut shop = Self {
            seed,
            sessions_per_day: sessions_per_day.max(1),
            listed: 0,
            calendar: shop.calendar(),
            agenda: Agenda::default(),
            world,
            sessions: Places::default(),
            orders: Places::default(),
            visits: 0,
            values: std::array::from_fn(|money| MONIES[money].pounds),
            ledger: Ledger::default(),
        };
        shop.open(start);
        Ok(shop)
    }

    /// The shop begins with this many customers and sends all their records during the first day, in
    /// addition to the records of that day. To be called before the first record is taken.
    #[must_use]
    pub fn with_customers(mut self, customers: u32) -> Self {
        self.world.people = People::new(self.seed, u64::from(customers));
        self.listed = customers;
        self.agenda.add(self.agenda.next_at(), Event::Customer(0));
        self
    }

    /// The first day: rates, the whole catalogue, and the first visitor.
    fn open(&mut self, start: i64) {
        self.begin_day(start);
        for product in 0..self.world.catalogue.len() {
            self.world.post_product(start, product);
        }
        self.agenda.add(start, Event::Arrival);
    }

    /// Appends the next record's bytes to `out`, without a line break, and returns its description.
    /// The sequence has no end.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Emitted {
        loop {
            if let Some(parcel) = self.world.outbox.take(self.agenda.next_at(), out) {
                let (contract, fate) = (parcel.contract, parcel.fate);
                self.ledger.record(contract, fate, &parcel.effect);
                return Emitted { stream: stream_of(contract), contract, event_time: parcel.at, fate };
            }
            self.happen();
        }
    }

    /// The exact figures of all records so far.
    pub fn truth(&self) -> Truth {
        Truth::of(&self.ledger)
    }

    /// Whether no order is incomplete. An order's event, header and lines are emitted one after
    /// another. Figures that count different ones of them are equal only between orders.
    pub fn at_rest(&self) -> bool {
        self.world.outbox.is_empty()
    }

    /// The current state: sessions, open orders, delayed copies, pending actions.
    pub fn held(&self) -> [usize; 4] {
        [self.sessions.len(), self.orders.len(), self.world.outbox.delayed(), self.agenda.len()]
    }

    fn happen(&mut self) {
        // The agenda always contains the next day and the next visitor.
        let Some((at, event)) = self.agenda.pop() else { return };
        // Times are written in milliseconds.
        let now = at - at.rem_euclid(1_000);
        match event {
            Event::Day => self.begin_day(now),
            Event::Arrival => self.welcome(at, now),
            Event::Reprice => {
                let product = self.world.rng.below(u64::from(self.world.catalogue.len())) as u16;
                self.world.catalogue.reprice(product, &mut self.world.rng);
                self.world.post_product(now, product);
            }
            Event::Session(place) => self.go_on(place, at, now),
            Event::Order(place) => self.follow(place, at, now),
            Event::Customer(customer) => self.send_listed(customer, at, now),
        }
    }

    fn begin_day(&mut self, at: i64) {
        let key = self.calendar.date_key(at);
        let tomorrow = date_of(key).and_then(|date| date.tomorrow().ok()).map_or(at + DAY, |date| self.calendar.start_of(date));
        let number = date_of(key).map_or(0, |date| days_before(date.year().into()) + i64::from(date.day_of_year()) - 1);
        self.world.today = Today { key, number, promotion: Promotion::on(number), rates: self.world.today.rates };
        self.world.post_rates(at, &mut self.values);
        self.ledger.close_old_days();
        for _ in 0..u64::from(self.world.catalogue.len()) * REPRICED_PERCENT / 100 {
            self.agenda.add(self.world.rng.between(at, tomorrow - SECOND), Event::Reprice);
        }
        self.agenda.add(tomorrow, Event::Day);
    }

    /// Sends the record of a listed customer, and schedules the next one.
    fn send_listed(&mut self, customer: u32, at: i64, now: i64) {
        if customer >= self.listed {
            return;
        }
        if self.world.people.is_due(customer) {
            let home = self.world.people.home_of(customer);
            self.world.post_customer(now, customer, &home);
        }
        self.agenda.add(at + DAY / i64::from(self.listed), Event::Customer(customer + 1));
    }

    /// A visitor arrives, and the next one is scheduled.
    fn welcome(&mut self, at: i64, now: i64) {
        let minute = self.calendar.local(at).minute;
        let mean = i128::from(DAY) * 1_000_000
            / i128::from(busyness(self.world.today.number, minute).max(1))
            / i128::from(self.sessions_per_day);
        self.agenda.add(at + self.world.rng.exponential(mean as i64), Event::Arrival);
        if self.sessions.len() < SESSIONS_MAX {
            self.visits += 1;
            let session = Session::new(self.visits, self.seed, &mut self.world);
            let place = self.sessions.put(session);
            self.go_on(place, at, now);
        }
    }

    fn go_on(&mut self, place: u32, at: i64, now: i64) {
        let Some(session) = self.sessions.get_mut(place) else { return };
        match session.step(&mut self.world, now) {
            Next::After(wait) => self.agenda.add(at + wait, Event::Session(place)),
            Next::Left => drop(self.sessions.take(place)),
            Next::Buys => {
                let order = order::place(session, &mut self.world, now);
                self.sessions.take(place);
                self.await_order(order, at);
            }
        }
    }

    fn await_order(&mut self, mut order: Order, at: i64) {
        let wait = order.first_wait(&mut self.world.rng);
        if let Some(wait) = wait.filter(|_| self.orders.len() < ORDERS_MAX) {
            let place = self.orders.put(order);
            self.agenda.add(at + wait, Event::Order(place));
        }
    }

    fn follow(&mut self, place: u32, at: i64, now: i64) {
        let Some(order) = self.orders.get_mut(place) else { return };
        match order.live(&mut self.world, now) {
            Some(wait) => self.agenda.add(at + wait, Event::Order(place)),
            None => drop(self.orders.take(place)),
        }
    }
}

/// Days from 1970-01-01 to the first day of a year.
fn days_before(year: i64) -> i64 {
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

#[cfg(test)]
mod tests;
