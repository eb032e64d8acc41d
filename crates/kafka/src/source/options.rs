use std::time::Duration;

use crate::Connection;

/// Topics to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    Topic(String),
    /// A regular expression over topic names, beginning with `^`. Topics that come to match later are read too.
    Pattern(String),
}

impl Subscription {
    /// What begins with `^` is a pattern, as in Kafka's own tools.
    pub fn parse(text: &str) -> Self {
        if text.starts_with('^') { Self::Pattern(text.into()) } else { Self::Topic(text.into()) }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Subscription::Topic(text) | Subscription::Pattern(text) => text,
        }
    }
}

/// What fetching is tuned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Little is kept ahead: 16 MiB.
    #[default]
    Live,
    /// Much is kept ahead, so that the network never waits: 32 MiB.
    CatchUp,
}

#[derive(Debug, Clone)]
pub struct SourceOptions {
    pub connection: Connection,
    pub topics: Vec<Subscription>,
    pub group: String,
    /// A name that outlives restarts: a member that comes back within the session's time keeps its partitions.
    pub instance: Option<String>,
    pub profile: Profile,
    /// The records of one poll, over all partitions.
    pub records_max: usize,
    /// The bytes of their values and keys; the record that reaches it is the last.
    pub bytes_max: usize,
    /// How long questions to the cluster (topics at the start, ends of partitions) are repeated.
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
