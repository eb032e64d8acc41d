//! Dimension keys are computed: a positive 63-bit hash of (kind, store, natural key), equal in
//! every sink. Identities are wider, and only the dedupe index holds them.
//!
//! A [`Keyring`] makes both with the secret of the lake, so that nobody who sends records can compute two with one key.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A durable key. 0 means "unknown".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(i64);

impl Key {
    pub const UNKNOWN: Key = Key(0);

    /// The key that a table holds as this number.
    pub fn from_stored(stored: i64) -> Key {
        Key(stored)
    }

    /// The number by which tables hold the key.
    pub fn stored(self) -> i64 {
        self.0
    }
}

/// A key, and bits of its natural key that are independent of it: two natural keys that share a key differ in these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    pub key: Key,
    /// Not [`Checked::NONE`], unless the key is unknown.
    pub check: u32,
}

impl Checked {
    /// The check of a natural key that is not known.
    pub const NONE: u32 = 0;
}

/// What a record is known by in the dedupe index: 128 bits that stand for a kind and its parts.
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

/// 128 random bits.
pub type Secret = [u8; 16];

/// Makes the keys and the identities of one lake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keyring {
    secret: [u64; 2],
    is_keyed: bool,
}

impl fmt::Debug for Keyring {
    /// The secret is shown nowhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("is_keyed", &self.is_keyed).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Of a lake with a secret: everything is made with it.
    pub const fn keyed(secret: Secret) -> Self {
        Self { secret: words(secret), is_keyed: true }
    }

    /// Of a lake that began before lakes had secrets: its keys are xxh3 and stay as they are. Identities and checks, which no table
    /// holds, are made with a secret of the program that holds them.
    pub const fn unkeyed(secret: Secret) -> Self {
        Self { secret: words(secret), is_keyed: false }
    }

    /// The key of the member of `kind` with these parts; unknown if the last part is empty.
    ///
    /// Each part is hashed after its length, so ("ab", "c") and ("a", "bc") differ.
    pub fn key(&self, kind: &str, parts: &[&str]) -> Key {
        if parts.last().is_none_or(|part| part.is_empty()) {
            return Key::UNKNOWN;
        }
        Key(positive(if self.is_keyed { self.sip(kind, parts)[0] } else { hash(kind, parts) }))
    }

    /// The same with a check, which costs a lake with a secret nothing.
    pub fn checked(&self, kind: &str, parts: &[&str]) -> Checked {
        if parts.last().is_none_or(|part| part.is_empty()) {
            return Checked::default();
        }
        let [first, second] = self.sip(kind, parts);
        let key = Key(positive(if self.is_keyed { first } else { hash(kind, parts) }));
        Checked { key, check: u32::try_from(second >> 32).unwrap_or(u32::MAX).max(Checked::NONE + 1) }
    }

    /// The identity of what `kind` and `parts` name. The parts are delimited as those of a [`Key`].
    pub fn id(&self, kind: &str, parts: &[&str]) -> Id {
        let [first, second] = self.sip(kind, parts);
        Id((u128::from(first) << 64) | u128::from(second))
    }

    /// Whether nobody else can compute two natural keys with one key.
    pub fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// Whether both make the same keys.
    pub fn agrees(&self, other: &Self) -> bool {
        self == other || !(self.is_keyed || other.is_keyed)
    }

    /// A hash of the secret and of the way in which keys are made. State that was made with another keyring cannot be used.
    pub fn fingerprint(&self) -> u64 {
        self.sip("keyring", &[if self.is_keyed { "keyed" } else { "unkeyed" }])[0]
    }

    fn sip(&self, kind: &str, parts: &[&str]) -> [u64; 2] {
        let [k0, k1] = self.secret;
        let mut sip = SipHasher13::new_with_keys(k0, k1);
        let hash = match joined(&mut [0; BUFFER], kind, parts) {
            Some(bytes) => sip.hash(bytes),
            None => {
                each(kind, parts, |bytes| sip.write(bytes));
                sip.finish128()
            }
        };
        [hash.h1, hash.h2]
    }
}

const fn words(secret: Secret) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = secret;
    [u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p])]
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
    each(kind, parts, |bytes| hasher.update(bytes));
    hasher
}

/// The same bytes that [`joined`] makes, piece by piece.
fn each(kind: &str, parts: &[&str], mut take: impl FnMut(&[u8])) {
    for part in std::iter::once(&kind).chain(parts) {
        take(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        take(part.as_bytes());
    }
}

/// 63 bits of a hash, never 0.
pub fn positive(hash: u64) -> i64 {
    i64::try_from(hash >> 1).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests;
