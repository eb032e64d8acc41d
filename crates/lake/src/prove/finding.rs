//! Findings and their locations.

use std::collections::BTreeMap;
use std::ops::Range;

pub use kassa_model::finding::{Finding, Kind};
use kassa_model::{Partition, Table};
use roaring::RoaringTreemap;

use super::parts::{Parts, at};
use crate::read::archive_folder;

/// The location of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Site {
    Log,
    Archive,
    Table(Table),
}

impl Site {
    fn finding(self, kind: Kind, table: String, detail: String) -> Finding {
        let sink = match self {
            Site::Table(_) => "lake",
            Site::Archive => "archive",
            Site::Log => "log",
        };
        Finding::new(kind, sink, table, detail)
    }

    /// A finding about a whole file or log.
    pub(super) fn in_folder(self, kind: Kind, folder: &str, detail: String) -> Finding {
        let topic = folder.strip_prefix("topics/").map(str::to_owned);
        let name = folder.strip_prefix("DWH/").unwrap_or(folder).to_owned();
        Finding { topic, ..self.finding(kind, name, detail) }
    }

    pub(super) fn at(self, kind: Kind, partition: &Partition, offsets: Range<i64>, detail: String) -> Finding {
        let table = match self {
            Site::Table(table) => table.name().to_owned(),
            Site::Archive => archive_folder(&partition.topic),
            Site::Log => "log".to_owned(),
        };
        self.finding(kind, table, detail).of(partition).between(offsets)
    }
}

/// Further findings are only counted.
const MOST: usize = 1_000;

/// Collects findings: offsets with the same finding become ranges.
#[derive(Debug, Default)]
pub(super) struct Findings {
    whole: Vec<Finding>,
    offsets: BTreeMap<(Site, u32, Kind, String), RoaringTreemap>,
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
        let key = (site, part, kind, detail.into());
        if self.offsets.len() >= MOST && !self.offsets.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        self.offsets.entry(key).or_default().insert(at(offset));
    }

    /// Whether a finding of this kind exists for a table as a whole.
    pub(super) fn names(&self, site: Site, kind: Kind) -> bool {
        let table = site.finding(kind, String::new(), String::new()).sink;
        let name = if let Site::Table(table) = site { table.name() } else { "" };
        self.whole.iter().any(|finding| finding.kind == kind && finding.sink == table && finding.table == name)
    }

    /// Whether any finding exists for a table.
    pub(super) fn touch(&self, table: Table) -> bool {
        let site = Site::Table(table);
        self.whole.iter().any(|finding| finding.sink == "lake" && finding.table == table.name())
            || self.offsets.keys().any(|(marked, ..)| *marked == site)
    }

    /// If the archive's own bytes are known to be altered, the rows differ as a consequence: only
    /// the archive is reported.
    fn without_consequences(&mut self) {
        let altered: Vec<(u32, RoaringTreemap)> = self
            .offsets
            .iter()
            .filter(|((site, _, kind, _), _)| (*site, *kind) == (Site::Archive, Kind::Altered))
            .map(|((_, part, ..), offsets)| (*part, offsets.clone()))
            .collect();
        for (part, offsets) in altered {
            for ((site, own, ..), marked) in &mut self.offsets {
                if *own == part && matches!(site, Site::Table(_)) {
                    *marked -= &offsets;
                }
            }
        }
    }

    /// All findings by location, and the number of those left out.
    pub(super) fn finish(mut self, parts: &Parts) -> (Vec<Finding>, usize) {
        self.without_consequences();
        let mut findings = self.whole;
        let mut named: BTreeMap<(Site, u32, Kind), RoaringTreemap> = BTreeMap::new();
        for ((site, part, kind, detail), mut offsets) in self.offsets {
            // A row with two findings is reported once.
            let before = named.entry((site, part, kind)).or_default();
            offsets -= &*before;
            *before |= &offsets;
            for range in ranges(&offsets) {
                if findings.len() >= 2 * MOST {
                    self.left_out += 1;
                    continue;
                }
                findings.push(site.at(kind, &parts[part].partition, range, detail.clone()));
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
pub(super) fn ranges(offsets: &RoaringTreemap) -> Vec<Range<i64>> {
    let mut runs: Vec<Range<i64>> = Vec::new();
    for offset in offsets {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX - 1);
        match runs.last_mut() {
            Some(run) if run.end == offset => run.end = offset + 1,
            _ => runs.push(offset..offset + 1),
        }
    }
    runs
}
