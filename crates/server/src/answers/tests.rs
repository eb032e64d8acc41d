use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

use super::*;
use crate::testing::{HOST, House, house};

const KIB: usize = 1024;

fn bytes(kib: usize) -> Bytes {
    Bytes::from(vec![b'x'; kib * KIB])
}

#[test]
fn unread_answers_share_a_budget_until_their_last_byte_is_gone() {
    let answers = Answers::new(16 * KIB);
    let first = answers.hold(bytes(10)).unwrap();
    let end = first.slice(9 * KIB..);
    assert_eq!(first, bytes(10));
    assert!(answers.hold(bytes(7)).is_err());
    drop(first);
    assert!(answers.hold(bytes(7)).is_err(), "a part that is not sent keeps the whole answer");
    drop(end);
    assert!(answers.hold(bytes(7)).is_ok());
    assert!(answers.hold(bytes(100)).is_ok(), "an answer over the budget is sent alone");
}

async fn ask(house: &House, path: &str) -> Response {
    house.router.clone().oneshot(Request::get(path).header("host", HOST).body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_answer_is_charged_while_it_is_not_read() {
    let house = house();
    let free = || house.server.answers.unread.available_permits();
    let before = free();
    let answer = ask(&house, "/api/v1/openapi.json").await;
    let size = usize::try_from(answer.body().size_hint().exact().unwrap()).unwrap();
    assert_eq!(free(), before - size.div_ceil(KIB));
    drop(answer);
    assert_eq!(free(), before);
    let all = Arc::clone(&house.server.answers.unread).try_acquire_many_owned(u32::try_from(before).unwrap()).unwrap();
    let refused = house.get("/api/v1/openapi.json").await;
    assert_eq!(refused.refusal(), (503, "K019".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(house.get("/livez").await.status, StatusCode::OK);
    assert_eq!(house.get("/readyz").await.status, StatusCode::OK);
    drop(all);
    assert_eq!(house.get("/api/v1/openapi.json").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_computed_in_time_are_refused() {
    let house = house();
    let mut turns = Vec::new();
    for _ in 0..COMPUTED_MAX {
        turns.push(house.server.answers.query().await.unwrap());
    }
    for path in ["/api/v1/figures/net_sales", "/api/v1/orders"] {
        assert_eq!(house.get(path).await.refusal(), (503, "K019".to_owned()), "{path}");
    }
    assert_eq!(house.get("/metrics").await.status, StatusCode::OK);
    turns.pop();
    assert_eq!(house.get("/api/v1/figures/net_sales").await.status, StatusCode::OK);
}
