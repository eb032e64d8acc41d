//! Arrow columns and PostgreSQL's binary cells: a length, then the value in network byte order.
//! COPY and array parameters both consist of such cells.

mod numeric;
pub(crate) mod read;
pub(crate) mod write;

/// PostgreSQL counts µs from 2000-01-01, Arrow from 1970-01-01.
const EPOCH: i64 = 946_684_800_000_000;
/// As above, in days.
const EPOCH_DAYS: i32 = 10_957;

/// A cell with this length is null.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// The first bytes of every binary COPY: signature, flags, no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// This number of cells in a row marks the end of the rows.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

#[cfg(test)]
mod tests;
