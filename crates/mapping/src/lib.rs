//! SQL mappings: one `SELECT … FROM input`, compiled once to physical expressions and evaluated
//! batch by batch.
//!
//! All input columns are texts: CAST what you compute with. A cast that fails fails its own record
//! only.
//!
//! ```text
//!  parse.rs     SQL → one plain SELECT: its columns, the input columns in them, the position of each
//!  compile.rs   SELECT → expressions, column by column: all mistakes at once
//!  check.rs     refuses expressions that the engine accepts but a mapping must not contain
//!  weight.rs    and those whose memory or time a record could decide
//!  bounded.rs   functions whose results are larger than their arguments, with a limit
//!  lookup.rs    reference tables (table.rs: a CSV file in memory) and the calls that read them
//!  evaluate.rs  a batch of records → the contract's columns
//! ```

mod bounded;
mod check;
mod compile;
mod error;
mod evaluate;
mod lookup;
mod parse;
mod table;
mod weight;

pub use compile::Mapping;
pub use error::MappingError;
pub use lookup::Lookups;
pub use table::{Encoding, TableError, TableFile};
