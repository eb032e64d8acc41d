//! A second, simple implementation of the contracts' rules: a malformed record must break one, an
//! accepted record none.

use std::fmt;

use kassa_model::contract::{Contract, ENVELOPE, Field, Kind, REFUND_LINE};
use kassa_model::{Amount, Currency, Quantity, Rate, country, time};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// JSON that keeps repeated fields and the digits of numbers.
enum Tree {
    Null,
    Boolean,
    Number(String),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

struct Build;

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Build)
    }
}

impl<'de> Visitor<'de> for Build {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean)
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Tree::Array(array))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Tree::Object(object))
    }
}

type Verdict = Result<(), &'static str>;

/// The rule that a record breaks, as the code of its reason. Depth and range errors of serde_json
/// count as `not_json`.
pub(super) fn judge(contract: Contract, bytes: &[u8]) -> Verdict {
    let text = std::str::from_utf8(bytes).map_err(|_| "not_utf8")?;
    let tree: Tree = serde_json::from_str(text).map_err(|error| match error.to_string() {
        words if words.contains("recursion") => "too_deep",
        words if words.contains("out of range") => "out_of_range",
        _ => "not_json",
    })?;
    let Tree::Object(entries) = tree else { return Err("not_an_object") };
    let mut fields = ENVELOPE.to_vec();
    fields.extend(contract.fields());
    check_object(&entries, &fields)?;
    let find = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let negative = matches!(find("quantity"), Some(Tree::Number(digits) | Tree::Text(digits)) if digits.starts_with('-'));
    if contract == Contract::OrderLine && find("movement").is_none() && negative {
        return Err("negative_quantity");
    }
    Ok(())
}

fn check_object(entries: &[(String, Tree)], fields: &[Field]) -> Verdict {
    for field in fields {
        let mut values = entries.iter().filter(|(key, _)| key == field.name).map(|(_, value)| value);
        let value =
            values.next().filter(|value| !matches!(value, Tree::Null) && !matches!(value, Tree::Text(text) if text.is_empty()));
        if values.next().is_some() {
            return Err("duplicate_field");
        }
        match value {
            None if field.required => return Err("missing_field"),
            None => {}
            Some(value) => check(value, field.kind)?,
        }
    }
    Ok(())
}

fn check(value: &Tree, kind: Kind) -> Verdict {
    let is_decimal = matches!(kind, Kind::Amount | Kind::Quantity | Kind::Rate);
    match (kind, value) {
        (Kind::Amount, Tree::Number(digits) | Tree::Text(digits)) => decimal(Amount::parse(digits).err()),
        (Kind::Quantity, Tree::Number(digits) | Tree::Text(digits)) => decimal(Quantity::parse(digits).err()),
        (Kind::Rate, Tree::Number(digits) | Tree::Text(digits)) => decimal(Rate::parse(digits).err()),
        (Kind::Timestamp, Tree::Number(digits) | Tree::Text(digits)) => {
            let utc = super::home("UTC", "GBP").zone;
            time::parse(digits, &utc).map(drop).map_err(|_| "bad_timestamp")
        }
        (Kind::Id, Tree::Text(text)) => words(text, 128),
        (Kind::Text, Tree::Text(text)) => words(text, 1_024),
        (Kind::LongText, Tree::Text(text)) => words(text, 8_192),
        (Kind::Day, Tree::Text(text)) => time::parse_day(text).map(drop).ok_or("bad_timestamp"),
        (Kind::Currency, Tree::Text(text)) => Currency::parse(text).map(drop).ok_or("unknown_currency"),
        (Kind::Country, Tree::Text(text)) => country::code_of(text).map(drop).ok_or("unknown_country"),
        (Kind::Integer, Tree::Number(digits)) => digits.parse::<i64>().map(drop).map_err(|_| "wrong_type"),
        (Kind::Boolean, Tree::Boolean) => Ok(()),
        (Kind::Category | Kind::Texts, Tree::Array(items)) => items.iter().try_for_each(|item| check(item, Kind::Text)),
        (Kind::Lines, Tree::Array(lines)) => lines.iter().try_for_each(|line| match line {
            Tree::Object(entries) => check_object(entries, REFUND_LINE),
            _ => Err("wrong_type"),
        }),
        (Kind::Address, Tree::Object(parts)) => parts.iter().try_for_each(|(key, part)| match key.as_str() {
            "country" => check(part, Kind::Country),
            _ => check(part, Kind::Text),
        }),
        _ if is_decimal => Err("wrong_type"),
        _ => Err("wrong_type"),
    }
}

fn decimal(error: Option<kassa_model::decimal::DecimalError>) -> Verdict {
    use kassa_model::decimal::DecimalError;
    error.map_or(Ok(()), |error| {
        Err(match error {
            DecimalError::NotFinite => "not_a_decimal",
            DecimalError::TooPrecise(_) => "too_precise",
            DecimalError::TooLarge => "out_of_range",
        })
    })
}

fn words(text: &str, limit: usize) -> Verdict {
    match text {
        _ if text.chars().any(char::is_control) => Err("control_character"),
        _ if text.len() > limit => Err("text_too_long"),
        _ => Ok(()),
    }
}
