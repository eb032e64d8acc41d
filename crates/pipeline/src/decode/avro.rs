//! Avro in a schema registry's framing: `00 <schema id: 4 bytes> <datum>`. A writer's schema is compiled once into a plan, field by
//! field to the contract's slots, by which each datum is read straight into a payload; texts borrow from the frame.
//!
//! Every length, count and depth is held against what is left of the frame before anything is taken or made. What a datum is not, by
//! its schema, is one dead letter with the path of its field.

mod cursor;
mod fault;
mod json;
mod number;
mod plan;
mod plans;
mod schema;

use kassa_model::{DeadLetter, Reason};

pub use plan::Plan;
pub(crate) use plans::Known;
pub use plans::Plans;
pub use schema::{BadSchema, Schema};

/// The schema's id and the datum.
pub fn frame(bytes: &[u8]) -> Result<(i32, &[u8]), DeadLetter> {
    match bytes {
        [0, a, b, c, d, datum @ ..] => Ok((i32::from_be_bytes([*a, *b, *c, *d]), datum)),
        [0, ..] | [] => Err(DeadLetter::new(Reason::NotAvro, "", format!("{} bytes: a frame has at least 5", bytes.len()))),
        [first, ..] => {
            let detail = format!("begins with {first:#04x}: a schema registry's frame begins with 0x00 and the schema's id");
            Err(DeadLetter::new(Reason::NotAvro, "", detail))
        }
    }
}

/// The id of the schema that a frame names, if it is a frame.
pub fn schema_id(bytes: &[u8]) -> Option<i32> {
    frame(bytes).ok().map(|(id, _)| id)
}

#[cfg(test)]
mod tests;
