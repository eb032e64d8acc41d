//! A query: a figure, its grouping, its days and its date basis.

use jiff::civil::Date;
use kassa_model::nearest::closest;
use kassa_model::time::{date_key, date_of, parse_day};

use crate::by_day::Days;
use crate::catalogue::{Figure, catalogue};

pub use crate::grouping::{Basis, By};

impl Basis {
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::ALL.into_iter().find(|basis| basis.name() == text).ok_or_else(|| QueryError::UnknownBasis(text.to_owned()))
    }
}

/// Why a query has no answer. The text names the nearest valid word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("no figure is called {name:?}; the nearest is {nearest:?}")]
    UnknownFigure { name: String, nearest: &'static str },
    #[error("{figure} cannot be grouped by {by:?}; the nearest of its groupings is {nearest:?} (it has {})", names(.groupings))]
    UnknownGrouping { figure: &'static str, by: String, nearest: &'static str, groupings: &'static [By] },
    #[error("{field} is {text:?}, expected a day such as 2026-01-31")]
    NotADay { field: &'static str, text: String },
    #[error("from {from} is after to {to}")]
    EmptyRange { from: Date, to: Date },
    #[error("no date basis is called {0:?}, expected \"movement\" or \"order\"")]
    UnknownBasis(String),
}

fn names(groupings: &[By]) -> String {
    groupings.iter().map(|by| by.name()).collect::<Vec<_>>().join(", ")
}

/// A valid query.
#[derive(Debug, Clone)]
pub struct Query {
    pub figure: &'static Figure,
    pub by: By,
    pub from: Option<Date>,
    pub to: Option<Date>,
    /// The basis of the answer; none for a figure that has no basis.
    pub basis: Option<Basis>,
}

impl Query {
    /// Reads the parameters of the command line and of the HTTP API. An absent parameter has its default; an empty one counts as
    /// absent.
    ///
    /// A figure with its own grouping (funnel: `step`) uses it for `total` too. A figure that is always dated by the order
    /// accepts either basis and answers on `order`.
    pub fn parse(
        figure: &str,
        by: Option<&str>,
        from: Option<&str>,
        to: Option<&str>,
        basis: Option<&str>,
    ) -> Result<Self, QueryError> {
        let figure = find_figure(figure)?;
        let by = find_grouping(figure, given(by))?;
        let (from, to) = (find_day("from", given(from))?, find_day("to", given(to))?);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(QueryError::EmptyRange { from, to });
        }
        let asked = given(basis).map(Basis::parse).transpose()?.unwrap_or_default();
        Ok(Self { figure, by, from, to, basis: figure.basis(asked) })
    }

    /// The query for a day's total.
    pub(crate) fn of_day(figure: &'static Figure, day: i32, basis: Basis) -> Self {
        let date = date_of(day);
        Self { figure, by: By::Total, from: date, to: date, basis: figure.basis(basis) }
    }

    /// Checks that the figure has the grouping, for a query that was not made by [`Query::parse`].
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.figure.groupings.contains(&self.by) { Ok(()) } else { Err(no_grouping(self.figure, self.by.name())) }
    }

    pub(crate) fn days(&self) -> Days {
        Days { from: self.from.map_or(Days::ALL.from, date_key), to: self.to.map_or(Days::ALL.to, date_key) }
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn find_figure(name: &str) -> Result<&'static Figure, QueryError> {
    catalogue().iter().find(|figure| figure.name == name).ok_or_else(|| QueryError::UnknownFigure {
        name: name.to_owned(),
        nearest: nearest(name, catalogue().iter().map(|figure| figure.name)),
    })
}

fn find_grouping(figure: &'static Figure, by: Option<&str>) -> Result<By, QueryError> {
    let own = figure.groupings.first().copied().unwrap_or(By::Total);
    match by {
        None | Some("total") => Ok(own),
        Some(by) => figure.groupings.iter().copied().find(|each| each.name() == by).ok_or_else(|| no_grouping(figure, by)),
    }
}

fn no_grouping(figure: &'static Figure, by: &str) -> QueryError {
    QueryError::UnknownGrouping {
        figure: figure.name,
        by: by.to_owned(),
        nearest: nearest(by, figure.groupings.iter().map(|by| by.name())),
        groupings: figure.groupings,
    }
}

fn find_day(field: &'static str, text: Option<&str>) -> Result<Option<Date>, QueryError> {
    let read = |text: &str| parse_day(text).ok_or_else(|| QueryError::NotADay { field, text: text.to_owned() });
    text.map(read).transpose()
}

fn nearest(word: &str, valid: impl Iterator<Item = &'static str>) -> &'static str {
    closest(word, valid).unwrap_or_default()
}

#[cfg(test)]
mod tests;
