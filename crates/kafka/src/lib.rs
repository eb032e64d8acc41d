//! Kafka: the source, the producers, and the schema registry.
//!
//! [`KafkaSource`] reads topics as a member of a consumer group, on the caller's thread, and [`Reader`] stretches of them again; [`Producer`]
//! writes them; [`Admin`] makes and changes them; [`Cluster`] asks a cluster about them, and [`Settings`] is what a topic keeps. All take the same [`Connection`]. [`registry`] fetches schemas.

mod admin;
mod client;
mod cluster;
mod error;
mod examine;
mod options;
mod producer;
mod reader;
pub mod registry;
mod source;

pub use admin::Admin;
pub use cluster::{Bounds, Cluster, Standing, Topic};
pub use error::{ErrorKind, KafkaError};
pub use examine::Settings;
pub use options::{Connection, Mechanism, Sasl, Secret, Security, Tls};
pub use producer::{Delivered, Outgoing, Producer, ProducerOptions};
pub use reader::Reader;
pub use source::{
    Cause, Gap, KafkaSource, Lag, Profile, Reset, SourceOptions, Start, Subscription, Turn, incarnation, kafka_partition,
    next_incarnation,
};
