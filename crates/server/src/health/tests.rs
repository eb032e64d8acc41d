use serde_json::json;

use super::*;
use crate::openapi::check_required;
use crate::testing::house;

#[test]
fn metrics_are_prometheus_text() {
    let sample = |labels: &[(&'static str, &str)], value| Sample {
        labels: labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        value,
    };
    let metric = Metric {
        name: "kassa_records_total",
        help: "Records,\nread.",
        kind: Kind::Counter,
        samples: vec![sample(&[("fate", "accepted"), ("sink", "a\"b\\c\nd")], 9_007_199_254_740_991.0), sample(&[], 0.25)],
    };
    let want = "# HELP kassa_records_total Records,\\nread.\n# TYPE kassa_records_total counter\n\
                kassa_records_total{fate=\"accepted\",sink=\"a\\\"b\\\\c\\nd\"} 9007199254740991\nkassa_records_total 0.25\n";
    assert_eq!(text(vec![metric]).unwrap(), want);
}

#[tokio::test]
async fn readiness_says_what_is_not_ready() {
    let house = house();
    assert_eq!(house.get("/readyz").await.status, StatusCode::OK);
    *house.status.held_up.lock().unwrap() = Some("lake is behind by 5 records: the disk is full".to_owned());
    let reply = house.get("/readyz").await;
    assert_eq!(
        (reply.status, reply.text.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "lake is behind by 5 records: the disk is full\n")
    );
    assert_eq!(house.get("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_pipelines_offsets_are_texts_and_unknown_values_are_null() {
    let reply = house().get("/api/v1/pipeline").await.json();
    let partition = json!({"topic": "orders", "partition": "0", "log_start": "0", "log_end": "9007199254740993", "archive": null, "lake": "7", "warehouse": null, "live": null});
    assert_eq!(reply["partitions"], json!([partition]));
    let sink = json!({"name": "lake", "state": "behind", "behind_records": 5, "behind_ms": null, "committed_at": "1970-01-01T00:00:00Z", "commit_us": 1500, "commit_us_max": null});
    assert_eq!(reply["sinks"], json!([sink]));
    assert_eq!(reply["records"], json!({"read": null, "accepted": null, "duplicates": null, "dead_letters": null}));
    assert_eq!(reply["memory_bytes"], json!(null));
    assert_eq!(reply["proof"], json!({"at": "1970-01-01T00:00:01Z", "ok": true, "findings": []}));
    check_required("Pipeline", &reply);
}

#[tokio::test]
async fn metrics_are_those_of_the_pipeline_and_of_the_server() {
    let text = house().get("/metrics").await.text;
    assert!(text.contains("kassa_behind_records{sink=\"lake\"} 5\n"), "{text}");
    assert!(text.contains("# TYPE kassa_viewers gauge\nkassa_viewers 0\n"), "{text}");
}

#[tokio::test]
async fn a_program_that_must_be_started_again_is_not_alive() {
    let house = house();
    *house.status.ended.lock().unwrap() = Some("the log has stopped: fsync failed".to_owned());
    let reply = house.get("/livez").await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "the log has stopped: fsync failed\n"));
}

#[tokio::test]
async fn a_check_that_hangs_takes_neither_health_nor_threads() {
    let house = house();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (holding, held) = oneshot::channel();
    let status = Arc::clone(&house.status);
    let holder = thread::spawn(move || {
        let _lock = status.held_up.lock().unwrap();
        holding.send(()).unwrap();
        released.recv().unwrap();
    });
    held.await.unwrap();
    let replies = futures::future::join_all((0..100).map(|_| house.get("/readyz"))).await;
    assert!(replies.iter().all(|reply| reply.status == StatusCode::SERVICE_UNAVAILABLE && reply.text.contains("has not ended")));
    assert_eq!(house.get("/livez").await.status, StatusCode::OK);
    release.send(()).unwrap();
    holder.join().unwrap();
    while house.get("/readyz").await.status != StatusCode::OK {}
}
