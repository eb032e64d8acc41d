use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, StringArray, TimestampMicrosecondArray};
use kassa_model::time::SECOND;

use super::*;
use crate::Claims;
use crate::testing::{long, shop};

const MINUTE: i64 = 60 * SECOND;

/// Minute, type, session, customer, order; a session of `bot` or `test` is one.
type Event<'e> = (i64, &'e str, &'e str, &'e str, &'e str);

fn key(word: &str) -> i64 {
    if word.is_empty() { 0 } else { long(word) }
}

fn batch(events: &[Event<'_>]) -> RecordBatch {
    let longs = |of: &dyn Fn(&Event<'_>) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(events.iter().map(of))) };
    let texts =
        |of: &dyn Fn(&Event<'_>) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(events.iter().map(of))) };
    let flags = |word: &str| -> ArrayRef { Arc::new(BooleanArray::from_iter(events.iter().map(|event| Some(event.2 == word)))) };
    let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| event.0 * MINUTE));
    RecordBatch::try_from_iter([
        ("type", texts(&|event| event.1.to_owned())),
        ("occurred_at", Arc::new(times) as ArrayRef),
        ("customer_key", longs(&|event| key(event.3))),
        ("person_key", longs(&|event| if event.3.is_empty() { 7 } else { key(event.3) })),
        ("session_key", longs(&|event| key(event.2))),
        ("session_id", texts(&|event| event.2.to_owned())),
        ("url", texts(&|event| format!("/{}", event.0))),
        ("order_key", longs(&|event| key(event.4))),
        ("is_test", flags("test")),
        ("is_bot", flags("bot")),
    ])
    .unwrap()
}

fn sessions(events: &[Event<'_>]) -> Vec<SessionRow> {
    let mut rows = SessionRows::new(&shop("Europe/London"));
    rows.apply(&batch(events), |_| true).unwrap();
    rows.finish()
}

const EVENTS: &[Event<'_>] = &[
    (0, "page_viewed", "a", "", ""),
    (1, "product_viewed", "a", "", ""),
    (20, "product_added", "a", "ann", ""),
    (45, "checkout_started", "a", "ann", ""),
    (46, "order_completed", "a", "", "o1"),
    (47, "order_completed", "a", "", "o1"),
    (100, "order_completed", "a", "", "o1"),
    (1, "product_viewed", "bot", "", ""),
    (1, "product_viewed", "test", "", ""),
    (1, "product_viewed", "", "", ""),
];

#[test]
fn a_session_says_where_it_began_how_far_it_came_and_who_it_was() {
    let rows = sessions(EVENTS);
    assert_eq!(rows.len(), 2, "bots, tests and events without a session make none");
    let first = &rows[0];
    assert_eq!((first.started_at, first.ended_at, first.events), (0, 47 * MINUTE, 6));
    assert_eq!((first.entry_url.as_deref(), first.exit_url.as_deref()), (Some("/0"), Some("/47")));
    assert_eq!((first.person_key, first.customer_key), (key("ann"), key("ann")), "the customer that it names stays");
    assert_eq!((first.reached, first.converted, first.abandoned), (4, true, false));
    assert_eq!(first.orders, [(key("o1"), 46 * MINUTE)]);
    assert_eq!(first.date_key, 19700101);
    assert_eq!((rows[1].started_at, rows[1].reached, rows[1].converted), (100 * MINUTE, 0, true));
}

#[test]
fn any_order_and_split_of_the_events_gives_the_same_sessions() {
    let mut reversed = EVENTS.to_vec();
    reversed.reverse();
    assert_eq!(sessions(&reversed), sessions(EVENTS));
    let mut split = SessionRows::new(&shop("Europe/London"));
    for at in [3, 8, 1, 6, 0, 9, 4, 2, 7, 5] {
        split.apply(&batch(&EVENTS[at..=at]), |_| true).unwrap();
    }
    assert_eq!(split.finish(), sessions(EVENTS));
}

#[test]
fn an_order_belongs_to_the_session_that_reported_it_first() {
    let mut claims = Claims::default();
    claims.apply(&batch(EVENTS)).unwrap();
    claims.apply(&batch(&[(40, "order_completed", "b", "", "o1"), (9, "checkout_started", "c", "", "o1")])).unwrap();
    claims.settle();
    assert_eq!(claims.of(key("o1")).len(), 4);
    let winner = claims.of(key("o1"))[0];
    assert_eq!((winner.session_key, winner.at), (key("b"), 40 * MINUTE));
    assert_eq!(claims.winners().count(), 1);
    assert!(claims.of(key("o2")).is_empty());
}
