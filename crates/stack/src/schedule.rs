//! Selects which of the matching requests get a fault.

use std::sync::atomic::{AtomicU64, Ordering};

/// From the `nth` request (from 1), `times` times; and how often that was so.
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

    /// Counts a request. Returns whether it gets the fault.
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
