use kassa_model::time::{Calendar, DAY, SECOND};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Sessions, Step};
use super::*;
use crate::recent::Recent;

const MINUTE: i64 = 60 * SECOND;

fn session(first_at: i64, last_at: i64, viewed_at: i64, marks: &[(Step, i64)]) -> Session {
    let mut marks: Vec<Mark> = marks.iter().map(|(step, at)| Mark::new(*step, *at)).collect();
    marks.sort_unstable();
    Session { first_at, last_at, viewed_at, marks: marks.into_boxed_slice() }
}

#[test]
fn packed_sessions_come_back_as_they_were() {
    let of_a_day = vec![
        (i64::MIN, session(5, 5, i64::MAX, &[])),
        (-3, session(7, 9, 7, &[(Step::Added, 8), (Step::Paid, 9)])),
        (-3, session(DAY - 1, 3 * DAY, 2 * DAY, &[(Step::Checkout, 2 * DAY), (Step::Added, DAY)])),
        (i64::MAX, session(0, 0, 0, &[(Step::Paid, 0)])),
    ];
    assert_eq!(decode(&encode(&of_a_day)), of_a_day);
    let before_1970 = vec![(1, session(-5 * DAY, -4 * DAY, -5 * DAY, &[(Step::Added, -5 * DAY)]))];
    assert_eq!(decode(&encode(&before_1970)), before_1970);
    assert_eq!(decode(&[]), []);
}

#[test]
fn a_session_takes_few_bytes() {
    let of_a_day: Vec<Known> = (0..10_000_i64)
        .map(|id| {
            let first = id * 8_640_000;
            (id.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()), session(first, first + 300_000_000, first, &[]))
        })
        .collect();
    let mut packs = Packs::default();
    packs.add(of_a_day);
    assert!(packs.size() < 21 * 10_000, "{} bytes", packs.size());
}

#[test]
fn an_event_brings_back_the_days_that_it_is_near() {
    let mut packs = Packs::default();
    let near_midnight = session(DAY - MINUTE, DAY + 10 * MINUTE, i64::MAX, &[]);
    packs.add(vec![(1, session(0, MINUTE, i64::MAX, &[])), (2, near_midnight), (3, session(3 * DAY, 3 * DAY, i64::MAX, &[]))]);
    assert!(!packs.reach(3 * DAY + SILENCE));
    assert!(packs.reach(3 * DAY + SILENCE - 1) && packs.reach(-DAY));
    assert!(packs.take_near(DAY + 10 * MINUTE + SILENCE).is_empty(), "too late for the first day, too early for the last");
    assert!(packs.take_near(-SILENCE - 1).is_empty());
    let ids = |taken: Vec<Known>| taken.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(packs.take_near(DAY + 10 * MINUTE + SILENCE - 1)), [1, 2]);
    assert_eq!(ids(packs.take_near(3 * DAY - SILENCE + 1)), [3]);
    assert_eq!(packs.size(), 0);
}

/// Events of few ids over a few days: their id, step and time.
fn events() -> impl Strategy<Value = Vec<(i64, usize, i64)>> {
    vec((1..4_i64, 0..5_usize, 0..5 * 24 * 12_i64), 1..200)
}

const STEPS: [Step; 5] = [Step::Other, Step::Viewed, Step::Added, Step::Checkout, Step::Paid];

fn folded(events: &[(i64, usize, i64)], pack: impl Fn(usize) -> Option<i64>) -> Sessions {
    let mut sessions = Sessions::new(Calendar::new(jiff::tz::TimeZone::UTC));
    let mut recent = Recent::default();
    for (nth, (id, step, five_minutes)) in events.iter().enumerate() {
        sessions.add(*id, STEPS[*step], five_minutes * 5 * MINUTE, &mut recent);
        if let Some(before) = pack(nth) {
            sessions.pack(before);
        }
    }
    sessions
}

fn all(sessions: &Sessions) -> Vec<(i64, Session)> {
    let open = sessions.open.iter().flat_map(|(id, visits)| visits.iter().map(|visit| (*id, visit.clone())));
    let packed = sessions.packs.days.range(Days::ALL).flat_map(|(_, pack)| decode(&pack.sessions.0));
    let mut all: Vec<_> = open.chain(packed).collect();
    all.sort_unstable_by_key(|(id, visit)| (*id, visit.first_at));
    all
}

proptest! {
    /// Whatever is packed, and whenever: the sessions and their counts equal those of sessions that are never packed.
    #[test]
    fn packing_changes_nothing(events in events(), every in 1..20_usize, until in 0..6 * 24 * 60_i64) {
        let never = folded(&events, |_| None);
        let often = folded(&events, |nth| (nth % every == 0).then_some(until * MINUTE));
        prop_assert_eq!(all(&often), all(&never));
        for by in [crate::query::By::Total, crate::query::By::QuarterHour] {
            prop_assert_eq!(often.by_time(by, Days::ALL), never.by_time(by, Days::ALL));
        }
    }
}
