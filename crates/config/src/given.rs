//! A value as it was given, before anybody has judged it.

use std::collections::BTreeMap;

use crate::origin::{Origin, Place};

/// What was written. The environment and flags only have texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    Text(String),
    /// The digits, in base ten.
    Integer(String),
    Boolean(bool),
    /// What no key takes: "a date", "a table".
    Other(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) raw: Raw,
    pub(crate) origin: Origin,
    /// Where the first character of a text lies in its file, behind the opening quotes.
    pub(crate) text_at: Option<Place>,
}

/// What one source gives: values by key (`streams.orders.topic`), and the sections that the user has named (`streams.orders`).
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
