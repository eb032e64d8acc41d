//! Groups the events of a session id into sessions: 30 minutes without an event end one.
//!
//! The sessions of an id are stored in order of time. An event within 30 minutes of two sessions merges them: more events can
//! only merge sessions, so the order of arrival does not matter.

use std::ops::Range;

use kassa_model::time::SECOND;

/// An event this long after the last one begins another session.
pub(crate) const SILENCE: i64 = 30 * 60 * SECOND;

/// A session under construction.
pub(crate) trait Visit {
    fn first_at(&self) -> i64;
    fn last_at(&self) -> i64;
    /// Adds the contents of another.
    fn absorb(&mut self, other: Self);
}

/// The sessions that an event joins: none, one or two neighbours; if none, the position for a new one.
pub(crate) fn around<V: Visit>(visits: &[V], at: i64) -> Range<usize> {
    let from = visits.partition_point(|visit| at - visit.last_at() >= SILENCE);
    let near = visits[from..].iter().take_while(|visit| visit.first_at() - at < SILENCE).count();
    from..from + near
}

/// Merges the sessions that [`around`] found, or inserts a new one.
pub(crate) fn join<V: Visit>(visits: &mut Vec<V>, range: Range<usize>, new: impl FnOnce() -> V) -> &mut V {
    if range.is_empty() {
        // Nearly every id has one session, so reserve for one only.
        visits.reserve_exact(1);
        visits.insert(range.start, new());
    } else {
        let later: Vec<V> = visits.drain(range.start + 1..range.end).collect();
        later.into_iter().for_each(|visit| visits[range.start].absorb(visit));
    }
    &mut visits[range.start]
}
