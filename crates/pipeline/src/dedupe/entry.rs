//! One remembered key in 24 bytes.
//!
//! ```text
//!  word 0   key, spread over all 64 bits
//!  word 1   content, 32 bits   | offset, low 32 bits
//!  word 2   place, 24 bits     | index, low 12 bits  | ingest time in steps of 16.78 s, 28 bits
//! ```
//!
//! A place is an interned partition together with the high bits of offset and index (see [`super::places`]), so neither has a
//! limit. The time lasts until the year 2112. No place is 0, so an entry of zeros is an empty slot.

/// An entry as tables and run files hold it.
pub(super) type Words = [u64; 3];

pub(super) const INDEX_BITS: u32 = 12;
/// A step of time is 2^24 µs.
const TIME_SHIFT: u32 = 24;
const TIME_BITS: u32 = 28;
const LOW: u64 = 0xFFFF_FFFF;

/// What is known about the record that an entry stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry(pub(super) Words);

/// Ingest time in the steps that entries keep.
pub(super) fn steps(micros: i64) -> u64 {
    u64::try_from(micros >> TIME_SHIFT).unwrap_or(0).min((1 << TIME_BITS) - 1)
}

/// Spreads a key over all 64 bits, one to one: tables and runs are addressed by the high bits.
pub(super) fn spread(key: u64) -> u64 {
    let mixed = (key ^ (key >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

impl Entry {
    pub(super) fn new(key: u64, place: u64, offset_low: u64, index_low: u64, content: u64, step: u64) -> Self {
        let content = (content ^ (content >> 32)) & LOW;
        Self([key, (content << 32) | offset_low, (place << (INDEX_BITS + TIME_BITS)) | (index_low << TIME_BITS) | step])
    }

    pub(super) fn key(self) -> u64 {
        self.0[0]
    }

    pub(super) fn content(self) -> u64 {
        self.0[1] >> 32
    }

    pub(super) fn step(self) -> u64 {
        self.0[2] & ((1 << TIME_BITS) - 1)
    }

    pub(super) fn place(self) -> u64 {
        self.0[2] >> (INDEX_BITS + TIME_BITS)
    }

    pub(super) fn offset_low(self) -> u64 {
        self.0[1] & LOW
    }

    /// Whether both stand for the same row of the same record.
    pub(super) fn is_same_row(self, other: Self) -> bool {
        self.offset_low() == other.offset_low() && self.0[2] >> TIME_BITS == other.0[2] >> TIME_BITS
    }

    /// The order in which entries of one key were first seen, as far as their ingest times tell.
    pub(super) fn seniority(self) -> (u64, u64, u64) {
        (self.step(), self.0[2], self.offset_low())
    }
}
