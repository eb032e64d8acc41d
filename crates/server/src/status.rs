//! The state of the pipeline, as JSON for `GET /api/v1/pipeline`. Offsets and partitions are texts,
//! times RFC 3339; unknown values are null.

use std::borrow::Cow;

use kassa_model::{Counts, time};
use serde::{Serialize, Serializer};

fn text<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn text_or_null<S: Serializer>(number: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    number.map(|number| number.to_string()).serialize(serializer)
}

pub(crate) fn moment<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time::format(*micros))
}

pub(crate) fn moment_or_null<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    micros.map(time::format).serialize(serializer)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkState {
    Current,
    Behind,
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinkStatus {
    pub name: &'static str,
    pub state: SinkState,
    pub behind_records: Option<i64>,
    pub behind_ms: Option<i64>,
    /// µs UTC.
    #[serde(serialize_with = "moment_or_null")]
    pub committed_at: Option<i64>,
    /// The duration of the last commit.
    pub commit_us: Option<i64>,
    /// The slowest of the last hundred.
    pub commit_us_max: Option<i64>,
}

/// A partition: the start and end of its log, and the next offset of each sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    pub topic: String,
    #[serde(serialize_with = "text")]
    pub partition: i64,
    #[serde(serialize_with = "text_or_null")]
    pub log_start: Option<i64>,
    #[serde(serialize_with = "text_or_null")]
    pub log_end: Option<i64>,
    #[serde(serialize_with = "text_or_null")]
    pub archive: Option<i64>,
    #[serde(serialize_with = "text_or_null")]
    pub lake: Option<i64>,
    #[serde(serialize_with = "text_or_null")]
    pub warehouse: Option<i64>,
    #[serde(serialize_with = "text_or_null")]
    pub live: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    pub read: Option<i64>,
    pub accepted: Option<i64>,
    pub duplicates: Option<i64>,
    pub dead_letters: Option<i64>,
}

impl From<Counts> for RecordCounts {
    fn from(counts: Counts) -> Self {
        Self {
            read: Some(counts.read),
            accepted: Some(counts.accepted),
            duplicates: Some(counts.duplicates),
            dead_letters: Some(counts.dead_letters),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpanStatus {
    pub topic: String,
    #[serde(serialize_with = "text")]
    pub partition: i64,
    #[serde(serialize_with = "text")]
    pub from: i64,
    #[serde(serialize_with = "text")]
    pub to: i64,
    pub read: i64,
    pub accepted: i64,
    pub duplicates: i64,
    pub dead_letters: i64,
    pub gap: i64,
    /// µs UTC.
    #[serde(serialize_with = "moment")]
    pub committed_at: i64,
}

/// An example dead letter; `value` is the first 2,000 bytes as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub topic: String,
    #[serde(serialize_with = "text")]
    pub partition: i64,
    #[serde(serialize_with = "text")]
    pub offset: i64,
    pub field: String,
    pub detail: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonStatus {
    pub reason: String,
    pub meaning: String,
    pub stream: String,
    pub count: i64,
    pub example: Option<Example>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeadLetterStatus {
    pub total: Option<i64>,
    pub today: Option<i64>,
    pub by_reason: Vec<ReasonStatus>,
}

/// A finding of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingStatus {
    pub kind: String,
    pub sink: String,
    pub table: String,
    pub topic: String,
    pub partition: String,
    pub from: String,
    pub to: String,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// µs UTC.
    #[serde(serialize_with = "moment")]
    pub at: i64,
    pub ok: bool,
    pub findings: Vec<FindingStatus>,
}

/// A part of the process's memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryPart {
    pub part: Cow<'static, str>,
    /// `None`: not measured.
    pub bytes: Option<i64>,
    /// `None`: the part has no bound of its own.
    pub limit_bytes: Option<i64>,
}

/// The whole state except `as_of`, which the server adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PipelineStatus {
    pub sinks: Vec<SinkStatus>,
    pub partitions: Vec<PartitionStatus>,
    pub records: RecordCounts,
    pub rate_per_s: Option<i64>,
    /// Resident memory of the process.
    pub memory_bytes: Option<i64>,
    pub memory: Vec<MemoryPart>,
    /// The latest spans.
    pub spans: Vec<SpanStatus>,
    pub dead_letters: DeadLetterStatus,
    /// `None` before the first proof.
    pub proof: Option<Proof>,
    /// By how much the machine's clock has jumped; `None` unless kassa has not followed it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_jump_ms: Option<i64>,
}

/// The time and result of the last proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// µs UTC.
    #[serde(serialize_with = "moment")]
    pub at: i64,
    pub ok: bool,
}

/// The part of the pipeline's state in each update of live figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pulse {
    pub sinks: Vec<SinkStatus>,
    pub dead_letters_today: Option<i64>,
    pub rate_per_s: Option<i64>,
    pub records: RecordCounts,
    pub proof: Option<Verdict>,
}

impl Pulse {
    pub fn of(pipeline: &PipelineStatus) -> Self {
        Self {
            sinks: pipeline.sinks.clone(),
            dead_letters_today: pipeline.dead_letters.today,
            rate_per_s: pipeline.rate_per_s,
            records: pipeline.records,
            proof: pipeline.proof.as_ref().map(|proof| Verdict { at: proof.at, ok: proof.ok }),
        }
    }
}
