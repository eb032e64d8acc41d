//! Values by the shop's day.

use jiff::ToSpan;
use kassa_model::time::{date_key, date_of};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;

/// Days of the shop as yyyymmdd, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) from: i32,
    pub(crate) to: i32,
}

impl Days {
    pub(crate) const ALL: Days = Days { from: i32::MIN, to: i32::MAX };

    pub(crate) fn only(day: i32) -> Self {
        Self { from: day, to: day }
    }

    pub(crate) fn contains(&self, day: i32) -> bool {
        (self.from..=self.to).contains(&day)
    }
}

/// The day `by` days later.
pub(crate) fn shift(day: i32, by: i32) -> i32 {
    date_of(day).and_then(|date| date.checked_add(by.days()).ok()).map_or(day, date_key)
}

/// Values by day, in order of time. Caches the last day looked up, because facts are nearly in order. Clones share each day until
/// one of them changes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ByDay<T> {
    days: Vec<(i32, Shared<T>)>,
    #[serde(skip)]
    last: usize,
}

impl<T> Default for ByDay<T> {
    fn default() -> Self {
        Self { days: Vec::new(), last: 0 }
    }
}

impl<T> ByDay<T> {
    fn find(&self, day: i32) -> Result<usize, usize> {
        match self.days.get(self.last) {
            Some((last, _)) if *last == day => Ok(self.last),
            _ => self.days.binary_search_by_key(&day, |(day, _)| *day),
        }
    }

    pub(crate) fn at(&mut self, day: i32) -> &mut T
    where
        T: Clone + Default,
    {
        self.at_or(day, T::default)
    }

    pub(crate) fn at_or(&mut self, day: i32, new: impl FnOnce() -> T) -> &mut T
    where
        T: Clone,
    {
        self.last = self.find(day).unwrap_or_else(|at| {
            self.days.insert(at, (day, Shared::new(new())));
            at
        });
        self.days[self.last].1.edit()
    }

    pub(crate) fn get(&self, day: i32) -> Option<&T> {
        self.find(day).ok().map(|at| &*self.days[at].1)
    }

    pub(crate) fn remove(&mut self, day: i32) -> Option<T>
    where
        T: Clone,
    {
        let at = self.find(day).ok()?;
        self.last = 0;
        Some(self.days.remove(at).1.into_inner())
    }

    pub(crate) fn range(&self, days: Days) -> impl Iterator<Item = (i32, &T)> {
        let from = self.days.partition_point(|(day, _)| *day < days.from);
        self.days[from..].iter().take_while(move |(day, _)| *day <= days.to).map(|(day, value)| (*day, &**value))
    }

    /// The days before `day`, oldest first. Editing one copies it if a clone has it too.
    pub(crate) fn before_mut(&mut self, day: i32) -> impl Iterator<Item = &mut Shared<T>> {
        self.days.iter_mut().take_while(move |(at, _)| *at < day).map(|(_, value)| value)
    }

    /// Bytes of the list itself.
    pub(crate) fn list_size(&self) -> usize {
        self.days.capacity() * size_of::<(i32, Shared<T>)>() + self.days.len() * (size_of::<T>() + 2 * size_of::<usize>())
    }

    /// The number of days that share memory with those of a clone, and the number of all days.
    #[cfg(test)]
    pub(crate) fn shared_days(&self, other: &Self) -> (usize, usize) {
        let is_shared = |(day, value): &&(i32, Shared<T>)| other.find(*day).is_ok_and(|at| other.days[at].1.is_same(value));
        (self.days.iter().filter(is_shared).count(), self.days.len())
    }

    pub(crate) fn drop_before(&mut self, day: i32) {
        let gone = self.days.partition_point(|(at, _)| *at < day);
        if gone > 0 {
            self.days.drain(..gone);
            self.last = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_come_in_order_of_time_however_they_were_filled() {
        let mut counts = ByDay::<i32>::default();
        for day in [20260103, 20260101, 20260102, 20260101] {
            *counts.at(day) += 1;
        }
        let all: Vec<_> = counts.range(Days::ALL).map(|(day, count)| (day, *count)).collect();
        assert_eq!(all, [(20260101, 2), (20260102, 1), (20260103, 1)]);
        assert_eq!(counts.range(Days { from: 20260102, to: 20260102 }).count(), 1);
        let before = counts.clone();
        *counts.at(20260103) += 1;
        assert_eq!((before.get(20260103), counts.get(20260103)), (Some(&1), Some(&2)));
        assert_eq!(counts.shared_days(&before), (2, 3), "only the day that changed was copied");
        counts.drop_before(20260102);
        assert_eq!(counts.get(20260101), None);
        assert_eq!(counts.get(20260103), Some(&2));
    }
}
