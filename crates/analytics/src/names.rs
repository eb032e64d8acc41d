//! What the keys of dimensions stand for. Names arrive late, out of order and more than once; figures look them up when asked.

use std::cmp::Ordering;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::cells::Movement;
use crate::map::Map;
use crate::query::By;

/// Dimension keys and symbols as small numbers, in order of first sight. Number 0 is the unknown member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Members {
    ids: Map<i64, u32>,
    keys: Vec<i64>,
}

impl Default for Members {
    fn default() -> Self {
        Self { ids: Map::from_iter([(0, 0)]), keys: vec![0] }
    }
}

impl Members {
    pub(crate) fn id(&mut self, key: i64) -> u32 {
        *self.ids.entry(key).or_insert_with(|| {
            self.keys.push(key);
            u32::try_from(self.keys.len() - 1).unwrap_or(0)
        })
    }

    fn key(&self, id: u32) -> i64 {
        usize::try_from(id).ok().and_then(|at| self.keys.get(at)).copied().unwrap_or(0)
    }
}

/// Remembers the last key asked for: the lines of an order stand together and share all but their product.
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

/// Which of a product's rows is its current one: a real one before a placeholder, then the latest, then by lineage.
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

/// Natural keys and labels of every member named so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Names {
    pub(crate) members: Members,
    pub(crate) symbols: Symbols,
    products: Map<i64, Product>,
    /// The top level of each category's path.
    categories: Map<i64, Box<str>>,
    countries: Map<i64, (Box<str>, Box<str>)>,
    /// Customers by their id; channels and payment methods by their name.
    plain: Map<i64, Box<str>>,
}

pub(crate) const UNKNOWN: (&str, &str) = ("unknown", "Unknown");

impl Names {
    /// How a row would stand to the current one of its product, lineage apart.
    pub(crate) fn compare_version(&self, key: i64, is_real: bool, valid_from: i64) -> Ordering {
        self.products
            .get(&key)
            .map_or(Ordering::Greater, |known| (is_real, valid_from).cmp(&(known.version.is_real, known.version.valid_from)))
    }

    pub(crate) fn set_product(&mut self, key: i64, product: Product) {
        match self.products.get_mut(&key) {
            Some(known) if known.version >= product.version => {}
            Some(known) => *known = product,
            None => {
                self.products.insert(key, product);
            }
        }
    }

    pub(crate) fn set_category(&mut self, key: i64, path: &str) {
        let top = path.split('>').next().unwrap_or_default().trim();
        set_least(&mut self.categories, key, top);
    }

    pub(crate) fn set_country(&mut self, key: i64, code: &str, name: &str) {
        let known = self.countries.entry(key).or_insert_with(|| (code.into(), name.into()));
        if (code, name) < (&known.0, &known.1) {
            *known = (code.into(), name.into());
        }
    }

    pub(crate) fn set_plain(&mut self, key: i64, name: &str) {
        set_least(&mut self.plain, key, name);
    }

    /// Key and label of a member in an answer.
    pub(crate) fn of(&self, by: By, id: u32) -> (&str, &str) {
        let key = self.members.key(id);
        match by {
            By::Product => self.products.get(&key).map_or(UNKNOWN, |product| {
                let label = product.name.as_deref().filter(|name| !name.is_empty());
                (&product.id, label.unwrap_or(&product.id))
            }),
            By::Category => self.category(key),
            By::Country => self.countries.get(&key).map_or(UNKNOWN, |(code, name)| (code, name)),
            By::Currency | By::Status => match self.symbols.text(id) {
                "" => UNKNOWN,
                text => (text, text),
            },
            _ => self.plain.get(&key).map_or(UNKNOWN, |name| (name, name)),
        }
    }

    fn category(&self, product_key: i64) -> (&str, &str) {
        let known = self.products.get(&product_key).and_then(|product| self.categories.get(&product.category_key));
        known.filter(|name| !name.is_empty()).map_or(("Unknown", "Unknown"), |name| (name, name))
    }

    pub(crate) fn of_movement(movement: Movement) -> (&'static str, &'static str) {
        (movement.name(), movement.name())
    }
}

/// All rows of a key name it alike; should they ever differ, the first in the alphabet is kept whatever the order of arrival.
fn set_least(names: &mut HashMap<i64, Box<str>>, key: i64, name: &str) {
    match names.get_mut(&key) {
        Some(known) if known.as_ref() <= name => {}
        Some(known) => *known = name.into(),
        None => {
            names.insert(key, name.into());
        }
    }
}
