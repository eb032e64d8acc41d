//! SQL mappings: one `SELECT … FROM input`, compiled once to physical expressions and evaluated batch by batch.
//!
//! All input columns are texts: CAST what you compute with. A cast that fails fails its own record only.
//!
//! ```text
//!  parse.rs     SQL → one plain SELECT: its columns, the input columns that they name, the place of each
//!  compile.rs   SELECT → expressions, a column at a time: all mistakes at once
//!  check.rs     what the engine would take and a mapping must not do
//!  lookup.rs    reference tables (table.rs: a CSV file in memory) and the calls that read them
//!  evaluate.rs  a batch of records → the contract's columns
//! ```

mod check;
mod compile;
mod error;
mod evaluate;
mod lookup;
mod parse;
mod table;

pub use compile::Mapping;
pub use error::MappingError;
pub use lookup::Lookups;
pub use table::{Encoding, TableError, TableFile};
