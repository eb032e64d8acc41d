//! docs/reference/cli.md equals `--help`. `UPDATE_DOCS=1` rewrites it.

use std::process::Command;

use crate::harness::{KASSA, root};

const INTRODUCTION: &str = "\
# Command line

The output of `kassa --help` and `kassa COMMAND --help`. Every command that uses a configuration has `-c FILE` (default: `kassa.toml` in the
working folder, if it exists) and `--data-dir DIR`. Results go to stdout, as a table, or with `--format json` or `csv`
for programs; messages go to stderr. kassa respects `NO_COLOR`. `KASSA_LOG=info` or `debug` logs more.
Tables, CSV, errors and log lines show control characters and invisible characters of texts as escapes; JSON keeps every text exactly ([why](../decisions/0037-output-is-escaped.md)).

Exit codes: 0 success; 1 failure, or `prove` found something; 2 wrong command line; 3 `prove` found nothing but could not compare a system; 78 wrong configuration. An error has a code with a
[page](../errors/README.md). See also the references of the [configuration](configuration.md) and the [HTTP API](http-api.md).
";

fn help(command: &[String]) -> String {
    let output = Command::new(KASSA).args(command).arg("--help").env("NO_COLOR", "1").output().expect("started");
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The names under `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn describe(command: &[String], page: &mut String) {
    let help = help(command);
    let title = [&["kassa".to_owned()], command].concat().join(" ");
    let text: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## `{title}`\n\n```text\n{}\n```\n", text.join("\n").trim_end()));
    for name in commands(&help) {
        describe(&[command, &[name]].concat(), page);
    }
}

#[test]
fn the_command_line_reference_equals_the_help() {
    let mut page = INTRODUCTION.to_owned();
    describe(&[], &mut page);
    assert!(page.matches("\n## ").count() > 14, "the commands were not found");
    let file = root().join("docs/reference/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).expect("written");
    }
    let held = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(held, page, "UPDATE_DOCS=1 cargo test --test scenarios cli_reference rewrites it");
}
