//! Dead letters that become valid when the mapping is corrected.

use super::*;

fn config(price: &str) -> String {
    format!(
        r#"{CONFIG}
[streams.till]
contract = "order_line"
map = """
SELECT receipt AS order_id, row AS line_id, "when" AS occurred_at, pieces AS quantity, {price} AS unit_price, 'GBP' AS currency, "customer.id" AS customer_id
FROM input
"""
"#
    )
}

fn set(shop: &Shop, price: &str) {
    std::fs::write(&shop.config, format!("data_dir = \"data\"\n{}\n", config(price))).expect("written");
}

fn sale(row: usize, price: &str) -> String {
    format!(
        r#"{{"receipt":"r{}","row":{row},"when":"2026-03-29T01:30:00+01:00","pieces":2,"price":"{price}","customer":{{"id":"c{row}","vip":true}}}}"#,
        row / 3
    )
}

fn copied(shop: &Shop) -> Shop {
    let copy = Shop::new("");
    let from = format!("{}/.", shop.dir.path().display());
    let status = std::process::Command::new("cp").args(["-r", &from]).arg(copy.dir.path()).status();
    assert!(status.expect("cp").success());
    copy
}

/// A replay that dies after any of the tables that it adds to is made good by the next.
fn killed_at_each_table(shop: &Shop) {
    for hit in 1.. {
        let copy = copied(shop);
        let mut replay = copy.command(&["dead-letters", "replay"]);
        let output = replay.env("KASSA_CRASH_POINT", format!("replay.after_table:{hit}")).output().expect("started");
        if output.status.success() {
            assert!(hit > 2, "it died {} times only", hit - 1);
            return;
        }
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(&format!("crash point replay.after_table hit {hit}")), "{words}");
        let done = copy.json(&["dead-letters", "replay"]);
        assert_eq!((&done["replayed"], &done["accepted"]), (&7.into(), &5.into()), "killed at table {hit}: {done}");
        assert_eq!(copy.figure("net_sales"), "27.50", "killed at table {hit}");
        assert_eq!(column(&copy, "SELECT line_id FROM fact_sales").len(), 10, "killed at table {hit}");
        assert_eq!(column(&copy, "SELECT DISTINCT customer_id FROM dim_customer").len(), 10, "killed at table {hit}");
        copy.ok(&["prove"]);
    }
}

#[test]
fn what_a_mended_mapping_can_read_is_added_once_after_a_look_at_what_it_would_be() {
    let shop = Shop::new(&config("price"));
    let server = shop.serve();
    let sales: Vec<String> = (0..10).map(|row| sale(row, if row % 2 == 0 { "1.50" } else { "1,25" })).collect();
    let lines = [sales.join("\n"), sale(10, "free"), "{".to_owned()].join("\n");
    let (status, receipt) = server.post("till", lines.as_bytes()).expect("an answer");
    assert_eq!((status, &receipt["received"], &receipt["accepted"]), (202, &12.into(), &5.into()), "{receipt}");
    server.stop();
    let bad = |at: i64| (at, ("not_a_decimal".to_owned(), "unit_price".to_owned()));
    let mut expected: Letters = [1, 3, 5, 7, 9, 10].map(bad).into();
    expected.insert(11, ("not_json".to_owned(), String::new()));
    assert_eq!(letters(&shop, "till"), expected);
    assert_eq!(shop.figure("net_sales"), "15.00");

    set(&shop, "replace(price, ',', '.')");
    let look = shop.json(&["dead-letters", "replay", "--dry-run"]);
    assert_eq!(
        (&look["dry_run"], &look["replayed"], &look["accepted"], &look["net_sales"]),
        (&true.into(), &7.into(), &5.into(), &"12.50".into()),
        "{look}"
    );
    assert_eq!(look["rows"]["fact_sales"], 5, "{look}");
    let becomes: BTreeMap<String, String> =
        look["records"].as_array().expect("records").iter().map(|r| (text(&r["id"]), text(&r["now"]))).collect();
    assert_eq!((becomes["till/0/3"].as_str(), becomes["till/0/10"].as_str()), ("accepted", "not_a_decimal at unit_price"));
    assert_eq!(
        (letters(&shop, "till"), shop.figure("net_sales").as_str()),
        (expected.clone(), "15.00"),
        "a look changes nothing"
    );
    shop.ok(&["prove"]);

    let only = shop.json(&["dead-letters", "replay", "--reason", "not_json"]);
    assert_eq!((&only["replayed"], &only["accepted"]), (&1.into(), &0.into()), "{only}");
    killed_at_each_table(&shop);
    let done = shop.json(&["dead-letters", "replay"]);
    assert_eq!((&done["dry_run"], &done["accepted"], &done["net_sales"]), (&false.into(), &5.into(), &"12.50".into()), "{done}");
    expected.retain(|at, _| *at >= 10);
    assert_eq!(letters(&shop, "till"), expected, "what is still bad is still there");
    assert_eq!(shop.figure("net_sales"), "27.50");
    shop.ok(&["prove"]);

    let again = shop.json(&["dead-letters", "replay"]);
    assert_eq!((&again["replayed"], &again["accepted"]), (&2.into(), &0.into()), "{again}");
    assert_eq!(shop.figure("net_sales"), "27.50");
    assert_eq!(column(&shop, "SELECT DISTINCT customer_id FROM dim_customer").len(), 10);
    shop.ok(&["prove"]);

    // The service goes on from there: the same records again are duplicates.
    let server = shop.serve();
    server.post("till", sales.join("\n").as_bytes()).expect("an answer");
    server.stop();
    assert_eq!(shop.figure("net_sales"), "27.50");
    shop.ok(&["prove"]);
}

/// More than are held at once, and those that are good now come last.
#[test]
fn all_dead_letters_are_replayed_however_many_there_are() {
    let shop = Shop::new(&config("price"));
    let pad = "x".repeat(900_000);
    let price = |row: usize| if row < 75 { "free" } else { "1,25" };
    let line = |row: usize| sale(row, price(row)).replace(r#""vip":true"#, &format!(r#""vip":"{pad}""#));
    let lines: Vec<String> = (0..80).map(line).collect();
    let file = shop.dir.path().join("till.ndjson");
    std::fs::write(&file, lines.join("\n")).expect("written");
    shop.ok(&["replay", "--stream", "till", &file.to_string_lossy()]);
    assert_eq!(letters(&shop, "till").len(), 80);
    set(&shop, "replace(price, ',', '.')");
    for dry_run in [&["--dry-run"][..], &[]] {
        let done = shop.json(&[&["dead-letters", "replay"], dry_run].concat());
        assert_eq!((&done["replayed"], &done["accepted"], &done["net_sales"]), (&80.into(), &5.into(), &"12.50".into()));
    }
    assert_eq!(shop.figure("net_sales"), "12.50");
    shop.ok(&["prove"]);
}
