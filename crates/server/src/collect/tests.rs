use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::testing::{Disk, HOST, house};

#[tokio::test]
async fn records_are_stored_unchanged_and_bad_ones_are_reported() {
    let house = house();
    let reply = house.post("/v1/orders", r#"[{"price": 1.50}, {"prise":1}, 7, {"price":"é"}, {"price":NaN}]"#).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let letters = json!([
        {"index": 1, "reason": "missing_field", "field": "price"},
        {"index": 2, "reason": "not_an_object", "field": ""},
        {"index": 4, "reason": "not_json", "field": ""},
    ]);
    assert_eq!(reply.json(), json!({"received": 5, "accepted": 2, "dead_letters": letters}));
    assert_eq!(house.log.kept(), [r#"{"price": 1.50}"#, r#"{"prise":1}"#, "7", r#"{"price":"é"}"#, r#"{"price":NaN}"#]);
}

#[tokio::test]
async fn a_truncated_body_is_one_dead_letter() {
    let house = house();
    let body = "[{\"price\":1},{\"price\":2}\n";
    let reply = house.post("/v1/events", body).await;
    let letter = json!({"index": 0, "reason": "not_json", "field": ""});
    assert_eq!(reply.json(), json!({"received": 1, "accepted": 0, "dead_letters": [letter]}));
    assert_eq!(house.log.kept(), [body]);
}

#[tokio::test]
async fn the_sender_may_declare_ndjson() {
    let house = house();
    let request = Request::post("/v1/orders").header("host", HOST).header("content-type", "application/x-ndjson; charset=utf-8");
    let reply = house.ask(request.body(Body::from("bad\n{\"price\":1}\n")).unwrap()).await;
    assert_eq!((reply.json()["received"].as_u64(), reply.json()["accepted"].as_u64()), (Some(2), Some(1)));
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_a_code() {
    let house = house();
    for (path, body, want, hint) in [
        ("/v1/order", "{}".to_owned(), (404, "K011"), "did you mean `orders`?"),
        ("/v1/zebra", "{}".to_owned(), (404, "K011"), "the streams are: orders, events"),
        ("/v1/orders", " \n".to_owned(), (400, "K012"), "send a JSON object, an array of objects, or NDJSON"),
        ("/v1/orders", "x".repeat(8193), (413, "K013"), "send fewer records per request, or raise collector.max_body"),
        ("/v1/orders", "x".repeat(1025), (413, "K013"), "send fewer records per request, or raise collector.max_record"),
        ("/v1/orders", "1\n".repeat(101), (413, "K013"), "send fewer records per request, or raise collector.max_records"),
    ] {
        let reply = house.post(path, body).await;
        assert_eq!(reply.refusal(), (want.0, want.1.to_owned()), "{}", reply.text);
        assert_eq!(reply.json()["error"]["hint"], hint);
    }
    assert!(house.log.kept().is_empty());
}

#[tokio::test]
async fn failures_of_the_log_reach_the_sender() {
    let house = house();
    let full = CollectError::Full { retry_after: Duration::from_millis(1001) };
    let failed = CollectError::Failed("no space left on device".to_owned());
    let away = CollectError::Away { why: "connection refused".to_owned(), retry_after: Duration::from_secs(7) };
    for (disk, want, seconds) in [
        (Disk::Refuses(full.clone()), (429, "K014"), "2"),
        (Disk::Fails(full), (429, "K014"), "2"),
        (Disk::Fails(failed), (503, "K004"), "5"),
        (Disk::Fails(CollectError::Unavailable("no space".to_owned())), (503, "K004"), "1"),
        (Disk::Refuses(away), (503, "K024"), "7"),
        (Disk::Refuses(CollectError::TooLarge), (413, "K013"), ""),
    ] {
        *house.log.disk.lock().unwrap() = disk;
        let reply = house.post("/v1/orders", r#"{"price":1}"#).await;
        assert_eq!(reply.refusal(), (want.0, want.1.to_owned()), "{}", reply.text);
        assert_eq!(reply.header("retry-after"), seconds);
    }
}

#[tokio::test]
async fn there_is_no_202_before_the_records_are_on_disk() {
    let house = house();
    *house.log.disk.lock().unwrap() = Disk::Waits;
    let mut posting = Box::pin(house.post("/v1/orders", r#"{"price":1}"#));
    let written = loop {
        tokio::select! {
            reply = &mut posting => panic!("answered {} too early", reply.status),
            () = tokio::task::yield_now() => {}
        }
        if let Some(done) = house.log.waiting.lock().unwrap().pop() {
            break done;
        }
    };
    tokio::select! {
        biased;
        reply = &mut posting => panic!("answered {} too early", reply.status),
        () = std::future::ready(()) => {}
    }
    written(Ok(()));
    assert_eq!(posting.await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_log_that_never_answers_is_an_error() {
    let house = house();
    *house.log.disk.lock().unwrap() = Disk::Waits;
    let posting = house.post("/v1/orders", r#"{"price":1}"#);
    let dropping = async {
        loop {
            if house.log.waiting.lock().unwrap().pop().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let (reply, ()) = tokio::join!(posting, dropping);
    assert_eq!(reply.refusal(), (500, "K020".to_owned()));
}

#[tokio::test]
async fn a_body_that_would_have_to_be_decoded_is_refused() {
    let house = house();
    let post = |codings: &[&str]| {
        let mut request = Request::post("/v1/orders").header("host", HOST);
        for coding in codings {
            request = request.header("content-encoding", *coding);
        }
        house.ask(request.body(Body::from(r#"{"price":1}"#)).unwrap())
    };
    for codings in [&["gzip"][..], &["identity, br"], &["identity", "zstd"], &["GZIP"], &["x"]] {
        assert_eq!(post(codings).await.refusal(), (415, "K015".to_owned()), "{codings:?}");
    }
    assert!(house.log.kept().is_empty());
    for codings in [&[][..], &[""], &["identity"], &["Identity, identity"]] {
        assert_eq!(post(codings).await.status, StatusCode::ACCEPTED, "{codings:?}");
    }
}

#[test]
fn an_answer_lists_a_limited_number_of_dead_letters() {
    let (bytes, count) = (Bytes::from("1\n".repeat(3 * LISTED_MAX)), 3 * LISTED_MAX);
    let ranges: Vec<_> = (0..count).map(|nth| 2 * nth..2 * nth + 1).collect();
    let (done, _durable) = oneshot::channel();
    let whole = Whole { bytes, room: body::Room::default() };
    let receipt = take(house().log.as_ref(), "orders", whole, &ranges, done).unwrap();
    assert_eq!((receipt.received, receipt.accepted, receipt.dead_letters.len()), (count, 0, LISTED_MAX));
}
