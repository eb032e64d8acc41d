use super::*;

fn options(endpoint: &str) -> S3Options {
    S3Options {
        bucket: "shop-lake".to_owned(),
        prefix: "a".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        keys: Some(Keys {
            access_key_id: kassa_model::Secret::new("env:ID", "AKIAEXAMPLE"),
            secret_access_key: kassa_model::Secret::new("env:KEY", "wJalrXUtnFEMI"),
            session_token: Some(kassa_model::Secret::new("env:TOKEN", "FwoGZXIvYXdz")),
        }),
        scratch: PathBuf::from("tmp"),
        patience: Duration::from_millis(300),
    }
}

#[test]
fn nothing_that_is_shown_has_a_key_in_it() {
    let options = options("http://127.0.0.1:9");
    let store = S3::open(&options).unwrap();
    let refused = store.get("x").unwrap_err();
    let shown = format!("{options:?} {store:?} {refused:?} {refused}");
    for secret in ["AKIAEXAMPLE", "wJalrXUtnFEMI", "FwoGZXIvYXdz"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_server_that_is_away_is_asked_again_for_as_long_as_patience_lasts() {
    let store = S3::open(&options("http://127.0.0.1:9")).unwrap();
    let begun = Instant::now();
    let error = store.put_new("DWH/x", b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    assert!(Refused::of(&error).is_none());
    assert!(error.to_string().contains("s3://shop-lake/a/DWH/x"), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_store_can_be_dropped_by_an_async_task() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let store = S3::open(&options("http://127.0.0.1:9")).unwrap();
        // The address of the client makes no difference either.
        assert!(store.list("x").is_err());
        drop(store);
    });
}
