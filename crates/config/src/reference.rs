//! Generates `config/default.toml` and `docs/reference/configuration.md` from the table of keys;
//! tests compare the files. `UPDATE_DOCS=1 cargo test -p kassa-config` rewrites them.

use std::fs;
use std::path::Path;

use crate::keys::{self, Key, SECTIONS};
use crate::kind::Kind;
use crate::parse::{size, span};

const INTRODUCTION: &str = "\
# Configuration

kassa reads one TOML file, `kassa.toml` in the working folder unless `-c FILE` names another. It takes a key's value from the first of these that
has it: a command-line flag, an environment variable, the file, the default. It reports all mistakes at once, each with its location
and a [page](../errors/README.md). `kassa check` checks the configuration without running anything.

- `kassa config show --origin` prints each key with its effective value and origin; `kassa config schema` prints a JSON Schema for editors.
- **Environment**: `KASSA__SECTION__KEY`, as in `KASSA__SERVER__LISTEN=127.0.0.1:9000`, with two underscores after `KASSA`; the name of a stream or lookup is the middle part:
  `KASSA__STREAMS__ORDERS__FORMAT=csv`. Variables change streams and lookups of the file, but cannot add any.
- **Flags**: `--data-dir DIR` sets `data_dir`, `--listen ADDRESS` sets `server.listen`.
- **Sizes** are whole numbers with `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB` or `TiB`. **Durations** are numbers with `ms`, `s`, `m`, `h` or `d`.
- **Secrets** are references, `env:NAME` or `file:PATH`, and are never printed.
- **Relative paths** start at the configuration file's folder (paths in environment variables or flags at the working folder); the
  folders in URLs start at `data_dir`.
- **Names** of streams and lookups consist of a–z, 0–9 and single `_`.

[`config/default.toml`](../../config/default.toml) contains every key with its default.
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

/// The values of a key, in words.
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
        Kind::Properties => "pairs".into(),
        Kind::Secret => "`env:NAME`, `file:PATH`".into(),
        Kind::Switch => "`true`, `false`".into(),
        Kind::Address => "address:port".into(),
        Kind::Bytes { min, max } => format!("size, {} to {}", size(min), size(max)),
        Kind::Count { min, max } => format!("number, {min} to {max}"),
        Kind::Duration { min, max } => format!("duration, {} to {}", span(min), span(max)),
    }
}

/// The default in the reference's table.
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
        out += "| key | values | default | |\n|---|---|---|---|\n";
        for (word, key) in keys::of_section(name) {
            out += &format!("| `{word}` | {} | {} | {} |\n", noun(key.kind), default_cell(key), key.doc);
        }
        if name == "streams.*" {
            out += &format!("\n{STREAM_EXAMPLE}");
        }
    }
    out
}

/// The line `word = value`. Keys without a default get an example.
fn assignment(word: &str, key: &Key) -> String {
    let value = match (key.kind, key.default) {
        (Kind::Count { .. } | Kind::Switch, Some(default)) => default.to_owned(),
        (_, Some(default)) => toml::Value::String(default.to_owned()).to_string(),
        (Kind::OneOf(choices), None) => format!("\"{}\"", choices[0]),
        (Kind::Sql, None) => "\"SELECT … FROM input\"".to_owned(),
        (Kind::File, None) if word == "map_file" => "\"orders.sql\"".to_owned(),
        (Kind::File, None) if word == "file" => "\"orders.csv.gz\"".to_owned(),
        (Kind::File, None) => format!("\"/etc/ssl/{word}.pem\""),
        (Kind::RegistryUrl, None) => "\"http://localhost:8081\"".to_owned(),
        (Kind::WarehouseUrl, None) => "\"postgres://kassa@localhost/kassa\"".to_owned(),
        (Kind::Secret, None) => "\"env:NAME\"".to_owned(),
        (Kind::Duration { .. }, None) => "\"400d\"".to_owned(),
        (Kind::Endpoint, None) => "\"https://s3.example.com\"".to_owned(),
        (_, None) if word == "region" => "\"eu-west-1\"".to_owned(),
        (Kind::Properties, None) => "\"client.rack=a\"".to_owned(),
        (_, None) if word == "columns" => "\"order_id,line_id,quantity\"".to_owned(),
        (_, None) if word == "key" => "\"order_id\"".to_owned(),
        (_, None) => "\"NAME\"".to_owned(),
    };
    format!("{word} = {value}")
}

fn default_toml() -> String {
    let mut out =
        "# Every key of kassa's configuration with its default. Your file needs only the keys that it changes.\n\n".to_owned();
    for section in SECTIONS {
        let comment = if section.name.ends_with(".*") { "# " } else { "" };
        if !section.name.is_empty() {
            out += "\n";
            out.extend(wrapped(section.doc, 120).map(|line| format!("# {line}\n")));
            out += &format!("{comment}[{}]\n", section.name.replace('*', "NAME"));
        }
        for (word, key) in keys::of_section(section.name) {
            out.extend(wrapped(key.doc, 120).map(|line| format!("{comment}# {line}\n")));
            // A key without a default is shown as a comment, not set.
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

/// Checks that the file contains exactly this text; `UPDATE_DOCS` rewrites it.
pub(crate) fn check_file(path: &str, want: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&full, want).unwrap();
    }
    let held = fs::read_to_string(&full).unwrap_or_default();
    assert!(held == want, "{path} differs from the code: run `UPDATE_DOCS=1 cargo test -p kassa-config`");
}

#[test]
fn default_toml_equals_the_table_of_keys() {
    check_file("config/default.toml", &default_toml());
}

#[test]
fn the_reference_equals_the_table_of_keys() {
    let markdown = markdown();
    for key in keys::KEYS {
        let word = key.path.rsplit('.').next().unwrap();
        assert!(markdown.contains(&format!("| `{word}` |")), "{}", key.path);
    }
    check_file("docs/reference/configuration.md", &markdown);
}
