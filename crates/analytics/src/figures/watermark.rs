//! The watermark: the latest plausible event time.

use std::collections::BTreeMap;

use kassa_model::time::{AHEAD, HOUR, SECOND};
use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60 * SECOND;
/// The number of minutes ahead that are kept: the earliest ones, some ten days.
const MINUTES_MAX: usize = 14_400;

/// Times are in µs UTC. A row that is flagged as lying in the future never moves it; another one that lies ahead of the clock moves it
/// when the clock has come near.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Watermark {
    time: Option<i64>,
    /// Its value before it last moved by more than an hour: what it returns to when the clock that allowed the move goes back.
    before: Option<i64>,
    /// The latest time of each minute ahead of the clock.
    ahead: BTreeMap<i64, i64>,
    furthest: Option<i64>,
    /// The latest plausible time.
    #[serde(skip, default = "unlimited")]
    until: i64,
}

fn unlimited() -> i64 {
    i64::MAX
}

impl Default for Watermark {
    fn default() -> Self {
        Self { time: None, before: None, ahead: BTreeMap::new(), furthest: None, until: unlimited() }
    }
}

impl Watermark {
    pub(super) fn time(&self) -> Option<i64> {
        self.time
    }

    /// The latest time that moves it.
    pub(super) fn until(&self) -> i64 {
        self.until
    }

    /// The latest time of a row that lies ahead of the clock, flagged or not.
    pub(super) fn furthest(&self) -> Option<i64> {
        self.furthest.filter(|at| *at > self.until)
    }

    #[inline]
    pub(super) fn saw(&mut self, at: i64, is_future: bool) {
        if at > self.until {
            self.set_aside(at, is_future);
        } else if !is_future && self.time < Some(at) {
            self.advance(at);
        }
    }

    fn advance(&mut self, at: i64) {
        if self.time.is_some_and(|time| at.saturating_sub(time) > HOUR) {
            self.before = self.time;
        }
        self.time = Some(at);
    }

    #[cold]
    fn set_aside(&mut self, at: i64, is_future: bool) {
        self.furthest = self.furthest.max(Some(at));
        if is_future {
            return;
        }
        let latest = self.ahead.entry(at.div_euclid(MINUTE)).or_insert(at);
        *latest = at.max(*latest);
        if self.ahead.len() > MINUTES_MAX {
            self.ahead.pop_last();
        }
    }

    /// Takes note of the clock; `true` if the watermark moved.
    pub(super) fn set_now(&mut self, now: i64) -> bool {
        let before = self.time;
        self.until = now.saturating_add(AHEAD);
        if let Some(time) = self.time.filter(|time| *time > self.until) {
            self.time = self.before.take().filter(|time| *time <= self.until);
            self.set_aside(time, false);
        }
        while let Some((minute, at)) = self.ahead.first_key_value().map(|(minute, at)| (*minute, *at))
            && at <= self.until
        {
            self.ahead.remove(&minute);
            self.saw(at, false);
        }
        self.time != before
    }
}

#[cfg(test)]
mod tests {
    use kassa_model::time::DAY;

    use super::*;

    const NOW: i64 = 1_767_614_400_000_000;

    fn at(now: i64) -> Watermark {
        let mut watermark = Watermark::default();
        watermark.set_now(now);
        watermark
    }

    #[test]
    fn a_row_ahead_of_the_clock_moves_it_only_when_the_clock_has_come_near() {
        let mut watermark = at(NOW);
        watermark.saw(NOW - 3, false);
        watermark.saw(NOW + 23 * HOUR, false);
        assert_eq!((watermark.time(), watermark.furthest()), (Some(NOW - 3), Some(NOW + 23 * HOUR)));
        assert!(!watermark.set_now(NOW + 23 * HOUR - AHEAD - 1));
        assert!(watermark.set_now(NOW + 23 * HOUR - AHEAD));
        assert_eq!((watermark.time(), watermark.furthest()), (Some(NOW + 23 * HOUR), None));
    }

    #[test]
    fn clocks_that_differ_by_minutes_are_believed() {
        let mut watermark = at(NOW);
        watermark.saw(NOW + AHEAD, false);
        assert_eq!((watermark.time(), watermark.furthest()), (Some(NOW + AHEAD), None));
    }

    #[test]
    fn a_flagged_row_never_moves_it() {
        let mut watermark = at(NOW);
        watermark.saw(NOW + 390 * DAY, true);
        assert_eq!((watermark.time(), watermark.furthest()), (None, Some(NOW + 390 * DAY)));
        watermark.set_now(NOW + 400 * DAY);
        assert_eq!((watermark.time(), watermark.furthest()), (None, None));
    }

    #[test]
    fn a_clock_that_goes_back_takes_the_watermark_with_it() {
        let mut watermark = at(NOW);
        watermark.saw(NOW, false);
        watermark.set_now(NOW + 400 * DAY);
        watermark.saw(NOW + 400 * DAY, false);
        watermark.saw(NOW + 400 * DAY + SECOND, false);
        assert!(watermark.set_now(NOW + MINUTE));
        assert_eq!(watermark.time(), Some(NOW));
        watermark.saw(NOW + MINUTE, false);
        assert_eq!(watermark.time(), Some(NOW + MINUTE));
    }

    #[test]
    fn the_order_of_rows_and_of_readings_does_not_matter() {
        let times: Vec<i64> = (0..300).map(|nth| NOW + (nth * 7_919 % 300) * HOUR / 10).collect();
        for now in [NOW, NOW + HOUR, NOW + 20 * HOUR, NOW + 40 * HOUR] {
            let (mut early, mut late) = (at(NOW), at(now));
            times.iter().for_each(|time| early.saw(*time, false));
            times.iter().rev().for_each(|time| late.saw(*time, false));
            early.set_now(now);
            late.set_now(now);
            let latest = times.iter().copied().filter(|time| *time <= now + AHEAD).max();
            assert_eq!((early.time(), late.time()), (latest, latest), "{}", now - NOW);
        }
    }

    #[test]
    fn many_rows_ahead_take_bounded_memory() {
        let mut watermark = at(NOW);
        (0..100_000).rev().for_each(|minute| watermark.saw(NOW + HOUR + minute * MINUTE, false));
        assert_eq!(watermark.ahead.len(), MINUTES_MAX);
        watermark.set_now(NOW + HOUR);
        assert_eq!(watermark.time(), Some(NOW + HOUR + AHEAD), "the next ones are kept");
    }

    #[test]
    fn a_watermark_that_was_saved_goes_on() {
        let mut watermark = at(NOW);
        watermark.saw(NOW, false);
        watermark.saw(NOW + DAY, false);
        let mut loaded: Watermark = serde_json::from_str(&serde_json::to_string(&watermark).unwrap()).unwrap();
        assert_eq!(loaded.time(), Some(NOW));
        loaded.set_now(NOW + DAY);
        assert_eq!(loaded.time(), Some(NOW + DAY));
    }
}
