//! The whole way: Kafka and a schema registry in, archive and lake in a bucket, PostgreSQL and live figures out. Every figure of the synthetic
//! shop's truth is the same in all of them, and a real shop's year comes to its totals.

mod agreement;
mod bad_input;
mod claims;
mod retail;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::claims::Claims;
use crate::harness::{Server, Shop, plain};
use crate::others_read::{self, STREAMS};
use crate::s3;
use crate::servers::{Servers, truth_of};

/// A stream's contract.
const CONTRACTS: [(&str, &str); 9] = [
    ("fx_rates", "fx_rate"),
    ("products", "product"),
    ("customers", "customer"),
    ("events", "event"),
    ("orders", "order"),
    ("order_lines", "order_line"),
    ("payments", "payment"),
    ("refunds", "refund"),
    ("inventory", "inventory"),
];

/// All nine contracts twice: in JSON, and in Avro.
fn twice() -> String {
    let mut config = "[shop]\nname = \"Harbour & Pine\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n".to_owned();
    for (stream, contract) in CONTRACTS {
        config += &format!("[streams.{stream}]\ncontract = \"{contract}\"\n");
        config += &format!("[streams.{stream}_avro]\ncontract = \"{contract}\"\nformat = \"avro\"\n");
    }
    config
}

/// The position of the sink that is furthest behind.
fn least_committed(pipeline: &Value) -> u64 {
    let at = |partition: &Value, name: &str| partition[name].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let partitions = pipeline["partitions"].as_array().expect("partitions");
    let of = |sink: &str| partitions.iter().map(|partition| at(partition, sink)).sum();
    ["archive", "lake", "warehouse", "live"].map(of).into_iter().min().unwrap_or(0)
}

/// Whether every sink has committed all records.
fn all_have(pipeline: &Value, records: u64) -> bool {
    least_committed(pipeline) == records
}

/// Waits until every sink has committed all records; returns how long that took.
fn until_all_have(server: &Server, records: u64) -> Duration {
    let started = Instant::now();
    server.until(|pipeline| all_have(pipeline, records));
    started.elapsed()
}

/// Compares the counts of records and fates in the spans of lake and warehouse.
fn counted(servers: &Servers, shop: &Shop, truth: &Value) {
    let sums =
        "SELECT topic, SUM(read) AS r, SUM(accepted) AS a, SUM(duplicates) AS d, SUM(dead_letters) AS l, SUM(gap) AS g FROM";
    let rows = shop.json(&["sql", &format!("{sums} spans GROUP BY topic")]);
    let lake = rows.as_array().expect("rows").iter().map(|row| {
        let number = |name: &str| row[name].as_str().unwrap_or("0").to_owned();
        (row["topic"].as_str().expect("a topic").to_owned(), ["r", "a", "d", "l", "g"].map(number).to_vec())
    });
    let lake: BTreeMap<String, Vec<String>> = lake.collect();
    let warehouse = servers.psql(&format!("{sums} dwh.spans GROUP BY topic"));
    assert_eq!(lake, warehouse.into_iter().map(|mut row| (row.remove(0), row)).collect());
    for stream in STREAMS {
        let of = |topic: &str, at: usize| lake.get(topic).map_or(0, |counts| counts[at].parse::<u64>().expect("a count"));
        let both = |at: usize| of(stream, at) + of(&format!("{stream}_avro"), at);
        let names = ["produced", "accepted", "duplicates", "malformed"];
        let told = names.map(|name| truth["streams"][stream][name].as_u64().unwrap_or(0));
        assert_eq!([0, 1, 2, 3].map(both), told, "{stream}");
        assert!(of(stream, 0) > 0 && of(&format!("{stream}_avro"), 0) > 0, "{stream} is in both forms: {lake:?}");
    }
    let letters = truth["malformed"].to_string();
    assert_eq!(servers.psql("SELECT count(*) FROM dwh.rejected"), [[letters.clone()]]);
    assert_eq!(shop.json(&["sql", "SELECT count(*) AS n FROM rejected"])[0]["n"].as_str(), Some(letters.as_str()));
}

/// An analyst's login reads the same totals, and may change nothing.
fn analyst_reads(servers: &Servers, net: &str) {
    let roles = std::fs::read_to_string(crate::harness::root().join("crates/warehouse/schema/roles.sql")).expect("roles.sql");
    let grants = std::fs::read_to_string(crate::harness::root().join("crates/warehouse/schema/grants.sql")).expect("grants.sql");
    for sql in [&roles, &grants, "CREATE ROLE analyst LOGIN IN ROLE kassa_read"] {
        servers.psql(sql);
    }
    let ask = |sql: &str| servers.postgres.sql_as("analyst", crate::servers::DATABASE, sql);
    let read = ask("SELECT sum(net_amount_reporting) FROM dwh.sales_flat WHERE NOT is_test").expect("a total");
    assert_eq!(others_read::rounded(read.trim()), plain(net));
    for refused in [
        "DELETE FROM dwh.fact_sales",
        "UPDATE dwh.fact_sales SET net_amount = 0",
        "INSERT INTO dwh.dim_channel (channel_key) VALUES (1)",
        "TRUNCATE dwh.fact_event",
        "DROP VIEW dwh.sales_flat",
        "CREATE TABLE dwh.mine (a int)",
        "UPDATE kassa.positions SET next = 0",
        "SELECT * FROM dwh.vault_customer",
        "SELECT value FROM dwh.rejected",
    ] {
        let said = ask(refused).expect_err(refused).to_string();
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{refused}: {said}");
    }
}

/// This many records through everything; there are refunds after some days.
fn the_whole_way(records: u64, per_day: u64) {
    let servers = Servers::start();
    let avro = STREAMS.map(|stream| format!("{stream}_avro"));
    servers.create_topics(STREAMS.into_iter().chain(avro.iter().map(String::as_str)), 4);
    let shop = servers.shop_in_bucket(&twice());
    let started = Instant::now();
    let [count, per_day] = [records, per_day].map(|number| number.to_string());
    let truth = truth_of(servers.simulate(&["--records", &count, "--per-day", &per_day, "--format", "mixed"]));
    let produced_in = started.elapsed();
    let server = shop.serve();
    let committed_in = until_all_have(&server, records);
    let claims = Claims::of(&truth);
    let compared = [claims.by_api(&server), claims.live(&server)];
    server.stop();
    shop.ok(&["run", "--until-caught-up"]);
    let lake = claims.by_views(&claims::lake(&shop), "lake");
    let warehouse = claims.by_views(&claims::warehouse(&servers), "warehouse");
    counted(&servers, &shop, &truth);
    shop.ok(&["prove"]);
    let net = truth["figures"]["net_sales"].as_str().expect("a figure");
    analyst_reads(&servers, net);
    eprintln!(
        "{records} records: produced in {:.1} s, read and committed everywhere in {:.1} s; values compared: {} live over HTTP, {} pushed, {lake} in the \
         lake, {warehouse} in PostgreSQL",
        produced_in.as_secs_f64(),
        committed_in.as_secs_f64(),
        compared[0],
        compared[1],
    );
    let lake = format!("s3a://{}/kassa", s3::BUCKET);
    let read = others_read::spark(&lake, &s3::settings_of_spark(&servers.s3));
    assert_eq!(others_read::decimal(&read["net"]), plain(net), "Spark");
    assert_eq!(read["spans"], truth["produced"], "Spark");
}

#[test]
fn half_json_half_avro_every_figure_is_the_truth_live_in_the_bucket_and_in_postgresql() {
    the_whole_way(100_000, 8_000);
}

#[test]
#[ignore = "minutes: `make soak`"]
fn two_million_records_half_json_half_avro_are_the_truth_everywhere() {
    the_whole_way(2_000_000, 60_000);
}
