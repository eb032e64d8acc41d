//! The real servers for tests and `make stack`: Kafka, a schema registry, PostgreSQL, S3. Each is a
//! separate process on free loopback ports in its own folder. It stops when it is dropped or when
//! the process that started it ends.

pub mod data_api;
mod error;
pub mod http_faults;
pub mod kafka;
pub mod postgres;
mod process;
pub mod proxy;
pub mod registry;
pub mod s3;
mod schedule;
pub mod tls;

pub use data_api::DataApi;
pub use error::StackError;
pub use kafka::{Kafka, KafkaOptions};
pub use process::{ServerFolder, cache_folder, free_ports};
pub use registry::Registry;
pub use tls::Certificates;
