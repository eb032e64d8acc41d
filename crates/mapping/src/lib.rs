//! SQL mappings: one `SELECT … FROM input`, compiled once to physical expressions and evaluated batch by batch.
//!
//! All input columns are texts: CAST what you compute with. A cast that fails fails its own record only.

mod compile;
mod evaluate;
mod lookup;

pub use compile::{Mapping, MappingError};
pub use lookup::{Encoding, LookupError, Lookups};
