use std::fmt;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::held;

/// Notifies readers that records became durable, or that the log needs room: they can wait, or get a
/// call on the thread that caused the change.
#[derive(Default)]
pub struct Signal {
    generation: Mutex<u64>,
    changed: Condvar,
    observers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl Signal {
    /// A number that grows with every change. Get it before reading, and wait with it after reading
    /// everything.
    pub fn seen(&self) -> u64 {
        *held(&self.generation)
    }

    /// Waits until there is a change after `seen`, or the timeout ends.
    pub fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let generation = held(&self.generation);
        let waited = self.changed.wait_timeout_while(generation, timeout, |generation| *generation == seen);
        *waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    /// Calls `observer` after every change, on the thread that caused it; it must return immediately.
    pub fn observe(&self, observer: impl Fn() + Send + Sync + 'static) {
        held(&self.observers).push(Box::new(observer));
    }

    pub(super) fn raise(&self) {
        *held(&self.generation) += 1;
        self.changed.notify_all();
        held(&self.observers).iter().for_each(|observer| observer());
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("generation", &self.seen()).finish_non_exhaustive()
    }
}
