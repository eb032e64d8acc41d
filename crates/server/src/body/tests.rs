use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderValue;
use axum::response::IntoResponse;
use futures::stream;

use super::*;

const LIMITS: Limits = Limits { max_body_bytes: 4096, max_record_bytes: 4096, max_records: 10 };

fn budget(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / UNIT))
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

async fn status(headers: &HeaderMap, body: Body, budget: &Arc<Semaphore>) -> StatusCode {
    match read(headers, body, &LIMITS, budget).await {
        Ok(_) => StatusCode::OK,
        Err(refusal) => refusal.into_response().status(),
    }
}

#[tokio::test]
async fn a_body_keeps_its_share_of_the_budget_until_it_is_dropped() {
    let budget = budget(8192);
    for (headers, kib) in [(stated(3000), 3), (HeaderMap::new(), 4)] {
        let whole = read(&headers, pieces(1000, 3, &Arc::default()), &LIMITS, &budget).await.unwrap();
        assert_eq!(whole.bytes.len(), 3000);
        assert!(8 - budget.available_permits() >= 3 && 8 - budget.available_permits() <= kib);
        drop(whole);
        assert_eq!(budget.available_permits(), 8);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_is_refused_and_dropped() {
    let (budget, read) = (budget(8192), Arc::default());
    assert_eq!(status(&HeaderMap::new(), pieces(1 << 16, 1 << 14, &read), &budget).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read.load(Ordering::Relaxed), 1 << 30);
    assert_eq!(status(&stated(4097), Body::empty(), &budget).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(status(&stated(4096), Body::empty(), &budget).await, StatusCode::OK);
    assert_eq!(budget.available_permits(), 8);
}

#[tokio::test]
async fn a_client_that_expects_100_is_refused_before_it_sends() {
    let read = Arc::default();
    let mut headers = stated(1 << 30);
    headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    assert_eq!(status(&headers, pieces(1024, 10, &read), &budget(8192)).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn bodies_that_do_not_fit_wait_and_are_then_refused() {
    let budget = budget(8192);
    let others = make_room(&budget, 6000).await.unwrap();
    assert_eq!(status(&stated(4000), pieces(1000, 4, &Arc::default()), &budget).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status(&HeaderMap::new(), pieces(1000, 4, &Arc::default()), &budget).await, StatusCode::TOO_MANY_REQUESTS);
    drop(others);
    assert_eq!(status(&stated(4000), pieces(1000, 4, &Arc::default()), &budget).await, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_body_is_refused() {
    let broken = stream::iter([Ok(Bytes::from_static(b"{}")), Err(std::io::Error::other("reset"))]);
    assert_eq!(status(&HeaderMap::new(), Body::from_stream(broken), &budget(8192)).await, StatusCode::BAD_REQUEST);
    let stopped = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{}"))]).chain(stream::pending());
    assert_eq!(status(&HeaderMap::new(), Body::from_stream(stopped), &budget(8192)).await, StatusCode::REQUEST_TIMEOUT);
}
