//! Many small commits: tables stay few files, quick to open, and what they were.

use std::path::Path;

use crate::harness::Shop;
use crate::others_read;

const CONFIG: &str = r#"
[shop]
name = "Upkeep"
time_zone = "Europe/London"
currency = "GBP"
[lake]
commit_interval = "10ms"
"#;

fn line(id: u64) -> String {
    format!(
        r#"{{"event_id":"m{id}","occurred_at":"2026-02-01T10:00:00Z","order_id":"m{}","line_id":"{id}","product_id":"p{}","quantity":1,"unit_price":"1.25","currency":"GBP"}}"#,
        id / 3,
        id % 7
    )
}

fn files_below(dir: &Path, ending: &str) -> usize {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(
            |path| if path.is_dir() { files_below(&path, ending) } else { usize::from(path.to_string_lossy().ends_with(ending)) },
        )
        .sum()
}

#[test]
fn compacted_tables_are_proven_and_read_by_others() {
    let shop = Shop::new(CONFIG);
    let server = shop.serve();
    for id in 0..250 {
        assert_eq!(server.post("order_lines", line(id).as_bytes()).expect("an answer").0, 202);
        // A commit each.
        server.until_committed();
    }
    server.stop();
    let lake = shop.data().join("lake");
    for table in ["DWH/fact_sales", "DWH/spans", "topics/order_lines"] {
        let table = lake.join(table);
        let (all, data) = (files_below(&table, ""), files_below(&table, ".parquet"));
        assert!(all < 200, "{} has {all} files, {data} of them Parquet", table.display());
        assert!(files_below(&table.join("_delta_log"), ".checkpoint.parquet") > 0, "{} has no checkpoint", table.display());
    }
    shop.ok(&["prove"]);
    assert_eq!(shop.figure("net_sales").trim_end_matches('0').trim_end_matches('.'), "312.5");
    if let Some(read) = others_read::read(&shop) {
        for reader in ["deltalake", "duckdb", "polars"] {
            assert_eq!(read[reader]["rows"], 250, "{reader}: {read}");
        }
        assert_eq!((&read["spans"], &read["archive"]["readable"]), (&250.into(), &250.into()));
    }
}
