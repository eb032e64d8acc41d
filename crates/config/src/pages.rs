//! Holds docs/errors to the codes: a page each, in one form, and an index of all.

use std::fs;
use std::path::{Path, PathBuf};

use kassa_model::{Code, Reason};

use crate::reference::check_file;
use crate::{Config, LoadOptions};

const INDEX_HEAD: &str = "\
# Errors

Every error of kassa names a code; every code has a page here: what it means, an example, why it is an error and what to do.
`C` are mistakes of the configuration (exit code 78), `K` happen while kassa runs. A dead letter has a reason instead, as nothing failed:
the record is kept, and waits to be mended and replayed ([how](dead-letters.md)).
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

/// The page begins with the title and has these headings, in this order, each with words below it.
fn check_page(name: &str, title: &str, headings: &[&str]) {
    let page =
        fs::read_to_string(folder().join(format!("{name}.md"))).unwrap_or_else(|_| panic!("docs/errors/{name}.md is missing"));
    assert_eq!(page.lines().next(), Some(title), "{name}");
    let mut parts = page.split("\n## ").skip(1);
    for heading in headings {
        let part = parts.next().unwrap_or_else(|| panic!("{name}.md has no `## {heading}`"));
        let (held, text) = part.split_once('\n').unwrap();
        assert_eq!(held, *heading, "{name}.md");
        assert!(text.trim().len() > 20, "{name}.md says nothing under `{heading}`");
    }
    assert_eq!(parts.next(), None, "{name}.md has more headings than the form");
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

/// What kassa says to the page's example. `None`: the page's mistake is not one of a file or variable alone.
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
fn the_examples_are_what_kassa_says() {
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
        let headings = ["What it means", "An example record", "How to mend it"];
        check_page(reason.code(), &format!("# `{reason}`"), &headings);
        let page = fs::read_to_string(folder().join(format!("{reason}.md"))).unwrap();
        assert!(page.contains(reason.meaning()), "{reason}.md does not say what the code says: {}", reason.meaning());
    }
}

#[test]
fn no_page_is_left_over() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".md");
        let known = Code::ALL.iter().any(|code| code.code() == stem) || Reason::ALL.iter().any(|reason| reason.code() == stem);
        assert!(known || ["README", "dead-letters"].contains(&stem), "docs/errors/{name} belongs to no code");
    }
}

#[test]
fn the_index_lists_them_all() {
    check_file("docs/errors/README.md", &index());
}

#[test]
fn titles_and_codes_are_unique_and_in_order() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.code()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    assert!(Code::ALL.iter().all(|code| code.page() == format!("docs/errors/{code}.md")));
}
