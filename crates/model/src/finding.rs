//! The findings of a proof: what is wrong, and where.

use std::ops::Range;

use serde::Serialize;

use crate::Partition;

/// The kind of a contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Offsets that no span accounts for, between those that spans do.
    Gap,
    /// Offsets in two spans.
    Overlap,
    /// A row or a key occurs twice.
    Double,
    /// The counts of a span differ from its records.
    Miscount,
    /// A row or a value that must exist does not.
    Missing,
    /// A row does not come from any record.
    Extra,
    /// A row differs from its record.
    Altered,
    /// A key refers to no member.
    Orphan,
    /// A position differs from the end of the rows.
    Position,
    FileMissing,
    FileDamaged,
    /// A file differs from the one that the table's log names.
    FileSwapped,
    /// The table's own log cannot be read.
    LogDamaged,
    /// The source no longer has records that were read from it.
    LogCut,
    /// Bytes of the collector's log have changed.
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
    /// `archive`, `lake`, `warehouse` or `log`.
    pub sink: &'static str,
    pub table: String,
    pub topic: Option<String>,
    pub partition: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub detail: String,
}

impl Finding {
    /// About a whole table.
    pub fn new(kind: Kind, sink: &'static str, table: impl Into<String>, detail: String) -> Self {
        Self { kind, sink, table: table.into(), topic: None, partition: None, from: None, to: None, detail }
    }

    /// About the rows of one partition.
    #[must_use]
    pub fn of(self, partition: &Partition) -> Self {
        let (topic, number) = (partition.topic.to_string(), partition.number.to_string());
        Self { topic: Some(topic), partition: Some(number), ..self }
    }

    /// About the rows of these offsets.
    #[must_use]
    pub fn between(self, offsets: Range<i64>) -> Self {
        Self { from: Some(offsets.start.to_string()), to: Some(offsets.end.to_string()), ..self }
    }
}
