//! The Delta log, as far as an appender needs it: reading a table's state and adding commits.
//!
//! Appends are our own (decision 12): data files first, then one log entry, which is put only if
//! absent. The Delta library writes the checkpoints. Any Delta reader can read the result.

pub mod action;
pub mod contents;
mod error;
pub mod protocol;
pub mod schema;
pub mod snapshot;
mod spec;
pub mod table;

pub use action::{Add, Remove};
pub use error::LogError;
pub use snapshot::Snapshot;
pub use spec::TableSpec;
pub use table::DeltaTable;
