//! Others read the lake: deltalake, DuckDB and Polars from PyPI get kassa's own totals, and the archive's bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use kassa_model::decimal::{format_units, round_half_even};
use serde_json::Value;

use crate::harness::{KASSA, Shop, root};

/// Reference data first: a fact must find the rates of its day.
pub(crate) const STREAMS: [&str; 9] =
    ["fx_rates", "products", "customers", "events", "orders", "order_lines", "payments", "refunds", "inventory"];

/// Makes the records of a synthetic shop and replays them; the folder with their files.
pub(crate) fn simulated(shop: &Shop, records: &str) -> PathBuf {
    let made = shop.dir.path().join("made");
    let simulated = Command::new(KASSA).args(["simulate", "--records", records, "--to"]).arg(&made).status();
    assert!(simulated.expect("simulate").success());
    replay(shop, &made);
    made
}

/// Replays the streams that have a file in a folder.
pub(crate) fn replay(shop: &Shop, folder: &Path) {
    for stream in STREAMS {
        let file = folder.join(format!("{stream}.ndjson"));
        if file.exists() {
            shop.ok(&["replay", "--stream", stream, file.to_str().expect("UTF-8")]);
        }
    }
}

/// A decimal without trailing zeros, exact sums rounded as figures are.
pub(crate) fn decimal(value: &Value) -> String {
    rounded(value.as_str().expect("a decimal"))
}

/// Half-even to 6 places, without trailing zeros.
pub(crate) fn rounded(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let units: i128 = format!("{whole}{fraction:0<15}").parse().expect("a decimal of at most 15 places");
    format_units(round_half_even(units, 1_000_000_000), 6, 0)
}

/// What deltalake, DuckDB and Polars read of a lake; `None` where there are none to ask, which is said.
pub(crate) fn read(shop: &Shop) -> Option<Value> {
    read_at(&shop.data().join("lake").to_string_lossy(), &Value::Null)
}

/// The same of a lake anywhere: its URL, and what the readers must know to open it.
pub(crate) fn read_at(lake: &str, storage: &Value) -> Option<Value> {
    let python = std::env::var("KASSA_TEST_PYTHON");
    assert!(
        python.is_ok() || std::env::var_os("CI").is_none(),
        "KASSA_TEST_PYTHON names a Python with deltalake, duckdb and polars"
    );
    let Ok(python) = python else {
        eprintln!("LEFT OUT: KASSA_TEST_PYTHON names no Python with deltalake, duckdb and polars; `make test` makes one");
        return None;
    };
    let script = root().join("crates/kassa/tests/scenarios/readers.py");
    let output = Command::new(python).arg(script).arg(lake).arg(storage.to_string()).output().expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// The input for Spark: the lake's URL, and settings.
pub(crate) fn spark(lake: &str, settings: &Value) -> Value {
    ask_spark(lake, settings, &[])
}

/// The one row that Spark answers to a query over `sales`, a view of `fact_sales` of a lake in a folder.
pub(crate) fn spark_sql(lake: &str, sql: &str) -> Vec<String> {
    let row = ask_spark(lake, &serde_json::json!({}), &[sql]);
    row.as_array().expect("a row").iter().map(decimal).collect()
}

/// All rows that Spark answers to each of some queries over the tables of a lake in a folder. Times are cut in UTC.
fn spark_rows(lake: &str, queries: &[&str]) -> Vec<Vec<Vec<Option<String>>>> {
    let answers = ask_spark(lake, &serde_json::json!({"spark.sql.session.timeZone": "UTC"}), queries);
    serde_json::from_value(answers).expect("rows of each query")
}

fn ask_spark(lake: &str, settings: &Value, query: &[&str]) -> Value {
    let home = kassa_stack::cache_folder("spark");
    assert!(home.join("venv/bin/python").exists(), "no Spark in {}: run `scripts/tools test`, which fetches it", home.display());
    let script = root().join("crates/kassa/tests/scenarios/spark.py");
    let mut command = Command::new(home.join("venv/bin/python"));
    command.arg(script).arg(lake).arg(home.join("jars")).arg(settings.to_string()).args(query);
    command.env("SPARK_LOCAL_IP", "127.0.0.1");
    let output = command.output().expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn other_readers_get_the_same_totals_and_the_archives_bytes() {
    let shop = Shop::new("[shop]\nname = \"Readers\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n");
    let made = simulated(&shop, "30000");
    let Some(read) = read(&shop) else { return };
    let net = decimal(&Value::from(shop.figure("net_sales")));
    let lines = shop.json(&["sql", "SELECT count(*) AS n FROM fact_sales WHERE NOT is_test"]);
    for reader in ["deltalake", "duckdb", "polars"] {
        assert_eq!(decimal(&read[reader]["net"]), net, "{reader}");
        assert_eq!(read[reader]["rows"].to_string(), lines[0]["n"].as_str().expect("a count"), "{reader}");
    }
    let truth: Value = serde_json::from_slice(&std::fs::read(made.join("truth.json")).expect("truth.json")).expect("JSON");
    assert_eq!(net, decimal(&truth["figures"]["net_sales"]));
    assert_eq!(read["archive"]["rows"], truth["streams"]["order_lines"]["produced"]);
    assert!(read["archive"]["readable"].as_i64() >= truth["streams"]["order_lines"]["accepted"].as_i64());
    assert_eq!(read["spans"], truth["produced"]);
    shop.ok(&["prove"]);
}

/// Figures that measures make, one of each kind, in groupings that differ between dialects.
const BY_QUERY: [(&str, &str, &str); 10] = [
    ("net_sales", "total", "movement"),
    ("net_sales", "quarter_hour", "order"),
    ("tax_collected", "hour", "movement"),
    ("returns", "week", "order"),
    ("discounts", "category", "movement"),
    ("units", "product", "movement"),
    ("total_sales", "country", "order"),
    ("orders", "customer", "order"),
    ("aov", "month", "order"),
    ("return_rate", "day", "order"),
];

#[test]
fn the_queries_of_figures_come_to_their_values_in_the_lake_and_in_spark() {
    let shop = Shop::new("[shop]\nname = \"Queries\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n");
    simulated(&shop, "5000");
    let query = |(figure, by, basis), engine| shop.ok(&["figures", figure, "--by", by, "--basis", basis, "--query", engine]);
    let queries = BY_QUERY.map(|question| query(question, "spark"));
    let asked: Vec<&str> = queries.iter().map(|query| query.trim()).collect();
    let of_spark = spark_rows(&shop.data().join("lake").to_string_lossy(), &asked);
    for (question, answered) in BY_QUERY.into_iter().zip(of_spark) {
        let (figure, by, basis) = question;
        let answer = shop.json(&["figures", figure, "--by", by, "--basis", basis]);
        let cell = |value: &Value| value.as_str().map(rounded);
        let rows = answer["rows"].as_array().expect("rows").iter();
        let expected: BTreeMap<String, Option<String>> =
            rows.map(|row| (row["key"].as_str().expect("a key").to_owned(), cell(&row["value"]))).collect();
        assert!(!expected.is_empty(), "{question:?}");
        let spark: BTreeMap<String, Option<String>> =
            answered.into_iter().map(|row| (row[1].clone().expect("a key"), row[3].as_deref().map(rounded))).collect();
        assert_eq!(spark, expected, "{question:?} in Spark");
        let lake = shop.json(&["sql", query(question, "lake").trim()]);
        let rows = lake.as_array().expect("rows").iter();
        let lake: BTreeMap<String, Option<String>> =
            rows.map(|row| (row["key"].as_str().expect("a key").to_owned(), cell(&row["value"]))).collect();
        assert_eq!(lake, expected, "{question:?} in the lake");
    }
    let refused = shop.run(&["figures", "sessions", "--by", "day", "--query", "spark"]);
    let refused = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.contains("kassa figures sessions --by total --query lake"), "{refused}");
}
