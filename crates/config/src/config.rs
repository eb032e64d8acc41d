//! The typed and checked configuration: sizes in bytes, folders and files absolute.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kassa_model::{Contract, Format, Secret, Shop};

use crate::origin::{Origin, Place};

/// A complete configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from, if any.
    pub file: Option<PathBuf>,
    pub data_dir: PathBuf,
    pub shop: Shop,
    /// Sorted by name; a stream with several topics has one entry per topic.
    pub streams: Vec<Stream>,
    /// Streams with a topic pattern. [`Config::with_topics`] adds a stream for each matching topic.
    pub patterns: Vec<Stream>,
    /// Sorted by name.
    pub lookups: Vec<Lookup>,
    pub source: Source,
    pub registry: Option<Registry>,
    pub log: Log,
    pub collector: Collector,
    pub lake: Lake,
    pub warehouse: Option<Warehouse>,
    pub redshift: Option<Redshift>,
    pub archive: Archive,
    pub proof: Proof,
    pub live: Live,
    pub server: Server,
    pub limits: Limits,
}

impl Config {
    /// Adds a stream for each of these topics that matches a pattern. A topic belongs to the first
    /// match.
    #[must_use]
    pub fn with_topics<'t>(mut self, topics: impl IntoIterator<Item = &'t str>) -> Self {
        for topic in topics {
            let is_new = self.streams.iter().all(|stream| stream.topic != topic);
            if let Some(pattern) = self.patterns.iter().find(|pattern| is_new && matches(&pattern.topic, topic)) {
                self.streams.push(Stream { topic: topic.to_owned(), ..pattern.clone() });
            }
        }
        self
    }
}

/// Whether a topic matches a pattern: `*` matches any characters, or none.
fn matches(pattern: &str, topic: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == topic };
    let Some(left) = topic.strip_prefix(start) else { return false };
    (0..=left.len()).any(|skipped| left.get(skipped..).is_some_and(|left| matches(rest, left)))
}

/// A named input with a contract.
#[derive(Debug, Clone)]
pub struct Stream {
    pub name: String,
    /// No two streams share one.
    pub topic: String,
    pub format: Format,
    pub contract: Contract,
    /// `None`: records have the contract's fields.
    pub mapping: Option<Mapping>,
    /// CSV only.
    pub encoding: Encoding,
    /// CSV only.
    pub delimiter: u8,
    /// For CSV records without a header line; empty if not configured.
    pub columns: Vec<String>,
    /// How long the dedupe index keeps the ids of behaviour events, by ingest time.
    pub dedupe_window: Duration,
    pub max_record_bytes: usize,
    /// Where the stream is declared.
    pub origin: Origin,
}

/// The name of a contract's default stream.
pub(crate) fn default_stream(contract: Contract) -> String {
    match contract {
        Contract::Inventory => contract.name().to_owned(),
        _ => format!("{}s", contract.name()),
    }
}

/// The encoding of CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Windows1252,
}

/// A mapping that is not compiled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub sql: String,
    /// The position of the SQL's first character.
    pub origin: Origin,
}

impl Mapping {
    /// The origin of a position in the SQL; line and column count from 1.
    pub fn origin_at(&self, line: usize, column: usize) -> Origin {
        let Origin::File(start) = &self.origin else { return self.origin.clone() };
        let column = if line == 1 { start.column + column - 1 } else { column };
        Origin::File(Place { file: start.file.clone(), line: start.line + line - 1, column })
    }
}

/// A CSV file whose columns a mapping can look up by key.
#[derive(Debug, Clone)]
pub struct Lookup {
    pub name: String,
    /// Exists and can be opened. Plain, .gz or .zst.
    pub file: PathBuf,
    pub key: String,
    pub encoding: Encoding,
    pub delimiter: u8,
    /// The origins of `file` and `key`.
    pub file_origin: Origin,
    pub key_origin: Origin,
}

/// The source of records.
#[derive(Debug, Clone)]
pub enum Source {
    Log,
    Kafka(Box<Kafka>),
}

#[derive(Debug, Clone)]
pub struct Kafka {
    /// `host:port`, separated by commas.
    pub brokers: String,
    pub group: String,
    pub instance: Option<String>,
    /// Properties of librdkafka with their values.
    pub properties: Vec<(String, String)>,
    /// More of them, by reference.
    pub secret_properties: Vec<(String, Secret)>,
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
}

/// PEM files. Without `ca`, the system's authorities are trusted.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    pub ca: Option<PathBuf>,
    /// Certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone)]
pub struct Sasl {
    /// Kafka's name of the mechanism.
    pub mechanism: String,
    pub user: String,
    pub password: Secret,
}

#[derive(Debug, Clone)]
pub struct Registry {
    pub url: String,
    pub login: Option<Login>,
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub enum Login {
    Basic { user: String, password: Secret },
    Bearer(Secret),
}

#[derive(Debug, Clone)]
pub struct Warehouse {
    pub url: String,
    pub password: Option<Secret>,
    pub commit_interval: Duration,
    /// How long facts are kept, by their day; `None`: forever.
    pub retention: Option<Duration>,
}

/// The target of the export. The lake must be in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redshift {
    pub place: RedshiftPlace,
    pub database: String,
    pub secret_arn: Option<String>,
    pub iam_role: String,
    pub schema: String,
    /// `None`: from the environment.
    pub region: Option<String>,
    pub endpoint: Option<String>,
    /// Relative to the lake; no `/` at either end.
    pub folder: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedshiftPlace {
    Workgroup(String),
    Cluster { id: String, db_user: Option<String> },
}

/// The collector's log.
#[derive(Debug, Clone)]
pub struct Log {
    pub dir: PathBuf,
    pub segment_bytes: u64,
    pub retention: Duration,
    pub capacity_bytes: u64,
}

/// The limits of a request to the collector.
#[derive(Debug, Clone)]
pub struct Collector {
    pub max_body_bytes: usize,
    pub max_record_bytes: usize,
    pub max_records: usize,
}

#[derive(Debug, Clone)]
pub struct Lake {
    pub place: LakePlace,
    pub commit_interval: Duration,
    pub commit_rows: usize,
    /// Small files of a table.
    pub compact_after_files: usize,
    /// Counted in commits of a table.
    pub checkpoint_interval: u64,
    pub log_retention: Duration,
    pub zstd_level: i32,
}

/// The location of the lake's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakePlace {
    Folder(PathBuf),
    S3(Box<S3>),
}

/// A prefix of a bucket, and its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    pub bucket: String,
    /// No `/` at either end; may be empty.
    pub prefix: String,
    /// `None`: Amazon's in the region.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub path_style: bool,
    pub allow_http: bool,
    /// `None`: the usual ones from the environment or the machine.
    pub keys: Option<S3Keys>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Keys {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

impl fmt::Display for LakePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LakePlace::Folder(dir) => write!(f, "{}", dir.display()),
            LakePlace::S3(s3) if s3.prefix.is_empty() => write!(f, "s3://{}", s3.bucket),
            LakePlace::S3(s3) => write!(f, "s3://{}/{}", s3.bucket, s3.prefix),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Archive {
    pub zstd_level: i32,
}

/// The schedule of the proof in a running pipeline.
#[derive(Debug, Clone)]
pub struct Proof {
    pub delay: Duration,
    pub interval: Duration,
}

#[derive(Debug, Clone)]
pub struct Live {
    pub push_interval: Duration,
}

/// Bounds of what kassa uses.
#[derive(Debug, Clone)]
pub struct Limits {
    pub memory_bytes: usize,
    pub query_memory_bytes: usize,
    pub query_time: Duration,
}

#[derive(Debug, Clone)]
pub struct Server {
    /// Loopback.
    pub listen: SocketAddr,
    /// How long a stop may take.
    pub stop_within: Duration,
}
