//! `config/default.toml` and `docs/reference/configuration.md` as the table of keys makes them; the tests hold the files to it.
//! `UPDATE_DOCS=1 cargo test -p kassa-config` writes them anew.

use std::fs;
use std::path::Path;

use crate::keys::{self, Key, SECTIONS};
use crate::kind::Kind;
use crate::parse::{size, span};

const INTRODUCTION: &str = "\
# Configuration

One TOML file, `kassa.toml` in the working folder unless `-c FILE` names another. A key's value is taken from the first of these that
has it: a flag of the command line, an environment variable, the file, the default. Every mistake is reported at once, with its place
and a [page](../errors/README.md); `kassa check` looks for them without running anything.

- `kassa config show --origin` prints each key in force and where its value came from; `kassa config schema` prints a JSON Schema for editors.
- **Environment**: `KASSA__SECTION__KEY`, as in `KASSA__SERVER__LISTEN=127.0.0.1:9000`; a stream's or lookup's name is the middle part:
  `KASSA__STREAMS__ORDERS__FORMAT=csv`. They change streams and lookups that the file has, and make none.
- **Flags**: `--data-dir DIR` sets `data_dir`, `--listen ADDRESS` sets `server.listen`.
- **Sizes** are whole numbers with `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB` or `TiB`. **Durations** are numbers with `ms`, `s`, `m`, `h` or `d`.
- **Secrets** are given by reference, `env:NAME` or `file:PATH`, and never shown.
- **Relative paths** start at the configuration file's folder (at the working folder, where an environment variable or flag gives them); the
  folders in URLs start at `data_dir`.
- **Names** of streams and lookups are made of a–z, 0–9 and single `_`.

[`config/default.toml`](../../config/default.toml) has every key with its default.
";

const STREAM_EXAMPLE: &str = "\
```toml
[streams.sales]
topic = \"online-retail\"
format = \"csv\"
encoding = \"windows-1252\"
contract = \"order_line\"
map = '''
SELECT \"InvoiceNo\" AS order_id, \"Quantity\" AS quantity, \"UnitPrice\" AS unit_price, 'GBP' AS currency
FROM input
'''
```
";

/// What a key takes, in words.
fn noun(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::Topics => "topic names".into(),
        Kind::Sql => "SQL".into(),
        Kind::Folder => "folder".into(),
        Kind::File => "file".into(),
        Kind::OneOf(choices) => choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", "),
        Kind::Delimiter => "character".into(),
        Kind::TimeZone => "time zone".into(),
        Kind::Currency => "currency".into(),
        Kind::Country => "country".into(),
        Kind::SourceUrl | Kind::LakeUrl | Kind::WarehouseUrl | Kind::RegistryUrl | Kind::Endpoint => "URL".into(),
        Kind::Secret => "`env:NAME`, `file:PATH`".into(),
        Kind::Switch => "`true`, `false`".into(),
        Kind::Address => "address:port".into(),
        Kind::Bytes { min, max } => format!("size, {} to {}", size(min), size(max)),
        Kind::Count { min, max } => format!("number, {min} to {max}"),
        Kind::Duration { min, max } => format!("duration, {} to {}", span(min), span(max)),
    }
}

/// The place of a value in the reference's table.
fn default_cell(key: &Key) -> String {
    match key.default {
        Some(default) => format!("`{}`", default.replace('|', "\\|")),
        None if key.required => "required".to_owned(),
        None => String::new(),
    }
}

fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let (title, name) = match section.name {
            "" => ("Top level".to_owned(), ""),
            name => (format!("`[{}]`", name.replace('*', "NAME")), name),
        };
        out += &format!("\n## {title}\n\n");
        if !section.doc.is_empty() {
            out += &format!("{}\n\n", section.doc);
        }
        out += "| key | takes | default | |\n|---|---|---|---|\n";
        for (word, key) in keys::of_section(name) {
            out += &format!("| `{word}` | {} | {} | {} |\n", noun(key.kind), default_cell(key), key.doc);
        }
        if name == "streams.*" {
            out += &format!("\n{STREAM_EXAMPLE}");
        }
    }
    out
}

/// The line `word = value`, as a comment where it is not a default that holds for everyone.
fn assignment(word: &str, key: &Key) -> String {
    let value = match (key.kind, key.default) {
        (Kind::Count { .. } | Kind::Switch, Some(default)) => default.to_owned(),
        (_, Some(default)) => toml::Value::String(default.to_owned()).to_string(),
        (Kind::OneOf(choices), None) => format!("\"{}\"", choices[0]),
        (Kind::Sql, None) => "\"SELECT … FROM input\"".to_owned(),
        (Kind::File, None) if word == "map_file" => "\"orders.sql\"".to_owned(),
        (Kind::File, None) => "\"orders.csv.gz\"".to_owned(),
        (Kind::Secret, None) => "\"env:NAME\"".to_owned(),
        (Kind::Duration { .. }, None) => "\"400d\"".to_owned(),
        (Kind::Endpoint, None) => "\"https://s3.example.com\"".to_owned(),
        (_, None) if word == "region" => "\"eu-west-1\"".to_owned(),
        (_, None) if word == "columns" => "\"order_id,line_id,quantity\"".to_owned(),
        (_, None) if word == "key" => "\"order_id\"".to_owned(),
        (_, None) => "\"NAME\"".to_owned(),
    };
    format!("{word} = {value}")
}

fn default_toml() -> String {
    let mut out =
        "# Every key of kassa's configuration with its default. A file of yours needs only what it changes.\n\n".to_owned();
    for section in SECTIONS {
        let comment = if section.name.ends_with(".*") { "# " } else { "" };
        if !section.name.is_empty() {
            out += "\n";
            out.extend(wrapped(section.doc, 120).map(|line| format!("# {line}\n")));
            out += &format!("{comment}[{}]\n", section.name.replace('*', "NAME"));
        }
        for (word, key) in keys::of_section(section.name) {
            out.extend(wrapped(key.doc, 120).map(|line| format!("{comment}# {line}\n")));
            // What has no default is shown, and not set.
            let comment = if key.default.is_none() { "# " } else { comment };
            out += &format!("{comment}{}\n", assignment(word, key));
        }
    }
    out
}

fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < width => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}

/// The file must hold exactly this text.
pub(crate) fn check_file(path: &str, want: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&full, want).unwrap();
    }
    let held = fs::read_to_string(&full).unwrap_or_default();
    assert!(held == want, "{path} is not what the code says: run `UPDATE_DOCS=1 cargo test -p kassa-config`");
}

#[test]
fn default_toml_is_the_table() {
    check_file("config/default.toml", &default_toml());
}

#[test]
fn the_reference_is_the_table() {
    let markdown = markdown();
    for key in keys::KEYS {
        let word = key.path.rsplit('.').next().unwrap();
        assert!(markdown.contains(&format!("| `{word}` |")), "{}", key.path);
    }
    check_file("docs/reference/configuration.md", &markdown);
}
