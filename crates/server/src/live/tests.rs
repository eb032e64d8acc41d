use std::sync::atomic::{AtomicI64, Ordering};

use kassa_model::time::HOUR;

use super::*;
use crate::testing::{FixedClock, batch, shop, topic};

fn live() -> Live {
    Live::new(Figures::new(&shop()), Positions::default())
}

/// Net sales and their position.
fn net(live: &Live) -> (Option<String>, i64) {
    let query = Query::parse("net_sales", None, None, None, None).unwrap();
    let (answer, positions) = live.answer(&query).unwrap();
    (answer.rows[0].value.clone(), positions.next(&topic()))
}

#[test]
fn each_batch_is_folded_once() {
    let live = live();
    live.apply(&[batch(0, &["1", "2"]), batch(2, &["4"])]).unwrap();
    assert_eq!(net(&live), (Some("7.00".to_owned()), 3));
    live.apply(&[batch(0, &["1", "2"])]).unwrap();
    assert_eq!(net(&live), (Some("7.00".to_owned()), 3));
}

#[test]
fn only_the_new_rows_of_an_overlapping_batch_count() {
    let live = live();
    live.apply(&[batch(0, &["1", "2"])]).unwrap();
    live.apply(&[batch(0, &["1", "2", "8"])]).unwrap();
    assert_eq!(net(&live), (Some("11.00".to_owned()), 3));
}

/// The lines' time, 2026-01-05T10:00:00Z.
const SOLD_AT: i64 = 1_767_607_200_000_000;

#[test]
fn a_record_ahead_of_the_clock_does_not_become_today() {
    let clock = Arc::new(FixedClock(AtomicI64::new(SOLD_AT - HOUR)));
    let live = live().with_clock(Arc::<FixedClock>::clone(&clock));
    live.apply(&[batch(0, &["1"])]).unwrap();
    let of = |shown: &Shown| (shown.event_time, shown.figures.shop.today.clone(), shown.figures.shop.ahead_to.clone());
    assert_eq!(of(&live.show(Basis::Movement)), (None, None, Some("2026-01-05T10:00:00Z".to_owned())));
    assert_eq!(net(&live).0.as_deref(), Some("1.00"), "it is on its own day all the same");
    clock.0.store(SOLD_AT, Ordering::Relaxed);
    let today = "2026-01-05".to_owned();
    assert_eq!(of(&live.show(Basis::Movement)), (Some(SOLD_AT), Some(today), None), "without another batch");
}

#[test]
fn a_clock_that_went_back_takes_today_with_it() {
    let clock = Arc::new(FixedClock(AtomicI64::new(SOLD_AT)));
    let live = live().with_clock(Arc::<FixedClock>::clone(&clock));
    live.apply(&[batch(0, &["1"])]).unwrap();
    assert_eq!(live.show(Basis::Movement).event_time, Some(SOLD_AT));
    clock.0.store(SOLD_AT - HOUR, Ordering::Relaxed);
    assert_eq!(live.show(Basis::Movement).event_time, None);
}

#[test]
fn a_batch_beyond_the_position_is_a_gap() {
    let mut sink = LiveSink(Arc::new(live()));
    sink.commit(&[batch(0, &["1"])]).unwrap();
    let error = sink.commit(&[batch(2, &["4"])]).unwrap_err();
    assert!(
        matches!(&error, SinkError::Corrupt(what) if what.text() == "lines/0 is held up to 1, but the next batch begins at 2"),
        "{error}"
    );
    assert_eq!(net(&sink.0), (Some("1.00".to_owned()), 1));
    assert_eq!(sink.positions().next(&topic()), 1);
}

#[test]
fn each_commit_notifies_once() {
    let live = live();
    let changes = live.changes();
    assert_eq!(live.show(Basis::Movement).change, 0);
    live.apply(&[batch(0, &["1"]), batch(1, &["2"])]).unwrap();
    assert!(changes.has_changed().unwrap());
    let shown = live.show(Basis::Movement);
    assert_eq!((shown.change, shown.figures.tiles[0].value.as_deref()), (1, Some("3.00")));
}

#[test]
fn a_held_snapshot_keeps_its_answers_and_holds_up_no_commit() {
    let query = Query::parse("net_sales", None, None, None, None).unwrap();
    let value = |snapshot: &Snapshot| snapshot.figures.answer(&query).unwrap().rows[0].value.clone();
    let live = live();
    live.apply(&[batch(0, &["1", "2"])]).unwrap();
    let held = live.current();
    assert!(Arc::ptr_eq(&held, &live.current()), "all who ask between two changes share one");
    // Whoever computes an answer on `held` has no lock: this would never return.
    live.apply(&[batch(2, &["4"])]).unwrap();
    assert!(live.held.try_lock().is_ok());
    assert_eq!((value(&held), held.positions.next(&topic())), (Some("3.00".to_owned()), 2));
    let next = live.current();
    assert_eq!((value(&next), next.positions.next(&topic())), (Some("7.00".to_owned()), 3));
    assert_eq!(net(&live), (Some("7.00".to_owned()), 3));
}
