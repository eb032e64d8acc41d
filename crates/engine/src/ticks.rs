//! Monotonic time, which is passed in: a test advances it without waiting.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// Monotonic time.
pub trait Ticks: fmt::Debug + Send + Sync {
    /// The time since a fixed moment.
    fn now(&self) -> Duration;

    /// Returns after this time.
    fn wait(&self, pause: Duration);
}

/// The machine's monotonic clock: the only place of the engine that reads it or sleeps.
#[derive(Debug, Clone, Copy)]
pub struct SystemTicks(Instant);

impl Default for SystemTicks {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Ticks for SystemTicks {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, pause: Duration) {
        thread::sleep(pause);
    }
}
