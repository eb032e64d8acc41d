//! Which events of a session id make one session: 30 minutes of silence end it.
//!
//! Sessions of an id are kept apart and in order of time. An event joins those within the silence of it, and may so make one of two:
//! more events only ever join, so the order in which they come does not matter.

use std::ops::Range;

use kassa_model::time::SECOND;

/// An event this long after the last one begins another session.
pub(crate) const SILENCE: i64 = 30 * 60 * SECOND;

/// A session in the making.
pub(crate) trait Visit {
    fn first_at(&self) -> i64;
    fn last_at(&self) -> i64;
    /// Takes in all that another holds.
    fn absorb(&mut self, other: Self);
}

/// The sessions that an event joins: none, one or two neighbours; where there are none, the place for a new one.
pub(crate) fn around<V: Visit>(visits: &[V], at: i64) -> Range<usize> {
    let from = visits.partition_point(|visit| at - visit.last_at() >= SILENCE);
    let near = visits[from..].iter().take_while(|visit| visit.first_at() - at < SILENCE).count();
    from..from + near
}

/// Makes one session of those that [`around`] found, or a new one in their place.
pub(crate) fn join<V: Visit>(visits: &mut Vec<V>, range: Range<usize>, new: impl FnOnce() -> V) -> &mut V {
    if range.is_empty() {
        // Nearly every id has one session: room for more is made when there is more.
        visits.reserve_exact(1);
        visits.insert(range.start, new());
    } else {
        let later: Vec<V> = visits.drain(range.start + 1..range.end).collect();
        later.into_iter().for_each(|visit| visits[range.start].absorb(visit));
    }
    &mut visits[range.start]
}
