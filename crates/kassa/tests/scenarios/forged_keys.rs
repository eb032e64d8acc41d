//! A record whose customer has the computed key of another customer: it harms nobody, and a secret makes it a record like others.

use std::fs;

use kassa_stack::postgres::Postgres;

use crate::harness::Shop;

const CONFIG: &str = "[streams.events]\ncontract = \"event\"\n";

/// Has the key of the customer `C-1000` where keys have no secret.
const FORGED: &str =
    "UVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLmNOKQRXTUIWXAZABnDEEGHxJKBMNAPQR0TUxWXnZANCDAFGHLJKiMNEPQASTAVWX";

/// Sends events of these customers to a running kassa.
fn send(shop: &Shop, events: &[(&str, &str)]) {
    let server = shop.serve();
    for (id, customer) in events {
        let record = format!(
            r#"{{"event_id":"{id}","occurred_at":"2026-03-28T10:15:00Z","type":"page_viewed","customer_id":"{customer}"}}"#
        );
        assert_eq!(server.post("events", record.as_bytes()).expect("an answer").0, 202, "{id}");
        server.until_committed();
    }
    server.stop();
}

/// Proves the lake: accepted records and dead letters.
fn proven(shop: &Shop) -> (i64, i64) {
    let proof = shop.json(&["prove"]);
    (proof["accepted"].as_i64().expect("a count"), proof["dead_letters"].as_i64().expect("a count"))
}

fn customers(shop: &Shop) -> String {
    let rows = shop.json(&["sql", "SELECT count(DISTINCT customer_key) AS n FROM fact_event"]);
    rows[0]["n"].to_string().replace('"', "")
}

#[test]
fn a_lake_without_a_secret_refuses_a_forged_customer_and_a_rebuild_accepts_it() {
    let shop = Shop::new(CONFIG);
    let lake = shop.data().join("lake");
    // So a lake looks that began before lakes had secrets.
    fs::create_dir_all(lake.join("topics/events")).expect("created");
    send(&shop, &[("a", "C-1000"), ("b", FORGED), ("c", "C-1001")]);
    assert_eq!(proven(&shop), (2, 1));
    // Also after a restart, and without the state that the first start left.
    send(&shop, &[("d", "C-1000"), ("e", FORGED)]);
    fs::remove_dir_all(shop.data().join("state")).expect("removed");
    send(&shop, &[("f", FORGED), ("g", "C-1000"), ("a", "C-1000")]);
    assert_eq!(proven(&shop), (4, 3));
    assert_eq!(customers(&shop), "2");
    assert!(!lake.join("_kassa/key").exists());
    let letters = shop.ok(&["dead-letters", "list", "--reason", "key_collision"]);
    assert!(letters.contains("key_collision"), "{letters}");

    shop.ok(&["rebuild", "--apply"]);
    assert!(lake.join("_kassa/key").is_file());
    assert_eq!(fs::read_to_string(lake.join("_kassa/format")).expect("a format"), "2\n");
    assert_eq!(proven(&shop), (7, 0));
    assert_eq!(customers(&shop), "3");
    send(&shop, &[("h", FORGED), ("i", "C-1000")]);
    assert_eq!(proven(&shop), (9, 0));
    assert_eq!(customers(&shop), "3");
}

#[test]
fn a_new_lake_has_a_secret_that_no_output_shows_and_forged_customers_are_customers() {
    let shop = Shop::new(CONFIG);
    send(&shop, &[("a", "C-1000"), ("b", FORGED), ("c", "C-1000")]);
    assert_eq!(proven(&shop), (3, 0));
    assert_eq!(customers(&shop), "2");
    let path = shop.data().join("lake/_kassa/key");
    let secret = fs::read_to_string(&path).expect("a secret");
    for args in [&["prove"][..], &["doctor"], &["config", "show"], &["sql", "SELECT 1"]] {
        let output = shop.run(args);
        let said = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains(secret.trim()), "{args:?}");
    }
    // Readers need no secret; whoever makes keys refuses to make others.
    fs::remove_file(&path).expect("removed");
    shop.ok(&["figures", "sessions"]);
    assert_eq!(customers(&shop), "2");
    let refused = shop.run(&["run", "--until-caught-up"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("_kassa/key is missing"), "{said}");
    assert!(!path.exists());
}

#[test]
fn what_was_erased_in_the_warehouse_stays_erased_when_a_rebuild_gives_customers_other_keys() {
    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE shop").expect("a database");
    let stream = "[streams.customers]\nformat = \"csv\"\ncontract = \"customer\"\n";
    let shop = Shop::new(&format!("{stream}[warehouse]\nurl = \"{}\"\n", postgres.url("postgres", "shop")));
    fs::create_dir_all(shop.data().join("lake/topics/customers")).expect("created");
    let people = "customer_id,name,occurred_at\nann,Ann,2026-03-27T10:00:00Z\nbob,Bob,2026-03-27T10:00:00Z\n";
    fs::write(shop.dir.path().join("people.csv"), people).expect("written");
    shop.ok(&["replay", "--stream", "customers", "people.csv"]);
    let sql = |sql: &str| postgres.sql("shop", sql).expect("rows").trim().to_owned();
    let names = || sql("SELECT string_agg(name, ',' ORDER BY name) FROM dwh.vault_customer");
    let bob = || sql("SELECT customer_key FROM dwh.dim_customer WHERE customer_id = 'bob'");
    let before = bob();
    assert_eq!(names(), "Ann,Bob");
    sql("DELETE FROM dwh.vault_customer WHERE name = 'Ann'");
    shop.ok(&["rebuild", "--apply"]);
    assert_ne!(bob(), before, "the lake has a secret now");
    assert_eq!(names(), "Bob", "erased data has come back");
}
