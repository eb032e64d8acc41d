//! One check: what, where, the result, why it matters, and the fix.

use std::collections::HashMap;

use kassa_model::Positions;
use serde::Serialize;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// It works, with a remark.
    Warning,
    /// It does not work until somebody fixes it.
    Wrong,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Wrong => "wrong",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub verdict: Verdict,
    pub system: &'static str,
    pub check: String,
    #[serde(rename = "where")]
    pub place: String,
    pub found: String,
    pub why: Option<String>,
    #[serde(rename = "mend")]
    pub fix: Option<String>,
}

impl Check {
    fn new(verdict: Verdict, (system, check): (&'static str, &str), place: &str, found: String) -> Self {
        Self { verdict, system, check: check.to_owned(), place: place.to_owned(), found, why: None, fix: None }
    }

    pub fn ok(system: &'static str, check: &str, place: &str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, (system, check), place, found.into())
    }

    pub fn warning(system: &'static str, check: &str, place: &str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, (system, check), place, found.into())
    }

    pub fn wrong(system: &'static str, check: &str, place: &str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Wrong, (system, check), place, found.into())
    }

    #[must_use]
    pub fn why(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    #[must_use]
    pub fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// All checks. `ok`: nothing is wrong.
#[derive(Debug, Serialize)]
pub struct Report {
    pub ok: bool,
    pub checks: Vec<Check>,
}

impl Report {
    pub fn new(checks: Vec<Check>) -> Self {
        Self { ok: checks.iter().all(|check| check.verdict < Verdict::Wrong), checks }
    }

    pub fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }
}

/// The results of a store's checks.
#[derive(Debug, Default)]
pub struct Store {
    pub checks: Vec<Check>,
    /// The positions of its sinks, as far as they could be read.
    pub sinks: Vec<(&'static str, Positions)>,
    /// The ids of Kafka's topics at the time of reading.
    pub topic_ids: HashMap<String, String>,
}
