//! Raw values, before parsing.

use std::collections::BTreeMap;

use crate::origin::{Origin, Place};

/// The value as written. The environment and flags contain only texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    Text(String),
    /// The digits, in base ten.
    Integer(String),
    Boolean(bool),
    /// A type that no key accepts: "a date", "a table".
    Other(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) raw: Raw,
    pub(crate) origin: Origin,
    /// The position of a text's first character in its file, after the opening quotes.
    pub(crate) text_at: Option<Place>,
}

/// The values of one source by key (`streams.orders.topic`), and the sections named by the user
/// (`streams.orders`).
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(crate) values: BTreeMap<String, Given>,
    pub(crate) members: BTreeMap<String, Origin>,
}

impl Layer {
    /// The names in `streams` or `lookups`.
    pub(crate) fn names<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (&'a str, &'a Origin)> + Clone {
        self.members.iter().filter_map(move |(path, origin)| Some((path.strip_prefix(word)?.strip_prefix('.')?, origin)))
    }
}
