//! Kafka: the source, the producers, and the schema registry.
//!
//! [`KafkaSource`] reads topics as a consumer group member on the caller's thread, and [`Reader`]
//! reads ranges again. [`Producer`] writes topics, [`Admin`] creates and changes them, [`Cluster`]
//! queries a cluster, and [`Settings`] are the settings of a topic. All use the same
//! [`Connection`]. [`registry`] fetches schemas.

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
pub use options::{Connection, Mechanism, Sasl, Security, Tls};
pub use producer::{Delivered, Outgoing, Producer, ProducerOptions};
pub use reader::Reader;
pub use source::{
    Cause, Gap, KafkaSource, Lag, Profile, Reset, SourceOptions, Start, Subscription, Turn, incarnation, kafka_partition,
    next_incarnation,
};
