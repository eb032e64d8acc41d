//! The machine's clock, checked against the monotonic clock: a jump does not enter what is stored.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Clock, SECOND, SystemClock};

/// The largest difference (µs) between the two clocks that is not a jump: the system adjusts the wall clock in small steps.
const TOLERANCE: i64 = 5 * SECOND;
/// After this time (µs) a clock that jumped and still differs by the same amount was set, and is followed.
pub const SETTLED: i64 = 60 * SECOND;
/// The shortest time (µs) between two reports of jumps, for a clock that jumps with every reading.
const QUIET: i64 = SECOND;

/// What a clock that jumped did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It differs from the monotonic clock since now.
    Jumped,
    /// It has the expected time again.
    Returned,
    /// It kept its new time for [`SETTLED`], which is the time from now on.
    Followed,
}

/// A jump of the wall clock by so many µs; negative: back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    pub turn: Turn,
    pub by: i64,
}

/// The jumps of a clock so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Jumps {
    pub total: u64,
    /// The difference (µs) of a clock that has jumped and is not followed yet.
    pub pending: Option<i64>,
}

/// A wall clock that continues by the monotonic clock while it has jumped.
///
/// A clock that keeps its new time for [`SETTLED`] is followed. The monotonic clock stands still while the machine is suspended, so
/// a resume is such a jump too.
pub struct SteadyClock {
    wall: Box<dyn Clock>,
    elapsed: Box<dyn Fn() -> i64 + Send + Sync>,
    report: fn(Jump),
    held: Mutex<Held>,
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock").field("wall", &self.wall).field("jumps", &self.jumps()).finish_non_exhaustive()
    }
}

impl SteadyClock {
    /// `elapsed` is a monotonic clock in µs; `report` is called at each turn of a jump.
    pub fn new(wall: Box<dyn Clock>, elapsed: Box<dyn Fn() -> i64 + Send + Sync>, report: fn(Jump)) -> Self {
        let held = Held { wall: wall.now(), at: elapsed(), jump: None, total: 0, reported_at: None };
        Self { wall, elapsed, report, held: Mutex::new(held) }
    }

    /// The machine's two clocks.
    pub fn of_machine(report: fn(Jump)) -> Self {
        let start = Instant::now();
        let elapsed = move || i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX);
        Self::new(Box::new(SystemClock), Box::new(elapsed), report)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> i64 {
        let before = (self.elapsed)();
        let wall = self.wall.now();
        let after = (self.elapsed)();
        let (now, jump) = self.held().read(wall, before, after);
        if let Some(jump) = jump {
            (self.report)(jump);
        }
        now
    }

    fn jumps(&self) -> Jumps {
        let held = self.held();
        Jumps { total: held.total, pending: held.jump.map(|jump| jump.by) }
    }
}

/// A pair of readings that belong together, and the jump since.
#[derive(Debug)]
struct Held {
    wall: i64,
    at: i64,
    jump: Option<Pending>,
    total: u64,
    reported_at: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    by: i64,
    since: i64,
}

impl Held {
    /// The time, from a reading of the wall clock that lies between two of the monotonic clock: a thread may wait between them.
    fn read(&mut self, wall: i64, before: i64, after: i64) -> (i64, Option<Jump>) {
        let expected = |elapsed: i64| self.wall.saturating_add(elapsed.saturating_sub(self.at));
        let (earliest, latest) = (expected(before), expected(after));
        let by = wall.saturating_sub(wall.clamp(earliest, latest.max(earliest)));
        let is_pair = after.saturating_sub(before) <= QUIET;
        if by.saturating_abs() <= TOLERANCE {
            // Not with every reading: a clock that runs far too fast would never differ by much.
            if is_pair && after.saturating_sub(self.at) >= SETTLED {
                (self.wall, self.at) = (wall, after);
            }
            let returned = self.jump.take().map(|jump| Jump { turn: Turn::Returned, by: jump.by });
            return (wall, returned.filter(|_| self.is_due(after)));
        }
        match self.jump {
            Some(jump) if by.saturating_sub(jump.by).saturating_abs() <= TOLERANCE => {
                if !is_pair || after.saturating_sub(jump.since) < SETTLED {
                    return (latest, None);
                }
                (self.wall, self.at, self.jump) = (wall, after, None);
                (wall, Some(Jump { turn: Turn::Followed, by }))
            }
            _ => {
                self.jump = Some(Pending { by, since: after });
                self.total += 1;
                (latest, self.is_due(after).then_some(Jump { turn: Turn::Jumped, by }))
            }
        }
    }

    fn is_due(&mut self, elapsed: i64) -> bool {
        let is_due = self.reported_at.is_none_or(|at| elapsed.saturating_sub(at) >= QUIET);
        if is_due {
            self.reported_at = Some(elapsed);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::super::{DAY, HOUR};
    use super::*;

    const START: i64 = 1_767_614_400_000_000;

    #[derive(Debug, Clone, Default)]
    struct Hands(Arc<[AtomicI64; 2]>);

    impl Hands {
        /// Lets µs pass on both clocks.
        fn pass(&self, micros: i64) {
            self.0.iter().for_each(|hand| _ = hand.fetch_add(micros, Ordering::Relaxed));
        }

        fn set(&self, micros: i64) {
            self.0[0].fetch_add(micros, Ordering::Relaxed);
        }
    }

    impl Clock for Hands {
        fn now(&self) -> i64 {
            self.0[0].load(Ordering::Relaxed)
        }
    }

    fn clock() -> (SteadyClock, Hands) {
        let hands = Hands::default();
        hands.set(START);
        let of_elapsed = hands.clone();
        let elapsed = Box::new(move || of_elapsed.0[1].load(Ordering::Relaxed));
        (SteadyClock::new(Box::new(hands.clone()), elapsed, |_| ()), hands)
    }

    #[test]
    fn a_short_jump_is_not_followed() {
        for by in [400 * DAY, -400 * DAY, HOUR, 10 * SECOND, -10 * SECOND] {
            let (clock, hands) = clock();
            hands.pass(SECOND);
            hands.set(by);
            assert_eq!(clock.now(), START + SECOND, "{by}");
            hands.pass(300_000);
            assert_eq!(clock.now(), START + SECOND + 300_000, "{by}");
            assert_eq!(clock.jumps(), Jumps { total: 1, pending: Some(by) });
            hands.set(-by);
            assert_eq!(clock.now(), START + SECOND + 300_000, "{by}");
            assert_eq!(clock.jumps(), Jumps { total: 1, pending: None });
        }
    }

    #[test]
    fn a_clock_that_was_set_is_followed_after_a_minute() {
        for by in [30 * DAY, -HOUR] {
            let (clock, hands) = clock();
            hands.set(by);
            assert_eq!(clock.now(), START);
            hands.pass(SETTLED - 1);
            assert_eq!(clock.now(), START + SETTLED - 1, "not yet");
            hands.pass(1);
            assert_eq!(clock.now(), START + SETTLED + by);
            hands.pass(HOUR);
            assert_eq!(clock.now(), START + SETTLED + by + HOUR, "an hour later it is simply the time");
            assert_eq!(clock.jumps(), Jumps { total: 1, pending: None });
        }
    }

    #[test]
    fn a_clock_that_keeps_jumping_is_never_followed() {
        let (clock, hands) = clock();
        for turn in 1..=200 {
            hands.pass(SECOND);
            hands.set(DAY);
            assert_eq!(clock.now(), START + turn * SECOND);
        }
        assert_eq!(clock.jumps().total, 200);
    }

    #[test]
    fn small_steps_are_followed_at_once_and_a_fast_clock_is_not() {
        let (clock, hands) = clock();
        hands.set(2 * SECOND);
        assert_eq!(clock.now(), START + 2 * SECOND);
        for turn in 1..=1_000 {
            hands.pass(1_000);
            hands.set(SECOND);
            assert!(clock.now() <= START + turn * 1_000 + TOLERANCE, "{turn}");
        }
        assert!(clock.jumps().pending.is_some());
    }

    #[test]
    fn a_thread_that_waits_between_the_two_clocks_sees_no_jump() {
        let mut held = Held { wall: START, at: 0, jump: None, total: 0, reported_at: None };
        assert_eq!(held.read(START + 1, 0, HOUR), (START + 1, None));
        assert_eq!(held.read(START + HOUR, HOUR, 2 * HOUR), (START + HOUR, None));
        assert_eq!(held.read(START + 2 * HOUR, 2 * HOUR, 2 * HOUR), (START + 2 * HOUR, None));
    }

    #[test]
    fn a_jump_is_reported_once_a_second_at_most() {
        let mut held = Held { wall: START, at: 0, jump: None, total: 0, reported_at: None };
        let reports = (0..3_000).filter(|turn| {
            let elapsed = turn * 1_000;
            let off = if turn % 2 == 0 { DAY } else { 0 };
            held.read(START + elapsed + off, elapsed, elapsed).1.is_some()
        });
        assert_eq!(reports.count(), 3);
    }
}
