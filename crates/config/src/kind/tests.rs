use super::*;
use crate::keys;
use crate::origin::Origin;

/// The value by Debug, or the code and the first line of help.
#[track_caller]
fn check(path: &str, text: &str, want: &str) {
    let given = Given { raw: Raw::Text(text.to_owned()), origin: Origin::Env("X".to_owned()), text_at: None };
    let got = match keys::find(path).unwrap().kind.parse(path, &given) {
        Ok(value) => format!("{value:?}"),
        Err(mistake) => format!("{}: {}", mistake.code, mistake.help[0]),
    };
    assert_eq!(got, want, "{path} = {text}");
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [("64KiB", 65_536), ("1 MB", 1_000_000), ("70000", 70_000), ("1gib", 1 << 30)] {
        check("log.segment_bytes", text, &format!("Number({bytes})"));
    }
    for text in ["", "MiB", "1.5MiB", "-1", "64 potatoes", "99999999999999999999", "99999999999TiB"] {
        check(
            "log.segment_bytes",
            text,
            "C007: a size is a whole number and B, kB, MB, GB, KiB, MiB or GiB, for example `64MiB`",
        );
    }
    check("log.segment_bytes", "0", "C007: it can be 64KiB to 1GiB");
    check("log.segment_bytes", "2GiB", "C007: it can be 64KiB to 1GiB");
}

#[test]
fn durations_have_units() {
    check("lake.commit_interval", "1s 500ms", "Duration(1.5s)");
    check("lake.commit_interval", "2", "C007: a duration is numbers with ms, s, m, h or d, for example `2s`");
    check("lake.commit_interval", "soon", "C007: a duration is numbers with ms, s, m, h or d, for example `2s`");
    check("lake.commit_interval", "0s", "C007: it can be 10ms to 1h");
    check("streams.x.dedupe_window", "30", "C007: a duration is numbers with ms, s, m, h or d, for example `30d`");
    check("streams.x.dedupe_window", "2years", "C007: it can be 1m to 400d");
}

#[test]
fn only_this_machine_listens() {
    for (text, want) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[::1]:0", "[::1]:0"),
        ("localhost:99", "127.0.0.1:99"),
        ("127.8.0.1:1", "127.8.0.1:1"),
    ] {
        check("server.listen", text, &format!("Address({want})"));
    }
    for text in ["0.0.0.0:80", "[::]:80", "192.168.1.5:80", "[::ffff:10.0.0.1]:80"] {
        check(
            "server.listen",
            text,
            "C012: anybody who can reach kassa can read and write everything: it has no users or tokens yet",
        );
    }
    check("server.listen", ":8080", "C011: did you mean `127.0.0.1:8080`?");
    check("server.listen", "8080", "C011: did you mean `127.0.0.1:8080`?");
    for text in ["", "shop.example:80", "127.0.0.1", "127.0.0.1:99999"] {
        check("server.listen", text, "C011: an IP address and a port, for example `127.0.0.1:8080` or `[::1]:8080`");
    }
}

#[test]
fn only_supported_urls_are_accepted() {
    check("source.url", "log:a/b", "Source(Log(\"a/b\"))");
    check("source.url", "kafka://one:9092,two:9093", "Source(Kafka(\"one:9092,two:9093\"))");
    let help = "C010: write `kafka://HOST:PORT`, separate several with commas: `kafka://one:9092,two:9092`; user and password have their own keys";
    for text in ["kafka://one", "kafka:one:9092", "kafka://me@one:9092", "kafka://", "kafka://one:9092,,two:1"] {
        check("source.url", text, help);
    }
    let help = "C025: give the password separately: `password = \"env:NAME\"` or `password = \"file:PATH\"` in [source]";
    check("source.url", "kafka://me:pw@one:9092", help);
    check(
        "warehouse.url",
        "postgres://kassa@db:5432/shop?sslmode=disable",
        "Text(\"postgres://kassa@db:5432/shop?sslmode=disable\")",
    );
    check(
        "warehouse.url",
        "postgres://kassa:pw@db/shop",
        "C025: give the password separately: `password = \"env:NAME\"` or `password = \"file:PATH\"` in [warehouse]",
    );
    check("warehouse.url", "postgres://kassa@db", "C010: write `postgres://USER@HOST/DATABASE`: all three are needed");
    let help = "C010: write `postgres://USER@HOST/DATABASE`, for example `postgres://kassa@localhost/kassa`";
    check("warehouse.url", "mysql://kassa@db/shop", help);
    check("registry.url", "http://localhost:8080/apis/ccompat/v7/", "Text(\"http://localhost:8080/apis/ccompat/v7\")");
    let help = "C010: write `http://HOST:PORT` or `https://HOST:PORT/PATH`; user and password have their own keys";
    for text in ["localhost:8081", "https://me@host", "http://host?x=1"] {
        check("registry.url", text, help);
    }
    check("lake.url", "file:///srv/lake", "Lake(Folder(\"/srv/lake\"))");
    check("lake.url", "file:/srv/lake", "Lake(Folder(\"/srv/lake\"))");
    check("lake.url", "s3://shop-lake/a/b/", "Lake(Bucket { bucket: \"shop-lake\", prefix: \"a/b\" })");
    check("lake.url", "s3://shop-lake", "Lake(Bucket { bucket: \"shop-lake\", prefix: \"\" })");
    check("lake.url", "s3a://shop-lake/x", "C010: did you mean `s3://shop-lake/x`?");
    for text in ["s3:", "s3:bucket", "s3://", "s3://Shop", "s3:///a", "s3://key@shop-lake"] {
        let help = "C010: write `s3://BUCKET/PREFIX`; a bucket's name has 3 to 63 of a–z, 0–9, `-` and `.`; a server's URL belongs in `lake.s3.endpoint`";
        check("lake.url", text, help);
    }
    for text in ["s3://shop-lake/a//b", "s3://shop-lake/../x", "s3://shop-lake/a b"] {
        let help = "C010: a prefix consists of A–Z, a–z, 0–9, `.`, `_`, `-` and `=`, in parts with `/` between them";
        check("lake.url", text, help);
    }
    check("lake.s3.endpoint", "https://s3.example.com:9000/", "Text(\"https://s3.example.com:9000\")");
    check("lake.s3.endpoint", "https://me@host", "C010: put keys in `access_key_id` and `secret_access_key`, by reference");
    let help = "C025: put keys in `access_key_id` and `secret_access_key` of [lake.s3], as `env:NAME` or `file:PATH`";
    for text in ["https://me:pw@host", "https://host?X-Amz-Signature=pw"] {
        check("lake.s3.endpoint", text, help);
    }
    check("lake.url", "s3://key:secret@shop-lake", help);
    let help = "C010: write scheme, host and port, for example `https://s3.example.com:9000`; the bucket belongs in `lake.url`";
    for text in ["", "s3.example.com", "https://", "https://host/bucket", "ftp://host"] {
        check("lake.s3.endpoint", text, help);
    }
    check("lake.url", "file://host/lake", "C010: a local folder has no host: write `file:FOLDER` or `file:///ABSOLUTE/FOLDER`");
    check("lake.url", "file:", "C010: write `file:FOLDER`");
    check("lake.url", "lake", "C010: did you mean `file:lake`?");
    check("source.url", "file:x.csv", "C010: read files with `kassa replay --stream NAME FILE…`; keep `log:log` here");
}

#[test]
fn a_wrong_name_gets_the_nearest_valid_name() {
    check("shop.time_zone", "Asia/Kolkata", "Text(\"Asia/Kolkata\")");
    check("shop.time_zone", "new york", "C008: did you mean `America/New_York`?");
    check("shop.time_zone", "Europe/Lodnon", "C008: did you mean `Europe/London`?");
    check("shop.currency", "eur", "C009: did you mean `EUR`?");
    check("shop.currency", "£", "C009: write an active ISO 4217 code such as `GBP`, `EUR` or `INR`");
    check("shop.country", "DE", "Text(\"DE\")");
    check("shop.country", "Germany", "C006: did you mean `DE`?");
    check("shop.country", "XX", "C006: write a two-letter ISO 3166-1 code such as `GB`, `DE` or `US`, or `none`");
    check("shop.country", "none", "Text(\"none\")");
    check("streams.x.contract", "orderline", "C006: did you mean `order_line`?");
    check("streams.x.contract", "orders", "C006: did you mean `order`?");
    check("streams.x.format", "ndjson", "C006: write `json`: such a file has one JSON object per line");
    check("streams.x.format", "xml", "C006: valid here: `json`, `csv`, `avro`, `debezium-json` and `parquet`");
    check("streams.x.encoding", "latin1", "C006: write `windows-1252`, which contains it");
}

#[test]
fn a_topic_must_be_a_folder_name_and_a_delimiter_one_byte() {
    check("streams.x.topic", "shop.Orders-v1_2", "Text(\"shop.Orders-v1_2\")");
    check("streams.x.topic", "orders-*, a", "Text(\"orders-*, a\")");
    for text in ["", ".", "..", ".a", "a/b", "é", "a b", "a,,b"] {
        let legal = "C013: a topic consists of A–Z, a–z, 0–9, `.`, `_` and `-`, no `.` first, and has at most 200 characters; `*` stands for \
                     any of them, and commas separate several topics";
        check("streams.x.topic", text, legal);
    }
    check("streams.x.delimiter", "\\t", "Byte(9)");
    check("streams.x.delimiter", "\t", "Byte(9)");
    check("streams.x.delimiter", ";", "Byte(59)");
    for text in ["", ";;", "\"", "\n", "é"] {
        check("streams.x.delimiter", text, "C006: one ASCII character, not a quote or a line end: `,`, `;`, `|` or `\\t`");
    }
}

#[test]
fn every_default_is_valid() {
    for key in keys::KEYS {
        let Some(default) = key.default else { continue };
        let given = Given { raw: Raw::Text(default.to_owned()), origin: Origin::Default, text_at: None };
        assert!(key.kind.parse(key.path, &given).is_ok(), "{}", key.path);
    }
}

#[test]
fn choices_equal_the_contracts_of_the_model() {
    let names: Vec<&str> = kassa_model::Contract::ALL.iter().map(|contract| contract.name()).collect();
    assert_eq!(keys::CONTRACTS, Kind::OneOf(Vec::leak(names)));
}
