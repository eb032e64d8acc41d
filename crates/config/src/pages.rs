//! Holds docs/errors to the codes: a page each, in one form, and an index of all.

use std::fs;
use std::path::{Path, PathBuf};

use kassa_model::{Code, Reason};

use crate::reference::check_file;

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
