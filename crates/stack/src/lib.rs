//! The real servers that tests and `make stack` start: Kafka, a schema registry, PostgreSQL, S3.

pub mod http_faults;
pub mod postgres;
pub mod s3;
