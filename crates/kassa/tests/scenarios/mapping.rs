//! Mistakes in mappings and reference tables are reported with their place, before a record is read.

use crate::harness::Shop;

const CONFIG: &str = r#"[lookups.orders]
file = "orders.csv"
key = "order_id"

[streams.lines]
format = "csv"
contract = "order_line"
map = """
SELECT order_id, pos AS line_id, qty AS quantity, '1.50' AS unit_price, 'GBP' AS currency,
  lookup('orders', order_id, 'placed') AS occurred_at,
  lookup('orders', order_id, 'client') AS customer_id
FROM input
"""
"#;

fn shop(orders: &str, changes: &[(&str, &str)]) -> Shop {
    let config = changes.iter().fold(CONFIG.to_owned(), |config, (from, to)| config.replace(from, to));
    let shop = Shop::new(&config);
    std::fs::write(shop.dir.path().join("orders.csv"), orders).expect("written");
    std::fs::write(shop.dir.path().join("lines.csv"), "order_id,pos,qty\n1,1,2\n").expect("written");
    shop
}

const ORDERS: &str = "order_id,placed,client\n1,2026-03-28,17\n";

/// `check` and `replay` say the same, exit 78 and leave nothing behind.
#[track_caller]
fn refused(shop: &Shop, want: &[&str]) {
    for command in [&["check"][..], &["replay", "--stream", "lines", "lines.csv"]] {
        let output = shop.run(command);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(78), "{said}");
        for line in want {
            assert!(said.contains(line), "{command:?} does not say {line}:\n{said}");
        }
    }
    assert!(!shop.data().join("lake/DWH/fact_sales/_delta_log").exists());
}

#[test]
fn a_lookup_that_names_what_there_is_not_is_found_by_check_with_its_place() {
    let changes = [
        ("lookup('orders', order_id, 'placed')", "lookup('order', order_id, 'placed')"),
        ("'client'", "'clint'"),
        ("pos AS line_id", "pos AS line_nr"),
    ];
    let shop = shop(ORDERS, &changes);
    refused(
        &shop,
        &[
            "error[C017]: the mapping of stream `lines`: `line_nr` is not a field of the contract order_line",
            "kassa.toml:10:18",
            "= did you mean `line_id`?",
            "there is no lookup `order`",
            "kassa.toml:11:10",
            "= did you mean `orders`?",
            "the lookup `orders` has no column `clint`",
            "kassa.toml:12:30",
            "= did you mean `client`?",
            "the contract order_line also needs: line_id",
            "4 mistakes in the configuration",
        ],
    );
}

#[test]
fn a_reference_table_that_would_give_wrong_answers_is_found_by_check() {
    let twice = shop(&format!("{ORDERS}1,2026-03-29,18\n"), &[]);
    refused(
        &twice,
        &["error[C024]: the lookup `orders` cannot be used: row 2 has the same key as an earlier row: `1`", "kassa.toml:3:8"],
    );
    let key = shop(ORDERS, &[("key = \"order_id\"", "key = \"order_nr\"")]);
    refused(&key, &["its header has no column `order_nr` (did you mean `order_id`?)", "kassa.toml:4:7", "1 mistake in"]);
}

#[test]
fn mistakes_of_the_configuration_hide_none_of_its_mappings() {
    let config = format!(
        "{}[streams.odd]\ncontract = \"odrer\"\nmap = \"SELECT a AS b FROM input\"\n",
        CONFIG.replace("pos AS", "pos AS a, pos AS")
    );
    let config = config.replace("file = \"orders.csv\"", "file = \"order.csv\"\nencodin = \"utf-8\"");
    let shop = Shop::new(&format!(
        "[shop]\ntime_zone = \"Europe/Lundon\"\n[streams.whole]\ncontract = \"order\"\nmap = \"SELECT a AS order_idd, b AS occurred_at FROM input\"\n{config}"
    ));
    let output = shop.run(&["check"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    for code in ["C008", "C016", "C003", "C006"] {
        assert_eq!(said.matches(&format!("error[{code}]")).count(), 1, "{code}:\n{said}");
    }
    assert!(said.contains("the mapping of stream `whole`: `order_idd` is not a field"), "{said}");
    // Of a mapping whose contract or table is wrong nothing is guessed.
    assert!(!said.contains("stream `odd`") && !said.contains("stream `lines`"), "{said}");
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn a_reference_table_may_be_delimited_by_semicolons_in_windows_1252() {
    let config = [("key = \"order_id\"", "key = \"order_id\"\ndelimiter = \";\"\nencoding = \"windows-1252\"")];
    let shop = shop("", &config);
    std::fs::write(shop.dir.path().join("orders.csv"), b"order_id;placed;client\n1;2026-03-28;M\xFCller\n").expect("written");
    shop.ok(&["replay", "--stream", "lines", "lines.csv"]);
    let rows = shop.json(&["sql", "SELECT customer_id FROM sales_flat"]);
    assert_eq!(rows[0]["customer_id"], "Müller");
}
