//! Errors of Kafka, and what the caller should do.

use kassa_model::Cause;

/// What a caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// It may work later: retry. Meanwhile the client reconnects by itself.
    Unavailable,
    /// An operator must change something first.
    Invalid,
    /// Another member has replaced this one: stop.
    Fenced,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KafkaError {
    #[error("could not reach Kafka at {at}: {why}")]
    Unavailable { at: String, why: String },
    #[error("Kafka at {at} refused {identity}: {why}")]
    Credentials { at: String, identity: String, why: String },
    #[error("no TLS with Kafka at {at}: {why}")]
    Tls { at: String, trusted: String, why: String },
    #[error("{identity} may not {what} at {at}")]
    Denied { at: String, identity: String, what: String },
    #[error("there is no topic {topic} at {at}")]
    UnknownTopic { at: String, topic: String },
    #[error("this member of group {group} was replaced: {why}")]
    Fenced { group: String, why: String },
    #[error("{what} cannot be used: {why}")]
    Invalid { what: String, why: String },
    #[error("{what} at {at}: {why}")]
    Refused {
        at: String,
        what: String,
        #[source]
        why: Cause,
    },
    #[error("a record for {topic} was not delivered to {at}: {why}")]
    Undelivered { at: String, topic: String, why: String },
}

impl KafkaError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } | Self::Undelivered { .. } => ErrorKind::Unavailable,
            Self::Fenced { .. } => ErrorKind::Fenced,
            Self::Credentials { .. }
            | Self::Tls { .. }
            | Self::Denied { .. }
            | Self::UnknownTopic { .. }
            | Self::Invalid { .. }
            | Self::Refused { .. } => ErrorKind::Invalid,
        }
    }

    /// How to fix it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unavailable { why, .. } if why.contains("Disconnected") || why.contains("unexpected") => {
                "check that a broker listens there and that this is the right listener: a TLS listener closes connections without TLS, and vice versa".into()
            }
            Self::Unavailable { .. } => "check host, port and firewall; brokers must also be reachable by the names that they advertise".into(),
            Self::Credentials { .. } => {
                "check user and password, and that the broker has them for this SASL mechanism (`kafka-configs --describe --entity-type users`)".into()
            }
            Self::Tls { trusted, why, .. } if why.contains("certificate verify failed") || why.contains("self-signed") => {
                format!("the broker's certificate is not signed by {trusted}, or is for another host: give the right authority, or the host name in the certificate")
            }
            Self::Tls { why, .. } if why.contains("certificate required") || why.contains("bad certificate") || why.contains("alert") => {
                "the broker requires a client certificate: give one that its trust store contains, with its key".into()
            }
            Self::Tls { .. } => "is this a TLS listener? check the port, the authority and the client's certificate and key".into(),
            Self::Denied { identity, what, .. } => format!("grant it: kafka-acls --add --allow-principal {identity} ({what})"),
            Self::UnknownTopic { topic, .. } => format!("create it: kafka-topics --create --topic {topic} --partitions N, or correct its name"),
            Self::Fenced { .. } => "two processes have the same instance id: give each process its own".into(),
            Self::Invalid { .. } | Self::Refused { .. } => return None,
            Self::Undelivered { .. } => "records that were not delivered can be sent again: duplicates are recognised by their ids".into(),
        })
    }
}
