//! The rate of the synthetic shop.

use std::time::{Duration, Instant};

/// Limits a sequence of records to a rate.
#[derive(Debug)]
pub struct Pace {
    rate: Option<u64>,
    started: Instant,
    made: u64,
}

impl Pace {
    pub fn new(rate: Option<u64>) -> Self {
        Self { rate, started: Instant::now(), made: 0 }
    }

    /// Counts a record. Returns how long to wait before the next, about twenty times a second.
    pub fn next(&mut self) -> Option<Duration> {
        self.made += 1;
        let rate = self.rate.filter(|rate| self.made.is_multiple_of((rate / 20).max(1)))?;
        let due = Duration::from_micros(self.made.saturating_mul(1_000_000) / rate);
        Some(due.saturating_sub(self.started.elapsed())).filter(|wait| !wait.is_zero())
    }
}
