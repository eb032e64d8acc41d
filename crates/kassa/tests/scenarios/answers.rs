//! Three well-known shops, by the commands that examples/README.md gives: every figure of their answer keys, to the last digit.

mod chinook;
mod jaffle_shop;
mod northwind;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{KASSA, Shop, root, test_data};

/// A shop whose files have been replayed, and the answers that it is held to.
struct Example {
    shop: Shop,
    answers: Value,
    /// The part of examples/README.md that is about it.
    section: String,
    /// The answers that were compared: `/net`, `/monthly/*/net`.
    asked: RefCell<BTreeSet<String>>,
}

impl Example {
    /// Lays the set's files where the README wants them, and runs its commands.
    fn replayed(title: &str, set: &str) -> Option<Self> {
        let data = test_data(set)?;
        let dir = tempfile::TempDir::new().expect("a folder");
        let examples = dir.path().join("examples");
        std::fs::create_dir_all(examples.join(set)).expect("a folder");
        let config = examples.join(format!("{set}.toml"));
        std::fs::copy(root().join(format!("examples/{set}.toml")), &config).expect("copied");
        for file in std::fs::read_dir(&data).expect("files") {
            place(&file.expect("a file").path(), &examples.join(set));
        }
        let answers = std::fs::read_to_string(data.join("answers.json")).expect("answers");
        let example = Self {
            shop: Shop { dir, config },
            answers: serde_json::from_str(&answers).expect("JSON"),
            section: section(title),
            asked: RefCell::default(),
        };
        let block = example.section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("commands");
        example.sh(block);
        Some(example)
    }

    fn sh(&self, script: &str) -> String {
        let bin = Path::new(KASSA).parent().expect("a folder").display();
        let path = format!("{bin}:{}", std::env::var("PATH").expect("a path"));
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("set -eu\n{script}")).current_dir(self.shop.dir.path()).env("PATH", path);
        let output = command.output().expect("sh");
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Each replay again: the file is known, and no table has a row more.
    fn changes_nothing_when_replayed_again(&self) {
        let proof = self.shop.ok(&["prove"]);
        let replays: Vec<&str> = self.section.lines().filter(|line| line.starts_with("kassa replay")).collect();
        assert!(replays.len() >= 3, "{replays:?}");
        for replay in replays {
            let report: Value = serde_json::from_str(&self.sh(&format!("{replay} --format json"))).expect("JSON");
            assert_eq!((&report["records"], &report["known_files"]), (&0.into(), &1.into()), "{replay}");
        }
        assert_eq!(self.shop.ok(&["prove"]), proof);
    }

    /// The text or number of the answers at a path: `/net_by_category/Seafood`.
    fn answer(&self, path: &str) -> String {
        self.asked.borrow_mut().insert(path.to_owned());
        plain(self.answers.pointer(path).unwrap_or_else(|| panic!("no answer {path}")))
    }

    /// The answers' object at a path, key → the value at `part` of each.
    fn answers(&self, path: &str, part: &str) -> BTreeMap<String, String> {
        self.asked.borrow_mut().insert(format!("{path}/*{part}"));
        let object = self.answers.pointer(path).and_then(Value::as_object).unwrap_or_else(|| panic!("no answers {path}"));
        object.iter().map(|(key, value)| (key.clone(), plain(value.pointer(part).expect("a part")))).collect()
    }

    /// The answers' list of pairs, as it is ordered.
    fn top(&self, path: &str) -> Vec<(String, String)> {
        self.asked.borrow_mut().insert(path.to_owned());
        let pairs = self.answers.pointer(path).and_then(Value::as_array).unwrap_or_else(|| panic!("no answers {path}"));
        pairs.iter().map(|pair| (plain(&pair[0]), plain(&pair[1]))).collect()
    }

    /// Every answer has been compared, but for the row counts of tables that no contract takes.
    fn has_been_asked_everything(&self, no_contract: &[&str]) {
        let mut answers = BTreeSet::new();
        for (key, value) in self.answers.as_object().expect("an object") {
            match value.as_object() {
                _ if key == "definitions" => {}
                Some(tables) if key == "rows" => answers.extend(tables.keys().map(|table| format!("/rows/{table}"))),
                Some(members) => match members.values().next().expect("a member").as_object() {
                    Some(parts) => answers.extend(parts.keys().map(|part| format!("/{key}/*/{part}"))),
                    None => {
                        answers.insert(format!("/{key}/*"));
                    }
                },
                None => {
                    answers.insert(format!("/{key}"));
                }
            }
        }
        let asked = self.asked.borrow();
        let left: Vec<&str> = answers.difference(&asked).map(|path| path.trim_start_matches("/rows/")).collect();
        assert_eq!(left, no_contract);
    }

    fn figure(&self, name: &str) -> String {
        digits(&self.shop.figure(name))
    }

    fn figure_by(&self, name: &str, by: &str) -> BTreeMap<String, String> {
        self.shop.figure_by(name, by).into_iter().map(|(key, value)| (key, digits(&value))).collect()
    }

    /// A figure by label (a product's name, a country's) or key; the largest first, then by `tie`.
    fn top_of(&self, name: &str, by: &str, shown: &str, tie: fn(&str) -> String) -> Vec<(String, String)> {
        let answer = self.shop.json(&["figures", name, "--by", by]);
        let mut rows: Vec<(String, String)> =
            answer["rows"].as_array().expect("rows").iter().map(|row| (plain(&row[shown]), plain(&row["value"]))).collect();
        rows.sort_by_key(|(key, value)| (std::cmp::Reverse(units(value)), tie(key)));
        rows.truncate(10);
        rows
    }

    /// The one cell of a query.
    fn sql(&self, query: &str) -> String {
        let rows = self.shop.json(&["sql", query]);
        let row = rows[0].as_object().expect("a row");
        plain(row.values().next().expect("a cell"))
    }

    /// `key` → `value` of a query.
    fn sql_by(&self, query: &str) -> BTreeMap<String, String> {
        let rows = self.shop.json(&["sql", query]);
        rows.as_array().expect("rows").iter().map(|row| (plain(&row["key"]), plain(&row["value"]))).collect()
    }
}

/// Files go where the README wants them; Chinook's is unpacked.
fn place(file: &Path, folder: &Path) {
    let name = file.file_name().expect("a name").to_str().expect("UTF-8");
    let copy = folder.join(name);
    std::fs::copy(file, &copy).expect("copied");
    if name.ends_with(".sqlite.gz") {
        let status = Command::new("gzip").arg("--decompress").arg("--force").arg(&copy).status().expect("gzip");
        assert!(status.success());
    }
}

fn section(title: &str) -> String {
    let page = std::fs::read_to_string(root().join("examples/README.md")).expect("the page");
    let section = page.split("\n## ").find(|section| section.lines().next() == Some(title));
    section.unwrap_or_else(|| panic!("examples/README.md has no {title}")).to_owned()
}

fn plain(value: &Value) -> String {
    digits(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// A decimal without the zeros at its end: answers and figures pad them differently. Other texts are left as they are.
fn digits(text: &str) -> String {
    let is_decimal = text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if is_decimal { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

/// The value in 10⁻⁶, to be ordered by.
fn units(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().expect("a decimal")
}

/// The ISO code of a country in the answer key. It is not taken from kassa, because kassa's mapping is under test.
fn code(country: &str) -> &'static str {
    const CODES: &[(&str, &str)] = &[
        ("Argentina", "AR"),
        ("Australia", "AU"),
        ("Austria", "AT"),
        ("Belgium", "BE"),
        ("Brazil", "BR"),
        ("Canada", "CA"),
        ("Chile", "CL"),
        ("Czech Republic", "CZ"),
        ("Denmark", "DK"),
        ("Finland", "FI"),
        ("France", "FR"),
        ("Germany", "DE"),
        ("Hungary", "HU"),
        ("India", "IN"),
        ("Ireland", "IE"),
        ("Italy", "IT"),
        ("Mexico", "MX"),
        ("Netherlands", "NL"),
        ("Norway", "NO"),
        ("Poland", "PL"),
        ("Portugal", "PT"),
        ("Spain", "ES"),
        ("Sweden", "SE"),
        ("Switzerland", "CH"),
        ("UK", "GB"),
        ("USA", "US"),
        ("United Kingdom", "GB"),
        ("Venezuela", "VE"),
    ];
    CODES.iter().find(|(name, _)| *name == country).unwrap_or_else(|| panic!("no code for {country}")).1
}

fn by_code(answers: BTreeMap<String, String>) -> BTreeMap<String, String> {
    answers.into_iter().map(|(country, value)| (code(&country).to_owned(), value)).collect()
}
