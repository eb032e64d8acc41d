//! Every figure, once: its name, its meaning, its computation and its groupings.

mod entries;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::grouping::{Basis, By};
use crate::kind::Kind;
use crate::sql::{self, Dialect};
use crate::unit::Unit;

/// A figure as the reference describes it.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    pub(crate) kind: Kind,
    pub name: &'static str,
    pub title: &'static str,
    pub definition: &'static str,
    pub formula: &'static str,
    pub unit: Unit,
    /// The date bases that it supports; a figure that is always dated by the order has only `order`, and one without rows of the
    /// ledger has none.
    pub bases: &'static [Basis],
    /// The first is the default for `by`.
    pub groupings: &'static [By],
    sql: Sql,
}

/// The origin of a figure's query.
#[derive(Debug, Clone, Copy)]
enum Sql {
    /// Generated from the figure's measure.
    OfMeasure,
    /// An independent definition over the facts. A test compares it with the result of the code.
    Own(&'static str),
}

impl Kind {
    pub(crate) fn figure(self) -> &'static Figure {
        catalogue().iter().find(|figure| figure.kind == self).unwrap_or(&catalogue()[0])
    }
}

impl Figure {
    /// The basis of the answer if `asked` is requested.
    pub(crate) fn basis(&self, asked: Basis) -> Option<Basis> {
        self.bases.iter().copied().find(|basis| *basis == asked).or(self.bases.first().copied())
    }

    /// A query over the lake's tables and views that gives the same value, by the first grouping on the first basis: rows of
    /// `value`, with a `key` if there are several. Money is unrounded.
    pub fn sql(&self) -> String {
        match self.sql {
            Sql::Own(text) => text.trim_end().to_owned(),
            Sql::OfMeasure => sql::total(self.kind).unwrap_or_default(),
        }
    }

    /// A query in a dialect for the figure by a grouping on a basis: rows of `"by"`, `key`, `label` and `value`, money unrounded.
    /// `None` for a figure that is computed by code instead of measures.
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
