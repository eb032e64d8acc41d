//! Decodes one record into a payload: the contract's fields as slots that borrow from the record's bytes.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use kassa_model::contract::{ADDRESS, ENVELOPE, Kind};
use kassa_model::{Contract, DeadLetter, Reason};
use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

pub mod avro;
mod flat;
pub(crate) mod framing;

pub use flat::Leads;

/// The value of a field as read, not yet validated.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// A JSON number, as its digits.
    Number(&'a str),
    Bool(bool),
    /// A JSON object or array, as text.
    Nested(Cow<'a, str>),
    /// From a typed column of a mapping or a typed field of Avro: units of 10^-scale, and the scale.
    Decimal(i128, u32),
    Integer(i64),
    /// µs UTC.
    Micros(i64),
}

/// The names and kinds of a contract's slots: its columns, envelope first; an address takes five.
#[derive(Debug)]
pub struct Layout {
    pub contract: Contract,
    pub names: Vec<String>,
    pub kinds: Vec<Kind>,
    by_name: HashMap<String, usize>,
    /// Fields that are objects in JSON: name → the first of their five slots.
    addresses: HashMap<&'static str, usize>,
}

impl Layout {
    pub fn new(contract: Contract) -> Self {
        let (mut names, mut kinds, mut addresses) = (Vec::new(), Vec::new(), HashMap::new());
        for field in ENVELOPE.iter().chain(contract.fields()) {
            if field.kind == Kind::Address {
                addresses.insert(field.name, names.len());
                for part in ADDRESS {
                    names.push(format!("{}_{part}", field.name));
                    kinds.push(if part == "country" { Kind::Country } else { Kind::Text });
                }
            } else {
                names.push(field.name.to_owned());
                kinds.push(field.kind);
            }
        }
        Self::with(contract, names, kinds, addresses)
    }

    /// A layout of some fields only, without envelope and addresses.
    pub fn of_fields(contract: Contract, fields: impl Iterator<Item = (&'static str, Kind)>) -> Self {
        let (names, kinds) = fields.map(|(name, kind)| (name.to_owned(), kind)).unzip();
        Self::with(contract, names, kinds, HashMap::new())
    }

    fn with(contract: Contract, names: Vec<String>, kinds: Vec<Kind>, addresses: HashMap<&'static str, usize>) -> Self {
        let by_name = names.iter().enumerate().map(|(slot, name)| (name.clone(), slot)).collect();
        Self { contract, names, kinds, by_name, addresses }
    }

    pub fn slot(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The first of the five slots of an address.
    pub(crate) fn address(&self, name: &str) -> Option<usize> {
        self.addresses.get(name).copied()
    }

    /// The path of a slot's field in the record: `shipping_address.city`.
    pub fn path(&self, slot: usize) -> String {
        let name = &self.names[slot];
        let address = self.addresses.iter().find(|(_, first)| (**first..**first + ADDRESS.len()).contains(&slot));
        address.map_or_else(|| name.clone(), |(field, first)| format!("{field}.{}", ADDRESS[slot - first]))
    }
}

/// The fields of one record; reused for the next one.
#[derive(Debug)]
pub struct Payload<'a> {
    slots: Vec<Value<'a>>,
    /// Unknown fields as a JSON object; empty if there are none.
    pub extra: String,
    /// One bit per slot: the record contains the field, possibly as null.
    named: u64,
    /// The record states that its row is new.
    pub(crate) is_insert: bool,
}

impl<'a> Payload<'a> {
    pub fn new(layout: &Layout) -> Self {
        Self { slots: vec![Value::Absent; layout.names.len()], extra: String::new(), named: 0, is_insert: false }
    }

    pub fn clear(&mut self) {
        while self.named != 0 {
            self.slots[self.named.trailing_zeros() as usize] = Value::Absent;
            self.named &= self.named - 1;
        }
        self.extra.clear();
        self.is_insert = false;
    }

    pub(crate) fn get(&self, slot: usize) -> &Value<'a> {
        &self.slots[slot]
    }

    /// Sets a slot. Returns whether the record did not contain the field before.
    ///
    /// No contract has 64 slots: `a_layout_has_a_bit_for_every_slot` counts them.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, value: Value<'a>) -> bool {
        let bit = 1 << (slot % 64);
        let is_first = self.named & bit == 0;
        self.named |= bit;
        self.slots[slot] = value;
        is_first
    }
}

/// Deeper JSON is a dead letter.
const DEPTH_MAX: usize = 128;

/// Decodes a JSON object with the contract's field names. `leads` were learned from earlier records.
pub fn json<'a>(layout: &Layout, bytes: &'a [u8], payload: &mut Payload<'a>, leads: &mut Leads) -> Result<(), DeadLetter> {
    text(layout, utf8(bytes)?, payload, leads)
}

/// As [`json`], for bytes that are known to be UTF-8.
pub(crate) fn text<'a>(layout: &Layout, text: &'a str, payload: &mut Payload<'a>, leads: &mut Leads) -> Result<(), DeadLetter> {
    payload.clear();
    match flat::read(text, &mut Fields { layout, payload }, leads) {
        Some(()) => Ok(()),
        None => parsed(layout, text, payload),
    }
}

/// Reads a record with the parser alone.
fn parsed<'a>(layout: &Layout, text: &'a str, payload: &mut Payload<'a>) -> Result<(), DeadLetter> {
    payload.clear();
    let mut json = serde_json::Deserializer::from_str(text);
    let mut refused = None;
    let object = Object { fields: Fields { layout, payload }, refused: &mut refused };
    let read = json.deserialize_map(object).and_then(|()| json.end());
    match (refused, read) {
        (Some(letter), _) => Err(letter),
        (None, Ok(())) => Ok(()),
        (None, Err(_)) => Err(not_json(text)),
    }
}

pub fn utf8(bytes: &[u8]) -> Result<&str, DeadLetter> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| {
        let at = std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
        DeadLetter::new(Reason::NotUtf8, "", format!("not UTF-8 at byte {at}"))
    })
}

/// Explains why a text is not a JSON object. The parser used here neither recurses nor quotes the record.
pub(crate) fn not_json(text: &str) -> DeadLetter {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        _ if depth(text) > DEPTH_MAX => DeadLetter::new(Reason::TooDeep, "", "nested deeper than 128 levels"),
        Ok(_) if text.trim_start().starts_with('{') => {
            DeadLetter::new(Reason::NotJson, "", "the name of a field is no text: it has half of a surrogate pair")
        }
        Ok(_) => DeadLetter::new(Reason::NotAnObject, "", "expected a JSON object"),
        Err(error) => DeadLetter::new(Reason::NotJson, "", error.to_string()),
    }
}

/// The fields of a JSON object in its order, including each repetition.
pub(crate) fn pairs(text: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, serde_json::Error> {
    struct Pairs;
    impl<'a> Visitor<'a> for Pairs {
        type Value = Vec<(Cow<'a, str>, &'a RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some((Name(name), raw)) = map.next_entry::<Name<'a>, &'a RawValue>()? {
                pairs.push((name, raw));
            }
            Ok(pairs)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let pairs = json.deserialize_map(Pairs)?;
    json.end()?;
    Ok(pairs)
}

/// The nesting depth of brackets outside texts. A limit on work, not a parser: a parser reads the text too.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A value of a JSON object, from the text of its JSON.
pub(crate) fn value<'a>(raw: &'a str, path: impl Fn() -> String) -> Result<Value<'a>, DeadLetter> {
    Ok(match raw.as_bytes() {
        [b'"', inside @ .., b'"'] if !inside.contains(&b'\\') => Value::Text(Cow::Borrowed(&raw[1..raw.len() - 1])),
        [b'"', ..] => match serde_json::from_str::<String>(raw) {
            Ok(text) => Value::Text(Cow::Owned(text)),
            Err(error) => return Err(DeadLetter::new(Reason::NotJson, path(), error.to_string())),
        },
        [b'{' | b'[', ..] if depth(raw) >= DEPTH_MAX => {
            return Err(DeadLetter::new(Reason::TooDeep, path(), "nested deeper than 128 levels"));
        }
        [b'{' | b'[', ..] => Value::Nested(Cow::Borrowed(raw)),
        b"true" => Value::Bool(true),
        b"false" => Value::Bool(false),
        b"null" => Value::Absent,
        _ => Value::Number(raw),
    })
}

/// Puts fields of the outer object into slots.
struct Fields<'s, 'a> {
    layout: &'s Layout,
    payload: &'s mut Payload<'a>,
}

/// The outer object, as the parser reads it.
struct Object<'s, 'a> {
    fields: Fields<'s, 'a>,
    /// Set when the record is JSON but a field is invalid; the parser then stops.
    refused: &'s mut Option<DeadLetter>,
}

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key::<Name<'a>>()? {
            let raw: &'a RawValue = map.next_value()?;
            if let Err(letter) = self.fields.take(&name, raw.get()) {
                *self.refused = Some(letter);
                return Err(serde::de::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

impl<'a> Fields<'_, 'a> {
    fn take(&mut self, name: &str, raw: &'a str) -> Result<(), DeadLetter> {
        match self.layout.slot(name) {
            Some(slot) => self.put(slot, value(raw, || self.layout.path(slot))?),
            None => self.other(name, raw),
        }
    }

    /// A field that has no slot of its own.
    fn other(&mut self, name: &str, raw: &'a str) -> Result<(), DeadLetter> {
        match self.layout.addresses.get(name) {
            Some(first) => self.address(name, *first, raw),
            None => self.keep(name, raw),
        }
    }

    fn put(&mut self, slot: usize, value: Value<'a>) -> Result<(), DeadLetter> {
        if self.payload.set(slot, value) {
            return Ok(());
        }
        Err(DeadLetter::new(Reason::DuplicateField, self.layout.path(slot), "the field appears twice"))
    }

    fn address(&mut self, name: &str, first: usize, raw: &'a str) -> Result<(), DeadLetter> {
        if raw == "null" {
            return Ok(());
        }
        let wrong = |_| {
            DeadLetter::new(Reason::WrongType, name.to_owned(), "expected an object with street, postcode, city, region, country")
        };
        for (part, raw) in pairs(raw).map_err(wrong)? {
            match ADDRESS.iter().position(|known| *known == part) {
                Some(at) => self.put(first + at, value(raw.get(), || self.layout.path(first + at))?)?,
                None => self.keep(&format!("{name}.{part}"), raw.get())?,
            }
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, raw: &str) -> Result<(), DeadLetter> {
        if matches!(raw.as_bytes(), [b'{' | b'[', ..]) && depth(raw) >= DEPTH_MAX {
            return Err(DeadLetter::new(Reason::TooDeep, shorten(name).to_owned(), "nested deeper than 128 levels"));
        }
        keep_extra(&mut self.payload.extra, name, raw);
        Ok(())
    }
}

/// Adds `"name":raw` to a JSON object; an empty text is an object without fields.
pub(crate) fn keep_extra(extra: &mut String, name: &str, raw: &str) {
    let before = if extra.pop().is_some() { ',' } else { '{' };
    extra.push(before);
    // Writing a text as JSON into memory cannot fail.
    extra.push_str(&serde_json::to_string(name).unwrap_or_default());
    extra.push(':');
    extra.push_str(raw);
    extra.push('}');
}

/// The fields of two such objects in one.
pub(crate) fn join_extra<'e>(one: Option<&'e str>, other: Option<&'e str>) -> Option<Cow<'e, str>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Cow::Owned([&one[..one.len() - 1], ",", &other[1..]].concat())),
        (one, other) => one.or(other).map(Cow::Borrowed),
    }
}

/// Shortens a text or a name from a record for a dead letter.
pub(crate) fn shorten(text: &str) -> &str {
    text.char_indices().nth(32).map_or(text, |(end, _)| &text[..end])
}

/// A key of an object, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for Name<'a> {
    fn deserialize<D: serde::Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        NameSeed.deserialize(deserializer).map(Name)
    }
}

struct NameSeed;

impl<'a> DeserializeSeed<'a> for NameSeed {
    type Value = Cow<'a, str>;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for NameSeed {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
