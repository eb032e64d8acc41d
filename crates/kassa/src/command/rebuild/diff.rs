//! The changes of a rebuild: every figure and the fates of the records, before and after.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use kassa_analytics::{Basis, By, Figure, Figures, Query, catalogue};
use kassa_engine::{Tally, tally};
use kassa_lake::{Store, figures};
use kassa_model::{Code, Counts, Positions, Shop};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::Format;
use crate::failure::Failure;
use crate::output;

/// The number of differing days that are displayed for a figure.
const SHOWN: usize = 3;

/// The figures and counts of a star.
#[derive(Debug)]
pub struct Seen {
    counts: Counts,
    /// Dead letters that were not replayed.
    open: i64,
    answers: Vec<Answered>,
}

/// One figure on one basis.
#[derive(Debug)]
struct Answered {
    figure: &'static str,
    basis: Option<Basis>,
    /// `None` for a figure that has no single value, such as the funnel.
    total: Option<String>,
    by: Option<By>,
    /// By day, or by the figure's own grouping.
    values: BTreeMap<String, Option<String>>,
}

impl Seen {
    /// The figures of a star before a cut, and the fates of its records.
    pub fn of(store: &dyn Store, shop: &Shop, cut: &Positions) -> anyhow::Result<Self> {
        let none = Positions::default();
        let tally = tally::of_lake(store, (Tally::default(), &none), cut, &mut shop.calendar());
        let tally = tally.context("could not count the records of the lake")?;
        let figures = figures::figures_before(store, Figures::new(shop), cut).context("could not compute the figures")?;
        let open = tally.by_reason().map(|(_, (count, _))| *count).sum();
        let mut answers = Vec::new();
        for figure in catalogue() {
            for basis in bases(figure) {
                answers.push(Answered::of(&figures, figure, basis)?);
            }
        }
        Ok(Self { counts: tally.counts(), open, answers })
    }

    /// The records that were read.
    pub fn records(&self) -> Option<u64> {
        u64::try_from(self.counts.read).ok()
    }

    fn fates(&self) -> [(&'static str, i64); 5] {
        let Counts { read, accepted, duplicates, dead_letters } = self.counts;
        [
            ("records read", read),
            ("accepted", accepted),
            ("duplicates", duplicates),
            ("dead letters", dead_letters),
            ("dead letters not replayed", self.open),
        ]
    }
}

fn bases(figure: &Figure) -> Vec<Option<Basis>> {
    if figure.bases.is_empty() { vec![None] } else { figure.bases.iter().copied().map(Some).collect() }
}

impl Answered {
    fn of(figures: &Figures, figure: &'static Figure, basis: Option<Basis>) -> anyhow::Result<Self> {
        let own = figure.groupings.first().copied().unwrap_or(By::Total);
        let by = if figure.groupings.contains(&By::Day) { Some(By::Day) } else { Some(own).filter(|own| *own != By::Total) };
        let rows = |by| {
            let query = Query { figure, by, from: None, to: None, basis };
            let answer = figures.answer(&query).map_err(|error| Failure::of(Code::UnknownFigure, error))?;
            anyhow::Ok(answer.rows)
        };
        let total = if own == By::Total { rows(By::Total)?.into_iter().next().and_then(|row| row.value) } else { None };
        let grouped = by.map(rows).transpose()?.unwrap_or_default();
        let values = grouped.into_iter().map(|row| (row.key, row.value)).collect();
        Ok(Self { figure: figure.name, basis, total, by, values })
    }
}

/// A star before a rebuild and after it.
#[derive(Debug)]
pub struct Diff {
    /// `None`: after an interrupted rebuild the tables are from different stars.
    before: Option<Seen>,
    after: Seen,
}

/// How a figure differs.
#[derive(Debug, Serialize)]
struct Line {
    figure: &'static str,
    basis: Option<Basis>,
    before: Option<String>,
    after: Option<String>,
    by: Option<By>,
    /// The number of days, or other keys, with another value.
    differ: usize,
    first: Vec<Changed>,
}

#[derive(Debug, Serialize)]
struct Changed {
    key: String,
    before: Option<String>,
    after: Option<String>,
}

impl Line {
    fn new(before: Option<&Answered>, after: &Answered) -> Self {
        let none = BTreeMap::new();
        let old = before.map_or(&none, |before| &before.values);
        let keys: BTreeSet<&String> = old.keys().chain(after.values.keys()).collect();
        let changed = |key: &&String| old.get(*key).cloned().flatten() != after.values.get(*key).cloned().flatten();
        let keys: Vec<&String> = if before.is_some() { keys.into_iter().filter(changed).collect() } else { Vec::new() };
        let shown = keys.iter().take(SHOWN).map(|key| Changed {
            key: (*key).clone(),
            before: old.get(*key).cloned().flatten(),
            after: after.values.get(*key).cloned().flatten(),
        });
        Self {
            figure: after.figure,
            basis: after.basis,
            before: before.and_then(|before| before.total.clone()),
            after: after.total.clone(),
            by: after.by,
            differ: keys.len(),
            first: shown.collect(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let changed = |changed: &Changed| format!("{}: {} → {}", changed.key, text(&changed.before), text(&changed.after));
        let first: Vec<String> = self.first.iter().map(changed).collect();
        vec![
            self.figure.to_owned(),
            self.basis.map_or_else(String::new, |basis| basis.name().to_owned()),
            text(&self.before),
            text(&self.after),
            self.differ.to_string(),
            first.join(", "),
        ]
    }
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "–".to_owned())
}

impl Diff {
    pub fn new(before: Option<Seen>, after: Seen) -> Self {
        Self { before, after }
    }

    fn lines(&self) -> Vec<Line> {
        let before = |at: usize| self.before.as_ref().and_then(|before| before.answers.get(at));
        self.after.answers.iter().enumerate().map(|(at, after)| Line::new(before(at), after)).collect()
    }

    pub fn show(&self, format: Format) -> anyhow::Result<()> {
        if self.before.is_none() {
            say!("note: an earlier rebuild was interrupted, so there are no figures from before");
        }
        if format == Format::Json {
            let records = json!({"before": self.before.as_ref().map(counts), "after": counts(&self.after)});
            return output::json(&json!({"records": records, "figures": self.lines()}));
        }
        let before = self.before.as_ref().map(Seen::fates);
        let fates = self.after.fates().into_iter().enumerate().map(|(at, (name, after))| {
            let before = before.and_then(|before| before.get(at).map(|(_, before)| before.to_string()));
            vec![name.to_owned(), String::new(), text(&before), after.to_string(), "0".to_owned(), String::new()]
        });
        let rows: Vec<Vec<String>> = fates.chain(self.lines().iter().map(Line::cells)).collect();
        output::table(&["figure", "basis", "before", "after", "differ", "first"], &rows, format)
    }
}

fn counts(seen: &Seen) -> Value {
    let Counts { read, accepted, duplicates, dead_letters } = seen.counts;
    json!({"read": read, "accepted": accepted, "duplicates": duplicates, "dead_letters": dead_letters, "not_replayed": seen.open})
}
