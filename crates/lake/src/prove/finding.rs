//! What is wrong, and where.

use std::collections::BTreeMap;

use kassa_model::{Partition, Table};
use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use super::parts::{Parts, at};
use crate::read::archive_folder;

/// What kind of contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Offsets that no span accounts for, between those that spans do.
    Gap,
    /// Offsets in two spans.
    Overlap,
    /// Something is there twice.
    Double,
    /// A span's figure is not what the tables hold.
    Miscount,
    /// What should be there is not.
    Missing,
    /// What is there has no record that it comes from.
    Extra,
    /// What is there is not what the archive says.
    Altered,
    /// A key names no member.
    Orphan,
    /// A position is not where the rows end.
    Position,
    FileMissing,
    FileDamaged,
    /// A file holds what another of them should.
    FileSwapped,
    /// The collector's log lacks records.
    LogCut,
    /// Bytes of the collector's log are not what they were.
    LogCorrupt,
    /// A figure is not the same everywhere.
    Difference,
}

/// One contradiction. Offsets are half open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    /// `archive`, `lake` or `log`.
    pub sink: String,
    pub table: Option<String>,
    pub topic: Option<String>,
    pub partition: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub detail: String,
}

/// Where a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Site {
    Table(Table),
    Archive,
    Log,
}

impl Site {
    fn sink(self) -> &'static str {
        match self {
            Site::Table(_) => "lake",
            Site::Archive => "archive",
            Site::Log => "log",
        }
    }

    /// A finding without offsets.
    pub(super) fn finding(self, kind: Kind, detail: String) -> Finding {
        let table = match self {
            Site::Table(table) => Some(table.name().to_owned()),
            Site::Archive | Site::Log => None,
        };
        Finding { kind, sink: self.sink().to_owned(), table, topic: None, partition: None, from: None, to: None, detail }
    }

    pub(super) fn at(self, kind: Kind, partition: &Partition, offsets: std::ops::Range<i64>, detail: String) -> Finding {
        let table = if self == Site::Archive { Some(archive_folder(&partition.topic)) } else { self.finding(kind, String::new()).table };
        Finding {
            table,
            topic: Some(partition.topic.to_string()),
            partition: Some(partition.number.to_string()),
            from: Some(offsets.start.to_string()),
            to: Some(offsets.end.to_string()),
            ..self.finding(kind, detail)
        }
    }
}

/// More findings than this are counted only.
const MOST: usize = 1_000;

/// Findings in the making: offsets with one and the same finding become ranges.
#[derive(Debug, Default)]
pub(super) struct Findings {
    whole: Vec<Finding>,
    offsets: BTreeMap<(Kind, Site, u32, String), RoaringTreemap>,
    left_out: usize,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        if self.whole.contains(&finding) {
            return;
        }
        if self.whole.len() < MOST { self.whole.push(finding) } else { self.left_out += 1 }
    }

    pub(super) fn mark(&mut self, kind: Kind, site: Site, part: u32, offset: i64, detail: impl Into<String>) {
        let count = self.offsets.len();
        match self.offsets.entry((kind, site, part, detail.into())) {
            std::collections::btree_map::Entry::Vacant(_) if count >= MOST => self.left_out += 1,
            entry => {
                entry.or_default().insert(at(offset));
            }
        }
    }

    /// The offsets of a partition marked so far as missing from a table, up to `to`.
    pub(super) fn marked(&self, kind: Kind, site: Site, part: u32, offsets: &std::ops::Range<i64>) -> u64 {
        let named = self.offsets.iter().filter(|((k, s, p, _), _)| (*k, *s, *p) == (kind, site, part));
        named.map(|(_, marked)| marked.range_cardinality(at(offsets.start)..at(offsets.end))).sum()
    }

    /// All findings, the gravest kinds first, and how many were left out.
    pub(super) fn finish(self, parts: &Parts) -> (Vec<Finding>, usize) {
        let mut findings = self.whole;
        for ((kind, site, part, detail), offsets) in self.offsets {
            for range in ranges(&offsets) {
                findings.push(site.at(kind, &parts.part(part).partition, range, detail.clone()));
            }
        }
        let place = |finding: &Finding| finding.from.as_deref().and_then(|from| from.parse::<i64>().ok());
        findings.sort_by_cached_key(|f| (f.table.clone(), f.topic.clone(), f.partition.clone(), place(f), f.kind));
        let left_out = self.left_out + findings.len().saturating_sub(MOST);
        findings.truncate(MOST);
        (findings, left_out)
    }
}

/// Runs of consecutive offsets, half open.
pub(super) fn ranges(offsets: &RoaringTreemap) -> Vec<std::ops::Range<i64>> {
    let mut runs: Vec<std::ops::Range<i64>> = Vec::new();
    for offset in offsets {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX - 1);
        match runs.last_mut() {
            Some(run) if run.end == offset => run.end = offset + 1,
            _ => runs.push(offset..offset + 1),
        }
    }
    runs
}
