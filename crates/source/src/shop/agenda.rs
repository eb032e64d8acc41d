//! The future actions in the shop, by the simulated clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An action with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A day of the shop begins: the first action at midnight.
    Day,
    /// A visitor arrives.
    Arrival,
    /// A price changes.
    Reprice,
    /// The session at this index continues.
    Session(u32),
    /// The order at this index continues.
    Order(u32),
    /// The record of this customer is due, who is in the list of customers that the shop begins with.
    Customer(u32),
}

#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(i64, Event)>>,
}

impl Agenda {
    pub(super) fn add(&mut self, at: i64, event: Event) {
        self.heap.push(Reverse((at, event)));
    }

    pub(super) fn next_at(&self) -> i64 {
        self.heap.peek().map_or(i64::MAX, |Reverse((at, _))| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(i64, Event)> {
        self.heap.pop().map(|Reverse(next)| next)
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}

/// A slab: values with indexes that are reused.
#[derive(Debug)]
pub(super) struct Places<T> {
    held: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { held: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    pub(super) fn len(&self) -> usize {
        self.held.len() - self.free.len()
    }

    pub(super) fn put(&mut self, thing: T) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.held[place as usize] = Some(thing);
                place
            }
            None => {
                self.held.push(Some(thing));
                self.held.len() as u32 - 1
            }
        }
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.held.get_mut(place as usize).and_then(Option::as_mut)
    }

    pub(super) fn take(&mut self, place: u32) -> Option<T> {
        let thing = self.held.get_mut(place as usize).and_then(Option::take);
        self.free.extend(thing.is_some().then_some(place));
        thing
    }
}
