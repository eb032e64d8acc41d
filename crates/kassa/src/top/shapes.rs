//! The API's answers, as far as they are shown. Unknown values are `None`.

use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Live {
    pub shop: Shop,
    pub tiles: Vec<Tile>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Shop {
    pub name: String,
    pub currency: String,
    pub today: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Tile {
    pub figure: String,
    pub unit: String,
    pub value: Option<String>,
    pub yesterday: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Pipeline {
    pub as_of: String,
    pub sinks: Vec<Sink>,
    pub partitions: Vec<Partition>,
    pub records: Records,
    pub rate_per_s: Option<i64>,
    pub memory_bytes: Option<i64>,
    /// Absent in older versions.
    #[serde(default)]
    pub memory: Vec<MemoryPart>,
    pub dead_letters: Letters,
    pub proof: Option<Proof>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct MemoryPart {
    pub part: String,
    pub bytes: Option<i64>,
    pub limit_bytes: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Sink {
    pub name: String,
    pub state: String,
    pub behind_records: Option<i64>,
    pub behind_ms: Option<i64>,
    pub committed_at: Option<String>,
    pub commit_us: Option<i64>,
    pub commit_us_max: Option<i64>,
}

/// Offsets are texts.
#[derive(Debug, Clone, Deserialize)]
pub struct Partition {
    pub topic: String,
    pub partition: String,
    pub log_start: Option<String>,
    pub log_end: Option<String>,
    pub archive: Option<String>,
    pub lake: Option<String>,
    pub warehouse: Option<String>,
    pub live: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Records {
    pub read: Option<i64>,
    pub accepted: Option<i64>,
    pub duplicates: Option<i64>,
    pub dead_letters: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Letters {
    pub total: Option<i64>,
    pub today: Option<i64>,
    pub by_reason: Vec<Reason>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Reason {
    pub reason: String,
    pub stream: String,
    pub count: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Proof {
    pub at: String,
    pub ok: bool,
    pub findings: Vec<serde_json::Value>,
}
