//! Who was active on which day.

use hashbrown::HashSet;
use kassa_model::time::Local;
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days};
use crate::map::{Map, Set};
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
    /// Marks a quarter hour; tells whether it was not marked before.
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

/// The persons of a day: of a recent one by the quarter hour, of a past one no more than that they were there.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Day {
    Recent(Map<i64, Seen>),
    Past(Set<i64>),
}

impl Day {
    fn count(&self) -> usize {
        match self {
            Day::Recent(persons) => persons.len(),
            Day::Past(persons) => persons.len(),
        }
    }

    fn add_to(&self, all: &mut HashSet<i64>) {
        match self {
            Day::Recent(persons) => all.extend(persons.keys()),
            Day::Past(persons) => all.extend(persons.iter()),
        }
    }

    fn settle(&mut self) {
        if let Day::Recent(persons) = self {
            *self = Day::Past(persons.keys().copied().collect());
        }
    }

    fn size(&self) -> usize {
        match self {
            Day::Recent(persons) => persons.allocation_size(),
            Day::Past(persons) => persons.allocation_size(),
        }
    }
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
        let new = || if is_recent { Day::Recent(Map::default()) } else { Day::Past(Set::default()) };
        match self.days.at_or(at.date_key, new) {
            Day::Past(persons) => {
                persons.insert(person);
            }
            Day::Recent(persons) => see_by_quarter(persons, person, at, recent),
        }
    }

    /// Days before this one are no longer recent.
    pub(crate) fn settle(&mut self, before: i32) {
        self.days.before_mut(before).for_each(Day::settle);
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
        self.days.range(Days::ALL).map(|(_, day)| day.size()).sum()
    }
}

/// Sets the last period's count to the distinct persons of its days.
fn close(all: &mut [(i64, i128)], span: &mut Vec<&Day>) {
    if let Some((_, count)) = all.last_mut() {
        let distinct = match span.as_slice() {
            [day] => day.count(),
            days => {
                let mut persons = HashSet::new();
                days.iter().for_each(|day| day.add_to(&mut persons));
                persons.len()
            }
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
