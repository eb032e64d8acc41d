//! The persons that were active on each day.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kassa_model::time::Local;
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days};
use crate::map::Map;
use crate::packed::Packed;
use crate::period;
use crate::query::By;
use crate::recent::Recent;

/// When a person was seen on a day.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    /// A bit for each quarter hour of the day.
    quarters: (u64, u32),
    first_minute: u16,
}

impl Seen {
    /// Marks a quarter hour; returns whether it was not marked before.
    fn mark(&mut self, quarter: u32) -> bool {
        let before = self.quarters;
        if quarter < 64 {
            self.quarters.0 |= 1 << quarter;
        } else {
            self.quarters.1 |= 1 << (quarter - 64).min(31);
        }
        before != self.quarters
    }
}

/// The persons of a day: with their quarter hours for a recent day, without them for a past one.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Day {
    Recent(Map<i64, Seen>),
    Past(Packed),
}

impl Day {
    fn count(&self) -> usize {
        match self {
            Day::Recent(persons) => persons.len(),
            Day::Past(persons) => persons.len(),
        }
    }

    /// Sorted.
    fn persons(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Day::Recent(persons) => Box::new(sorted(persons).into_iter()),
            Day::Past(persons) => Box::new(persons.iter().map(|(person, _)| person)),
        }
    }

    fn settle(&mut self) {
        if let Day::Recent(persons) = self {
            *self = Day::Past(Packed::of_sorted(sorted(persons).into_iter().map(|person| (person, Vec::new()))));
        }
    }

    fn size(&self) -> usize {
        match self {
            Day::Recent(persons) => persons.allocation_size(),
            Day::Past(persons) => persons.size(),
        }
    }
}

fn sorted(persons: &Map<i64, Seen>) -> Vec<u64> {
    let mut sorted: Vec<u64> = persons.keys().map(|person| person.cast_unsigned()).collect();
    sorted.sort_unstable();
    sorted
}

/// The number of distinct persons of some days, by merging their sorted lists: a year of them is never in memory at once.
fn distinct(days: &[&Day]) -> usize {
    let mut lists: Vec<_> = days.iter().map(|day| day.persons()).collect();
    let mut next: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::with_capacity(lists.len());
    next.extend(lists.iter_mut().enumerate().filter_map(|(list, persons)| Some(Reverse((persons.next()?, list)))));
    let (mut count, mut last) = (0, None);
    while let Some(Reverse((person, list))) = next.pop() {
        count += usize::from(last.replace(person) != Some(person));
        next.extend(lists[list].next().map(|person| Reverse((person, list))));
    }
    count
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Persons {
    days: ByDay<Day>,
}

impl Persons {
    pub(crate) fn see(&mut self, person: i64, at: Local, recent: &mut Recent) {
        if person == 0 {
            return;
        }
        let is_recent = at.date_key >= recent.from();
        let new = || if is_recent { Day::Recent(Map::default()) } else { Day::Past(Packed::default()) };
        match self.days.at_or(at.date_key, new) {
            Day::Past(persons) => {
                persons.set(person.cast_unsigned(), &[]);
            }
            Day::Recent(persons) => see_by_quarter(persons, person, at, recent),
        }
    }

    /// Days before this one are no longer recent.
    pub(crate) fn settle(&mut self, before: i32) {
        let recent = self.days.before_mut(before).filter(|day| matches!(***day, Day::Recent(_)));
        recent.for_each(|day| day.edit().settle());
    }

    /// Distinct persons by period, or in all.
    pub(crate) fn by_time(&self, by: By, days: Days) -> Vec<(i64, i128)> {
        let mut all: Vec<(i64, i128)> = Vec::new();
        let mut span: Vec<&Day> = Vec::new();
        for (date, day) in self.days.range(days) {
            let code = if by == By::Total { 0 } else { period::code(by, date, 0) };
            if all.last().is_none_or(|(last, _)| *last != code) {
                close(&mut all, &mut span);
                all.push((code, 0));
            }
            span.push(day);
        }
        close(&mut all, &mut span);
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        self.days.list_size() + self.days.range(Days::ALL).map(|(_, day)| day.size()).sum::<usize>()
    }
}

/// Sets the last period's count to the distinct persons of its days.
fn close(all: &mut [(i64, i128)], span: &mut Vec<&Day>) {
    if let Some((_, count)) = all.last_mut() {
        let distinct = match span.as_slice() {
            [day] => day.count(),
            days => distinct(days),
        };
        *count = i128::try_from(distinct).unwrap_or(i128::MAX);
    }
    span.clear();
}

fn see_by_quarter(persons: &mut Map<i64, Seen>, person: i64, at: Local, recent: &mut Recent) {
    let minute = u16::try_from(at.minute).unwrap_or(0);
    let mut first_seen = false;
    let seen = persons.entry(person).or_insert_with(|| {
        first_seen = true;
        Seen { quarters: (0, 0), first_minute: minute }
    });
    if first_seen {
        recent.alter(at, |minute| minute.starters += 1);
    } else if minute < seen.first_minute {
        recent.alter(Local { minute: i32::from(seen.first_minute), ..at }, |minute| minute.starters -= 1);
        recent.alter(at, |minute| minute.starters += 1);
        seen.first_minute = minute;
    }
    if seen.mark(period::quarter(at)) {
        recent.alter(Local { minute: at.minute / 15 * 15, ..at }, |minute| minute.active += 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Counts by day, by month and in all.
    fn counts(persons: &Persons) -> [Vec<(i64, i128)>; 3] {
        [By::Day, By::Month, By::Total].map(|by| persons.by_time(by, Days::ALL))
    }

    proptest! {
        /// Whatever is packed, and whenever: the counts equal those of sets that are never packed.
        #[test]
        fn packing_changes_nothing(seen in vec((1..60_i64, 0..40_i32, 0..1440_i32), 1..300), every in 1..40_usize, until in 0..40_i32) {
            let day = |nth: i32| 20_260_101 + nth / 28 * 100 + nth % 28;
            let (mut never, mut often) = (Persons::default(), Persons::default());
            let mut recent = Recent::default();
            for (nth, (person, at, minute)) in seen.iter().enumerate() {
                let at = Local { date_key: day(*at), minute: *minute };
                never.see(*person, at, &mut recent);
                often.see(*person, at, &mut recent);
                if nth % every == 0 {
                    often.settle(day(until));
                }
            }
            prop_assert_eq!(counts(&often), counts(&never));
        }
    }

    #[test]
    fn a_person_of_a_past_day_takes_ten_bytes() {
        let (mut persons, mut recent) = (Persons::default(), Recent::default());
        for person in 1..=20_000_i64 {
            let key = person.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
            persons.see(key, Local { date_key: 20_260_101, minute: 0 }, &mut recent);
        }
        persons.settle(20_260_102);
        assert!(persons.size() < 10 * 20_000, "{} bytes", persons.size());
    }
}
