//! Orders with a line sold, each at the time of the first. A late line may change any of them, so each is kept: in some 35 bytes
//! with its products. Numbers that the live page needs are also counted by day.

use hashbrown::{HashMap, HashSet};
use kassa_model::key::hash;
use kassa_model::time::{Calendar, Local, SECOND};
use serde::{Deserialize, Serialize};

use crate::answer::Keyed;
use crate::by_day::{ByDay, Days};
use crate::customers::History;
use crate::map::Map;
use crate::names::Names;
use crate::packed::Packed;
use crate::period;
use crate::query::By;
use crate::run::{Head, Run};
use crate::varint::{read_id, read_scaled, write_id, write_scaled};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    first_at: i64,
    /// Indexed as [`OF_AN_ORDER`].
    members: [u32; OF_AN_ORDER.len()],
    /// Sorted; at most [`PRODUCTS`], the others are in [`More`].
    products: Vec<u32>,
}

/// The maximum number of products stored with an order: the order is rewritten with each of its lines, and that must stay cheap
/// if a source gives all lines the same order.
const PRODUCTS: usize = 64;

/// A member that is not stored with its order, for example if its lines go to two countries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct More {
    order: u64,
    /// The index in [`OF_AN_ORDER`], or [`PRODUCT`].
    place: u8,
    member: u32,
}

/// The index of products, after those of [`OF_AN_ORDER`].
const PRODUCT: u8 = 4;

impl More {
    fn key(&self) -> u64 {
        hash("member of an order", &[&self.order.to_string(), &self.place.to_string(), &self.member.to_string()])
    }

    fn write(&self) -> Vec<u8> {
        let mut out = self.order.to_le_bytes().to_vec();
        out.push(self.place);
        write_id(&mut out, self.member);
        out
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (order, rest) = bytes.split_first_chunk()?;
        let (place, mut rest) = rest.split_first()?;
        Some(Self { order: u64::from_le_bytes(*order), place: *place, member: read_id(&mut rest)? })
    }
}

impl Order {
    fn of(head: &Head) -> Self {
        let members = [head.country, head.customer, head.channel, head.currency];
        Self { first_at: head.ordered_at, members, products: Vec::new() }
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        write_scaled(&mut out, self.first_at, SECOND);
        self.members.iter().for_each(|member| write_id(&mut out, *member));
        let mut last = 0;
        for product in &self.products {
            write_id(&mut out, product - last);
            last = *product;
        }
        out
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let first_at = read_scaled(&mut bytes, SECOND)?;
        let mut members = [0; OF_AN_ORDER.len()];
        for member in &mut members {
            *member = read_id(&mut bytes)?;
        }
        let (mut products, mut last) = (Vec::new(), 0);
        while let Some(difference) = read_id(&mut bytes) {
            last += difference;
            products.push(last);
        }
        Some(Self { first_at, members, products })
    }

    /// Adds another line of the order, except its time. `more` is called with the index and the member of what is not stored with
    /// the order.
    fn add(&mut self, line: &Order, products: &[u32], mut more: impl FnMut(u8, u32)) {
        for (of, (own, other)) in (0_u8..).zip(self.members.iter().zip(line.members)) {
            if *own != other {
                more(of, other);
            }
        }
        for product in products {
            match self.products.binary_search(product) {
                Ok(_) => {}
                Err(at) if self.products.len() < PRODUCTS => self.products.insert(at, *product),
                Err(_) => more(PRODUCT, *product),
            }
        }
    }

    /// The members at an index that are stored with the order.
    fn own(&self, place: u8) -> &[u32] {
        match self.members.get(usize::from(place)) {
            Some(member) => std::slice::from_ref(member),
            None => &self.products,
        }
    }
}

const OF_AN_ORDER: [By; 4] = [By::Country, By::Customer, By::Channel, By::Currency];
const CUSTOMER: u8 = 1;

/// The index of a dimension in [`OF_AN_ORDER`].
fn place(by: By) -> Option<usize> {
    OF_AN_ORDER.iter().position(|each| *each == by)
}

/// Dimensions with few members, by which the orders of a day are counted.
const COUNTED: [By; 3] = [By::Country, By::Channel, By::Currency];

/// The change of an order's time by a line sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dated {
    /// The order's previous time, unless it is new.
    pub(crate) from: Option<Local>,
    pub(crate) to: Local,
}

/// The orders of a day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Day {
    /// By quarter hour.
    quarters: Map<u32, i64>,
    /// By index and member, without [`More`].
    members: Map<(u8, u32), i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    all: Packed,
    /// [`More`], by its key. Few orders have any.
    more: Packed,
    days: ByDay<Day>,
    #[serde(skip, default = "crate::figures::unset")]
    pub(crate) calendar: Calendar,
}

impl Orders {
    pub(crate) fn new(calendar: Calendar) -> Self {
        Self { all: Packed::default(), more: Packed::default(), days: ByDay::default(), calendar }
    }

    /// Adds lines sold; returns the change of the order's time, if any.
    pub(crate) fn add(&mut self, run: &Run) -> Option<Dated> {
        let (head, key) = (&run.head, run.head.order_key.cast_unsigned());
        let line = Order::of(head);
        let known = self.all.get(key).and_then(Order::read);
        let mut order = known.clone().unwrap_or_else(|| line.clone());
        order.add(&line, &run.products, |place, member| {
            let more = More { order: key, place, member };
            self.more.set(more.key(), &more.write());
        });
        order.first_at = order.first_at.min(line.first_at);
        if known.as_ref() == Some(&order) {
            return None;
        }
        self.all.set(key, &order.write());
        let dated = match known {
            Some(known) if known.first_at <= line.first_at => return None,
            Some(known) => Dated { from: Some(self.calendar.local(known.first_at)), to: head.ordered },
            None => Dated { from: None, to: head.ordered },
        };
        self.move_count(&order, dated);
        Some(dated)
    }

    fn move_count(&mut self, order: &Order, dated: Dated) {
        for (at, sign) in dated.from.map(|from| (from, -1)).into_iter().chain([(dated.to, 1)]) {
            let day = self.days.at(at.date_key);
            *day.quarters.entry(period::quarter(at)).or_default() += sign;
            for (of, member) in (0_u8..).zip(order.members) {
                if COUNTED.contains(&OF_AN_ORDER[usize::from(of)]) {
                    *day.members.entry((of, member)).or_default() += sign;
                }
            }
        }
    }

    /// Orders by period, or in all.
    pub(crate) fn by_time(&self, by: By, days: Days) -> HashMap<i64, i128> {
        let mut all = HashMap::new();
        for (day, orders) in self.days.range(days) {
            for (quarter, count) in orders.quarters.iter().filter(|(_, count)| **count != 0) {
                let code = if by == By::Total { 0 } else { period::code(by, day, *quarter) };
                *all.entry(code).or_default() += i128::from(*count);
            }
        }
        all
    }

    /// All orders, each with its day.
    fn each(&self) -> impl Iterator<Item = (i32, Order)> {
        let mut calendar = self.calendar.clone();
        let orders = self.all.iter().filter_map(|(_, bytes)| Order::read(bytes));
        orders.map(move |order| (calendar.date_key(order.first_at), order))
    }

    /// Orders by key of a dimension. Several members can have one key (all unknown ones, the products of a category): an order
    /// counts once in it.
    pub(crate) fn by_member(&self, by: By, days: Days, names: &Names) -> Keyed {
        let mut all = Keyed::default();
        match place(by) {
            Some(of) => self.by_own_member((by, of), days, names, &mut all),
            None => {
                for (_, order) in self.each().filter(|(day, _)| days.contains(*day)) {
                    add_each(&mut all, order.products.iter().map(|product| names.of(by, *product)));
                }
            }
        }
        self.add_more(by, days, names, &mut all);
        all
    }

    /// Adds an order to the keys that it has only in [`More`].
    fn add_more(&self, by: By, days: Days, names: &Names, all: &mut Keyed) {
        let wanted = place(by).and_then(|of| u8::try_from(of).ok()).unwrap_or(PRODUCT);
        let mut seen: HashSet<(u64, &str)> = HashSet::new();
        for (more, (_, order)) in self.each_more().filter(|(more, (day, _))| more.place == wanted && days.contains(*day)) {
            let (key, label) = names.of(by, more.member);
            let is_counted = order.own(wanted).iter().any(|member| names.of(by, *member).0 == key);
            all.add(key, label, i128::from(!is_counted && seen.insert((more.order, key))));
        }
    }

    /// All [`More`], each with its order and the order's day.
    fn each_more(&self) -> impl Iterator<Item = (More, (i32, Order))> {
        let mut calendar = self.calendar.clone();
        let all = self.more.iter().filter_map(|(_, bytes)| More::read(bytes));
        let ordered = all.filter_map(|more| Some((more, self.all.get(more.order).and_then(Order::read)?)));
        ordered.map(move |(more, order)| (more, (calendar.date_key(order.first_at), order)))
    }

    fn by_own_member(&self, (by, of): (By, usize), days: Days, names: &Names, all: &mut Keyed) {
        let mut counts: HashMap<u32, i128> = HashMap::new();
        if COUNTED.contains(&by) {
            let members = self.days.range(days).flat_map(|(_, day)| day.members.iter());
            let own = members.filter(|((place, _), count)| usize::from(*place) == of && **count != 0);
            own.for_each(|((_, member), count)| *counts.entry(*member).or_default() += i128::from(*count));
        } else {
            let within = self.each().filter(|(day, _)| days.contains(*day));
            within.for_each(|(_, order)| *counts.entry(order.members[of]).or_default() += 1);
        }
        for (member, count) in counts {
            let (key, label) = names.of(by, member);
            all.add(key, label, count);
        }
    }

    /// The days on which each known customer ordered, one per order, in order of time.
    pub(crate) fn days_of_customers(&self) -> History {
        let own = self.each().map(|(day, order)| (order.members[usize::from(CUSTOMER)], day));
        let more = self.each_more().filter(|(more, _)| more.place == CUSTOMER).map(|(more, (day, _))| (more.member, day));
        History::of(own.chain(more).filter(|(customer, _)| *customer != 0).collect())
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let of_day = |day: &Day| day.quarters.allocation_size() + day.members.allocation_size();
        let days: usize = self.days.range(Days::ALL).map(|(_, day)| of_day(day)).sum();
        self.all.size() + self.more.size() + self.days.list_size() + days
    }

    /// The number of leaves that share memory with those of a clone, and the number of all leaves.
    #[cfg(test)]
    pub(crate) fn shared_leaves(&self, other: &Self) -> (usize, usize) {
        self.all.shared_leaves(&other.all)
    }
}

/// Adds an order to each key once.
fn add_each<'n>(all: &mut Keyed, members: impl Iterator<Item = (&'n str, &'n str)>) {
    let mut seen: Vec<&str> = Vec::new();
    for (key, label) in members {
        all.add(key, label, i128::from(!seen.contains(&key)));
        seen.push(key);
    }
}

#[cfg(test)]
mod tests;
