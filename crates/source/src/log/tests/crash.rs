//! Kills the log at each of its durable steps, in a separate process.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::{Command, Output};

use super::super::folder;
use super::*;

const DIR: &str = "KASSA_TEST_LOG_DIR";

/// The child process: writes each acknowledged record's number to a file, and sometimes deletes
/// segments.
#[test]
fn appends_in_a_separate_process() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let mut acknowledged = OpenOptions::new().create(true).append(true).open(dir.join("acknowledged")).unwrap();
    let log = open(dir, &LogOptions { retention_bytes: Some(2_000), ..small() });
    let from = log.ends().next(&orders());
    for number in from..from + 60 {
        let receipt = append(&log, number..number + 1);
        assert_eq!(receipt.from, number);
        writeln!(acknowledged, "{number}").unwrap();
        log.retain(&Positions::from_iter([(orders(), receipt.to)])).unwrap();
    }
}

fn child(dir: &Path, point: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "log::tests::crash::appends_in_a_separate_process", "--nocapture"])
        .env(DIR, dir)
        .env(kassa_model::crash::VARIABLE, point)
        .output()
        .unwrap()
}

fn tear(dir: &Path) {
    let last = *segments(dir).last().unwrap();
    let path = folder::segment_file(&dir.join("log/orders/0"), last);
    OpenOptions::new().append(true).open(path).unwrap().write_all(&[40, 0, 0, 0, 1, 2, 3]).unwrap();
}

/// After repeated kills and restarts, each acknowledged record exists once, at its offset, and the
/// log continues.
#[test]
fn a_crash_at_any_step_keeps_acknowledged_records() {
    let points =
        ["before_write", "after_write", "after_fsync", "segment_created", "before_retention_delete", "after_truncate_tail"];
    for point in points {
        let dir = TempDir::new().unwrap();
        assert!(child(dir.path(), "none:1").status.success());
        for turn in 1..=3 {
            tear(dir.path());
            let at = format!("log.{point}:{}", if point == "after_truncate_tail" { 1 } else { turn });
            let output = child(dir.path(), &at);
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && words.contains(&format!("crash point log.{point} hit")), "{at}: {words}");

            let acknowledged = fs::read_to_string(dir.path().join("acknowledged")).unwrap();
            let last: i64 = acknowledged.lines().last().unwrap().parse().unwrap();
            let log = open(dir.path(), &small());
            let (start, end) = (log.starts().next(&orders()), log.ends().next(&orders()));
            assert!(end > last, "{at}: {end} {last}");
            assert_eq!(drain(&mut log.reader(&orders(), start).unwrap(), 9).unwrap(), expected(start..end));
            assert_eq!(verify(dir.path()).unwrap().problems, []);
        }
    }
}
