//! Bad input through the whole program: each bad record is one dead letter with the right reason and its own bytes, its
//! neighbours are untouched, nothing is lost, and a corrected record is added once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Server, Shop};

pub(crate) mod corpus;
mod files;
mod flood;
mod mend;

const CONFIG: &str = r#"
[shop]
name = "Bad input"
time_zone = "Europe/London"
currency = "GBP"
[lake]
commit_interval = "100ms"
[streams.events]
[streams.orders]
[streams.order_lines]
[streams.csv_lines]
contract = "order_line"
format = "csv"
[streams.western_lines]
contract = "order_line"
format = "csv"
encoding = "windows-1252"
[streams.parquet_lines]
contract = "order_line"
format = "parquet"
"#;

/// Offset → (reason, field).
type Letters = BTreeMap<i64, (String, String)>;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The dead letters of a topic's partition 0, or of all its files.
fn letters(shop: &Shop, topic: &str) -> Letters {
    let rows = shop.json(&["dead-letters", "list", "--limit", "100000"]);
    let own = rows.as_array().expect("rows").iter().filter(|row| row["topic"] == topic);
    own.map(|row| (text(&row["offset"]).parse().expect("an offset"), (text(&row["reason"]), text(&row["field"])))).collect()
}

/// The bytes of a dead letter, as `show` gives them.
fn shown(shop: &Shop, id: &str) -> Vec<u8> {
    let letter = shop.json(&["dead-letters", "show", id]);
    match &letter["value"] {
        Value::String(text) => text.clone().into_bytes(),
        _ => {
            let hex = text(&letter["value_hex"]);
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
        }
    }
}

/// read, accepted, duplicates and dead letters of a topic, by its spans.
fn counts(shop: &Shop, topic: &str) -> [i64; 4] {
    let sums = "SUM(read) AS r, SUM(accepted) AS a, SUM(duplicates) AS d, SUM(dead_letters) AS l";
    let rows = shop.json(&["sql", &format!("SELECT {sums} FROM spans WHERE topic = '{topic}'")]);
    ["r", "a", "d", "l"].map(|name| text(&rows[0][name]).parse().unwrap_or(0))
}

/// The values of one column, sorted.
fn column(shop: &Shop, sql: &str) -> Vec<String> {
    let rows = shop.json(&["sql", sql]);
    let mut values: Vec<String> = rows
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| text(row.as_object().and_then(|row| row.values().next()).expect("a column")))
        .collect();
    values.sort();
    values
}

/// Waits until the pipeline has read this many records.
fn until_read(server: &Server, records: i64) {
    server.until(|pipeline| pipeline["records"]["read"].as_i64() == Some(records));
}
