use tokio::time::{advance, timeout};

use super::*;

async fn has_ended(place: &Place) -> bool {
    timeout(Duration::ZERO, place.link.ended()).await.is_ok()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_longest_idle_connection_makes_room() {
    let places = Places::new(3);
    let (first, second, third) = (places.admit(), places.admit(), places.admit());
    advance(SECOND).await;
    // The first one has had a request since, the second one is answering.
    drop(first.link.work());
    let working = second.link.work();
    advance(SECOND).await;
    let fourth = places.admit();
    assert!(!fourth.link.is_reserved);
    assert_eq!([has_ended(&first).await, has_ended(&second).await, has_ended(&third).await], [false, false, true]);
    let fifth = places.admit();
    assert!(!fifth.link.is_reserved && has_ended(&first).await);
    // A client that does not read its answer has a time limit of its own.
    drop(working);
    second.link.block(true);
    fifth.link.block(true);
    assert!(!places.admit().link.is_reserved && has_ended(&fourth).await);
    assert!(!has_ended(&second).await && !has_ended(&fifth).await);
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_always_gets_a_place() {
    let places = Places::new(1);
    let busy = places.admit();
    let working = busy.link.work();
    let mut reserved: Vec<Place> = (0..RESERVED).map(|_| places.admit()).collect();
    assert!(reserved.iter().all(|place| place.link.is_reserved));
    for oldest in 0..RESERVED {
        reserved.push(places.admit());
        assert!(has_ended(&reserved[oldest]).await && !has_ended(&reserved[oldest + 1]).await);
    }
    assert!(!has_ended(&busy).await);
    drop(working);
    drop(busy);
    assert!(!places.admit().link.is_reserved, "a place that is free again is used");
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_long_stays_in_reserved_places_end() {
    let places = Places::new(2);
    let (silent, slow) = (places.admit(), places.admit());
    slow.link.reads();
    for _ in 0..10 {
        advance(SECOND).await;
        slow.link.reads();
    }
    places.sweep();
    assert!(!has_ended(&slow).await);
    advance(SECOND).await;
    places.sweep();
    assert!(has_ended(&slow).await && !has_ended(&silent).await);
    let (working, other) = (silent.link.work(), slow.link.work());
    let reserved = places.admit();
    advance(RESERVED_TIMEOUT + SECOND).await;
    places.sweep();
    assert!(has_ended(&reserved).await && !has_ended(&silent).await);
    drop((working, other));
}
