//! Checks docs/errors against the codes: one page per code, in one form, and an index.

use std::fs;
use std::path::{Path, PathBuf};

use kassa_model::{Code, Reason};

use crate::reference::check_file;
use crate::{Config, LoadOptions};

const INDEX_HEAD: &str = "\
# Errors

Every error of kassa has a code, and every code has a page here: what it means, an example, why it is an error and what to do.
`C` codes are configuration mistakes (exit code 78), `K` codes occur while kassa runs. A dead letter has a reason instead of a code, because nothing
failed: kassa keeps the record so that you can fix and replay it ([how](dead-letters.md)).
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

fn index() -> String {
    let mut out = INDEX_HEAD.to_owned();
    for (title, letter) in [("Configuration", 'C'), ("Running", 'K')] {
        out += &format!("\n## {title}\n\n| code | |\n|---|---|\n");
        for code in Code::ALL.iter().filter(|code| code.code().starts_with(letter)) {
            out += &format!("| [{code}]({code}.md) | {} |\n", code.title());
        }
    }
    out += "\n## Reasons of dead letters\n\n| reason | |\n|---|---|\n";
    for reason in Reason::ALL {
        out += &format!("| [`{reason}`]({reason}.md) | {} |\n", reason.meaning());
    }
    out
}

/// Checks that the page begins with the title and has these headings in this order, each with text
/// below it.
fn check_page(name: &str, title: &str, headings: &[&str]) {
    let page =
        fs::read_to_string(folder().join(format!("{name}.md"))).unwrap_or_else(|_| panic!("docs/errors/{name}.md is missing"));
    assert_eq!(page.lines().next(), Some(title), "{name}");
    let mut parts = page.split("\n## ").skip(1);
    for heading in headings {
        let part = parts.next().unwrap_or_else(|| panic!("{name}.md has no `## {heading}`"));
        let (held, text) = part.split_once('\n').unwrap();
        assert_eq!(held, *heading, "{name}.md");
        assert!(text.trim().len() > 20, "{name}.md has no text under `{heading}`");
    }
    assert_eq!(parts.next(), None, "{name}.md has extra headings");
}

#[test]
fn every_code_has_its_page() {
    for code in Code::ALL {
        check_page(code.code(), &format!("# {code}: {}", code.title()), &["What it means", "Example", "Why", "What to do"]);
    }
}

/// The first block of the page in this language.
fn block<'p>(page: &'p str, language: &str) -> Option<&'p str> {
    let (_, rest) = page.split_once(&format!("\n```{language}\n"))?;
    rest.split_once("```").map(|(block, _)| block)
}

/// The output of kassa for the page's example. `None`: a file or variable alone cannot reproduce
/// the mistake.
fn answer(page: &str) -> Option<String> {
    let (toml, shell) = (block(page, "toml"), block(page, "sh"));
    let assignments = shell.unwrap_or_default().split_whitespace().filter_map(|word| word.split_once('='));
    let env = assignments.map(|(name, value)| (name.into(), value.into())).collect();
    toml.or(shell)?;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("kassa.toml"), toml.unwrap_or_default()).unwrap();
    let options = LoadOptions { working_dir: dir.path().to_owned(), env, ..Default::default() };
    let mistakes = Config::load(&options).map(|_| ()).unwrap_err();
    let blocks: Vec<String> = mistakes.0.iter().map(|mistake| format!("{mistake}\n")).collect();
    Some(blocks.join("\n").replace(&*dir.path().to_string_lossy(), "/srv/shop"))
}

#[test]
fn examples_equal_the_output_of_kassa() {
    let elsewhere = [Code::ConfigUnreadable, Code::BadMapping, Code::BadLookup];
    for code in Code::ALL.iter().filter(|code| code.code().starts_with('C') && !elsewhere.contains(code)) {
        let page = fs::read_to_string(folder().join(format!("{code}.md"))).unwrap();
        let (said, want) = (block(&page, "text").unwrap(), answer(&page).unwrap());
        assert!(want.contains(&format!("error[{code}]")), "{code}: the example makes another mistake: {want}");
        check_file(code.page(), &page.replacen(&format!("```text\n{said}```"), &format!("```text\n{want}```"), 1));
    }
}

#[test]
fn every_reason_has_its_page() {
    for reason in Reason::ALL {
        let headings = ["What it means", "An example record", "How to fix it"];
        check_page(reason.code(), &format!("# `{reason}`"), &headings);
        let page = fs::read_to_string(folder().join(format!("{reason}.md"))).unwrap();
        assert!(page.contains(reason.meaning()), "{reason}.md does not contain the meaning in the code: {}", reason.meaning());
    }
}

#[test]
fn every_page_belongs_to_a_code() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".md");
        let known = Code::ALL.iter().any(|code| code.code() == stem) || Reason::ALL.iter().any(|reason| reason.code() == stem);
        assert!(known || ["README", "dead-letters"].contains(&stem), "docs/errors/{name} belongs to no code");
    }
}

#[test]
fn the_index_lists_every_page() {
    check_file("docs/errors/README.md", &index());
}

#[test]
fn titles_and_codes_are_unique_and_in_order() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.code()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    assert!(Code::ALL.iter().all(|code| code.page() == format!("docs/errors/{code}.md")));
}
