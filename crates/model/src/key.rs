//! Dimension keys are computed: a positive 63-bit hash of (kind, store, natural key), equal in
//! every sink.

use xxhash_rust::xxh3::Xxh3;

/// A durable key. 0 means "unknown".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(pub i64);

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
}

/// A 64-bit hash of a kind and its parts. It must never change, because lakes contain it.
pub fn hash(kind: &str, parts: &[&str]) -> u64 {
    // Nearly all inputs are short and use one buffer on the stack; streaming costs five times as
    // much.
    let mut buffer = [0_u8; 128];
    match std::iter::once(&kind).chain(parts).try_fold(0, |length, part| append(&mut buffer, length, part)) {
        Some(length) => xxhash_rust::xxh3::xxh3_64(&buffer[..length]),
        None => hash_long(kind, parts),
    }
}

/// Appends the length and the part. Returns the new end, or `None` if there is no room.
fn append(buffer: &mut [u8; 128], start: usize, part: &str) -> Option<usize> {
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

fn hash_long(kind: &str, parts: &[&str]) -> u64 {
    let mut hasher = Xxh3::new();
    for part in std::iter::once(&kind).chain(parts) {
        hasher.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.digest()
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
        assert_eq!(Key::of("customer", &["", "17850"]), Key(positive(hash_long("customer", &["", "17850"]))));
        assert_eq!(Key::of("customer", &["", ""]), Key::UNKNOWN);
        assert_ne!(Key::of("product", &["ab", "c"]), Key::of("product", &["a", "bc"]));
        for length in (0..20).chain(104..118).chain([1000]) {
            let text: String = ('a'..='z').cycle().take(length).collect();
            assert_eq!(hash("product", &["", &text]), hash_long("product", &["", &text]), "{length}");
        }
    }
}
