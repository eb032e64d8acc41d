//! The commands of the tutorial and how-to pages work as written, in a folder with nothing but the
//! program.

use std::process::Command;

use crate::harness::{KASSA, root};

/// The `sh` blocks of a page, in order.
fn blocks(page: &str) -> Vec<String> {
    page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("a closed block").to_owned()).collect()
}

/// Runs a page's commands in a separate folder; returns their output and the number of commands.
fn follow(page: &str) -> (String, usize) {
    let page = std::fs::read_to_string(root().join(page)).expect("the page");
    let dir = tempfile::tempdir().expect("a folder");
    let bin = std::path::Path::new(KASSA).parent().expect("a folder");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let (mut said, mut commands) = (Vec::new(), 0);
    for block in blocks(&page) {
        commands += block.lines().filter(|line| line.starts_with("kassa ") || line.starts_with("cat ")).count();
        let script = format!("set -eu\n{block}");
        let output = Command::new("sh").arg("-c").arg(&script).current_dir(dir.path()).env("PATH", &path).output().expect("sh");
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
        said.push(String::from_utf8(output.stdout).expect("UTF-8"));
    }
    (said.join("\n"), commands)
}

#[test]
fn the_tutorials_commands_lead_from_a_csv_to_figures_and_proof() {
    let (all, commands) = follow("docs/tutorials/from-csv-to-proof.md");
    assert!(commands < 11, "{commands} commands");
    for expected in ["2026-03-28  16.25", "2026-03-29  22.5", "2026-03-30  -7.25", "not_csv"] {
        assert!(all.contains(expected), "{expected} is not in:\n{all}");
    }
}

#[test]
fn the_how_tos_commands_map_tables_that_refer_to_each_other() {
    let (all, _) = follow("docs/how-to/map-your-tables.md");
    // 2 × 4.50 + 7.25 less a tenth; then order 1003's line of 4.50 is added.
    for expected in ["15.525", "20.025", "18.00", "proven: 4 records read"] {
        assert!(all.contains(expected), "{expected} is not in:\n{all}");
    }
}
