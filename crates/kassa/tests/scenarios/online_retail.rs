//! A real shop's year: the totals to the last digit, and again, and again.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Shop, test_data};

/// Net and gross sales, returns, adjustments, orders and units of the year.
pub(crate) const TOTALS: [&str; 6] = ["9747747.934", "10655622.484", "896812.49", "-11062.06", "19959", "5176450"];

/// The 305 files, unpacked beside the shop.
pub(crate) fn files(set: &Path, into: &Path) -> Vec<PathBuf> {
    let unpacked =
        Command::new("tar").arg("-C").arg(into).arg("--zstd").arg("-xf").arg(set.join("by-day.tar.zst")).status().expect("tar");
    assert!(unpacked.success());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(into.join("by-day")).expect("files").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert_eq!(files.len(), 305);
    files
}

pub(crate) fn replay(shop: &Shop, files: &[PathBuf]) -> Value {
    let paths: Vec<&str> = files.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    shop.json(&[&["replay", "--stream", "sales"], paths.as_slice()].concat())
}

pub(crate) fn totals(shop: &Shop) -> [String; 6] {
    ["net_sales", "gross_sales", "returns", "adjustments", "orders", "units"].map(|name| shop.figure(name))
}

#[test]
fn a_years_totals_are_right_to_the_last_digit_however_often_and_in_whatever_form_it_is_replayed() {
    let Some(set) = test_data("uci-online-retail") else { return };
    let shop = Shop::of_example("online-retail.toml", &[]);
    let mut files = files(&set, shop.dir.path());
    let report = replay(&shop, &files);
    assert_eq!((&report["records"], &report["accepted"], &report["dead_letters"]), (&541_909.into(), &541_909.into(), &0.into()));
    let expected = TOTALS.map(str::to_owned);
    assert_eq!(totals(&shop), expected);
    assert_eq!(shop.figure_by("net_sales", "month").len(), 13);

    // Again; in another order; renamed; recompressed.
    files.reverse();
    let renamed = shop.dir.path().join("by-day/renamed.csv");
    std::fs::rename(&files[0], &renamed).expect("renamed");
    files[0] = renamed;
    assert!(Command::new("gzip").arg(&files[1]).status().expect("gzip").success());
    files[1] = files[1].with_extension("csv.gz");
    assert!(Command::new("zstd").args(["--quiet", "--rm"]).arg(&files[2]).status().expect("zstd").success());
    files[2] = files[2].with_extension("csv.zst");
    let again = replay(&shop, &files);
    assert_eq!((&again["records"], &again["known_files"]), (&0.into(), &305.into()));
    assert_eq!(totals(&shop), expected);

    let customers = shop.json(&["sql", "SELECT count(*) AS lines, count(DISTINCT customer_key) FILTER (WHERE customer_key <> 0) AS customers, count(*) FILTER (WHERE customer_key = 0) AS unknown FROM fact_sales"]);
    assert_eq!(customers[0]["lines"], "541909");
    assert_eq!(customers[0]["customers"], "4372");
    assert_eq!(customers[0]["unknown"], "135080");
    shop.ok(&["prove"]);
}
