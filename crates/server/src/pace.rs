//! The slowest that a client may send or read.

use std::time::Duration;

use tokio::time::Instant;

/// Each window must move [`WINDOW_BYTES`]: 16 KiB a second.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
pub(crate) const WINDOW_BYTES: usize = 160 * 1024;

/// A window that is running.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When the client is too slow.
    pub(crate) until: Instant,
    bytes: usize,
}

impl Pace {
    pub(crate) fn start() -> Self {
        Self { until: Instant::now() + WINDOW, bytes: 0 }
    }

    /// Counts bytes. Returns whether the window has enough; then the next one begins.
    pub(crate) fn moved(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let is_enough = self.bytes >= WINDOW_BYTES;
        if is_enough {
            *self = Self::start();
        }
        is_enough
    }
}
