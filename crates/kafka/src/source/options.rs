use std::time::Duration;

use crate::Connection;

/// Topics to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    Topic(String),
    /// A regular expression for topic names that begins with `^`. New matching topics are read too.
    Pattern(String),
}

impl Subscription {
    /// A text that begins with `^` is a pattern, as in Kafka's own tools.
    pub fn parse(text: &str) -> Self {
        if text.starts_with('^') { Self::Pattern(text.into()) } else { Self::Topic(text.into()) }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Subscription::Topic(text) | Subscription::Pattern(text) => text,
        }
    }
}

/// The tuning of fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// A small prefetch: 16 MiB.
    #[default]
    Live,
    /// A large prefetch, so that the network never waits: 32 MiB.
    CatchUp,
}

#[derive(Debug, Clone)]
pub struct SourceOptions {
    pub connection: Connection,
    pub topics: Vec<Subscription>,
    pub group: String,
    /// A permanent name: a member that comes back within the session timeout keeps its partitions.
    pub instance: Option<String>,
    pub profile: Profile,
    /// The maximum number of records per poll, over all partitions.
    pub records_max: usize,
    /// The maximum bytes of their values and keys; the record that reaches the limit is the last
    /// one.
    pub bytes_max: usize,
    /// How long queries of the cluster (topics at start, ends of partitions) are retried.
    pub patience: Duration,
}

impl SourceOptions {
    pub fn new(connection: Connection, group: impl Into<String>, topics: Vec<Subscription>) -> Self {
        Self {
            connection,
            topics,
            group: group.into(),
            instance: None,
            profile: Profile::default(),
            records_max: 65_536,
            bytes_max: 16 * 1024 * 1024,
            patience: Duration::from_secs(15),
        }
    }
}
