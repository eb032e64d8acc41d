//! What released versions have written is opened, read, appended to and proven by this one: `tests/formats` has a folder a version, made by
//! `scripts/formats`. And what a newer version has written is refused by name.

mod refused;
mod upgrade;
mod warehouse;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Shop, root};
use crate::one_number::ledger::units;
use crate::others_read;
use crate::tamper::surgery::{Body, text};

/// The files of a version.
struct Fixture {
    dir: PathBuf,
}

/// Figure/basis/grouping → key → value.
type Answers = BTreeMap<String, BTreeMap<String, Value>>;

fn fixtures() -> Vec<Fixture> {
    let folder = root().join("crates/kassa/tests/formats");
    let mut dirs: Vec<PathBuf> = fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("an entry").path()).collect();
    dirs.sort();
    assert!(!dirs.is_empty(), "no fixture");
    dirs.into_iter().map(|dir| Fixture { dir }).collect()
}

impl Fixture {
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).expect(name)
    }

    fn unpack(&self, name: &str, to: &Path) {
        let unpacked = Command::new("tar").arg("-C").arg(to).args(["--zstd", "-xf"]).arg(self.dir.join(name)).status();
        assert!(unpacked.expect("tar").success(), "{name}");
    }

    /// A folder with its configuration, its data and the records to append.
    fn shop(&self, sections: &str) -> Shop {
        let shop = Shop::new(&format!("{}\n{sections}", self.text("kassa.toml")));
        self.unpack("data.tar.zst", shop.dir.path());
        self.unpack("more.tar.zst", shop.dir.path());
        shop
    }

    fn answers(&self, name: &str) -> Answers {
        serde_json::from_str(&self.text(name)).expect("JSON")
    }
}

/// The maximum rounding error of version 0.1 in a sum of money, in 10⁻⁶: it converted line by line. Later versions round a sum
/// once.
const ROUNDED_MAX: i128 = 100;

/// Whether a value is the expected one; money except for the rounding of version 0.1.
fn is_same(unit: &Value, held: &Value, expected: &Value) -> bool {
    match (held.as_str(), expected.as_str()) {
        (Some(held), Some(expected)) if *unit == "money" => (units(held) - units(expected)).abs() <= ROUNDED_MAX,
        _ => held == expected,
    }
}

/// Asks the questions of a fixture's answers.
#[track_caller]
fn agrees(shop: &Shop, expected: &Answers, more: &[&str]) {
    assert!(expected.len() > 40, "{} questions", expected.len());
    for (question, rows) in expected {
        let parts: Vec<&str> = question.split('/').collect();
        let mut args = vec!["figures", parts[0], "--by", parts[2]];
        if parts[1] != "-" {
            args.extend(["--basis", parts[1]]);
        }
        let answer = shop.json(&[&args, more].concat());
        let held = answer["rows"].as_array().expect("rows");
        let held: BTreeMap<String, Value> =
            held.iter().map(|row| (row["key"].as_str().expect("a key").to_owned(), row["value"].clone())).collect();
        let agrees = |(key, value): (&String, &Value)| is_same(&answer["unit"], &held[key], value);
        assert!(held.keys().eq(rows.keys()) && rows.iter().all(agrees), "{question} {more:?}: {held:?}, not {rows:?}");
    }
}

/// Replays the fixture's further records.
fn append(shop: &Shop) {
    others_read::replay(shop, &shop.dir.path().join("more"));
}

/// Sends the last record to the collector: the figures are then those that the fixture states.
#[track_caller]
fn collects(fixture: &Fixture, shop: &Shop) {
    let server = shop.serve();
    assert_eq!(server.post("order_lines", LINE).expect("an answer").0, 202);
    server.until_committed();
    server.stop();
    shop.ok(&["prove"]);
    agrees(shop, &fixture.answers("figures-after.json"), &[]);
}

/// One order line through the collector, so that its log is written too.
const LINE: &[u8] = br#"{"event_id":"late-1","occurred_at":"2025-01-10T10:00:00Z","order_id":"late","line_id":"1","quantity":"2","list_price":"12.50","unit_price":"9.99","currency":"GBP","is_test":true}"#;

#[test]
fn what_released_versions_wrote_is_read_appended_to_and_proven() {
    for fixture in fixtures() {
        let shop = fixture.shop("");
        // The log, the state and the lake are at one position: there is nothing to catch up with, and nothing is read twice.
        shop.ok(&["run", "--until-caught-up"]);
        agrees(&shop, &fixture.answers("figures.json"), &[]);
        shop.ok(&["prove"]);

        append(&shop);
        agrees(&shop, &fixture.answers("figures-after.json"), &[]);
        collects(&fixture, &shop);
    }
}

/// The list prices that the appended lines state, by event id, where they were accepted.
fn stated(shop: &Shop) -> BTreeMap<String, String> {
    let text = fs::read(shop.dir.path().join("more/order_lines.ndjson")).expect("lines");
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let price = |line: Value| {
        let price = line.get("list_price")?;
        let price = price.as_str().map_or_else(|| price.to_string(), str::to_owned);
        Some((line.get("event_id")?.as_str()?.to_owned(), others_read::decimal(&Value::from(price))))
    };
    lines.filter_map(price).collect()
}

#[test]
fn rows_from_before_a_column_have_none_and_later_ones_have_it_for_every_reader() {
    for fixture in fixtures() {
        let shop = fixture.shop("");
        let count = |shop: &Shop| {
            let rows = shop.json(&["sql", "SELECT count(*) AS n, count(list_price) AS priced FROM fact_sales"]);
            ["n", "priced"].map(|name| rows[0][name].as_str().expect("a count").parse::<u64>().expect("a number"))
        };
        let [old, priced] = count(&shop);
        assert!(old > 50 && priced == 0, "{old} rows, {priced} with a list price");
        append(&shop);
        let held = shop.json(&["sql", "SELECT event_id, list_price, source_partition FROM fact_sales"]);
        let (stated, mut filled) = (stated(&shop), 0_u64);
        for row in held.as_array().expect("rows") {
            let price = row["list_price"].as_str().map(|price| others_read::decimal(&Value::from(price)));
            // Records from the collector are old.
            let expected =
                if row["source_partition"] == "0" { None } else { stated.get(row["event_id"].as_str().expect("an id")) };
            // A refund's lines have an event's id too, and no list price.
            assert_eq!(price.as_ref(), expected, "{row}");
            filled += u64::from(price.is_some());
        }
        assert!(filled > 20, "{filled} rows with a list price");
        let [all, priced] = count(&shop);
        assert!(all > old && priced == filled);

        let sum = shop.json(&["sql", "SELECT sum(list_price) AS sum FROM fact_sales"]);
        let sum = others_read::decimal(&sum[0]["sum"]);
        let lake = shop.data().join("lake");
        let spark =
            others_read::spark_sql(&lake.to_string_lossy(), "SELECT COUNT(*), COUNT(list_price), SUM(list_price) FROM sales");
        assert_eq!(spark, [all.to_string(), filled.to_string(), sum.clone()], "Spark");
        let Some(read) = others_read::read(&shop) else { continue };
        for reader in ["deltalake", "duckdb", "polars"] {
            let list_price = &read[reader]["list_price"];
            assert_eq!(list_price["rows"], filled, "{reader}");
            assert_eq!(others_read::decimal(&list_price["sum"]), sum, "{reader}");
        }
    }
}

#[test]
fn a_changed_value_of_a_column_that_came_later_is_found() {
    for fixture in fixtures() {
        let shop = fixture.shop("");
        // The row stays in a file of its own.
        let server = shop.serve_with(&[("KASSA__LAKE__COMPACT_AFTER_FILES", "1000")]);
        assert_eq!(server.post("order_lines", LINE).expect("an answer").0, 202);
        server.until_committed();
        server.stop();
        shop.ok(&["prove"]);
        let body = Body { data: shop.data() };
        body.alter("DWH/fact_sales", &|rows, row| text(rows, row, "order_id") == "late", "list_price");
        let proof = shop.run(&["prove"]);
        let found = String::from_utf8_lossy(&proof.stdout).into_owned();
        assert!(!proof.status.success() && found.contains("altered") && found.contains("fact_sales"), "{found}");
    }
}
