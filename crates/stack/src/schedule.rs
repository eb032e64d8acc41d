//! Of the requests that a fault is for, those that it meets.

use std::sync::atomic::{AtomicU64, Ordering};

/// From the `nth` request on, counted from 1, so many `times`; and how often it was so.
#[derive(Debug)]
pub(crate) struct Schedule {
    nth: u64,
    times: u64,
    seen: AtomicU64,
    fired: AtomicU64,
}

impl Schedule {
    pub(crate) fn new(nth: u64, times: u64) -> Self {
        Self { nth, times, seen: AtomicU64::new(0), fired: AtomicU64::new(0) }
    }

    /// Counts a request; whether it is met.
    pub(crate) fn is_due(&self) -> bool {
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let due = seen >= self.nth && seen - self.nth < self.times;
        if due {
            self.fired.fetch_add(1, Ordering::SeqCst);
        }
        due
    }

    pub(crate) fn fired(&self) -> u64 {
        self.fired.load(Ordering::SeqCst)
    }
}
