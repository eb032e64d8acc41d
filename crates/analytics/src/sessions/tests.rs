use kassa_model::time::{HOUR, SECOND};

use super::*;

fn session(events: &[(Step, i64)]) -> Outcome {
    let (_, at) = events[0];
    let mut session = Session::new(at);
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
        let mut session = Session::new(0);
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

const MINUTE: i64 = 60 * SECOND;

fn visits(times: &[i64]) -> Vec<(i64, i64)> {
    let mut visits: Vec<Session> = Vec::new();
    for at in times {
        let range = visits::around(&visits, *at);
        visits::join(&mut visits, range, || Session::new(*at)).note(Step::Other, *at);
    }
    visits.iter().map(|visit| (visit.first_at / MINUTE, visit.last_at / MINUTE)).collect()
}

#[test]
fn half_an_hour_of_silence_ends_a_session_whatever_the_order_of_arrival() {
    let of = |minutes: &[i64]| visits(&minutes.iter().map(|minute| minute * MINUTE).collect::<Vec<_>>());
    assert_eq!(of(&[0, 29, 58]), [(0, 58)]);
    assert_eq!(of(&[0, 30]), [(0, 0), (30, 30)]);
    assert_eq!(of(&[30, 0, 15]), [(0, 30)]);
    assert_eq!(of(&[100, 0, 50, 25, 75]), [(0, 100)]);
    assert_eq!(of(&[100, 0, 50]), [(0, 0), (50, 50), (100, 100)]);
    assert_eq!(visits(&[0, 30 * MINUTE - 1]).len(), 1);
}

proptest::proptest! {
    #[test]
    fn sessions_do_not_depend_on_the_order_of_their_events(times in proptest::collection::vec(0_i64..600, 1..40), swap in 0_usize..40) {
        let mut sorted: Vec<i64> = times.iter().map(|minute| minute * MINUTE).collect();
        let mut mixed = sorted.clone();
        mixed.rotate_left(swap % times.len());
        sorted.sort_unstable();
        proptest::prop_assert_eq!(visits(&sorted), visits(&mixed));
    }
}
