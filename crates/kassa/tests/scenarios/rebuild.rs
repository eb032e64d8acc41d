//! A changed mapping: the star is made again from the archive, after every figure was shown as it was and as it will be.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Instant;

use kassa_stack::postgres::Postgres;
use serde_json::Value;

use crate::harness::{Rng, Shop, said};
use crate::s3;

const CONFIG: &str = r#"
[shop]
name = "Rebuild"
time_zone = "Europe/London"
currency = "GBP"

[streams.lines]
format = "csv"
contract = "order_line"
map = """
SELECT order_id, pos AS line_id, 'lamp' AS product_id, qty AS quantity, price AS unit_price, 'GBP' AS currency, placed AS occurred_at,
  client AS customer_id
FROM input
"""
"#;

/// Prices were read without a fee of one pound.
const CHANGE: (&str, &str) = ("price AS unit_price", "CAST(price AS DECIMAL(18, 2)) + 1.00 AS unit_price");

/// The second file repeats a line of the first, and contradicts another.
const FIRST: &str = "order_id,pos,qty,price,placed,client\n1,1,2,1.50,2026-03-27T10:00:00Z,ann\n2,1,1,4.00,2026-03-28T10:00:00Z,bob\n\
                     3,1,many,4.00,2026-03-28T10:00:00Z,bob\n";
const SECOND: &str = "order_id,pos,qty,price,placed,client\n1,1,2,1.50,2026-03-27T10:00:00Z,ann\n2,1,1,5.00,2026-03-28T10:00:00Z,bob\n\
                      4,1,3,2.00,2026-03-29T10:00:00Z,cy\n";
const THIRD: &str = "order_id,pos,qty,price,placed,client\n5,1,1,9.00,2026-03-29T11:00:00Z,ann\n";

const FIGURES: [(&str, &str); 4] = [("net_sales", "day"), ("units", "day"), ("new_customers", "day"), ("orders", "product")];

fn changed() -> String {
    CONFIG.replace(CHANGE.0, CHANGE.1)
}

fn write(shop: &Shop) {
    for (name, text) in [("first.csv", FIRST), ("second.csv", SECOND), ("third.csv", THIRD)] {
        std::fs::write(shop.dir.path().join(name), text).expect("written");
    }
}

fn ingest(shop: &Shop, files: &[&str]) {
    for file in files {
        shop.ok(&["replay", "--stream", "lines", file]);
    }
}

/// A shop that has ingested two files.
fn shop(config: &str) -> Shop {
    fed(Shop::new(config))
}

fn fed(shop: Shop) -> Shop {
    write(&shop);
    ingest(&shop, &["first.csv", "second.csv"]);
    shop
}

/// Changes the mapping of a shop.
fn change(shop: &Shop) {
    let text = std::fs::read_to_string(&shop.config).expect("the configuration");
    std::fs::write(&shop.config, text.replace(CHANGE.0, CHANGE.1)).expect("written");
}

fn figures(shop: &Shop) -> Vec<BTreeMap<String, String>> {
    FIGURES.iter().map(|(name, by)| shop.figure_by(name, by)).collect()
}

/// The line of a figure in a diff.
fn line<'d>(diff: &'d Value, figure: &str) -> &'d Value {
    let lines = diff["figures"].as_array().expect("figures");
    lines.iter().find(|line| line["figure"] == figure).unwrap_or_else(|| panic!("no {figure} in {diff}"))
}

fn is_clean(shop: &Shop) {
    assert!(!shop.data().join("state/rebuild").exists(), "the new star is left behind");
    assert!(!shop.data().join("lake/_kassa/rebuild").exists(), "the marker is left behind");
}

#[test]
fn a_rebuild_shows_what_changes_and_changes_nothing() {
    let shop = shop(CONFIG);
    let before = figures(&shop);
    change(&shop);
    let diff = shop.json(&["rebuild"]);
    let net = line(&diff, "net_sales");
    assert_eq!((&net["basis"], &net["before"], &net["after"]), (&"movement".into(), &"13.00".into(), &"19.00".into()), "{net}");
    assert_eq!((&net["by"], &net["differ"]), (&"day".into(), &3.into()));
    assert_eq!((&net["first"][0]["key"], &net["first"][0]["after"]), (&"2026-03-27".into(), &"5.00".into()));
    let units = line(&diff, "units");
    assert_eq!((&units["before"], &units["differ"]), (&units["after"], &0.into()), "{units}");
    let records = &diff["records"];
    assert_eq!(records["before"], records["after"], "the same records count as before, whichever file came first");
    assert_eq!((&records["after"]["read"], &records["after"]["dead_letters"]), (&6.into(), &2.into()));
    assert_eq!(figures(&shop), before, "figures have changed without --apply");
    is_clean(&shop);
    let table = shop.ok(&["rebuild"]);
    assert!(table.contains("dead letters not replayed") && table.contains("2026-03-27: 3.00 → 5.00"), "{table}");
    shop.ok(&["rebuild", "--format", "csv"]);
}

#[test]
fn a_rebuilt_star_is_one_that_was_ingested_with_the_new_mapping() {
    let (shop, fresh) = (shop(CONFIG), shop(&changed()));
    change(&shop);
    let diff = shop.json(&["rebuild", "--apply"]);
    assert_eq!(line(&diff, "net_sales")["after"], "19.00");
    assert_eq!(figures(&shop), figures(&fresh));
    is_clean(&shop);
    shop.ok(&["prove"]);
    // Whatever was known before the rebuild is known after it.
    ingest(&shop, &["first.csv", "second.csv"]);
    assert_eq!(figures(&shop), figures(&fresh));
    for shop in [&shop, &fresh] {
        ingest(shop, &["third.csv"]);
    }
    assert_eq!(figures(&shop), figures(&fresh));
    shop.ok(&["run", "--until-caught-up"]);
    shop.ok(&["prove"]);
    let again = shop.json(&["rebuild"]);
    for line in again["figures"].as_array().expect("figures") {
        assert_eq!((&line["before"], &line["differ"]), (&line["after"], &0.into()), "a second rebuild changes {line}");
    }
}

#[test]
fn letters_that_were_replayed_are_accepted_in_their_place() {
    let shop = shop(CONFIG);
    let text = std::fs::read_to_string(&shop.config).expect("the configuration");
    let mended = text.replace("qty AS quantity", "coalesce(TRY_CAST(qty AS DECIMAL(9, 3)), 1) AS quantity");
    std::fs::write(&shop.config, mended).expect("written");
    shop.ok(&["dead-letters", "replay"]);
    let replayed = figures(&shop);
    let diff = shop.json(&["rebuild", "--apply"]);
    assert_eq!(figures(&shop), replayed);
    let records = &diff["records"];
    assert_eq!((&records["before"]["dead_letters"], &records["after"]["dead_letters"]), (&2.into(), &1.into()), "{records}");
    assert_eq!(records["before"]["not_replayed"], records["after"]["not_replayed"]);
    shop.ok(&["prove"]);
}

#[test]
fn a_rebuild_that_was_killed_is_refused_by_all_and_completed_by_another() {
    let fresh = shop(&changed());
    for point in ["rebuild.after_marker:1", "rebuild.after_table:1", "rebuild.after_table:12", "rebuild.before_marker_deleted:1"]
    {
        let shop = shop(CONFIG);
        change(&shop);
        let output = shop.command(&["rebuild", "--apply"]).env("KASSA_CRASH_POINT", point).output().expect("started");
        assert!(said(&output).contains("crash point rebuild."), "{point}: {}", said(&output));
        let commands: [&[&str]; 6] = [
            &["figures", "net_sales"],
            &["sql", "SELECT count(*) FROM fact_sales"],
            &["prove"],
            &["run", "--until-caught-up"],
            &["replay", "--stream", "lines", "third.csv"],
            &["rebuild"],
        ];
        for command in commands {
            let output = shop.run(command);
            assert_eq!(output.status.code(), Some(1), "{point}: {command:?} ran on half a star");
            let words = said(&output);
            assert!(words.contains("error[K027]") && words.contains("`kassa rebuild --apply` completes it"), "{words}");
        }
        shop.ok(&["rebuild", "--apply"]);
        assert_eq!(figures(&shop), figures(&fresh), "{point}");
        is_clean(&shop);
        shop.ok(&["prove"]);
    }
    let shop = shop(CONFIG);
    change(&shop);
    let before = figures(&shop);
    let output =
        shop.command(&["rebuild", "--apply"]).env("KASSA_CRASH_POINT", "rebuild.before_marker:1").output().expect("started");
    assert!(said(&output).contains("crash point rebuild."), "{}", said(&output));
    assert_eq!(figures(&shop), before, "nothing was exchanged yet");
}

#[test]
fn a_rebuild_in_a_bucket_that_was_killed_is_refused_by_all_and_completed_by_another() {
    let (server, fresh) = (s3::server(), shop(&changed()));
    let shop = fed(s3::shop(&server, CONFIG));
    let before = figures(&shop);
    change(&shop);
    let marker = server.folder_of(s3::BUCKET).join("kassa/_kassa/rebuild");
    for point in ["rebuild.after_marker:1", "rebuild.after_table:9", "rebuild.before_marker_deleted:1"] {
        let output = shop.command(&["rebuild", "--apply"]).env("KASSA_CRASH_POINT", point).output().expect("started");
        assert!(said(&output).contains("crash point rebuild.") && marker.exists(), "{point}: {}", said(&output));
        let words = said(&shop.run(&["figures", "net_sales"]));
        assert!(words.contains("error[K027]") && words.contains("`kassa rebuild --apply` completes it"), "{point}: {words}");
    }
    shop.ok(&["rebuild", "--apply"]);
    assert!(figures(&shop) != before && figures(&shop) == figures(&fresh));
    assert!(!marker.exists() && !shop.data().join("state/rebuild").exists(), "something is left behind");
    shop.ok(&["prove"]);
    for shop in [&shop, &fresh] {
        ingest(shop, &["third.csv"]);
    }
    assert_eq!(figures(&shop), figures(&fresh));
    shop.ok(&["run", "--until-caught-up"]);
    shop.ok(&["prove"]);
}

/// `kill -9` at moments of a rebuild that a seed draws: the next rebuild completes it. Each run has the other mapping, so rows of the run
/// before would be found.
#[track_caller]
fn killed_at_any_moment(shop: &Shop, seed: u64) {
    let mut rng = Rng(seed);
    let text = std::fs::read_to_string(&shop.config).expect("the configuration");
    let texts = [text.replace(CHANGE.0, CHANGE.1), text];
    let expected = [self::shop(&changed()), self::shop(CONFIG)].map(|fresh| figures(&fresh));
    let began = Instant::now();
    shop.ok(&["rebuild", "--apply"]);
    let whole = began.elapsed();
    let mut killed = 0;
    for run in 0..6_usize {
        std::fs::write(&shop.config, &texts[run % 2]).expect("written");
        let mut command = shop.command(&["rebuild", "--apply"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
        std::thread::sleep(whole * u32::try_from(rng.below(100)).expect("small") / 100);
        killed += u32::from(child.try_wait().expect("a child").is_none());
        child.kill().expect("killed");
        child.wait().expect("ended");
        shop.ok(&["rebuild", "--apply"]);
        assert_eq!(figures(shop), expected[run % 2], "seed {seed} run {run}");
        shop.ok(&["prove"]);
    }
    assert!(killed > 0, "seed {seed}: every rebuild ended before it was killed");
}

#[test]
fn a_rebuild_that_was_killed_at_any_moment_is_completed() {
    killed_at_any_moment(&shop(CONFIG), 1);
}

#[test]
fn a_rebuild_in_a_bucket_that_was_killed_at_any_moment_is_completed() {
    let server = s3::server();
    killed_at_any_moment(&fed(s3::shop(&server, CONFIG)), 2);
}

#[test]
fn a_topic_that_no_stream_reads_any_more_is_not_dropped() {
    let shop = shop(CONFIG);
    let text = std::fs::read_to_string(&shop.config).expect("the configuration");
    std::fs::write(&shop.config, text.replace("[streams.lines]", "[streams.others]")).expect("written");
    let output = shop.run(&["rebuild", "--apply"]);
    assert!(!output.status.success() && said(&output).contains("the topic `lines`, which no stream reads"), "{}", said(&output));
    is_clean(&shop);
}

#[test]
fn a_warehouse_is_rebuilt_too_and_an_interrupted_one_is_refused_and_completed() {
    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE shop").expect("a database");
    let warehouse = format!("\n[warehouse]\nurl = \"{}\"\n", postgres.url("postgres", "shop"));
    let shop = shop(&format!("{CONFIG}{warehouse}"));
    let fresh = self::shop(&changed());
    change(&shop);
    let asked = ["figures", "net_sales", "--by", "day", "--from", "warehouse", "--format", "csv"];
    for point in ["rebuild.before_warehouse:1", "rebuild.after_warehouse_emptied:1", "rebuild.before_warehouse_finished:1"] {
        let output = shop.command(&["rebuild", "--apply"]).env("KASSA_CRASH_POINT", point).output().expect("started");
        assert!(said(&output).contains("crash point rebuild."), "{point}: {}", said(&output));
        for command in [&asked[..], &["run", "--until-caught-up"], &["prove"]] {
            let output = shop.run(command);
            let words = said(&output);
            assert!(words.contains("error[K027]") && words.contains("`kassa rebuild --apply` completes it"), "{point}: {words}");
            assert_eq!(output.status.code(), Some(1), "{point}: {command:?}");
        }
        // The lake is usable again when the warehouse is being filled: then only the warehouse is refused.
        if point.starts_with("rebuild.before_warehouse_finished") {
            assert!(said(&shop.run(&asked)).contains("a rebuild of the warehouse"), "{point}");
            assert_eq!(shop.figure("net_sales"), fresh.figure("net_sales"));
        }
    }
    shop.ok(&["rebuild", "--apply"]);
    assert_eq!(shop.ok(&asked), fresh.ok(&["figures", "net_sales", "--by", "day", "--format", "csv"]));
    is_clean(&shop);
    shop.ok(&["run", "--until-caught-up"]);
    shop.ok(&["prove"]);
}
