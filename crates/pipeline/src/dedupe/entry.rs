//! One key in 32 bytes.
//!
//! ```text
//!  word 0   id, the first 64 bits
//!  word 1   id, the next 32 bits  | 0, room for its last 32 bits
//!  word 2   content, 32 bits      | offset, low 32 bits
//!  word 3   place, 24 bits        | index, low 12 bits  | ingest time in steps of 16.78 s, 28 bits
//! ```
//!
//! A place is an interned partition together with the high bits of offset and index (see [`super::places`]), so neither has a
//! limit. The time lasts until the year 2112. No place is 0, so an entry of zeros is an empty slot.

use kassa_model::key::Id;

/// An entry as the tables hold it.
pub(super) type Words = [u64; 4];
/// The stored part of an id.
pub(super) type IdWords = [u64; 2];

/// Stored bits of an id after the first 64, at most 64. With 10^10 keys, 96 bits in all have a collision with a probability
/// of 10^-9.
pub(super) const ID_LOW_BITS: u32 = 32;
pub(super) const INDEX_BITS: u32 = 12;
/// A step of time is 2^24 µs.
const TIME_SHIFT: u32 = 24;
const TIME_BITS: u32 = 28;
const LOW: u64 = 0xFFFF_FFFF;

/// The stored data of a row with a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry(pub(super) Words);

/// The parts of an entry, each as a number of its own: id (two parts), content, offset, place, index, step.
pub(super) type Fields = [u64; 7];

/// Ingest time in the steps that entries store.
pub(super) fn steps(micros: i64) -> u64 {
    u64::try_from(micros >> TIME_SHIFT).unwrap_or(0).min((1 << TIME_BITS) - 1)
}

/// The stored part of an id: tables and runs are addressed by its high bits.
#[inline]
pub(super) fn kept(id: Id) -> IdWords {
    let low = u64::try_from(id.bits() & u128::from(u64::MAX)).unwrap_or(0);
    [id.short(), low >> (64 - ID_LOW_BITS) << (64 - ID_LOW_BITS)]
}

impl Entry {
    pub(super) fn new([high, low]: IdWords, place: u64, offset_low: u64, index_low: u64, content: u64, step: u64) -> Self {
        let content = (content ^ (content >> 32)) & LOW;
        let last = (place << (INDEX_BITS + TIME_BITS)) | (index_low << TIME_BITS) | step;
        Self([high, low, (content << 32) | offset_low, last])
    }

    /// The same row under another key.
    #[inline]
    pub(super) fn with_id(self, [high, low]: IdWords) -> Self {
        Self([high, low, self.0[2], self.0[3]])
    }

    #[inline]
    pub(super) fn id(self) -> IdWords {
        [self.0[0], self.0[1]]
    }

    pub(super) fn content(self) -> u64 {
        self.0[2] >> 32
    }

    pub(super) fn step(self) -> u64 {
        self.0[3] & ((1 << TIME_BITS) - 1)
    }

    pub(super) fn place(self) -> u64 {
        self.0[3] >> (INDEX_BITS + TIME_BITS)
    }

    pub(super) fn offset_low(self) -> u64 {
        self.0[2] & LOW
    }

    fn index_low(self) -> u64 {
        (self.0[3] >> TIME_BITS) & ((1 << INDEX_BITS) - 1)
    }

    /// Whether both are the same row of the same record.
    pub(super) fn is_same_row(self, other: Self) -> bool {
        self.offset_low() == other.offset_low() && self.0[3] >> TIME_BITS == other.0[3] >> TIME_BITS
    }

    /// The order in which entries of one key were first seen, as far as their ingest times show it.
    pub(super) fn seniority(self) -> (u64, u64, u64) {
        (self.step(), self.0[3], self.offset_low())
    }

    pub(super) fn fields(self) -> Fields {
        let low = self.0[1] >> (64 - ID_LOW_BITS);
        [self.0[0], low, self.content(), self.offset_low(), self.place(), self.index_low(), self.step()]
    }

    pub(super) fn of_fields([high, low, content, offset_low, place, index_low, step]: Fields) -> Self {
        Self::new([high, low << (64 - ID_LOW_BITS)], place, offset_low, index_low, content, step)
    }

    /// The bytes for a checkpoint.
    pub(super) fn to_bytes(self) -> [u8; size_of::<Words>()] {
        let mut bytes = [0; size_of::<Words>()];
        let (words, _) = bytes.as_chunks_mut::<8>();
        words.iter_mut().zip(self.0).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; size_of::<Words>()]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let mut entry = Self(Words::default());
        entry.0.iter_mut().zip(words).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        entry
    }
}
