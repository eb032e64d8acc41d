//! The open connections. When all places are taken, the connection that has been idle longest makes room for a new one.
//! If none is idle, a new one gets one of the reserved places, which answer about health only: there the oldest makes room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Connections in addition to all others, for `/livez` and `/readyz`.
pub(crate) const RESERVED: usize = 32;
/// The time limit for a request's head, from its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for a connection in a reserved place.
const RESERVED_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For the first byte of a request.
    Waiting,
    /// Part of a request's head has arrived.
    Head,
    /// A request is being answered.
    Busy,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Whether the client does not read what is written.
    is_blocked: bool,
}

/// What is known of a connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) is_reserved: bool,
    state: Mutex<State>,
    ended: Notify,
}

impl Link {
    fn new(is_reserved: bool) -> Self {
        let state = State { phase: Phase::Waiting, since: Instant::now(), is_blocked: false };
        Self { is_reserved, state: Mutex::new(state), ended: Notify::new() }
    }

    /// Bytes have arrived.
    pub(crate) fn reads(&self) {
        let mut state = held(&self.state);
        if state.phase == Phase::Waiting {
            (state.phase, state.since) = (Phase::Head, Instant::now());
        }
    }

    /// A request has arrived; it is answered when the result is dropped.
    pub(crate) fn work(self: &Arc<Self>) -> Working {
        held(&self.state).phase = Phase::Busy;
        Working(Arc::clone(self))
    }

    pub(crate) fn block(&self, is_blocked: bool) {
        held(&self.state).is_blocked = is_blocked;
    }

    /// Waits until the connection must end.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = held(&self.state);
        (state.phase != Phase::Busy && !state.is_blocked).then_some(state.since)
    }

    fn is_late(&self, now: Instant) -> bool {
        let state = held(&self.state);
        let limit = if self.is_reserved { RESERVED_TIMEOUT } else { HEAD_TIMEOUT };
        (self.is_reserved || state.phase == Phase::Head) && now - state.since > limit
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Working(Arc<Link>);

impl Drop for Working {
    fn drop(&mut self) {
        let mut state = held(&self.0.state);
        (state.phase, state.since) = (Phase::Waiting, Instant::now());
    }
}

#[derive(Debug, Default)]
struct Open {
    regular: BTreeMap<u64, Arc<Link>>,
    reserved: BTreeMap<u64, Arc<Link>>,
    next: u64,
}

#[derive(Debug)]
pub(crate) struct Places {
    max: usize,
    open: Mutex<Open>,
}

impl Places {
    /// `max` connections, and [`RESERVED`] more.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default() })
    }

    /// The place of a new connection.
    pub(crate) fn admit(self: &Arc<Self>) -> Place {
        let mut open = held(&self.open);
        let is_reserved = open.regular.len() >= self.max && !open.end_idle();
        if is_reserved
            && open.reserved.len() >= RESERVED
            && let Some((_, oldest)) = open.reserved.pop_first()
        {
            oldest.ended.notify_one();
        }
        let (id, link) = (open.next, Arc::new(Link::new(is_reserved)));
        open.next += 1;
        let among = if is_reserved { &mut open.reserved } else { &mut open.regular };
        among.insert(id, Arc::clone(&link));
        Place { id, link, places: Arc::clone(self) }
    }

    /// Ends the connection that has been idle longest: its descriptor is needed.
    pub(crate) fn end_idle(&self) {
        held(&self.open).end_idle();
    }

    /// Ends connections whose head or place has taken too long.
    pub(crate) fn sweep(&self) {
        let (open, now) = (held(&self.open), Instant::now());
        let late = open.regular.values().chain(open.reserved.values()).filter(|link| link.is_late(now));
        late.for_each(|link| link.ended.notify_one());
    }
}

impl Open {
    /// Ends the connection that has been idle longest. `false`: none is idle.
    fn end_idle(&mut self) -> bool {
        let idle = self.regular.iter().filter_map(|(id, link)| Some((link.idle_since()?, *id)));
        let Some(ended) = idle.min().and_then(|(_, id)| self.regular.remove(&id)) else { return false };
        ended.ended.notify_one();
        true
    }
}

/// A connection's place; freed when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
    pub(crate) link: Arc<Link>,
    places: Arc<Places>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = held(&self.places.open);
        open.regular.remove(&self.id);
        open.reserved.remove(&self.id);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
