//! Answers, in the JSON of the HTTP API.

use std::collections::BTreeMap;

use kassa_model::decimal::round_half_even;
use kassa_model::{Currency, time};
use serde::{Serialize, Serializer};

use crate::query::{Basis, By, Query};
use crate::rates::EXACT;

pub use crate::unit::Unit;

/// `part / whole` in 10⁻⁶, rounded half-even; `None` if the whole is not positive.
pub(crate) fn ratio(part: i128, whole: i128) -> Option<i128> {
    (whole > 0).then(|| round_half_even(part * 1_000_000, whole))
}

/// Exact money over a count in 10⁻⁶, rounded half-even; `None` if the count is not positive.
pub(crate) fn mean(money: i128, count: i128) -> Option<i128> {
    (count > 0).then(|| round_half_even(money, count.saturating_mul(EXACT)))
}

/// One row: `value` is plain decimal text, or null if the figure is undefined (a ratio of nothing).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub key: String,
    pub label: String,
    pub value: Option<String>,
}

/// The number of rows left out of the money, because their currency had no rate on their day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unconverted {
    pub currency: String,
    pub rows: i64,
}

fn micros<S: Serializer>(time: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(time::format).serialize(serializer)
}

/// An answer without `as_of` and `positions`, which the caller adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub figure: &'static str,
    pub unit: Unit,
    pub currency: String,
    /// None for a figure that has no date basis.
    pub basis: Option<Basis>,
    pub time_zone: String,
    pub by: By,
    pub from: Option<String>,
    pub to: Option<String>,
    /// The latest event time seen, µs UTC; RFC 3339 in JSON.
    #[serde(serialize_with = "micros")]
    pub event_time: Option<i64>,
    pub unconverted: Vec<Unconverted>,
    pub rows: Vec<Row>,
}

/// Sums by key, with the label of each; money exact. Keys that two members share (a product in two stores) are one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyed(BTreeMap<String, (String, i128)>);

impl Keyed {
    pub(crate) fn add(&mut self, key: &str, label: &str, value: i128) {
        match self.0.get_mut(key) {
            Some((known, total)) => {
                *total = total.saturating_add(value);
                if label < known.as_str() {
                    label.clone_into(known);
                }
            }
            None => {
                self.0.insert(key.to_owned(), (label.to_owned(), value));
            }
        }
    }

    pub(crate) fn add_all(&mut self, other: Keyed) {
        other.0.into_iter().for_each(|(key, (label, value))| self.add(&key, &label, value));
    }

    /// This over `whole`, by the keys of both; `divide` is [`ratio`] or [`mean`].
    pub(crate) fn over(mut self, whole: &Keyed, divide: fn(i128, i128) -> Option<i128>) -> Values {
        for (key, (label, _)) in &whole.0 {
            self.add(key, label, 0);
        }
        let at = |key: &str| whole.0.get(key).map_or(0, |(_, value)| *value);
        Values(self.0.into_iter().map(|(key, (label, part))| (divide(part, at(&key)), key, label)).collect())
    }

    /// The sums as displayed.
    pub(crate) fn values(self, unit: Unit) -> Values {
        Values(self.0.into_iter().map(|(key, (label, sum))| (Some(unit.rounded(sum)), key, label)).collect())
    }

    pub(crate) fn value(&self, key: &str) -> i128 {
        self.0.get(key).map_or(0, |(_, value)| *value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, i128)> {
        self.0.iter().map(|(key, (label, value))| (key.as_str(), label.as_str(), *value))
    }
}

/// The values of an answer, rounded, in units of its scale, each with key and label.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(pub(crate) Vec<(Option<i128>, String, String)>);

impl Values {
    pub(crate) fn total(value: Option<i128>) -> Self {
        Self(vec![(value, "total".to_owned(), "total".to_owned())])
    }

    /// Rows by time in order of time, steps and cohorts in their own order, others by value, largest first, ties by key;
    /// undefined ones last.
    pub(crate) fn into_rows(mut self, query: &Query, currency: Currency) -> Vec<Row> {
        if query.by.is_time() {
            self.0.sort_by(|(_, left, _), (_, right, _)| left.cmp(right));
        } else if !matches!(query.by, By::Step | By::Cohort) {
            self.0.sort_by(|(left, left_key, _), (right, right_key, _)| right.cmp(left).then_with(|| left_key.cmp(right_key)));
        }
        let unit = query.figure.unit;
        let row = |(value, key, label): (Option<i128>, _, _)| Row {
            key,
            label,
            value: value.map(|value| unit.format(value, currency)),
        };
        self.0.into_iter().map(row).collect()
    }
}
