//! Dimension keys are computed: a positive 63-bit hash of (kind, store, natural key), equal in
//! every sink. Identities are wider, and only the dedupe index holds them.

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

/// A durable key. 0 means "unknown".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(i64);

impl Key {
    pub const UNKNOWN: Key = Key(0);

    /// The key of the member of `kind` with these parts; unknown if the last part is empty.
    ///
    /// Each part is hashed after its length, so ("ab", "c") and ("a", "bc") differ.
    pub fn of(kind: &str, parts: &[&str]) -> Key {
        if parts.last().is_none_or(|part| part.is_empty()) {
            return Key::UNKNOWN;
        }
        Key(positive(hash(kind, parts)))
    }

    /// The key that a table holds as this number.
    pub fn from_stored(stored: i64) -> Key {
        Key(stored)
    }

    /// The number by which tables hold the key.
    pub fn stored(self) -> i64 {
        self.0
    }
}

/// The identity of a record in the dedupe index: a 128-bit hash of a kind and its parts.
///
/// No table and no lake contains one, so the function that makes them can change: indexes are then
/// rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(u128);

impl Id {
    /// All bits. The high ones are as evenly spread as the low ones.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// The first 64 bits, for sets in which a rare mix-up does no harm.
    pub fn short(self) -> u64 {
        u64::try_from(self.0 >> 64).unwrap_or(u64::MAX)
    }
}

/// The identity of `kind` and `parts`. The parts are delimited as those of a [`Key`].
pub fn identity(kind: &str, parts: &[&str]) -> Id {
    Id(match joined(&mut [0; BUFFER], kind, parts) {
        Some(bytes) => xxh3_128(bytes),
        None => hasher(kind, parts).digest128(),
    })
}

/// A 64-bit hash of a kind and its parts. It must never change, because lakes contain it.
pub fn hash(kind: &str, parts: &[&str]) -> u64 {
    match joined(&mut [0; BUFFER], kind, parts) {
        Some(bytes) => xxh3_64(bytes),
        None => hasher(kind, parts).digest(),
    }
}

/// Nearly all inputs are short and use one buffer on the stack; streaming costs five times as much.
const BUFFER: usize = 128;

/// Each part after its length, if the buffer has room for all of them.
#[inline(always)]
fn joined<'b>(buffer: &'b mut [u8; BUFFER], kind: &str, parts: &[&str]) -> Option<&'b [u8]> {
    let length = std::iter::once(&kind).chain(parts).try_fold(0, |length, part| append(buffer, length, part))?;
    buffer.get(..length)
}

/// Appends the length and the part. Returns the new end, or `None` if there is no room.
fn append(buffer: &mut [u8; BUFFER], start: usize, part: &str) -> Option<usize> {
    let part = part.as_bytes();
    let (size, to) = buffer.get_mut(start..start + 4 + part.len())?.split_at_mut(4);
    size.copy_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
    match part.len() {
        8..=16 => copy_words::<8>(to, part),
        4..=7 => copy_words::<4>(to, part),
        0..=3 => to.iter_mut().zip(part).for_each(|(to, byte)| *to = *byte),
        _ => to.copy_from_slice(part),
    }
    Some(start + 4 + part.len())
}

/// Copies N to 2 N bytes as two words that may overlap. Most ids are this short, and a loop takes
/// longer to start.
#[inline(always)]
fn copy_words<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(head), Some(tail)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        to[..N].copy_from_slice(head);
        let start = to.len() - N;
        to[start..].copy_from_slice(tail);
    }
}

fn hasher(kind: &str, parts: &[&str]) -> Xxh3 {
    let mut hasher = Xxh3::new();
    for part in std::iter::once(&kind).chain(parts) {
        hasher.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher
}

/// 63 bits of a hash, never 0.
pub fn positive(hash: u64) -> i64 {
    i64::try_from(hash >> 1).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_change() {
        // Existing lakes contain these values.
        let streamed = |kind: &str, parts: &[&str]| hasher(kind, parts).digest();
        assert_eq!(Key::of("customer", &["", "17850"]), Key(positive(streamed("customer", &["", "17850"]))));
        assert_eq!(Key::of("customer", &["", ""]), Key::UNKNOWN);
        assert_ne!(Key::of("product", &["ab", "c"]), Key::of("product", &["a", "bc"]));
        assert_eq!(Key::from_stored(Key::of("customer", &["17850"]).stored()), Key::of("customer", &["17850"]));
        for length in (0..20).chain(104..118).chain([1000]) {
            let text: String = ('a'..='z').cycle().take(length).collect();
            assert_eq!(hash("product", &["", &text]), streamed("product", &["", &text]), "{length}");
        }
    }

    #[test]
    fn an_identity_is_the_same_however_long_its_parts_are() {
        for length in (0..20).chain(104..118).chain([1000]) {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let id = identity("order", &["", &text]);
            assert_eq!(id, Id(hasher("order", &["", &text]).digest128()), "{length}");
            assert_eq!(u128::from(id.short()), id.bits() >> 64);
        }
        assert_ne!(identity("order", &["ab", "c"]), identity("order", &["a", "bc"]));
        assert_ne!(identity("order", &["a"]), identity("refund", &["a"]));
    }
}
