//! Configuration keys whose effect is visible only in the files of a lake.

use std::path::Path;
use std::process::Command;

use crate::harness::{KASSA, Shop};

const CONFIG: &str = "[streams.order_lines]\nformat = \"json\"\n";

fn sizes(dir: &Path) -> u64 {
    let sizes = std::fs::read_dir(dir).expect("a folder").map(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sizes(&path)
        } else if path.extension().is_some_and(|ending| ending == "parquet") {
            path.metadata().expect("a file").len()
        } else {
            0
        }
    });
    sizes.sum()
}

fn commits(table: &Path) -> usize {
    let names = std::fs::read_dir(table.join("_delta_log")).expect("a log").map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".json")).count()
}

/// Bytes and commits of archive and ledger after a replay of the synthetic shop's lines.
fn replayed(lines: &Path, settings: &[(&str, &str)]) -> [(u64, usize); 2] {
    let shop = Shop::new(CONFIG);
    let mut replay = shop.command(&["replay", "--stream", "order_lines", &lines.to_string_lossy()]);
    let output = replay.envs(settings.iter().copied()).output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    shop.ok(&["prove"]);
    ["topics/order_lines", "DWH/fact_sales"].map(|table| {
        let table = shop.data().join("lake").join(table);
        (sizes(&table), commits(&table))
    })
}

#[test]
fn settings_of_compression_and_commits_take_effect() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = Command::new(KASSA).args(["simulate", "--records", "300000", "--to"]).arg(dir.path()).output().expect("started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let lines = dir.path().join("order_lines.ndjson");
    let [archive, ledger] = replayed(&lines, &[]);
    let is_smaller = |one: u64, other: u64| one * 100 < other * 97;
    // The files contain ingest times, so their sizes differ by some bytes between runs.
    let is_same = |one: u64, other: u64| one.abs_diff(other) * 100 < other;
    let of_archive = replayed(&lines, &[("KASSA__ARCHIVE__ZSTD_LEVEL", "12")]);
    assert!(
        is_smaller(of_archive[0].0, archive.0) && is_same(of_archive[1].0, ledger.0),
        "{of_archive:?} {archive:?} {ledger:?}"
    );
    let of_lake = replayed(&lines, &[("KASSA__LAKE__ZSTD_LEVEL", "12")]);
    assert!(is_same(of_lake[0].0, archive.0) && is_smaller(of_lake[1].0, ledger.0), "{of_lake:?} {archive:?} {ledger:?}");
    // 12 MB are six batches of 2 MiB.
    let often = replayed(&lines, &[("KASSA__LAKE__COMMIT_ROWS", "1")]);
    assert!(often[0].1 >= 6 && often[1].1 >= 6, "a commit a batch: {often:?}");
    assert!(archive.1 < 6 && ledger.1 < 6, "a commit an interval: {archive:?} {ledger:?}");
}
