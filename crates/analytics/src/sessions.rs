//! Sessions: how far each got, and when. A session is stored as the few times that decide this, so that its events may come in
//! any order and at any lateness: some 110 bytes per session, and 8 more for each step beyond a view. Those of past days are
//! [packed](packed).
//!
//! A session is the events of one session id with less than 30 minutes between them ([`crate::visits`]). Test events and bots do
//! not count. `fact_session` is computed by the same code ([`rows`]).

mod claims;
mod credits;
mod packed;
mod rows;

use std::ops::Range;

use hashbrown::HashMap;
use kassa_model::time::{Calendar, DAY, Local};
use serde::{Deserialize, Serialize};

use crate::by_day::{ByDay, Days};
use crate::map::Map;
use crate::period;
use crate::query::By;
use crate::recent::Recent;
use crate::shared::Sharded;
use crate::visits::{self, Visit};

use packed::{Known, Packs};

pub use claims::{Claim, Claims};
pub use credits::Credits;
pub use rows::{SessionRow, SessionRows};

/// The step that an event is in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Only shows that the session was active.
    Other,
    Viewed,
    Added,
    Checkout,
    Paid,
}

impl Step {
    pub(crate) const FUNNEL: [&str; 4] = ["viewed", "added", "checkout", "paid"];

    /// By the type of the event. An order id alone does not make an order: a checkout and a failed payment contain it too.
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "product_viewed" => Step::Viewed,
            "product_added" => Step::Added,
            "checkout_started" => Step::Checkout,
            "order_completed" => Step::Paid,
            _ => Step::Other,
        }
    }
}

/// A step beyond a view and its time in one word, which sorts by time and then by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Mark(i64);

impl Mark {
    fn new(step: Step, at: i64) -> Self {
        let low = match step {
            Step::Added => 1,
            Step::Checkout => 2,
            _ => 3,
        };
        Self(at << 2 | low)
    }

    fn at(self) -> i64 {
        self.0 >> 2
    }

    fn step(self) -> Step {
        match self.0 & 3 {
            1 => Step::Added,
            2 => Step::Checkout,
            _ => Step::Paid,
        }
    }
}

/// If a step occurs more often in one session, the earliest half and the latest half of these are kept: the result does not
/// depend on the order of arrival, and the session is bounded.
const MARKS_MAX: usize = 32;

/// Late events between two packings: this many sessions of past days, and those of the days around them, may be open at once.
const LATE_MAX: u32 = 50_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    first_at: i64,
    last_at: i64,
    /// The first product viewed; `i64::MAX` before there is one.
    viewed_at: i64,
    /// Sorted, each once.
    marks: Box<[Mark]>,
}

/// How a session is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    first_at: i64,
    /// Steps of the funnel reached in order of time, 0..=4.
    reached: usize,
    ordered_at: Option<i64>,
    is_abandoned: bool,
}

impl Visit for Session {
    fn first_at(&self) -> i64 {
        self.first_at
    }

    fn last_at(&self) -> i64 {
        self.last_at
    }

    fn absorb(&mut self, other: Self) {
        (self.first_at, self.last_at) = (self.first_at.min(other.first_at), self.last_at.max(other.last_at));
        self.viewed_at = self.viewed_at.min(other.viewed_at);
        other.marks.iter().for_each(|mark| self.mark(*mark));
    }
}

impl Session {
    fn new(at: i64) -> Self {
        Self { first_at: at, last_at: at, viewed_at: i64::MAX, marks: Box::default() }
    }

    fn note(&mut self, step: Step, at: i64) {
        (self.first_at, self.last_at) = (self.first_at.min(at), self.last_at.max(at));
        match step {
            Step::Other => {}
            Step::Viewed => self.viewed_at = self.viewed_at.min(at),
            step => self.mark(Mark::new(step, at)),
        }
    }

    fn mark(&mut self, mark: Mark) {
        if let Err(place) = self.marks.binary_search(&mark) {
            let mut marks = std::mem::take(&mut self.marks).into_vec();
            marks.insert(place, mark);
            thin_out(&mut marks, mark.step());
            self.marks = marks.into_boxed_slice();
        }
    }

    fn first(&self, step: Step) -> Option<i64> {
        self.marks.iter().find(|mark| mark.step() == step).map(|mark| mark.at())
    }

    fn reached(&self) -> usize {
        if self.viewed_at == i64::MAX {
            return 0;
        }
        let mut wanted = [Step::Added, Step::Checkout, Step::Paid].into_iter().peekable();
        for mark in self.marks.iter().filter(|mark| mark.at() >= self.viewed_at) {
            wanted.next_if_eq(&mark.step());
        }
        4 - wanted.len()
    }

    fn outcome(&self) -> Outcome {
        let in_time = |added: i64| {
            let saved = |mark: &&Mark| mark.step() == Step::Paid && (added..=added + DAY).contains(&mark.at());
            self.marks.iter().find(saved).is_some()
        };
        Outcome {
            first_at: self.first_at,
            reached: self.reached(),
            ordered_at: self.first(Step::Paid),
            is_abandoned: self.first(Step::Added).is_some_and(|added| !in_time(added)),
        }
    }
}

fn thin_out(marks: &mut Vec<Mark>, step: Step) {
    if marks.len() > MARKS_MAX {
        let of_step: Vec<usize> = (0..marks.len()).filter(|at| marks[*at].step() == step).collect();
        if of_step.len() > MARKS_MAX {
            marks.remove(of_step[MARKS_MAX / 2]);
        }
    }
}

/// Sessions of a quarter hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) sessions: i64,
    pub(crate) converted: i64,
    pub(crate) abandoned: i64,
    /// By step of the funnel.
    pub(crate) reached: [i64; 4],
}

impl Counts {
    fn count(&mut self, outcome: &Outcome, sign: i64) {
        self.sessions += sign;
        self.converted += sign * i64::from(outcome.ordered_at.is_some());
        self.abandoned += sign * i64::from(outcome.is_abandoned);
        self.reached.iter_mut().take(outcome.reached).for_each(|step| *step += sign);
    }

    fn add(&mut self, other: &Counts) {
        self.sessions += other.sessions;
        self.converted += other.converted;
        self.abandoned += other.abandoned;
        self.reached.iter_mut().zip(other.reached).for_each(|(step, more)| *step += more);
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sessions {
    /// By session id, each in order of time. For past days only those that have changed since packing.
    open: Sharded<Vec<Session>>,
    packs: Packs,
    /// Events so late that the sessions around them may have been packed.
    late: u32,
    quarters: ByDay<Map<u32, Counts>>,
    #[serde(skip, default = "crate::figures::unset")]
    pub(crate) calendar: Calendar,
}

impl Sessions {
    pub(crate) fn new(calendar: Calendar) -> Self {
        Self { open: Sharded::default(), packs: Packs::default(), late: 0, quarters: ByDay::default(), calendar }
    }

    pub(crate) fn add(&mut self, key: i64, step: Step, at: i64, recent: &mut Recent) {
        if key == 0 {
            return;
        }
        if self.packs.reach(at) {
            self.late += 1;
            self.packs.take_near(at).into_iter().for_each(|known| self.reopen(known));
        }
        let visits = self.open.edit(key).entry(key).or_default();
        let range = visits::around(visits, at);
        if range.len() == 1 {
            let session = &mut visits[range.start];
            // Most events are later views or pages and change nothing.
            let says_more = match step {
                Step::Other => false,
                Step::Viewed => at < session.viewed_at,
                _ => true,
            };
            if at >= session.first_at && !says_more {
                session.last_at = session.last_at.max(at);
                return;
            }
        }
        let before: Vec<Outcome> = visits[range.clone()].iter().map(Session::outcome).collect();
        let session = visits::join(visits, range, || Session::new(at));
        session.note(step, at);
        let after = session.outcome();
        if before != [after] {
            before.iter().for_each(|before| self.count(before, -1, recent));
            self.count(&after, 1, recent);
        }
    }

    fn reopen(&mut self, (key, session): Known) {
        let visits = self.open.edit(key).entry(key).or_default();
        let at = visits.partition_point(|held| held.first_at < session.first_at);
        visits.reserve_exact(1);
        visits.insert(at, session);
    }

    /// Packs the sessions that ended before this time.
    pub(crate) fn pack(&mut self, before: i64) {
        let (mut past, is_past) = (Vec::new(), |session: &mut Session| session.last_at < before);
        for shard in self.open.shards_mut().filter(|shard| !shard.is_empty()) {
            let open = shard.edit();
            open.retain(|key, visits| {
                past.extend(visits.extract_if(.., is_past).map(|session| (*key, session)));
                !visits.is_empty()
            });
            // The capacity that a long backlog needed is not needed again.
            if open.capacity() / 4 > open.len() {
                open.shrink_to_fit();
            }
        }
        self.packs.add(past);
        self.late = 0;
    }

    /// Whether so many events came late that the sessions they opened should be packed again.
    pub(crate) fn is_crowded(&self) -> bool {
        self.late >= LATE_MAX
    }

    fn count(&mut self, outcome: &Outcome, sign: i64, recent: &mut Recent) {
        let start = self.calendar.local(outcome.first_at);
        self.quarters.at(start.date_key).entry(period::quarter(start)).or_default().count(outcome, sign);
        recent.alter(start, |minute| {
            minute.sessions += sign;
            minute.to_convert += sign * i64::from(outcome.ordered_at.is_some());
        });
        let Some(ordered) = outcome.ordered_at.map(|at| self.calendar.local(at)) else { return };
        if ordered.date_key == start.date_key {
            let minute = ordered.minute.max(start.minute);
            recent.alter(Local { minute, ..start }, |minute| minute.conversions += sign);
        }
    }

    /// Counts by period, or in all.
    pub(crate) fn by_time(&self, by: By, days: Days) -> HashMap<i64, Counts> {
        let mut all: HashMap<i64, Counts> = HashMap::new();
        for (day, quarters) in self.quarters.range(days) {
            for (quarter, counts) in quarters.iter().filter(|(_, counts)| counts.sessions != 0) {
                let code = if by.is_time() { period::code(by, day, *quarter) } else { 0 };
                all.entry(code).or_default().add(counts);
            }
        }
        all
    }

    /// Whether a session that began within these times may go on with an event at or beyond `until`.
    pub(crate) fn go_on(&self, begun: &Range<i64>, until: i64) -> bool {
        let goes_on =
            |session: &Session| begun.contains(&session.first_at) && until.saturating_sub(session.last_at) < visits::SILENCE;
        self.open.iter().flat_map(|(_, visits)| visits).any(goes_on)
            || self.packs.go_on(begun, until.saturating_sub(visits::SILENCE))
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let of = |session: &Session| size_of::<Session>() + session.marks.len() * size_of::<Mark>() + 8;
        let held: usize = self.open.iter().flat_map(|(_, visits)| visits).map(of).sum();
        let quarters: usize = self.quarters.range(Days::ALL).map(|(_, quarters)| quarters.allocation_size()).sum();
        self.open.allocation_size() + held + self.packs.size() + self.quarters.list_size() + quarters
    }
}

#[cfg(test)]
mod tests;
