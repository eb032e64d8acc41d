use kassa_model::time::{HOUR, SECOND};

use super::*;

fn session(events: &[(Step, i64)]) -> Outcome {
    let (_, at) = events[0];
    let mut session = Session { first_at: at, viewed_at: i64::MAX, marks: Box::default() };
    events.iter().for_each(|(step, at)| session.note(*step, *at));
    session.outcome()
}

#[test]
fn steps_count_in_order_of_time_only() {
    use Step::{Added, Checkout, Paid, Viewed};
    for (events, reached) in [
        (vec![(Added, 1), (Paid, 2)], 0),
        (vec![(Viewed, 5), (Added, 4)], 1),
        (vec![(Viewed, 5), (Added, 4), (Added, 6)], 2),
        (vec![(Viewed, 1), (Added, 1), (Checkout, 1), (Paid, 1)], 4),
        (vec![(Viewed, 1), (Checkout, 2), (Added, 3)], 2),
        (vec![(Viewed, 1), (Checkout, 2), (Added, 3), (Paid, 4)], 2),
        (vec![(Viewed, 3), (Added, 1), (Added, 5), (Checkout, 4), (Checkout, 6), (Paid, 2), (Paid, 7)], 4),
    ] {
        assert_eq!(session(&events).reached, reached, "{events:?}");
        let reversed: Vec<_> = events.iter().rev().copied().collect();
        assert_eq!(session(&reversed), session(&events), "{events:?}");
    }
}

#[test]
fn a_cart_is_abandoned_unless_its_order_comes_within_a_day_of_the_first_product_added() {
    let late = DAY + SECOND;
    for (events, is_abandoned) in [
        (vec![(Step::Viewed, 0)], false),
        (vec![(Step::Added, 0)], true),
        (vec![(Step::Added, 0), (Step::Paid, DAY)], false),
        (vec![(Step::Added, 0), (Step::Added, HOUR), (Step::Paid, late)], true),
        (vec![(Step::Paid, 0), (Step::Added, HOUR)], true),
        (vec![(Step::Paid, 0), (Step::Added, HOUR), (Step::Paid, 2 * HOUR)], false),
    ] {
        assert_eq!(session(&events).is_abandoned, is_abandoned, "{events:?}");
    }
}

#[test]
fn a_session_of_endless_steps_stays_bounded_and_alike() {
    let times: Vec<i64> = (0..500).collect();
    let fold = |times: &mut dyn Iterator<Item = i64>| {
        let mut session = Session { first_at: i64::MAX, viewed_at: i64::MAX, marks: Box::default() };
        for at in times {
            session.note(Step::Added, at);
            session.note(Step::Paid, at);
        }
        session
    };
    let (up, down) = (fold(&mut times.iter().copied()), fold(&mut times.iter().rev().copied()));
    assert_eq!(up.marks.len(), 2 * MARKS_MAX);
    assert_eq!(up.marks, down.marks);
}
