//! The sources of records: files, the collector's log, the synthetic shop.

mod column;
pub mod file;
pub mod log;
pub mod shop;
