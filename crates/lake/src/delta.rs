//! The Delta log, as far as an appender needs it: what a table holds, and how a commit is added.
//!
//! Appends are our own (decision 12): data files first, then one log entry, put only if absent. The Delta library makes the
//! checkpoints; everybody reads the result.

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
