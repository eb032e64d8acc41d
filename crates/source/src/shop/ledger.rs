//! The expected results of the accepted records, counted by the shop while it emits them; the
//! pipeline is compared with them.

use std::collections::{BTreeMap, HashSet};

use kassa_model::{Contract, Counts, Fate, Rate};

/// The number of latest days that may still get late records: the latest arrive three days later.
const OPEN_DAYS: usize = 5;

/// The kind of a movement of the sales ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `opens` is true for the first line of an order.
    Sale {
        opens: bool,
    },
    Return,
    Cancellation,
    Adjustment,
}

/// One movement in the reporting currency, 10^-15 so that nothing is rounded; units in 10^-3. Amounts
/// have the movement's sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Movement {
    pub(super) kind: Kind,
    pub(super) day: i32,
    pub(super) order_day: i32,
    pub(super) customer: Option<u32>,
    pub(super) gross: i128,
    pub(super) discount: i128,
    pub(super) tax: i128,
    pub(super) shipping: i128,
    pub(super) units: i64,
}

/// The funnel step that a behaviour event adds to its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    None,
    Opened,
    Viewed,
    Added,
    Checkout,
    Paid,
}

/// The effect of an accepted record.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    None,
    /// `person` is absent if the day has certainly counted them already.
    Event {
        day: i32,
        person: Option<u64>,
        step: Step,
        session_day: i32,
    },
    Movement(Movement),
    /// A refund has several.
    Movements(Box<[Movement]>),
    /// Refunded amounts are positive too.
    Payment {
        day: i32,
        captured: i128,
        refunded: i128,
    },
}

/// An amount in the reporting currency, 10^-15.
pub(super) fn reported(micros: i64, rate: Rate) -> i128 {
    i128::from(micros) * i128::from(rate.0)
}

/// Sums of one day's movements, on either basis.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) gross_sales: i128,
    pub(super) discounts: i128,
    pub(super) returns: i128,
    pub(super) adjustments: i128,
    pub(super) net_sales: i128,
    pub(super) tax: i128,
    pub(super) shipping: i128,
    pub(super) units: i128,
    pub(super) sold_units: i128,
}

impl Sums {
    fn add(&mut self, movement: &Movement) {
        let net = movement.gross - movement.discount;
        match movement.kind {
            Kind::Sale { .. } => {
                self.gross_sales += movement.gross;
                self.discounts += movement.discount;
                self.sold_units += i128::from(movement.units);
            }
            Kind::Return | Kind::Cancellation => self.returns -= net,
            Kind::Adjustment => self.adjustments += net,
        }
        self.net_sales += net;
        self.tax += movement.tax;
        self.shipping += movement.shipping;
        self.units += i128::from(movement.units);
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            gross_sales: self.gross_sales + other.gross_sales,
            discounts: self.discounts + other.discounts,
            returns: self.returns + other.returns,
            adjustments: self.adjustments + other.adjustments,
            net_sales: self.net_sales + other.net_sales,
            tax: self.tax + other.tax,
            shipping: self.shipping + other.shipping,
            units: self.units + other.units,
            sold_units: self.sold_units + other.sold_units,
        }
    }
}

#[derive(Debug)]
enum Active {
    Open(HashSet<u64>),
    Closed(u64),
}

/// A day of the shop.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) by_movement: Sums,
    pub(super) by_order: Sums,
    pub(super) orders: u64,
    pub(super) new_customers: u64,
    pub(super) returning_customers: u64,
    /// Sessions that began on the day, by the furthest step: opened, viewed, added, checkout, paid.
    pub(super) sessions: [u64; 5],
    /// Captured and refunded.
    pub(super) payments: [i128; 2],
    active: Active,
}

impl Default for Day {
    fn default() -> Self {
        Self {
            by_movement: Sums::default(),
            by_order: Sums::default(),
            orders: 0,
            new_customers: 0,
            returning_customers: 0,
            sessions: [0; 5],
            payments: [0; 2],
            active: Active::Open(HashSet::new()),
        }
    }
}

impl Day {
    pub(super) fn active_customers(&self) -> u64 {
        match &self.active {
            Active::Open(people) => people.len() as u64,
            Active::Closed(count) => *count,
        }
    }
}

/// All counts so far. The size depends on the days, the customers, and the visitors of the last
/// five days.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) streams: [Counts; Contract::ALL.len()],
    pub(super) days: BTreeMap<i32, Day>,
    /// Customers with an order, with orders on more than one day, and with more than one order.
    pub(super) customers: [u64; 3],
    buyers: Vec<Buyer>,
}

/// The days of a customer's first and latest orders (0: none), and the number of orders.
#[derive(Debug, Clone, Copy, Default)]
struct Buyer {
    first: i32,
    latest: i32,
    orders: u32,
}

impl Ledger {
    pub(super) fn record(&mut self, contract: Contract, fate: Fate, effect: &Effect) {
        let counts = &mut self.streams[contract as usize];
        counts.read += 1;
        match fate {
            Fate::Duplicate => counts.duplicates += 1,
            Fate::DeadLetter => counts.dead_letters += 1,
            Fate::Accepted => {
                counts.accepted += 1;
                self.apply(effect);
            }
        }
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::None => {}
            Effect::Event { day, person, step, session_day } => {
                if let Some(person) = person
                    && let Active::Open(people) = &mut self.days.entry(*day).or_default().active
                {
                    people.insert(*person);
                }
                if *step != Step::None {
                    self.days.entry(*session_day).or_default().sessions[*step as usize - 1] += 1;
                }
            }
            Effect::Movement(movement) => self.add(movement),
            Effect::Movements(movements) => movements.iter().for_each(|movement| self.add(movement)),
            Effect::Payment { day, captured, refunded } => {
                let payments = &mut self.days.entry(*day).or_default().payments;
                payments[0] += *captured;
                payments[1] += *refunded;
            }
        }
    }

    fn add(&mut self, movement: &Movement) {
        self.days.entry(movement.day).or_default().by_movement.add(movement);
        self.days.entry(movement.order_day).or_default().by_order.add(movement);
        if movement.kind == (Kind::Sale { opens: true }) {
            self.count_order(movement.order_day, movement.customer);
        }
    }

    /// Orders arrive in the order in which they were placed: their first lines are never late.
    fn count_order(&mut self, order_day: i32, customer: Option<u32>) {
        let day = self.days.entry(order_day).or_default();
        day.orders += 1;
        let Some(customer) = customer.map(|customer| customer as usize) else { return };
        if customer >= self.buyers.len() {
            self.buyers.resize(customer + 1, Buyer::default());
        }
        let buyer = &mut self.buyers[customer];
        buyer.orders += 1;
        let [ordered, on_days, repeatedly] = &mut self.customers;
        *repeatedly += u64::from(buyer.orders == 2);
        if buyer.first == 0 {
            buyer.first = order_day;
            *ordered += 1;
            day.new_customers += 1;
        } else if buyer.latest != order_day {
            *on_days += u64::from(buyer.latest == buyer.first);
            day.returning_customers += 1;
        }
        buyer.latest = order_day;
    }

    /// Days without further late records keep only the number of their visitors.
    pub(super) fn close_old_days(&mut self) {
        for day in self.days.values_mut().rev().skip(OPEN_DAYS) {
            day.active = Active::Closed(day.active_customers());
        }
    }
}
