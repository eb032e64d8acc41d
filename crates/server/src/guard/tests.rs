use axum::body::Body;
use axum::http::Request;

use crate::testing::house;

#[tokio::test]
async fn only_names_of_this_machine_are_answered() {
    let house = house();
    for (host, want) in [
        ("localhost", 200),
        ("LocalHost:8080", 200),
        ("127.0.0.1:8080", 200),
        ("127.1.2.3", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.nip.io:8080", 421),
        ("localhost@evil.example", 421),
        ("evil@localhost", 421),
        ("192.168.0.7:8080", 421),
        ("0.0.0.0:8080", 421),
        ("[::2]", 421),
        ("", 421),
    ] {
        let reply = house.ask(Request::get("/livez").header("host", host).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status.as_u16(), want, "{host}");
    }
    let twice = Request::get("/livez").header("host", "localhost").header("host", "evil.example");
    assert_eq!(house.ask(twice.body(Body::empty()).unwrap()).await.refusal(), (421, "K018".to_owned()));
    let none = Request::get("/livez").body(Body::empty()).unwrap();
    assert_eq!(house.ask(none).await.status.as_u16(), 421);
    let absolute = Request::get("http://evil.example/livez").header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(house.ask(absolute).await.status.as_u16(), 421);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_post() {
    let house = house();
    for (origin, want) in [
        (None, 202),
        (Some("http://localhost:8080"), 202),
        (Some("http://localhost:3000"), 403),
        (Some("https://evil.example"), 403),
        (Some("http://localhost:8080.evil.example"), 403),
        (Some("null"), 403),
        (Some(""), 403),
    ] {
        let mut request = Request::post("/v1/orders").header("host", "localhost:8080").header("content-type", "text/plain");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let kept = house.log.kept().len();
        let reply = house.ask(request.body(Body::from(r#"{"price":1}"#)).unwrap()).await;
        assert_eq!(reply.status.as_u16(), want, "{origin:?}");
        assert_eq!(house.log.kept().len() - kept, usize::from(want == 202));
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let house = house();
    for path in ["/", "/livez", "/api/v1/figures", "/api/nothing", "/no.file"] {
        let reply = house.get(path).await;
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert!(!reply.header("content-security-policy").contains("unsafe"));
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_ne!(reply.header("cache-control"), "", "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
}
