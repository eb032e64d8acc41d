//! Typed values. Each is valid on its own; checks across keys come later.

use std::net::SocketAddr;
use std::time::Duration;

use kassa_model::Currency;

/// The source of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceUrl {
    Log(String),
    /// `host:port`, separated by commas.
    Kafka(String),
}

/// The location of a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LakeUrl {
    Folder(String),
    Bucket { bucket: String, prefix: String },
}

/// A typed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Byte(u8),
    Bool(bool),
    Source(SourceUrl),
    Lake(LakeUrl),
    Currency(Currency),
    Address(SocketAddr),
    Number(u64),
    Duration(Duration),
}
