use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderValue;
use axum::response::IntoResponse;
use futures::stream;

use super::*;

const LIMITS: Limits = Limits { max_body_bytes: 4096, max_record_bytes: 4096, max_records: 10, memory_bytes: 512 << 20 };
/// A body's part in the room for small ones.
const SMALL_KIB: usize = 1;

fn rooms() -> Rooms {
    Rooms::new(&LIMITS)
}

/// The KiB that are charged.
fn charged(rooms: &Rooms) -> usize {
    let free = |of: &Arc<Semaphore>| of.available_permits();
    let full = Rooms::new(&LIMITS);
    free(&full.small) + free(&full.large) - free(&rooms.small) - free(&rooms.large)
}

fn stated(length: usize) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from(length))])
}

fn pieces(size: usize, count: usize, read: &Arc<AtomicUsize>) -> Body {
    let read = Arc::clone(read);
    Body::from_stream(stream::iter(0..count).map(move |_| {
        read.fetch_add(size, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size]))
    }))
}

async fn status(headers: &HeaderMap, body: Body, rooms: &Rooms) -> StatusCode {
    match read(headers, body, &LIMITS, rooms).await {
        Ok(_) => StatusCode::OK,
        Err(refusal) => refusal.into_response().status(),
    }
}

#[tokio::test]
async fn a_body_keeps_its_share_of_the_budget_until_it_is_dropped() {
    let rooms = rooms();
    for (headers, kib) in [(stated(3000), 3), (HeaderMap::new(), 4)] {
        let whole = read(&headers, pieces(1000, 3, &Arc::default()), &LIMITS, &rooms).await.unwrap();
        assert_eq!(whole.bytes.len(), 3000);
        assert_eq!(charged(&rooms), kib);
        drop(whole);
        assert_eq!(charged(&rooms), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_is_refused_and_dropped() {
    let (rooms, read) = (rooms(), Arc::default());
    assert_eq!(status(&HeaderMap::new(), pieces(1 << 16, 1 << 14, &read), &rooms).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read.load(Ordering::Relaxed), 1 << 30);
    assert_eq!(status(&stated(4097), Body::empty(), &rooms).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(status(&stated(4096), Body::empty(), &rooms).await, StatusCode::OK);
    assert_eq!(charged(&rooms), 0);
}

#[tokio::test]
async fn a_client_that_expects_100_is_refused_before_it_sends() {
    let read = Arc::default();
    let mut headers = stated(1 << 30);
    headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    assert_eq!(status(&headers, pieces(1024, 10, &read), &rooms()).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

/// A body of which nothing, or these bytes, ever arrives.
fn stuck(bytes: &'static [u8]) -> Body {
    let first = stream::iter((!bytes.is_empty()).then(|| Ok::<_, std::io::Error>(Bytes::from_static(bytes))));
    Body::from_stream(first.chain(stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn what_is_stated_and_does_not_arrive_costs_nothing() {
    let rooms = rooms();
    let headers = stated(4096);
    let all = futures::future::join_all((0..100).map(|_| read(&headers, stuck(b""), &LIMITS, &rooms)));
    let mut all = std::pin::pin!(all);
    tokio::select! {
        biased;
        _ = &mut all => panic!("answered too early"),
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    assert_eq!(charged(&rooms), 0);
    assert_eq!(status(&stated(4000), pieces(1000, 4, &Arc::default()), &rooms).await, StatusCode::OK);
    assert!(all.await.into_iter().all(|body| body.unwrap_err().into_response().status() == StatusCode::REQUEST_TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn bodies_that_do_not_fit_wait_and_are_then_refused() {
    let rooms = rooms();
    let large = u32::try_from(rooms.large.available_permits()).unwrap();
    let others = Arc::clone(&rooms.large).try_acquire_many_owned(large).unwrap();
    assert_eq!(status(&stated(4000), pieces(1000, 4, &Arc::default()), &rooms).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status(&HeaderMap::new(), pieces(1000, 4, &Arc::default()), &rooms).await, StatusCode::TOO_MANY_REQUESTS);
    let small = stated(SMALL_KIB * UNIT);
    assert_eq!(
        status(&small, pieces(UNIT, SMALL_KIB, &Arc::default()), &rooms).await,
        StatusCode::OK,
        "small ones have room of their own"
    );
    drop(others);
    assert_eq!(status(&stated(4000), pieces(1000, 4, &Arc::default()), &rooms).await, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_body_is_refused() {
    let broken = stream::iter([Ok(Bytes::from_static(b"{}")), Err(std::io::Error::other("reset"))]);
    assert_eq!(status(&HeaderMap::new(), Body::from_stream(broken), &rooms()).await, StatusCode::BAD_REQUEST);
    assert_eq!(status(&HeaderMap::new(), stuck(b"{}"), &rooms()).await, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_refused() {
    let (rooms, before) = (rooms(), tokio::time::Instant::now());
    let trickle = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
    });
    assert_eq!(status(&stated(4000), Body::from_stream(trickle), &rooms).await, StatusCode::REQUEST_TIMEOUT);
    assert!(before.elapsed() < 2 * crate::pace::WINDOW + DISCARD_TIMEOUT, "{:?}", before.elapsed());
    assert_eq!(charged(&rooms), 0);
}

#[tokio::test]
async fn what_records_cost_is_charged_as_far_as_there_is_memory() {
    let rooms = rooms();
    let all = charged(&rooms) + rooms.large.available_permits();
    let mut whole = read(&stated(100), pieces(100, 1, &Arc::default()), &LIMITS, &rooms).await.unwrap();
    whole.room.grow(&rooms, 100 + 2048).await.unwrap();
    assert_eq!(charged(&rooms), 3);
    whole.room.grow(&rooms, usize::MAX / 2).await.unwrap();
    assert_eq!(charged(&rooms), all + SMALL_KIB);
    drop(whole);
    assert_eq!(charged(&rooms), 0);
}
