//! Every figure, once: what it is called, what it means, what it is made of, how it can be asked for.

mod entries;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::grouping::{Basis, By};
use crate::kind::Kind;
use crate::sql::{self, Dialect};
use crate::unit::Unit;

/// A figure as people read of it.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    pub(crate) kind: Kind,
    pub name: &'static str,
    pub title: &'static str,
    pub definition: &'static str,
    pub formula: &'static str,
    pub unit: Unit,
    /// The date bases it can be asked on; one that is always dated by the order has `order` alone, a figure without rows of the
    /// ledger none.
    pub bases: &'static [Basis],
    /// The first is what an absent `by` means.
    pub groupings: &'static [By],
    sql: Sql,
}

/// Where a figure's query comes from.
#[derive(Debug, Clone, Copy)]
enum Sql {
    /// It is written from what the figure is made of.
    OfMeasure,
    /// A definition of its own over the facts, with which a test compares what code computes.
    Own(&'static str),
}

impl Kind {
    pub(crate) fn figure(self) -> &'static Figure {
        catalogue().iter().find(|figure| figure.kind == self).unwrap_or(&catalogue()[0])
    }
}

impl Figure {
    /// The basis that an answer is on when `asked` is asked for.
    pub(crate) fn basis(&self, asked: Basis) -> Option<Basis> {
        self.bases.iter().copied().find(|basis| *basis == asked).or(self.bases.first().copied())
    }

    /// A query over the lake's tables and views that gives the same value, by the first grouping on the first basis: rows of `value`, with a `key` where there are
    /// several. Money is unrounded.
    pub fn sql(&self) -> String {
        match self.sql {
            Sql::Own(text) => text.trim_end().to_owned(),
            Sql::OfMeasure => sql::total(self.kind).unwrap_or_default(),
        }
    }

    /// A query in a dialect for the figure by a grouping on a basis: rows of `"by"`, `key`, `label` and `value`, money unrounded. `None` for a figure that is made by
    /// code instead of measures.
    pub fn rows_in(&self, dialect: &dyn Dialect, basis: Basis, by: By) -> Option<String> {
        sql::rows(self.kind, dialect, basis, by)
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Figure", 8)?;
        fields.serialize_field("name", self.name)?;
        fields.serialize_field("title", self.title)?;
        fields.serialize_field("definition", self.definition)?;
        fields.serialize_field("formula", self.formula)?;
        fields.serialize_field("unit", &self.unit)?;
        fields.serialize_field("bases", self.bases)?;
        fields.serialize_field("groupings", self.groupings)?;
        fields.serialize_field("sql", &self.sql())?;
        fields.end()
    }
}

/// Every figure, in the order of the reference.
pub fn catalogue() -> &'static [Figure] {
    entries::CATALOGUE
}

#[cfg(test)]
mod tests;
