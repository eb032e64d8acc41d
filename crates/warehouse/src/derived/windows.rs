//! Time ranges in which rows are searched: a BRIN index leads from a time to the few pages with its
//! rows.

use kassa_model::time::{self, DAY, SECOND, date_key};

use crate::partitions::today;

/// Windows closer to each other than this are merged.
const GAP: i64 = 60 * SECOND;
/// The maximum number of windows; each costs a query. Further ones are merged with their
/// neighbours.
const MOST: usize = 64;

/// Closed ranges, µs UTC.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows(Vec<(i64, i64)>);

impl Windows {
    pub(super) fn add(&mut self, from: i64, to: i64) {
        match self.0.last_mut() {
            // Rows come nearly in time order: times near the last one need no further memory.
            Some(last) if from.saturating_sub(last.1) <= GAP && last.0.saturating_sub(to) <= GAP => {
                *last = (last.0.min(from), last.1.max(to));
            }
            _ => self.0.push((from, to)),
        }
    }

    /// An SQL condition for each window: the row's time lies in it. No row lies in two. `day` is
    /// the column of the time's day in the shop's current or a former zone: no zone is more than
    /// one day away from UTC.
    pub(super) fn conditions(&self, time: &str, day: &str) -> Vec<String> {
        let condition = |(from, to): (i64, i64)| {
            let (first, last) = (key(from, -1), key(to, 1));
            format!("{time} BETWEEN '{}' AND '{}' AND {day} BETWEEN {first} AND {last}", time::format(from), time::format(to))
        };
        self.joined().into_iter().map(condition).collect()
    }

    /// An SQL condition: a day lies in a window or up to this number of days before it. `None`:
    /// there is no window.
    pub(super) fn days(&self, day: &str, before: i64) -> Option<String> {
        let days = self.joined().into_iter();
        let spans: Vec<String> =
            days.map(|(from, to)| format!("{day} BETWEEN {} AND {}", key(from, -1 - before), key(to, 1))).collect();
        (!spans.is_empty()).then(|| spans.join(" OR "))
    }

    fn joined(&self) -> Vec<(i64, i64)> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let mut gap = GAP;
        loop {
            sorted = join(&sorted, gap);
            if sorted.len() <= MOST {
                return sorted;
            }
            gap = gap.saturating_mul(2);
        }
    }
}

/// The UTC day of a time, plus a number of days.
fn key(micros: i64, more: i64) -> i32 {
    date_key(today(micros.saturating_add(more * DAY)))
}

fn join(sorted: &[(i64, i64)], gap: i64) -> Vec<(i64, i64)> {
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, to) in sorted {
        match joined.last_mut() {
            Some((_, last)) if from.saturating_sub(*last) <= gap => *last = (*to).max(*last),
            _ => joined.push((*from, *to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_near_each_other_are_one_and_never_more_than_the_most() {
        let mut windows = Windows::default();
        for (from, to) in [(10 * DAY, 10 * DAY + SECOND), (5, 9), (0, 100), (120 * SECOND, 130 * SECOND)] {
            windows.add(from, to);
        }
        assert_eq!(windows.joined(), [(0, 100), (120 * SECOND, 130 * SECOND), (10 * DAY, 10 * DAY + SECOND)]);
        (0..1_000).for_each(|nth| windows.add(nth * DAY, nth * DAY + nth));
        let joined = windows.joined();
        assert!((1..=MOST).contains(&joined.len()), "{}", joined.len());
        let held = |at: i64| joined.iter().any(|(from, to)| (*from..=*to).contains(&at));
        assert!((0..1_000).all(|nth| held(nth * DAY) && held(nth * DAY + nth)));
    }

    #[test]
    fn a_window_names_the_days_of_every_zone() {
        let mut windows = Windows::default();
        windows.add(1_767_614_400_000_000, 1_767_614_400_000_001);
        assert_eq!(
            windows.conditions("occurred_at", "event_date_key"),
            [
                "occurred_at BETWEEN '2026-01-05T12:00:00Z' AND '2026-01-05T12:00:00.000001Z' AND event_date_key BETWEEN 20260104 AND 20260106"
            ]
        );
        windows.add(1_767_614_400_000_000 + 30 * DAY, 1_767_614_400_000_000 + 31 * DAY);
        let days = "rate_date_key BETWEEN 20251228 AND 20260106 OR rate_date_key BETWEEN 20260127 AND 20260206";
        assert_eq!(windows.days("rate_date_key", 7).as_deref(), Some(days));
        assert_eq!(Windows::default().days("rate_date_key", 7), None);
    }
}
