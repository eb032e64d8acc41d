use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::openapi::check_required;
use crate::testing::{HOST, House, batch, house};

async fn join(house: &House, basis: &str) -> Body {
    let request = Request::get(format!("/api/v1/live?basis={basis}")).header("host", HOST).body(Body::empty()).unwrap();
    let response = house.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body()
}

/// The next event with a name.
async fn next(body: &mut Body, name: &str) -> Value {
    loop {
        let frame = body.frame().await.expect("the stream goes on").unwrap().into_data().unwrap();
        let text = std::str::from_utf8(&frame).unwrap().strip_suffix("\n\n").unwrap();
        if let Some(data) = text.strip_prefix(&format!("event: {name}\ndata: ")) {
            return serde_json::from_str(data).unwrap();
        }
    }
}

fn net(live: &Value) -> &str {
    live["tiles"][0]["value"].as_str().unwrap_or("none")
}

fn start() -> House {
    let house = house();
    tokio::spawn(run(Arc::clone(&house.server)));
    house
}

#[tokio::test(start_paused = true)]
async fn a_viewer_sees_the_figures_at_once_and_each_change() {
    let house = start();
    let mut viewer = join(&house, "movement").await;
    let first = next(&mut viewer, "live").await;
    check_required("Live", &first);
    assert_eq!((net(&first), &first["event_time"], &first["shop"]["today"]), ("none", &Value::Null, &Value::Null));
    assert_eq!((&first["dead_letters_today"], &first["proof"]["ok"]), (&12.into(), &true.into()));
    check_required("Pipeline", &next(&mut viewer, "pipeline").await);
    for (from, want) in [(0, "2.00"), (1, "4.00"), (2, "6.00")] {
        house.server.app.live.apply(&[batch(from, &["2"])]).unwrap();
        while net(&next(&mut viewer, "live").await) != want {}
    }
}

#[tokio::test(start_paused = true)]
async fn figures_are_computed_once_for_all_viewers_of_a_basis() {
    let house = start();
    house.server.app.live.apply(&[batch(0, &["2"])]).unwrap();
    let mut viewers = Vec::new();
    for _ in 0..20 {
        viewers.push(join(&house, "order").await);
    }
    for viewer in &mut viewers {
        assert_eq!(net(&next(viewer, "live").await), "2.00");
    }
    // The figures, and the state of the pipeline after them.
    assert!(house.server.push.pushes() <= 2);
    let mut late = join(&house, "order").await;
    assert_eq!(next(&mut late, "live").await["basis"], "order");
    assert!(house.server.push.pushes() <= 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_computed_without_viewers() {
    let house = start();
    house.server.app.live.apply(&[batch(0, &["2"])]).unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!((house.server.push.pushes(), house.status.asked.load(Ordering::Relaxed)), (0, 0));
    let mut viewer = join(&house, "movement").await;
    next(&mut viewer, "live").await;
    drop(viewer);
    sleep(Duration::from_secs(1)).await;
    let pushes = house.server.push.pushes();
    house.server.app.live.apply(&[batch(1, &["2"])]).unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!((house.server.push.pushes(), house.server.push.viewers()), (pushes, 0));
    let mut viewer = join(&house, "movement").await;
    assert_eq!(net(&next(&mut viewer, "live").await), "4.00");
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_skips_to_the_latest() {
    let house = start();
    let (mut slow, mut quick) = (join(&house, "movement").await, join(&house, "movement").await);
    let mut seen = 0;
    for from in 0..20 {
        house.server.app.live.apply(&[batch(from, &["1"])]).unwrap();
        let want = format!("{}.00", from + 1);
        while net(&next(&mut quick, "live").await) != want {
            seen += 1;
        }
    }
    assert_eq!(net(&next(&mut slow, "live").await), "20.00", "after {seen} others");
}

#[tokio::test(start_paused = true)]
async fn pushes_keep_their_distance() {
    let house = start();
    let mut viewer = join(&house, "movement").await;
    let reading = tokio::spawn(async move { while viewer.frame().await.is_some() {} });
    let before = tokio::time::Instant::now();
    for from in 0..1000 {
        house.server.app.live.apply(&[batch(from, &["1"])]).unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    let intervals = u64::try_from(before.elapsed().as_millis() / 50).unwrap();
    let pushes = house.server.push.pushes();
    assert!((10..=intervals + 5).contains(&pushes), "{pushes} pushes in {intervals} intervals");
    house.server.push.close();
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_state_of_sinks_is_sent_without_changes_of_figures() {
    let house = start();
    let mut viewer = join(&house, "movement").await;
    next(&mut viewer, "live").await;
    house.clock.0.store(7_000_000, Ordering::Relaxed);
    while next(&mut viewer, "live").await["as_of"] != "1970-01-01T00:00:07Z" {}
    while next(&mut viewer, "pipeline").await["as_of"] != "1970-01-01T00:00:07Z" {}
}

#[tokio::test]
async fn viewers_beyond_the_limit_are_refused_until_one_leaves() {
    let house = house();
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS_MAX {
        viewers.push(join(&house, "movement").await);
    }
    let reply = house.get("/api/v1/live").await;
    assert_eq!(reply.refusal(), (503, "K019".to_owned()));
    assert_eq!(reply.header("retry-after"), "10");
    viewers.pop();
    viewers.push(join(&house, "movement").await);
    assert_eq!(house.get("/api/v1/live?basis=x").await.refusal(), (400, "K015".to_owned()));
}
