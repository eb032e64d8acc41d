//! What the pipeline remembers between two records, and the checkpoints that keep it.
//!
//! The memory (dedupe index, members of dimensions), the figures and the counts follow from what the sinks hold. A checkpoint saves a
//! start the reading of all of it: only what lies beyond the checkpoint's positions is read.

pub mod checkpoint;
pub mod memory;
pub mod tally;

pub use memory::{Held, Known, Memory, MemoryError};
pub use tally::Tally;
