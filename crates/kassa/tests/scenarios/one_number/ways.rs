//! The ways to ask for a figure: the command line, the HTTP API, SQL, and the page in a browser.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Server, Shop, root};

/// A figure on one of its bases, by one of its groupings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub(super) figure: String,
    pub(super) by: String,
    /// Empty where the figure has none.
    pub(super) basis: String,
}

/// Key → exact value; empty where it is not defined.
pub(super) type Rows = BTreeMap<String, String>;

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(text).collect()
}

/// Every question that the catalogue allows.
pub(super) fn questions(catalogue: &Value) -> Vec<Question> {
    let mut all = Vec::new();
    for entry in catalogue.as_array().expect("a catalogue") {
        let mut bases = texts(&entry["bases"]);
        if bases.is_empty() {
            bases.push(String::new());
        }
        for basis in bases {
            for by in texts(&entry["groupings"]) {
                all.push(Question { figure: text(&entry["name"]), by, basis: basis.clone() });
            }
        }
    }
    all
}

impl Question {
    fn by_cli(&self, shop: &Shop) -> Value {
        let mut args = vec!["figures", &self.figure, "--by", &self.by];
        if !self.basis.is_empty() {
            args.extend(["--basis", &self.basis]);
        }
        without_moment(shop.json(&args))
    }

    pub(super) fn by_api(&self, server: &Server) -> Value {
        self.by_api_of(server, "")
    }

    /// `more` is further parameters, such as `&from=2026-01-01`.
    pub(super) fn by_api_of(&self, server: &Server, more: &str) -> Value {
        let Self { figure, by, basis } = self;
        without_moment(server.get(&format!("/api/v1/figures/{figure}?by={by}&basis={basis}{more}")))
    }
}

fn without_moment(mut answer: Value) -> Value {
    let moment = answer.as_object_mut().expect("an answer").remove("as_of");
    assert!(moment.is_some_and(|moment| moment.is_string()), "an answer says when it was given");
    answer
}

pub(super) fn rows(answer: &Value) -> Rows {
    let rows = answer["rows"].as_array().expect("rows");
    let keyed: Rows = rows.iter().map(|row| (text(&row["key"]), text(&row["value"]))).collect();
    assert_eq!(keyed.len(), rows.len(), "a key stands once: {answer}");
    keyed
}

/// The answers of the command line, but for when they were given: a process each, a few at once.
pub(super) fn by_cli(shop: &Shop, questions: &[&Question]) -> Vec<Value> {
    std::thread::scope(|scope| {
        let part = |some: &[&Question]| some.iter().map(|question| question.by_cli(shop)).collect::<Vec<_>>();
        let parts = questions.chunks(questions.len().div_ceil(4)).map(|some| scope.spawn(move || part(some))).collect::<Vec<_>>();
        parts.into_iter().flat_map(|answers| answers.join().expect("answered")).collect()
    })
}

/// The rows of all figures' views, in one statement.
pub(super) fn by_sql(shop: &Shop, questions: &[Question]) -> BTreeMap<Question, Rows> {
    let mut figures: Vec<&str> = questions.iter().map(|question| question.figure.as_str()).collect();
    figures.sort_unstable();
    figures.dedup();
    let views = figures.iter().map(|name| format!(r#"SELECT '{name}' AS figure, basis, "by", key, value FROM {name}"#));
    let statement = views.collect::<Vec<_>>().join(" UNION ALL ");
    let mut found: BTreeMap<Question, Rows> = questions.iter().map(|question| (question.clone(), Rows::new())).collect();
    for row in shop.json(&["sql", &statement]).as_array().expect("rows") {
        let question = Question { figure: text(&row["figure"]), by: text(&row["by"]), basis: text(&row["basis"]) };
        let known = found.get_mut(&question).unwrap_or_else(|| panic!("{question:?} is not of the catalogue"));
        assert!(known.insert(text(&row["key"]), text(&row["value"])).is_none(), "{row} stands twice");
    }
    found
}

/// The contents of a view of the page.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) view: String,
    /// `figure/by/key` → the exact values, as often as they occur.
    pub(super) figures: BTreeMap<String, Vec<String>>,
    pub(super) counts: BTreeMap<String, Vec<String>>,
    pub(super) words: String,
}

impl Shown {
    /// The one value of a figure, however often it occurs on the page.
    pub(super) fn value(&self, key: &str) -> &str {
        let all = self.figures.get(key).unwrap_or_else(|| panic!("{} does not show {key}: {}", self.view, self.words));
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{} shows {key} as {all:?}", self.view);
        &all[0]
    }

    /// The values of a figure by a grouping on the page, without unknown ones.
    pub(super) fn rows(&self, figure: &str, by: &str) -> Rows {
        let prefix = format!("{figure}/{by}/");
        let keys = self.figures.keys().filter_map(|name| name.strip_prefix(&prefix).map(|key| (key, name)));
        keys.map(|(key, name)| (key.to_owned(), self.value(name).to_owned())).filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// Opens views of the dashboard in Chromium and reads the exact strings beside what they show.
pub(super) fn by_page(server: &Server, views: &[String]) -> Vec<Shown> {
    let mut node = Command::new("node")
        .arg("browser/shown.mjs")
        .arg(format!("http://{}", server.address))
        .current_dir(root().join("dashboard"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node, which the dashboard's tests need too");
    node.stdin.take().expect("a pipe").write_all(json!(views).to_string().as_bytes()).expect("written");
    let output = node.wait_with_output().expect("ended");
    assert!(output.status.success(), "the page could not be read");
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all.len(), views.len());
    let named = |value: &Value| -> BTreeMap<String, Vec<String>> {
        value.as_object().expect("an object").iter().map(|(name, values)| (name.clone(), texts(values))).collect()
    };
    let shown = |one: &Value| Shown {
        view: text(&one["view"]),
        figures: named(&one["figures"]),
        counts: named(&one["counts"]),
        words: text(&one["words"]),
    };
    all.iter().map(shown).collect()
}
