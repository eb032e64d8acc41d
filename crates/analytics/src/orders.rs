//! Orders that have a line sold, each at the time of the first.

use hashbrown::{HashMap, HashSet};
use kassa_model::time::{Calendar, Local};
use serde::{Deserialize, Serialize};

use crate::answer::Keyed;
use crate::by_day::{ByDay, Days};
use crate::customers::History;
use crate::map::{Map, Set};
use crate::names::Names;
use crate::period;
use crate::query::By;
use crate::run::{Head, Run};

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) first_at: i64,
    pub(crate) day: i32,
    pub(crate) country: u32,
    pub(crate) customer: u32,
    pub(crate) channel: u32,
    pub(crate) currency: u32,
}

impl Order {
    fn of(head: &Head) -> Self {
        Self {
            first_at: head.ordered_at,
            day: head.ordered.date_key,
            country: head.country,
            customer: head.customer,
            channel: head.channel,
            currency: head.currency,
        }
    }

    fn member(&self, by: By) -> u32 {
        match by {
            By::Country => self.country,
            By::Customer => self.customer,
            By::Channel => self.channel,
            _ => self.currency,
        }
    }
}

const OF_AN_ORDER: [By; 4] = [By::Country, By::Customer, By::Channel, By::Currency];

/// A dimension of [`OF_AN_ORDER`] as the state keeps it.
fn code(by: By) -> u8 {
    let at = OF_AN_ORDER.iter().position(|each| *each == by);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

/// What a line sold did to its order's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dated {
    /// Where the order stood before, unless it is new.
    pub(crate) from: Option<Local>,
    pub(crate) to: Local,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    ids: Map<i64, u32>,
    list: Vec<Order>,
    /// Members that an order has beside those in `list`, as when its lines go to two countries: order, dimension, member.
    others: Set<(u32, u8, u32)>,
    /// Orders and the products in them.
    products: Set<(u32, u32)>,
    quarters: ByDay<Map<u32, i64>>,
    /// The orders that ever stood on a day; one that has moved since knows its own day.
    days: ByDay<Vec<u32>>,
    #[serde(skip, default = "crate::figures::unset")]
    pub(crate) calendar: Calendar,
}

impl Orders {
    pub(crate) fn new(calendar: Calendar) -> Self {
        Self {
            ids: Map::default(),
            list: Vec::new(),
            others: Set::default(),
            products: Set::default(),
            quarters: ByDay::default(),
            days: ByDay::default(),
            calendar,
        }
    }

    /// Takes in lines sold; tells whether and how the order's time changed by them.
    pub(crate) fn add(&mut self, run: &Run) -> Option<Dated> {
        let head = &run.head;
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let id = *self.ids.entry(head.order_key).or_insert(next);
        self.products.extend(run.products.iter().map(|product| (id, *product)));
        let dated = if id == next {
            self.list.push(Order::of(head));
            Some(Dated { from: None, to: head.ordered })
        } else {
            self.add_to(id, head)
        };
        if let Some(dated) = dated {
            self.move_count(dated);
            if dated.from.is_none_or(|from| from.date_key != dated.to.date_key) {
                self.days.at(dated.to.date_key).push(id);
            }
        }
        dated
    }

    fn add_to(&mut self, id: u32, head: &Head) -> Option<Dated> {
        let order = self.list.get_mut(usize::try_from(id).ok()?)?;
        let new = Order::of(head);
        for by in OF_AN_ORDER {
            if order.member(by) != new.member(by) {
                self.others.insert((id, code(by), new.member(by)));
            }
        }
        if head.ordered_at >= order.first_at {
            return None;
        }
        let from = self.calendar.local(order.first_at);
        (order.first_at, order.day) = (new.first_at, new.day);
        Some(Dated { from: Some(from), to: head.ordered })
    }

    fn move_count(&mut self, dated: Dated) {
        if let Some(from) = dated.from
            && let Some(count) = self.quarters.at(from.date_key).get_mut(&period::quarter(from))
        {
            *count -= 1;
        }
        *self.quarters.at(dated.to.date_key).entry(period::quarter(dated.to)).or_default() += 1;
    }

    /// Orders by period, or in all.
    pub(crate) fn by_time(&self, by: By, days: Days) -> HashMap<i64, i128> {
        let mut all = HashMap::new();
        for (day, quarters) in self.quarters.range(days) {
            for (quarter, count) in quarters.iter().filter(|(_, count)| **count != 0) {
                let code = if by == By::Total { 0 } else { period::code(by, day, *quarter) };
                *all.entry(code).or_default() += i128::from(*count);
            }
        }
        all
    }

    fn order(&self, id: u32) -> Option<&Order> {
        usize::try_from(id).ok().and_then(|at| self.list.get(at))
    }

    fn within(&self, days: Days) -> impl Iterator<Item = &Order> {
        let listed = self.days.range(days).flat_map(|(day, ids)| ids.iter().map(move |id| (day, *id)));
        listed.filter_map(|(day, id)| self.order(id).filter(|order| order.day == day))
    }

    /// Orders by key of a dimension. Several members can have one key (all unknown ones, the products of a category): an order
    /// counts once in it.
    pub(crate) fn by_member(&self, by: By, days: Days, names: &Names) -> Keyed {
        let mut all = Keyed::default();
        let mut add = |member: u32, count: i128| {
            let (key, label) = names.of(by, member);
            all.add(key, label, count);
        };
        let is_within = |id: u32| self.order(id).is_some_and(|order| days.contains(order.day));
        let mut seen: HashSet<(u32, &str)> = HashSet::new();
        if matches!(by, By::Product | By::Category) {
            for (id, product) in self.products.iter().filter(|(id, _)| is_within(*id)) {
                add(*product, i128::from(seen.insert((*id, names.of(by, *product).0))));
            }
            return all;
        }
        let mut counts: HashMap<u32, i128> = HashMap::new();
        self.within(days).for_each(|order| *counts.entry(order.member(by)).or_default() += 1);
        counts.into_iter().for_each(|(member, count)| add(member, count));
        for (id, _, member) in self.others.iter().filter(|(id, of, _)| *of == code(by) && is_within(*id)) {
            let own = self.order(*id).map(|order| names.of(by, order.member(by)).0);
            let key = names.of(by, *member).0;
            add(*member, i128::from(own != Some(key) && seen.insert((*id, key))));
        }
        all
    }

    /// The days on which each known customer ordered, a day an order, in order of time.
    pub(crate) fn days_of_customers(&self) -> History {
        let mut all = History::new();
        let own = self.list.iter().map(|order| (order.customer, order.day));
        let others = self.others.iter().filter(|(_, of, _)| *of == code(By::Customer));
        let others = others.filter_map(|(id, _, customer)| self.order(*id).map(|order| (*customer, order.day)));
        for (customer, day) in own.chain(others).filter(|(customer, _)| *customer != 0) {
            all.entry(customer).or_default().push(day);
        }
        all.values_mut().for_each(|days| days.sort_unstable());
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        self.ids.allocation_size()
            + self.list.capacity() * size_of::<Order>()
            + self.others.allocation_size()
            + self.products.allocation_size()
    }
}
