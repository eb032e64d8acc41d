use axum::body::Body;
use axum::http::Request;

use super::*;
use crate::testing::{HOST, house};

/// The contents of the page, with or without a built dashboard.
fn page() -> String {
    Dist::get(INDEX).map_or(NOT_BUILT.to_owned(), |index| String::from_utf8(index.data.into_owned()).unwrap())
}

#[tokio::test]
async fn the_page_is_at_the_root_and_at_the_urls_that_it_handles() {
    let house = house();
    for path in ["/", "/sales", "/data?basis=order"] {
        let reply = house.get(path).await;
        assert_eq!((reply.status, reply.text), (StatusCode::OK, page()), "{path}");
        assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8");
    }
}

#[tokio::test]
async fn nothing_is_no_page() {
    let house = house();
    for path in ["/api", "/api/v1", "/api/v1/figure", "/v1/orders/7", "/assets/none-1234.js", "/favicon.png", "/../Cargo.toml"] {
        assert_eq!(house.get(path).await.refusal(), (404, "K017".to_owned()), "{path}");
    }
    assert_eq!(house.post("/sales", "").await.refusal(), (404, "K017".to_owned()));
    assert_eq!(house.post("/livez", "").await.refusal(), (405, "K017".to_owned()));
    assert_eq!(house.get("/v1/orders").await.refusal(), (405, "K017".to_owned()));
}

#[tokio::test]
async fn files_are_served_once_and_then_cached() {
    let house = house();
    for name in Dist::iter() {
        let path = format!("/{name}");
        let reply = house.get(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_ne!(reply.header("content-type"), "application/octet-stream", "{path}");
        let immutable = name.starts_with("assets/");
        assert_eq!(reply.header("cache-control"), if immutable { "public, max-age=31536000, immutable" } else { "no-cache" });
        let again = Request::get(&path).header("host", HOST).header("if-none-match", reply.header("etag"));
        let again = house.ask(again.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
    }
}
