//! Which facts a refresh of the sessions has read. The calendar follows from their days.

/// The facts that a refresh has read.
pub(super) enum Seen {
    Nothing,
    All,
    /// The new facts: their first and last day.
    Days(Option<(i32, i32)>),
}

/// The smallest range of days that contains both ranges.
pub(super) fn widened(held: (i32, i32), more: (i32, i32)) -> (i32, i32) {
    (held.0.min(more.0), held.1.max(more.1))
}
