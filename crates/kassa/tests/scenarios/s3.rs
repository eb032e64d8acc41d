//! Archive and lake in a bucket of a real S3 server, by every command.

use kassa_stack::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use serde_json::{Value, json};

use crate::harness::{Shop, test_data};
use crate::online_retail::{TOTALS, files, replay, totals};
use crate::others_read;

pub(crate) const BUCKET: &str = "shop-lake";

/// A server with a bucket.
pub(crate) fn server() -> S3Server {
    let server = S3Server::start().expect("an S3 server");
    server.create_bucket(BUCKET).expect("a bucket");
    server
}

/// A shop of this configuration whose lake is in the bucket.
pub(crate) fn shop(server: &S3Server, config: &str) -> Shop {
    let url = format!("[lake]\nurl = \"s3://{BUCKET}/kassa\"\n");
    let config = if config.contains("[lake]\n") { config.replacen("[lake]\n", &url, 1) } else { format!("{config}\n{url}") };
    let s3 = format!(
        "[lake.s3]\nendpoint = \"{}\"\npath_style = true\naccess_key_id = \"file:s3.id\"\nsecret_access_key = \"file:s3.key\"\n",
        server.endpoint()
    );
    let shop = Shop::new(&format!("{config}\n{s3}"));
    std::fs::write(shop.dir.path().join("s3.id"), format!("{ACCESS_KEY_ID}\n")).expect("written");
    std::fs::write(shop.dir.path().join("s3.key"), format!("{SECRET_ACCESS_KEY}\n")).expect("written");
    shop
}

/// The settings that other readers need to open the lake.
fn storage(server: &S3Server) -> Value {
    json!({
        "AWS_ENDPOINT_URL": server.endpoint(),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    })
}

/// The settings that Spark needs to open the lake.
pub(crate) fn settings_of_spark(server: &S3Server) -> Value {
    json!({
        "spark.hadoop.fs.s3a.endpoint": server.endpoint(),
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.access.key": ACCESS_KEY_ID,
        "spark.hadoop.fs.s3a.secret.key": SECRET_ACCESS_KEY,
    })
}

#[test]
fn a_years_totals_are_right_in_a_bucket_and_a_second_replay_adds_nothing() {
    let Some(set) = test_data("uci-online-retail") else { return };
    let server = server();
    let example = std::fs::read_to_string(crate::harness::root().join("examples/online-retail.toml")).expect("an example");
    let shop = shop(&server, &example);
    let mut files = files(&set, shop.dir.path());
    let report = replay(&shop, &files);
    assert_eq!((&report["records"], &report["accepted"], &report["dead_letters"]), (&541_909.into(), &541_909.into(), &0.into()));
    assert_eq!(totals(&shop), TOTALS.map(str::to_owned));
    files.reverse();
    let again = replay(&shop, &files);
    assert_eq!((&again["records"], &again["known_files"]), (&0.into(), &305.into()));
    assert_eq!(totals(&shop), TOTALS.map(str::to_owned));
    let rows = shop.json(&["sql", "SELECT count(*) AS lines, sum(net_amount) AS net FROM fact_sales"]);
    assert_eq!((rows[0]["lines"].as_str(), rows[0]["net"].as_str()), (Some("541909"), Some("9747747.934000")));
    let tables: Vec<_> = std::fs::read_dir(server.folder_of(BUCKET).join("kassa")).expect("the prefix").collect();
    assert_eq!(tables.len(), 3, "DWH, topics and kassa's own: {tables:?}");
    assert!(!shop.data().join("lake").exists(), "nothing of the lake lies on this machine");
    shop.ok(&["prove"]);
}

#[test]
fn what_runs_over_a_bucket_is_what_others_read_there() {
    let server = server();
    let shop = shop(&server, "[shop]\nname = \"Bucket\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n");
    let made = others_read::simulated(&shop, "20000");
    let truth: Value = serde_json::from_slice(&std::fs::read(made.join("truth.json")).expect("truth.json")).expect("JSON");
    let net = others_read::decimal(&Value::from(shop.figure("net_sales")));
    assert_eq!(net, others_read::decimal(&truth["figures"]["net_sales"]));
    let letters = shop.json(&["dead-letters", "list"]);
    assert!(letters.as_array().is_some_and(|letters| !letters.is_empty()));
    shop.ok(&["dead-letters", "replay", "--dry-run"]);
    shop.ok(&["run", "--until-caught-up"]);
    shop.ok(&["prove"]);
    let Some(read) = others_read::read_at(&format!("s3://{BUCKET}/kassa"), &storage(&server)) else { return };
    for reader in ["deltalake", "duckdb", "polars"] {
        assert_eq!(others_read::decimal(&read[reader]["net"]), net, "{reader}");
    }
    assert_eq!(read["spans"], truth["produced"]);
}

/// kassa's stderr, and its exit code.
fn said(shop: &Shop, args: &[&str]) -> (String, Option<i32>) {
    let output = shop.run(args);
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

#[test]
fn what_is_wrong_with_a_bucket_is_said_with_its_fix() {
    let server = server();
    let shop = shop(&server, "");
    shop.ok(&["check"]);
    let key = shop.dir.path().join("s3.key");
    std::fs::write(&key, "another").expect("written");
    let (words, code) = said(&shop, &["run", "--until-caught-up"]);
    assert!(words.contains("error[K021]") && words.contains("the secret key is not that of"), "{words}");
    assert!(words.contains("fix lake.s3.access_key_id") && !words.contains("another"), "{words}");
    assert_eq!(code, Some(1));
    std::fs::write(&key, SECRET_ACCESS_KEY).expect("written");
    std::fs::remove_dir_all(server.folder_of(BUCKET)).expect("removed");
    let (words, _) = said(&shop, &["figures", "net_sales"]);
    assert!(words.contains("the bucket `shop-lake` does not exist") && words.contains("lake.url"), "{words}");
    std::fs::remove_file(&key).expect("removed");
    let (words, code) = said(&shop, &["check"]);
    assert!(words.contains("error[C025]") && words.contains("s3.key is missing"), "{words}");
    assert_eq!(code, Some(78));
}
