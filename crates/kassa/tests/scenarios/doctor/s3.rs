//! The lake's bucket.

use kassa_stack::http_faults::{Fault, HttpFaults};
use kassa_stack::s3::{S3Server, SECRET_ACCESS_KEY};

use super::told;
use crate::harness::Shop;
use crate::s3::{server, shop};

/// The same shop, its bucket behind another endpoint or another bucket.
fn with(server: &S3Server, from: &str, to: &str) -> Shop {
    let shop = shop(server, "");
    let text = std::fs::read_to_string(&shop.config).expect("read");
    assert!(text.contains(from), "{text}");
    std::fs::write(&shop.config, text.replace(from, to)).expect("written");
    shop
}

#[test]
fn what_is_wrong_with_a_bucket_is_told_and_nothing_is_left_in_it() {
    let server = server();
    told(&shop(&server, "")).is_well("lake").says(("ok", "lake"), "list, put, get and delete; conditional PUT is kept", "");
    assert_eq!(std::fs::read_dir(server.folder_of("shop-lake").join("kassa")).map_or(0, Iterator::count), 0, "nothing stays");

    let nobody = with(&server, &server.endpoint(), "http://127.0.0.1:1");
    told(&nobody).says(("wrong", "lake"), "error sending request", "see whether http://127.0.0.1:1 runs");
    let elsewhere = with(&server, "s3://shop-lake", "s3://no-such-bucket");
    told(&elsewhere).says(("wrong", "lake"), "the bucket `no-such-bucket` does not exist", "create the bucket");
    let stranger = shop(&server, "");
    std::fs::write(stranger.dir.path().join("s3.key"), "another").expect("written");
    told(&stranger).says(("wrong", "lake"), "the secret key is not that of the access key id", "lake.s3.secret_access_key");
    std::fs::write(stranger.dir.path().join("s3.key"), SECRET_ACCESS_KEY).expect("written");
    std::fs::write(stranger.dir.path().join("s3.id"), "nobody").expect("written");
    told(&stranger).says(("wrong", "lake"), "does not know the access key id", "lake.s3.access_key_id");
}

#[test]
fn rights_and_promises_that_a_bucket_lacks_are_told() {
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
        ("PUT", "_kassa/doctor", Fault::Answer(200, "none"), "in spite of `If-None-Match: *`", "that keeps conditional PUT"),
        ("PUT", "_kassa/doctor", Fault::Answer(403, "RequestTimeTooSkewed"), "this machine's clock differs", "by NTP"),
        ("PUT", "_kassa/doctor", Fault::Answer(503, "SlowDown"), "SlowDown", "see whether"),
    ] {
        proxy.clear();
        let rule = proxy.on(method, part, (1, 99), fault);
        told(&behind).says(("wrong", "lake"), found, mend);
        assert!(rule.fired() > 0, "{method} {part}");
    }
    // Keys that may not delete are sound: what was put stays, once.
    proxy.clear();
    let rule = proxy.on("POST", "delete", (1, 9), Fault::Answer(403, "AccessDenied"));
    told(&behind).says(("ok", "lake"), "they may not delete", "").is_well("lake");
    assert_eq!(rule.fired(), 1);
}
