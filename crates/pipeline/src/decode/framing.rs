//! The framing of a schema registry: `00 <schema id: 4 bytes> <datum>`.

use kassa_model::{DeadLetter, Reason};

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

/// The schema id in a frame, if the bytes are a frame.
pub fn schema_id(bytes: &[u8]) -> Option<i32> {
    frame(bytes).ok().map(|(id, _)| id)
}
