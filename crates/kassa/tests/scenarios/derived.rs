//! Sessions and the calendar follow from the facts and the shop, whatever comes late, twice or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{KASSA, Shop, plain};
use crate::others_read::STREAMS;

const CONFIG: &str = "[shop]\nname = \"Sessions\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\ncountry = \"GB\"\n";

/// The synthetic shop's records, one file per stream: with duplicates, late ones, bots and tests.
fn simulated(shop: &Shop, records: &str) -> PathBuf {
    let made = shop.dir.path().join("made");
    let mut command = Command::new(KASSA);
    command.args(["simulate", "--records", records, "--per-day", "4000", "--to"]).arg(&made);
    assert!(command.status().expect("simulate").success());
    made
}

fn replay(shop: &Shop, made: &Path, stream: &str, part: &str) {
    let file = made.join(format!("{stream}{part}.ndjson"));
    if file.exists() {
        shop.ok(&["replay", "--stream", stream, file.to_str().expect("UTF-8")]);
    }
}

fn rows(shop: &Shop, sql: &str) -> Vec<Value> {
    shop.json(&["sql", sql]).as_array().expect("rows").clone()
}

fn one(shop: &Shop, sql: &str) -> String {
    rows(shop, sql)[0]["n"].as_str().expect("a value").to_owned()
}

/// `part / whole` to six places.
fn ratio(part: &str, whole: &str) -> String {
    let (part, whole): (u64, u64) = (part.parse().expect("a number"), whole.parse().expect("a number"));
    plain(&format!("0.{:06}", (part * 2_000_000 + whole) / (2 * whole)))
}

/// Each figure of sessions, by SQL over the table and by the figures themselves.
fn compare(shop: &Shop) {
    let sessions = one(shop, "SELECT count(*) AS n FROM fact_session");
    assert_eq!(sessions, shop.figure("sessions"));
    let converted = one(shop, "SELECT count(*) AS n FROM fact_session WHERE converted");
    assert_eq!(ratio(&converted, &sessions), plain(&shop.figure("conversion")));
    assert_eq!(one(shop, "SELECT count(*) AS n FROM fact_session WHERE abandoned"), shop.figure("abandoned_carts"));
    let funnel = shop.figure_by("funnel", "step");
    assert_eq!(funnel.len(), 4);
    for (step, reached) in funnel {
        assert_eq!(one(shop, &format!("SELECT count(*) AS n FROM fact_session WHERE {step}")), reached, "{step}");
    }
    let by_day: BTreeMap<String, String> = rows(
        shop,
        "SELECT CAST(d.date AS VARCHAR) AS day, count(*) AS n FROM fact_session s JOIN dim_date d ON d.date_key = s.session_date_key \
         GROUP BY d.date",
    )
    .iter()
    .map(|row| (row["day"].as_str().expect("a day").to_owned(), row["n"].as_str().expect("a count").to_owned()))
    .collect();
    assert_eq!(by_day, shop.figure_by("sessions", "day"));
    let net = one(
        shop,
        "SELECT sum(net_amount_reporting) AS n FROM fact_sales_reporting WHERE NOT is_test AND order_key IN (SELECT order_key FROM fact_event \
         WHERE type = 'order_completed' AND order_key <> 0 AND session_key <> 0 AND NOT is_test AND NOT is_bot)",
    );
    assert_eq!(one(shop, "SELECT sum(revenue_reporting) AS n FROM fact_session"), net);
}

/// A lake with all but the last of the events, which then come late and, some of them, a second time.
#[test]
fn figures_by_sql_over_fact_session_are_kassas_own_and_prove_finds_what_is_not() {
    let shop = Shop::new(CONFIG);
    let made = simulated(&shop, "40000");
    // Malformed records are not all text.
    let events = std::fs::read(made.join("events.ndjson")).expect("events");
    let lines: Vec<&[u8]> = events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let (early, late): (Vec<usize>, Vec<usize>) = (0..lines.len()).partition(|at| at % 3 != 0);
    let write = |name: &str, of: &mut dyn Iterator<Item = &usize>| {
        let text: Vec<u8> = of.flat_map(|at| lines[*at].iter().copied().chain([b'\n'])).collect();
        std::fs::write(made.join(name), text).expect("written");
    };
    write("events-1.ndjson", &mut early.iter());
    write("events-2.ndjson", &mut late.iter().chain(early.iter().step_by(5)));
    replay(&shop, &made, "events", "-1");
    compare_sessions_alone(&shop);
    for stream in STREAMS.into_iter().filter(|stream| *stream != "events") {
        replay(&shop, &made, stream, "");
    }
    compare(&shop);
    let before = one(&shop, "SELECT count(*) AS n FROM fact_session");
    replay(&shop, &made, "events", "-2");
    compare(&shop);
    assert_ne!(before, one(&shop, "SELECT count(*) AS n FROM fact_session"), "the late events changed nothing");
    let left_out = one(&shop, "SELECT count(DISTINCT session_key) AS n FROM fact_event WHERE is_bot OR is_test");
    assert_ne!(left_out, "0", "no bots and tests to be left out");
    calendar(&shop);
    shop.ok(&["prove"]);
    for table in ["fact_session", "dim_fx_rate", "dim_date", "dim_time"] {
        tamper(&shop, table);
    }
}

/// Events without any ledger: sessions have no revenue.
fn compare_sessions_alone(shop: &Shop) {
    assert_eq!(one(shop, "SELECT count(*) AS n FROM fact_session"), shop.figure("sessions"));
    assert_eq!(plain(&one(shop, "SELECT sum(revenue_reporting) AS n FROM fact_session")), "0");
    shop.ok(&["prove"]);
}

fn calendar(shop: &Shop) {
    for sql in [
        "SELECT count(*) AS n FROM fact_sales s LEFT JOIN dim_date d ON d.date_key = s.order_date_key WHERE d.date_key IS NULL",
        "SELECT count(*) AS n FROM fact_event e LEFT JOIN dim_date d ON d.date_key = e.event_date_key WHERE d.date_key IS NULL",
        "SELECT count(*) - count(DISTINCT date_key) AS n FROM dim_date",
    ] {
        assert_eq!(one(shop, sql), "0", "{sql}");
    }
    let day = &rows(
        shop,
        "SELECT hours, holiday, weekday_name, iso_week, CAST(starts_at AS VARCHAR) AS starts FROM dim_date WHERE date_key = 20260329",
    )[0];
    assert_eq!((&day["hours"], &day["weekday_name"], &day["iso_week"]), (&json!(23), &json!("Sunday"), &json!(13)));
    assert_eq!(one(shop, "SELECT holiday AS n FROM dim_date WHERE date_key = 20260403"), "Good Friday");
    assert_eq!(one(shop, "SELECT count(*) AS n FROM dim_time"), "1440");
}

/// Doubles one file of a table, as a bad backup tool might; `prove` names the table; then takes it back.
fn tamper(shop: &Shop, table: &str) {
    let folder = shop.data().join("lake/DWH").join(table);
    let log = folder.join("_delta_log");
    let mut entries: Vec<String> = std::fs::read_dir(&log)
        .expect("a log")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".json"))
        .collect();
    entries.sort();
    let newest = entries.last().expect("an entry");
    let text = std::fs::read_to_string(log.join(newest)).expect("an entry");
    let mut add: Value = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .find(|line| line.get("add").is_some())
        .unwrap_or_else(|| panic!("{table}: the newest entry adds nothing"));
    let path = add["add"]["path"].as_str().expect("a path").to_owned();
    std::fs::copy(folder.join(&path), folder.join("copy.parquet")).expect("copied");
    add["add"]["path"] = json!("copy.parquet");
    let version: u64 = newest.trim_end_matches(".json").parse().expect("a version");
    let entry = log.join(format!("{:020}.json", version + 1));
    std::fs::write(&entry, format!("{add}\n")).expect("written");
    let output = shop.run(&["prove", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{table}");
    let proof: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = proof["findings"].as_array().expect("findings");
    assert!(!findings.is_empty() && findings.iter().all(|finding| finding["table"] == table), "{findings:?}");
    std::fs::remove_file(entry).expect("removed");
    std::fs::remove_file(folder.join("copy.parquet")).expect("removed");
}

/// Killed before and after each commit of a derived table.
#[test]
fn derived_tables_are_right_after_a_kill_at_each_of_their_points() {
    let shop = Shop::new(CONFIG);
    let made = simulated(&shop, "12000");
    let file = made.join("events.ndjson");
    let file = file.to_str().expect("UTF-8");
    // The first replay writes dim_date, dim_time, dim_fx_rate and fact_session; each kill leaves what came before it.
    for point in ["derived.after_data_files", "derived.after_commit"] {
        for _ in 0..4 {
            let args = ["replay", "--stream", "events", file];
            let output = shop.command(&args).env("KASSA_CRASH_POINT", format!("{point}:1")).output().expect("started");
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() {
                break;
            }
            assert!(words.contains(&format!("crash point {point} hit 1")), "{words}");
            shop.ok(&["prove"]);
        }
    }
    for stream in STREAMS {
        replay(&shop, &made, stream, "");
    }
    compare(&shop);
    assert_eq!(one(&shop, "SELECT count(*) - count(DISTINCT date_key) AS n FROM dim_date"), "0");
    shop.ok(&["prove"]);
}

/// The tables need nothing but the facts.
#[test]
fn derived_tables_that_are_deleted_are_made_again() {
    let shop = Shop::new(CONFIG);
    let made = simulated(&shop, "6000");
    STREAMS.into_iter().for_each(|stream| replay(&shop, &made, stream, ""));
    let sql = "SELECT * FROM fact_session ORDER BY session_key, started_at";
    let before = rows(&shop, sql);
    assert!(before.len() > 50, "{} sessions prove little", before.len());
    for table in ["fact_session", "dim_fx_rate", "dim_date", "dim_time"] {
        std::fs::remove_dir_all(shop.data().join("lake/DWH").join(table)).expect("removed");
    }
    shop.ok(&["run", "--until-caught-up"]);
    assert_eq!(rows(&shop, sql), before);
    compare(&shop);
    shop.ok(&["prove"]);
}
