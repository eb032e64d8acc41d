//! Data of a newer version is refused by name, and stays unchanged.

use std::fs;
use std::path::PathBuf;

use kassa_stack::postgres::Postgres;

use crate::harness::Shop;

const CONFIG: &str = "[streams.orders]\n[streams.sales]\nformat = \"csv\"\ncontract = \"order_line\"\n";
const LINES: &str =
    "order_id,line_id,product_id,quantity,unit_price,currency,occurred_at\n1001,1,A-1,2,4.50,GBP,2026-03-28T10:15:00Z\n";

fn replayed(sections: &str) -> Shop {
    let shop = Shop::new(&format!("{CONFIG}{sections}"));
    fs::write(shop.dir.path().join("export.csv"), LINES).expect("written");
    shop.ok(&["replay", "--stream", "sales", "export.csv"]);
    shop
}

/// Every one of these commands fails with K026 and these words.
#[track_caller]
fn refused(shop: &Shop, words: &str, commands: &[&[&str]]) {
    for args in commands {
        let output = shop.run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("error[K026]") && said.contains(words), "{args:?}: {said}");
        assert!(said.contains("run the kassa version that wrote it, or a newer one"), "{said}");
    }
}

#[test]
fn a_newer_lake_is_refused_by_every_command_and_by_the_doctor() {
    let shop = replayed("");
    let marker = shop.data().join("lake/_kassa/format");
    assert_eq!(fs::read_to_string(&marker).expect("a new lake states its format"), "2\n");
    fs::write(&marker, "3\n").expect("written");
    let all: [&[&str]; 6] = [
        &["run", "--until-caught-up"],
        &["figures", "net_sales"],
        &["sql", "SELECT 1"],
        &["prove"],
        &["dead-letters", "list"],
        &["replay", "--stream", "sales", "export.csv"],
    ];
    refused(&shop, "the lake has format 3 (_kassa/format); this kassa supports formats up to 2", &all);
    let output = shop.run(&["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("the lake has format 3"), "{said}");
    fs::write(&marker, "2\n").expect("written");
    shop.ok(&["prove"]);
}

#[test]
fn a_table_that_needs_a_newer_reader_or_writer_is_refused() {
    let shop = replayed("");
    let log = shop.data().join("lake/DWH/fact_sales/_delta_log");
    let put = |line: &str| {
        let version = fs::read_dir(&log).expect("a log").count();
        fs::write(log.join(format!("{version:020}.json")), format!("{line}\n")).expect("written");
    };
    put(r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["changeDataFeed"]}}"#);
    shop.ok(&["figures", "net_sales"]);
    let words = "the table DWH/fact_sales has Delta writer version 7 (changeDataFeed); this kassa supports writer version 2";
    refused(&shop, words, &[&["run", "--until-caught-up"]]);
    put(
        r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}"#,
    );
    let words = "the table DWH/fact_sales has Delta reader version 3 (deletionVectors); this kassa supports reader version 1";
    refused(&shop, words, &[&["figures", "net_sales"], &["prove"], &["sql", "SELECT * FROM fact_sales"]]);
}

#[test]
fn a_warehouse_that_a_newer_version_has_migrated_is_refused() {
    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE shop").expect("a database");
    let shop = replayed(&format!("[warehouse]\nurl = \"{}\"\n", postgres.url("postgres", "shop")));
    let newer = "INSERT INTO kassa.migrations SELECT 99, 'later', applied_on, '1' FROM kassa.migrations WHERE version = 1";
    postgres.sql("shop", newer).expect("inserted");
    let words = "has the migration V99__later; this kassa supports migrations up to V9";
    let all: [&[&str]; 4] =
        [&["run", "--until-caught-up"], &["figures", "net_sales", "--from", "warehouse"], &["prove"], &["migrate"]];
    refused(&shop, words, &all);
    postgres.sql("shop", "DELETE FROM kassa.migrations WHERE version = 99").expect("deleted");
    shop.ok(&["prove"]);
}

/// The CRC-32 of a segment's header, as its version 1 and all later ones have it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn a_segment_of_a_newer_log_is_refused_and_not_taken_for_a_damaged_one() {
    let shop = Shop::new(CONFIG);
    let server = shop.serve();
    let record = br#"{"event_id":"a","occurred_at":"2026-03-28T10:15:00Z","order_id":"a"}"#;
    assert_eq!(server.post("orders", record).expect("an answer").0, 202);
    server.stop();
    let folder = shop.data().join("log/orders/0");
    let names: Vec<PathBuf> = fs::read_dir(folder).expect("a log").map(|entry| entry.expect("an entry").path()).collect();
    let segment = names.into_iter().max_by_key(|path| path.metadata().expect("a file").len()).expect("a segment");
    let mut bytes = fs::read(&segment).expect("read");
    assert_eq!(crc32(&bytes[..36]).to_le_bytes(), bytes[36..40]);
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let crc = crc32(&bytes[..36]).to_le_bytes();
    bytes[36..40].copy_from_slice(&crc);
    fs::write(&segment, &bytes).expect("written");
    refused(&shop, "has log version 2; this kassa supports log version 1", &[&["run", "--until-caught-up"]]);
    assert_eq!(fs::read(&segment).expect("read"), bytes, "nothing was changed");
}
