//! The contract of a sink: rows and positions move together, once, and never over a gap.

use kassa_pipeline::{Sink, SinkError};

use crate::Rng;
use crate::batches::{bad, partition, sold};

/// A store over which sinks are opened, one after another.
pub trait Kept {
    /// Opens a sink over the stored data, as a new process would.
    fn open(&self) -> Box<dyn Sink>;

    /// The number of stored accepted records.
    fn accepted(&self) -> usize;

    /// Whether the sink also stores dead letters as records.
    fn keeps_letters(&self) -> bool;
}

/// Checks a sink against the whole contract. `fresh` gives an empty store each time.
pub fn holds<K: Kept>(fresh: impl Fn() -> K) {
    begins_with_nothing(&fresh());
    keeps_each_record_once(&fresh());
    takes_of_an_overlap_only_the_rest(&fresh());
    refuses_a_hole_and_changes_nothing(&fresh());
    refuses_a_hole_within_a_commit(&fresh());
    keeps_partitions_apart(&fresh());
    moves_on_over_dead_letters(&fresh());
    (0..8).for_each(|seed| ends_equal_for_any_batches_and_commits(&fresh(), seed));
}

/// The position, after commits of positions without rows.
fn next(sink: &mut dyn Sink, number: i64) -> i64 {
    sink.settle().unwrap();
    sink.positions().next(&partition(number))
}

fn begins_with_nothing(kept: &impl Kept) {
    let mut sink = kept.open();
    assert!(sink.positions().iter().next().is_none(), "an empty store has positions");
    sink.commit(&[]).unwrap();
    assert_eq!((next(&mut *sink, 0), kept.accepted()), (0, 0));
}

fn keeps_each_record_once(kept: &impl Kept) {
    let mut sink = kept.open();
    sink.commit(&[sold(0, 0..5)]).unwrap();
    assert_eq!((next(&mut *sink, 0), kept.accepted()), (5, 5));
    sink.commit(&[sold(0, 0..5)]).unwrap();
    sink.commit(&[sold(0, 0..5), sold(0, 5..7)]).unwrap();
    assert_eq!((next(&mut *sink, 0), kept.accepted()), (7, 7), "a repeated batch was stored again");
    drop(sink);
    let mut sink = kept.open();
    assert_eq!(next(&mut *sink, 0), 7, "positions did not survive the process");
    sink.commit(&[sold(0, 5..7), sold(0, 7..8)]).unwrap();
    assert_eq!((next(&mut *sink, 0), kept.accepted()), (8, 8));
}

fn takes_of_an_overlap_only_the_rest(kept: &impl Kept) {
    let mut sink = kept.open();
    sink.commit(&[sold(0, 0..10)]).unwrap();
    sink.commit(&[sold(0, 5..15)]).unwrap();
    assert_eq!((next(&mut *sink, 0), kept.accepted()), (15, 15));
}

fn refuses_a_hole_and_changes_nothing(kept: &impl Kept) {
    let mut sink = kept.open();
    sink.commit(&[sold(0, 0..3)]).unwrap();
    let refused = sink.commit(&[sold(0, 4..6)]);
    assert!(matches!(refused, Err(SinkError::Corrupt(_))), "{refused:?}");
    assert_eq!((next(&mut *sink, 0), kept.accepted()), (3, 3));
    drop(sink);
    let mut sink = kept.open();
    sink.commit(&[sold(0, 3..6)]).unwrap();
    assert_eq!((next(&mut *sink, 0), kept.accepted()), (6, 6));
}

fn refuses_a_hole_within_a_commit(kept: &impl Kept) {
    let refused = kept.open().commit(&[sold(0, 0..3), sold(0, 4..6)]);
    assert!(matches!(refused, Err(SinkError::Corrupt(_))), "{refused:?}");
    let mut sink = kept.open();
    assert_eq!(usize::try_from(next(&mut *sink, 0)).unwrap(), kept.accepted(), "rows and positions differ");
}

fn keeps_partitions_apart(kept: &impl Kept) {
    let mut sink = kept.open();
    sink.commit(&[sold(0, 0..3), sold(7, 0..2), sold(0, 3..4)]).unwrap();
    assert_eq!((next(&mut *sink, 0), next(&mut *sink, 7), kept.accepted()), (4, 2, 6));
    drop(sink);
    let mut sink = kept.open();
    assert_eq!((next(&mut *sink, 0), next(&mut *sink, 7), next(&mut *sink, 8)), (4, 2, 0));
}

fn moves_on_over_dead_letters(kept: &impl Kept) {
    let mut sink = kept.open();
    sink.commit(&[sold(0, 0..2), bad(0, 2..5)]).unwrap();
    assert_eq!(next(&mut *sink, 0), 5);
    assert_eq!(kept.accepted(), if kept.keeps_letters() { 5 } else { 2 });
    drop(sink);
    assert_eq!(next(&mut *kept.open(), 0), 5);
}

/// The result does not depend on batch sizes, commits, repeats or interruptions.
fn ends_equal_for_any_batches_and_commits(kept: &impl Kept, seed: u64) {
    const END: i64 = 60;
    let mut rng = Rng(seed);
    let mut below = |limit: i64| i64::try_from(rng.below(usize::try_from(limit).unwrap())).unwrap();
    let mut sink = kept.open();
    while next(&mut *sink, 0) < END || next(&mut *sink, 1) < END {
        let number = below(2);
        let at = next(&mut *sink, number);
        let from = (at - below(6)).max(0);
        let middle = (at.max(from) + below(5)).min(END);
        let to = (middle + below(9)).min(END);
        sink.commit(&[sold(number, from..middle), sold(number, middle..to)]).unwrap();
        if below(4) == 0 {
            sink = kept.open();
        }
    }
    sink.settle().unwrap();
    assert_eq!(kept.accepted(), 120, "seed {seed}");
}
