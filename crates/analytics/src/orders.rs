//! Orders that have a line sold, each at the time of the first. A late line may change any of them, so each is kept: in some 35 bytes with
//! its products. What is asked of a day at every moment is counted by day.

use hashbrown::HashMap;
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
use crate::varint::{read, read_id, read_scaled, write, write_id, write_scaled};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    first_at: i64,
    /// By the place in [`OF_AN_ORDER`].
    members: [u32; OF_AN_ORDER.len()],
    /// Members that the order has beside those, as when its lines go to two countries: place and member. Sorted.
    others: Vec<(u8, u32)>,
    /// Sorted.
    products: Vec<u32>,
}

impl Order {
    fn of(head: &Head) -> Self {
        let members = [head.country, head.customer, head.channel, head.currency];
        Self { first_at: head.ordered_at, members, others: Vec::new(), products: Vec::new() }
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        write_scaled(&mut out, self.first_at, SECOND);
        self.members.iter().for_each(|member| write_id(&mut out, *member));
        write(&mut out, i64::try_from(self.others.len()).unwrap_or(i64::MAX));
        for (of, member) in &self.others {
            out.push(*of);
            write_id(&mut out, *member);
        }
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
        let (mut others, mut products, mut last) = (Vec::new(), Vec::new(), 0);
        for _ in 0..read(&mut bytes)? {
            let (of, rest) = bytes.split_first()?;
            bytes = rest;
            others.push((*of, read_id(&mut bytes)?));
        }
        while let Some(difference) = read_id(&mut bytes) {
            last += difference;
            products.push(last);
        }
        Some(Self { first_at, members, others, products })
    }

    /// Adds what another line of the order says of all but its time.
    fn add(&mut self, line: &Order, products: &[u32]) {
        for (of, (own, other)) in (0_u8..).zip(self.members.iter().zip(line.members)) {
            if *own != other {
                insert(&mut self.others, (of, other));
            }
        }
        products.iter().for_each(|product| insert(&mut self.products, *product));
    }
}

/// Into a sorted list, once.
fn insert<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(at) = list.binary_search(&item) {
        list.insert(at, item);
    }
}

const OF_AN_ORDER: [By; 4] = [By::Country, By::Customer, By::Channel, By::Currency];
const CUSTOMER: usize = 1;

/// The place of a dimension in [`OF_AN_ORDER`].
fn place(by: By) -> Option<usize> {
    OF_AN_ORDER.iter().position(|each| *each == by)
}

/// Dimensions of few members, by which the orders of a day are counted.
const COUNTED: [By; 3] = [By::Country, By::Channel, By::Currency];

/// What a line sold did to its order's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dated {
    /// Where the order stood before, unless it is new.
    pub(crate) from: Option<Local>,
    pub(crate) to: Local,
}

/// The orders of a day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Day {
    /// By quarter hour.
    quarters: Map<u32, i64>,
    /// By place and member, without those in `others`.
    members: Map<(u8, u32), i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    all: Packed,
    /// The orders that have `others`, which are few.
    mixed: Packed,
    days: ByDay<Day>,
    #[serde(skip, default = "crate::figures::unset")]
    pub(crate) calendar: Calendar,
}

impl Orders {
    pub(crate) fn new(calendar: Calendar) -> Self {
        Self { all: Packed::default(), mixed: Packed::default(), days: ByDay::default(), calendar }
    }

    /// Takes in lines sold; tells whether and how the order's time changed by them.
    pub(crate) fn add(&mut self, run: &Run) -> Option<Dated> {
        let (head, key) = (&run.head, run.head.order_key.cast_unsigned());
        let line = Order::of(head);
        let known = self.all.get(key).and_then(Order::read);
        let mut order = known.clone().unwrap_or_else(|| line.clone());
        order.add(&line, &run.products);
        order.first_at = order.first_at.min(line.first_at);
        if known.as_ref() == Some(&order) {
            return None;
        }
        self.all.set(key, &order.write());
        if !order.others.is_empty() {
            self.mixed.set(key, &[]);
        }
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
                    add_each(&mut all, order.products.iter().map(|product| names.of(by, *product)), None);
                }
            }
        }
        all
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
        let mut calendar = self.calendar.clone();
        let mixed = self.mixed.iter().filter_map(|(key, _)| self.all.get(key).and_then(Order::read));
        for order in mixed.filter(|order| days.contains(calendar.date_key(order.first_at))) {
            let others = order.others.iter().filter(|(place, _)| usize::from(*place) == of);
            add_each(all, others.map(|(_, member)| names.of(by, *member)), Some(names.of(by, order.members[of]).0));
        }
    }

    /// The days on which each known customer ordered, a day an order, in order of time.
    pub(crate) fn days_of_customers(&self) -> History {
        let of = |(day, order): (i32, Order)| {
            let others = order.others.into_iter().filter(|(place, _)| usize::from(*place) == CUSTOMER);
            let all = others.map(|(_, customer)| customer).chain([order.members[CUSTOMER]]);
            all.filter(|customer| *customer != 0).map(move |customer| (customer, day))
        };
        History::of(self.each().flat_map(of).collect())
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let of_day = |day: &Day| day.quarters.allocation_size() + day.members.allocation_size();
        let days: usize = self.days.range(Days::ALL).map(|(_, day)| of_day(day)).sum();
        self.all.size() + self.mixed.size() + self.days.list_size() + days
    }

    /// The leaves of orders that are one value in memory with those of a clone, and all.
    #[cfg(test)]
    pub(crate) fn shared_leaves(&self, other: &Self) -> (usize, usize) {
        self.all.shared_leaves(&other.all)
    }
}

/// Adds an order to each key once, but for the key that it is counted in already.
fn add_each<'n>(all: &mut Keyed, members: impl Iterator<Item = (&'n str, &'n str)>, counted: Option<&str>) {
    let mut seen: Vec<&str> = Vec::new();
    for (key, label) in members {
        let is_first = counted != Some(key) && !seen.contains(&key);
        all.add(key, label, i128::from(is_first));
        seen.push(key);
    }
}

#[cfg(test)]
mod tests;
