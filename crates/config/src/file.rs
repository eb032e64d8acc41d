//! A configuration file: TOML text → a layer of values with their positions.

use std::ops::Range;
use std::path::Path;

use kassa_model::Code;
use kassa_model::nearest::{hint, list};
use toml::de::{DeTable, DeValue};

use crate::given::{Given, Layer, Raw};
use crate::keys;
use crate::mistake::Mistake;
use crate::origin::{Origin, Place};

/// Reads a file's bytes. It reports only mistakes of form: syntax, encoding, unknown keys. After a
/// syntax error, the layer contains what the parser could read.
pub(crate) fn read(path: &Path, bytes: &[u8], mistakes: &mut Vec<Mistake>) -> Layer {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let origin = Origin::File(place(path, &valid, valid.len()));
            mistakes.push(
                Mistake::new(Code::NotToml, "the file is not UTF-8", origin)
                    .help("TOML is always UTF-8; save the file in that encoding (your editor may call it Unicode)"),
            );
            return Layer::default();
        }
    };
    let mut walk = Walk { path, text, layer: Layer::default(), mistakes };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        walk.syntax(&error);
    }
    walk.top(document.get_ref());
    walk.layer
}

/// The position of a byte in the text.
fn place(path: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1;
    Place { file: path.to_owned(), line: before.matches('\n').count() + 1, column }
}

struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    layer: Layer,
    mistakes: &'a mut Vec<Mistake>,
}

impl Walk<'_> {
    fn at(&self, span: &Range<usize>) -> Origin {
        Origin::File(place(self.path, self.text, span.start))
    }

    fn syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(self.text.len()..self.text.len());
        let origin = self.at(&span);
        // The parser may report consequences of the first error in a line.
        if self.mistakes.iter().any(|known| same_line(&known.origin, &origin)) {
            return;
        }
        let help = match error.message() {
            "duplicate key" => "a key or a [section] may occur only once",
            _ => "a line is `key = value` or `[section]`; put texts in quotes: `listen = \"127.0.0.1:8080\"`",
        };
        self.mistakes.push(Mistake::new(Code::NotToml, format!("not TOML: {}", error.message()), origin).help(help));
    }

    fn top(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let (word, inner) = (key.get_ref().as_ref(), value.get_ref());
            if keys::of_section("").any(|(known, _)| known == word) {
                self.leaf(word.to_owned(), inner, &value.span());
            } else if !keys::section_words().any(|known| known == word) {
                self.unknown_at_top(word, inner, &key.span());
            } else if let DeValue::Table(section) = inner {
                if keys::is_named(word) { self.named(word, section) } else { self.section(word, word, section) }
            } else {
                self.not_a_section(word, &value.span());
            }
        }
    }

    /// `[streams.orders]`: each entry is a section named by the user.
    fn named(&mut self, word: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let (path, origin) = (format!("{word}.{name}"), self.at(&key.span()));
            let DeValue::Table(section) = value.get_ref() else {
                self.not_a_section(&path, &value.span());
                continue;
            };
            if is_name(name) {
                self.layer.members.insert(path.clone(), origin);
                self.section(&path, &format!("{word}.*"), section);
            } else {
                self.mistakes.push(bad_name(word, name, origin));
            }
        }
    }

    fn section(&mut self, path: &str, pattern: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let word = key.get_ref().as_ref();
            if keys::of_section(pattern).any(|(known, _)| known == word) {
                self.leaf(format!("{path}.{word}"), value.get_ref(), &value.span());
            } else if keys::is_section(&format!("{pattern}.{word}")) {
                let inner = format!("{path}.{word}");
                match value.get_ref() {
                    DeValue::Table(table) => self.section(&inner, &format!("{pattern}.{word}"), table),
                    _ => self.not_a_section(&inner, &value.span()),
                }
            } else {
                let origin = self.at(&key.span());
                self.mistakes.push(unknown_key(word, path, pattern, origin));
            }
        }
    }

    fn leaf(&mut self, path: String, value: &DeValue<'_>, span: &Range<usize>) {
        let raw = match value {
            DeValue::String(text) => Raw::Text(text.as_ref().to_owned()),
            DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Raw::Integer(number.to_string()),
                Err(_) => Raw::Integer(integer.to_string()),
            },
            DeValue::Float(_) => Raw::Other("a number with a fraction"),
            DeValue::Boolean(boolean) => Raw::Boolean(*boolean),
            DeValue::Datetime(_) => Raw::Other("a date"),
            DeValue::Array(_) => Raw::Other("an array"),
            DeValue::Table(_) => Raw::Other("a section"),
        };
        let text_at = Some(place(self.path, self.text, span.start + quotes(&self.text[span.start..])));
        self.layer.values.insert(path, Given { raw, origin: self.at(span), text_at });
    }

    fn unknown_at_top(&mut self, word: &str, value: &DeValue<'_>, span: &Range<usize>) {
        let is_table = matches!(value, DeValue::Table(_));
        let mistake = if is_table {
            let sections: Vec<&str> = keys::section_words().collect();
            let what = format!("unknown section [{word}]");
            Mistake::new(Code::UnknownKey, what, self.at(span)).help(hint(word, sections))
        } else {
            unknown_key(word, "", "", self.at(span))
        };
        self.mistakes.push(mistake);
    }

    fn not_a_section(&mut self, path: &str, span: &Range<usize>) {
        let what = format!("`{path}` is a section, not a value");
        self.mistakes.push(
            Mistake::new(Code::WrongType, what, self.at(span)).help(format!("write a line `[{path}]` and its keys below it")),
        );
    }
}

/// The mistake for a key that the section does not have; also used for flags.
pub(crate) fn unknown_key(word: &str, path: &str, pattern: &str, origin: Origin) -> Mistake {
    let place = if path.is_empty() { "before the first section".to_owned() } else { format!("in [{path}]") };
    let mistake = Mistake::new(Code::UnknownKey, format!("unknown key `{word}` {place}"), origin);
    let elsewhere: Vec<&str> = keys::KEYS
        .iter()
        .filter_map(|key| key.path.rsplit_once('.'))
        .filter(|(_, known)| *known == word)
        .map(|(section, _)| section)
        .collect();
    if !elsewhere.is_empty() {
        return mistake
            .help(format!("`{word}` is a key of {}", list(elsewhere.iter().map(|section| section.trim_end_matches(".*")))));
    }
    let here: Vec<&str> = keys::of_section(pattern).map(|(known, _)| known).collect();
    mistake.help(hint(word, here))
}

fn bad_name(word: &str, name: &str, origin: Origin) -> Mistake {
    let mistake = Mistake::new(Code::BadName, format!("`{name}` cannot name one of [{word}]"), origin)
        .help("a name consists of a–z, 0–9 and single `_`, begins with a letter and has at most 64 characters");
    let likely = name.to_lowercase().replace(['-', '.', ' '], "_");
    if is_name(&likely) { mistake.help(format!("did you mean `{likely}`?")) } else { mistake }
}

/// Names are parts of environment variables (`KASSA__STREAMS__NAME__KEY`), topics and URLs.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 64
        && !name.contains("__")
        && !name.ends_with('_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The length of a string's opening quotes, including the line end that TOML ignores after `"""`.
fn quotes(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\"\"\"").or_else(|| text.strip_prefix("'''")) else {
        return usize::from(text.starts_with(['"', '\'']));
    };
    3 + if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) }
}

fn same_line(a: &Origin, b: &Origin) -> bool {
    matches!((a, b), (Origin::File(a), Origin::File(b)) if a.file == b.file && a.line == b.line)
}
