//! The examined Kafka cluster and its topics, for the checks of topics and positions.

use kassa_kafka::{Bounds, Cluster, KafkaError, Settings};

use super::Check;

pub const SYSTEM: &str = "kafka";

/// A cluster that answers, and its topics as far as they could be examined.
pub struct Seen {
    pub cluster: Cluster,
    pub brokers: String,
    pub topics: Vec<SeenTopic>,
}

/// An examined topic.
pub struct SeenTopic {
    pub name: String,
    pub id: Option<String>,
    pub settings: Option<Settings>,
    /// By partition.
    pub bounds: Vec<(i32, Bounds)>,
}

/// Something that is not allowed or missing; the client gives its name and fix.
pub fn refused(what: &str, place: &str, error: &KafkaError) -> Check {
    let fix = match error {
        KafkaError::Unavailable { .. } => {
            "check that the brokers run; then host, port and listener in `source.url`, and the firewall".to_owned()
        }
        KafkaError::Tls { .. } => {
            let hint = error.hint().unwrap_or_default();
            format!("{hint} (`source.ca`, `source.certificate`, `source.key`)")
        }
        KafkaError::Credentials { .. } => {
            let hint = error.hint().unwrap_or_default();
            format!("{hint} (`source.user`, `source.password`, `source.mechanism`)")
        }
        _ => error.hint().unwrap_or_else(|| "correct [source]".to_owned()),
    };
    Check::wrong(SYSTEM, what, place, error.to_string()).why("nothing is read from Kafka").fix(fix)
}
