//! The lake's bucket.

use kassa_stack::http_faults::{Fault, HttpFaults};
use kassa_stack::s3::{S3Server, SECRET_ACCESS_KEY};

use super::diagnose;
use crate::harness::Shop;
use crate::s3::{server, shop};

/// The same shop with its bucket at another endpoint, or with another bucket.
fn with(server: &S3Server, from: &str, to: &str) -> Shop {
    let shop = shop(server, "");
    let text = std::fs::read_to_string(&shop.config).expect("read");
    assert!(text.contains(from), "{text}");
    std::fs::write(&shop.config, text.replace(from, to)).expect("written");
    shop
}

#[test]
fn problems_of_a_bucket_are_reported_and_nothing_is_left_in_it() {
    let server = server();
    diagnose(&shop(&server, "")).is_well("lake").reports(("ok", "lake"), "list, put, get and delete; conditional PUT works", "");
    assert_eq!(std::fs::read_dir(server.folder_of("shop-lake").join("kassa")).map_or(0, Iterator::count), 0, "nothing stays");

    let nobody = with(&server, &server.endpoint(), "http://127.0.0.1:1");
    diagnose(&nobody).reports(("wrong", "lake"), "error sending request", "check that http://127.0.0.1:1 runs");
    let elsewhere = with(&server, "s3://shop-lake", "s3://no-such-bucket");
    diagnose(&elsewhere).reports(("wrong", "lake"), "the bucket `no-such-bucket` does not exist", "create the bucket");
    let stranger = shop(&server, "");
    std::fs::write(stranger.dir.path().join("s3.key"), "another").expect("written");
    diagnose(&stranger).reports(
        ("wrong", "lake"),
        "the secret key is not that of the access key id",
        "lake.s3.secret_access_key",
    );
    std::fs::write(stranger.dir.path().join("s3.key"), SECRET_ACCESS_KEY).expect("written");
    std::fs::write(stranger.dir.path().join("s3.id"), "nobody").expect("written");
    diagnose(&stranger).reports(("wrong", "lake"), "does not know the access key id", "lake.s3.access_key_id");
}

#[test]
fn missing_rights_and_guarantees_of_a_bucket_are_reported() {
    let server = server();
    let proxy = HttpFaults::start(server.address()).expect("a proxy");
    let behind = with(&server, &server.endpoint(), &proxy.endpoint());
    for (method, part, fault, found, mend) in [
        ("GET", "list-type=2", Fault::Answer(403, "AccessDenied"), "does not allow s3:ListBucket", "arn:aws:s3:::shop-lake"),
        (
            "PUT",
            "_kassa/doctor",
            Fault::Answer(403, "AccessDenied"),
            "does not allow s3:PutObject",
            "arn:aws:s3:::shop-lake/kassa",
        ),
        ("GET", "_kassa/doctor", Fault::Answer(403, "AccessDenied"), "does not allow s3:GetObject", "allow s3:GetObject"),
        ("PUT", "_kassa/doctor", Fault::Answer(200, "none"), "in spite of `If-None-Match: *`", "that supports conditional PUT"),
        ("PUT", "_kassa/doctor", Fault::Answer(403, "RequestTimeTooSkewed"), "this machine's clock differs", "by NTP"),
        ("PUT", "_kassa/doctor", Fault::Answer(503, "SlowDown"), "SlowDown", "check that"),
    ] {
        proxy.clear();
        let rule = proxy.on(method, part, (1, 99), fault);
        diagnose(&behind).reports(("wrong", "lake"), found, mend);
        assert!(rule.fired() > 0, "{method} {part}");
    }
    // Keys without the right to delete are fine: the test object stays, once.
    proxy.clear();
    let rule = proxy.on("POST", "delete", (1, 9), Fault::Answer(403, "AccessDenied"));
    diagnose(&behind).reports(("ok", "lake"), "they may not delete", "").is_well("lake");
    assert_eq!(rule.fired(), 1);
}
