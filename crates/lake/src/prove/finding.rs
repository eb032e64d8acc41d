//! What is wrong, and where.

use std::collections::BTreeMap;
use std::ops::Range;

use kassa_model::{Partition, Table};
use roaring::RoaringTreemap;
use serde::Serialize;

use super::parts::{Parts, at};
use crate::read::archive_folder;

/// What kind of contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Offsets that no span accounts for, between those that spans do.
    Gap,
    /// Offsets in two spans.
    Overlap,
    /// Something is there twice.
    Double,
    /// A span's figures are not what the records' bytes say.
    Miscount,
    /// What should be there is not.
    Missing,
    /// What is there has no record that it comes from.
    Extra,
    /// What is there is not what the record says.
    Altered,
    /// A key names no member.
    Orphan,
    /// A position is not where the rows end.
    Position,
    FileMissing,
    FileDamaged,
    /// A file is not the one that the table's log names.
    FileSwapped,
    /// The table's own log cannot be read.
    LogDamaged,
    /// The source lacks records that were read from it.
    LogCut,
    /// Bytes of the collector's log are not what they were.
    LogCorrupt,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gap => "gap",
            Kind::Overlap => "overlap",
            Kind::Double => "double",
            Kind::Miscount => "miscount",
            Kind::Missing => "missing",
            Kind::Extra => "extra",
            Kind::Altered => "altered",
            Kind::Orphan => "orphan",
            Kind::Position => "position",
            Kind::FileMissing => "file_missing",
            Kind::FileDamaged => "file_damaged",
            Kind::FileSwapped => "file_swapped",
            Kind::LogDamaged => "log_damaged",
            Kind::LogCut => "log_cut",
            Kind::LogCorrupt => "log_corrupt",
        }
    }
}

/// One contradiction. Offsets are half open; what does not apply is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    /// `archive`, `lake` or `log`.
    pub sink: &'static str,
    pub table: String,
    pub topic: Option<String>,
    pub partition: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub detail: String,
}

impl Finding {
    /// A finding in the source.
    pub fn in_log(kind: Kind, partition: &Partition, offsets: Range<i64>, detail: String) -> Self {
        Site::Log.at(kind, partition, offsets, detail)
    }
}

/// Where a finding is.
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
        Finding { kind, sink, table, topic: None, partition: None, from: None, to: None, detail }
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
        Finding {
            topic: Some(partition.topic.to_string()),
            partition: Some(partition.number.to_string()),
            from: Some(offsets.start.to_string()),
            to: Some(offsets.end.to_string()),
            ..self.finding(kind, table, detail)
        }
    }
}

/// More findings than this are counted only.
const MOST: usize = 1_000;

/// Findings in the making: offsets with one and the same finding become ranges.
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

    /// Whether something of this kind was found about a table as a whole.
    pub(super) fn names(&self, site: Site, kind: Kind) -> bool {
        let table = site.finding(kind, String::new(), String::new()).sink;
        let name = if let Site::Table(table) = site { table.name() } else { "" };
        self.whole.iter().any(|finding| finding.kind == kind && finding.sink == table && finding.table == name)
    }

    /// Whether anything at all was found about a table.
    pub(super) fn touch(&self, table: Table) -> bool {
        let site = Site::Table(table);
        self.whole.iter().any(|finding| finding.sink == "lake" && finding.table == table.name())
            || self.offsets.keys().any(|(marked, ..)| *marked == site)
    }

    /// Rows differ lawfully where the archive's own bytes are known to be altered: that is named alone.
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

    /// All findings in order of place, and how many were left out.
    pub(super) fn finish(mut self, parts: &Parts) -> (Vec<Finding>, usize) {
        self.without_consequences();
        let mut findings = self.whole;
        let mut named: BTreeMap<(Site, u32, Kind), RoaringTreemap> = BTreeMap::new();
        for ((site, part, kind, detail), mut offsets) in self.offsets {
            // A row that is wrong in two ways is named once.
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
