//! The JSON Schema of a configuration file, for editors; generated from the table of keys.

use serde_json::{Map, Value, json};

use crate::keys::{self, Key, SECTIONS, Section};
use crate::kind::Kind;

/// JSON Schema, draft 2020-12.
pub fn schema() -> Value {
    let mut properties = properties("");
    for section in SECTIONS.iter().skip(1) {
        let table = table(section);
        match section.name.strip_suffix(".*") {
            None if section.name.contains('.') => continue,
            None => properties.insert(section.name.to_owned(), table),
            Some(word) => properties.insert(
                word.to_owned(),
                json!({"type": "object", "description": section.doc, "additionalProperties": false,
                       "patternProperties": {"^[a-z][a-z0-9]*(_[a-z0-9]+)*$": required(section.name, table)}}),
            ),
        };
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kassa.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn properties(section: &str) -> Map<String, Value> {
    keys::of_section(section).map(|(word, key)| (word.to_owned(), property(key))).collect()
}

fn properties_of(section: &str) -> Value {
    let mut properties = properties(section);
    properties.extend(keys::in_section(section).map(|(word, inner)| (word.to_owned(), table(inner))));
    Value::Object(properties)
}

fn table(section: &Section) -> Value {
    json!({"type": "object", "description": section.doc, "additionalProperties": false, "properties": properties_of(section.name)})
}

fn required(section: &str, mut table: Value) -> Value {
    let words: Vec<&str> = keys::of_section(section).filter(|(_, key)| key.required).map(|(word, _)| word).collect();
    if !words.is_empty() {
        table["required"] = json!(words);
    }
    table
}

fn property(key: &Key) -> Value {
    let mut property = match key.kind {
        Kind::OneOf(choices) => json!({"enum": choices}),
        Kind::Count { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Bytes { min, max } => {
            json!({"type": ["string", "integer"], "pattern": "^[0-9]+ *(([kKmMgGtT][iI]?)?[bB])?$", "minimum": min, "maximum": max})
        }
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Secret => json!({"type": "string", "pattern": "^(env|file):."}),
        _ => json!({"type": "string", "minLength": 1}),
    };
    property["description"] = json!(key.doc);
    if let Some(default) = key.default {
        let number =
            default.parse::<u64>().map(|number| json!(number)).or_else(|_| default.parse::<bool>().map(|truth| json!(truth)));
        property["default"] = number.unwrap_or_else(|_| json!(default));
    }
    property
}

#[cfg(test)]
mod tests;
