//! The names of dimension keys. Names arrive late, out of order and more than once; figures look them up for an answer.

use std::cmp::Ordering;

use kassa_model::Movement;
use serde::{Deserialize, Serialize};

use crate::map::Map;
use crate::packed::Packed;
use crate::query::By;
use crate::shared::{Chunks, Sharded, Shared};
use crate::varint::{read, write};

/// Dimension keys as small numbers, in order of first occurrence, and their names. Number 0 is the unknown member.
///
/// A member has a number only if a fact names it, and a text only if its dimension has texts: a shop has many customers that
/// never order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Members {
    /// By key; see [`Member`].
    all: Packed,
    /// By number.
    keys: Chunks<i64>,
}

/// The stored data of a key: `number << 1 | has a text`, with the number 0 for none, and the text.
struct Member<'a> {
    number: u32,
    text: Option<&'a str>,
}

impl<'a> Member<'a> {
    fn read(mut bytes: &'a [u8]) -> Self {
        let head = read(&mut bytes).unwrap_or_default();
        let text = if head & 1 == 1 { std::str::from_utf8(bytes).ok() } else { None };
        Self { number: u32::try_from(head >> 1).unwrap_or(0), text }
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(6 + self.text.map_or(0, str::len));
        write(&mut out, i64::from(self.number) << 1 | i64::from(self.text.is_some()));
        out.extend_from_slice(self.text.unwrap_or_default().as_bytes());
        out
    }
}

impl Default for Members {
    fn default() -> Self {
        let mut keys = Chunks::default();
        keys.push(0);
        Self { all: Packed::default(), keys }
    }
}

impl Members {
    pub(crate) fn id(&mut self, key: i64) -> u32 {
        if key == 0 {
            return 0;
        }
        let known = self.all.get(key.cast_unsigned()).map(Member::read);
        if let Some(member) = known.as_ref().filter(|member| member.number != 0) {
            return member.number;
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(0);
        let new = Member { number, text: known.and_then(|member| member.text) }.write();
        self.all.set(key.cast_unsigned(), &new);
        self.keys.push(key);
        number
    }

    fn key(&self, id: u32) -> i64 {
        usize::try_from(id).ok().and_then(|at| self.keys.get(at)).copied().unwrap_or(0)
    }

    fn text(&self, key: i64) -> Option<&str> {
        self.all.get(key.cast_unsigned()).and_then(|bytes| Member::read(bytes).text)
    }

    /// All rows of a key should have the same name. If they differ, the first in the alphabet is kept, whatever the order of
    /// arrival.
    fn name(&mut self, key: i64, text: &str) {
        let known = self.all.get(key.cast_unsigned()).map(Member::read);
        if known.as_ref().and_then(|member| member.text).is_none_or(|known| text < known) {
            let number = known.map_or(0, |member| member.number);
            let new = Member { number, text: Some(text) }.write();
            self.all.set(key.cast_unsigned(), &new);
        }
    }

    fn size(&self) -> usize {
        self.all.size() + self.keys.size()
    }
}

/// Caches the last key: the lines of an order are adjacent and differ only in their product.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    key: i64,
    id: u32,
}

impl Memo {
    pub(crate) fn id(&mut self, members: &mut Members, key: i64) -> u32 {
        if key != self.key {
            *self = Self { key, id: members.id(key) };
        }
        self.id
    }
}

/// Texts of few distinct values (currencies, statuses) as small numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Symbols {
    ids: Map<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Symbols {
    pub(crate) fn id(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = u32::try_from(self.texts.len()).unwrap_or(0);
        self.ids.insert(text.into(), id);
        self.texts.push(text.into());
        id
    }

    pub(crate) fn text(&self, id: u32) -> &str {
        usize::try_from(id).ok().and_then(|at| self.texts.get(at)).map_or("", AsRef::as_ref)
    }
}

/// The order of a product's rows: a real one before a placeholder, then the latest, then by lineage. The greatest is current.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) is_real: bool,
    pub(crate) valid_from: i64,
    pub(crate) topic: Box<str>,
    pub(crate) partition: i64,
    pub(crate) offset: i64,
    pub(crate) index: i32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) version: Version,
    pub(crate) id: Box<str>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) category_key: i64,
}

/// Code and name.
type Country = (Box<str>, Box<str>);

/// Natural keys and labels of every member named so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Names {
    pub(crate) members: Members,
    pub(crate) symbols: Symbols,
    products: Sharded<Product>,
    /// The top level of each category's path.
    categories: Shared<Map<i64, Box<str>>>,
    countries: Shared<Map<i64, Country>>,
}

pub(crate) const UNKNOWN: (&str, &str) = ("unknown", "Unknown");

impl Names {
    /// Compares a row with the current one of its product, without lineage.
    pub(crate) fn compare_version(&self, key: i64, is_real: bool, valid_from: i64) -> Ordering {
        self.products
            .get(key)
            .map_or(Ordering::Greater, |known| (is_real, valid_from).cmp(&(known.version.is_real, known.version.valid_from)))
    }

    pub(crate) fn set_product(&mut self, key: i64, product: Product) {
        if self.products.get(key).is_none_or(|known| known.version < product.version) {
            self.products.edit(key).insert(key, product);
        }
    }

    pub(crate) fn set_category(&mut self, key: i64, path: &str) {
        let top = path.split('>').next().unwrap_or_default().trim();
        if self.categories.get(&key).is_none_or(|known| top < known.as_ref()) {
            self.categories.edit().insert(key, top.into());
        }
    }

    pub(crate) fn set_country(&mut self, key: i64, code: &str, name: &str) {
        if self.countries.get(&key).is_none_or(|known| (code, name) < (&known.0, &known.1)) {
            self.countries.edit().insert(key, (code.into(), name.into()));
        }
    }

    /// Names a customer by its id, a channel or a payment method by its name.
    pub(crate) fn set_plain(&mut self, key: i64, name: &str) {
        self.members.name(key, name);
    }

    /// Key and label of a member in an answer.
    pub(crate) fn of(&self, by: By, id: u32) -> (&str, &str) {
        let key = self.members.key(id);
        match by {
            By::Product => self.products.get(key).map_or(UNKNOWN, |product| {
                let label = product.name.as_deref().filter(|name| !name.is_empty());
                (&product.id, label.unwrap_or(&product.id))
            }),
            By::Category => self.category(key),
            By::Country => self.countries.get(&key).map_or(UNKNOWN, |(code, name)| (code, name)),
            By::Currency | By::Status => match self.symbols.text(id) {
                "" => UNKNOWN,
                text => (text, text),
            },
            _ => self.members.text(key).map_or(UNKNOWN, |name| (name, name)),
        }
    }

    fn category(&self, product_key: i64) -> (&str, &str) {
        let known = self.products.get(product_key).and_then(|product| self.categories.get(&product.category_key));
        known.filter(|name| !name.is_empty()).map_or(("Unknown", "Unknown"), |name| (name, name))
    }

    pub(crate) fn of_movement(movement: Movement) -> (&'static str, &'static str) {
        (movement.name(), movement.name())
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let text = |text: &str| text.len();
        let of_product =
            |product: &Product| text(&product.version.topic) + text(&product.id) + product.name.as_deref().map_or(0, text);
        let products: usize = self.products.iter().map(|(_, product)| of_product(product)).sum();
        let categories: usize = self.categories.values().map(|name| text(name)).sum();
        let countries: usize = self.countries.values().map(|(code, name)| text(code) + text(name)).sum();
        let maps = self.products.allocation_size() + self.categories.allocation_size() + self.countries.allocation_size();
        self.members.size() + maps + products + categories + countries
    }
}

#[cfg(test)]
mod tests;
