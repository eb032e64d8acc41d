//! Avro in a schema registry's framing: `00 <schema id: 4 bytes> <datum>`. A writer's schema is compiled once into a plan, field by
//! field to the contract's slots, by which each datum is read straight into a payload; texts borrow from the frame.
//!
//! Every length, count and depth is checked against the rest of the frame before anything is read or allocated. A datum that does
//! not match its schema is one dead letter, with the path of the field.

mod cursor;
mod fault;
mod json;
mod number;
mod plan;
mod plans;
mod schema;

pub use plan::Plan;
pub(crate) use plans::Known;
pub use plans::Plans;
pub use schema::{BadSchema, Schema};

pub use super::framing::{frame, schema_id};

#[cfg(test)]
mod tests;
