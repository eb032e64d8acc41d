//! A block of a sealed run: up to 256 entries ordered by id, each part of an entry in as many bits as the block needs.
//!
//! ```text
//!  number of entries − 1 · for each of the 7 parts, its width in bits     1 byte each
//!  for each part, the least value                                         8 bytes each
//!  entries: for each part, how much more than the least                   bits, the lowest first
//!  checksum                                                               8 bytes
//! ```
//!
//! All entries have the same size, so that an id is found by bisection. Each part may take 64 bits.

use xxhash_rust::xxh3::xxh3_64;

use super::codec::{Reader, put_u64};
use super::entry::{Entry, Fields, IdWords};

pub(super) const PER_BLOCK: usize = 256;
const PARTS: usize = 7;
const CHECKSUM: usize = 8;
/// Bytes that can be read at any bit of the entries: the checksum follows them.
const WINDOW: usize = 9;

/// Appends a block of these entries, or nothing if there are none.
pub(super) fn encode(entries: &[Entry], out: &mut Vec<u8>) {
    let Some(last) = entries.len().checked_sub(1) else { return };
    let start = out.len();
    let rows: Vec<Fields> = entries.iter().map(|entry| entry.fields()).collect();
    let bound = |part: usize, of: fn(u64, u64) -> u64| rows.iter().map(|row| row[part]).reduce(of).unwrap_or(0);
    let bases: Fields = std::array::from_fn(|part| bound(part, u64::min));
    let widths: [u8; PARTS] = std::array::from_fn(|part| width(bound(part, u64::max) - bases[part]));
    out.push(u8::try_from(last).unwrap_or(u8::MAX));
    out.extend_from_slice(&widths);
    bases.iter().for_each(|base| put_u64(out, *base));
    let mut bits = Bits { out, held: 0, count: 0 };
    for row in rows {
        (0..PARTS).for_each(|part| bits.put(row[part] - bases[part], widths[part]));
    }
    bits.end();
    let checksum = xxh3_64(&out[start..]);
    put_u64(out, checksum);
}

/// The number of bits of the value.
fn width(value: u64) -> u8 {
    u8::try_from(u64::BITS - value.leading_zeros()).unwrap_or(64)
}

/// Writes numbers of some bits each, the lowest first.
struct Bits<'o> {
    out: &'o mut Vec<u8>,
    held: u128,
    count: u8,
}

impl Bits<'_> {
    fn put(&mut self, value: u64, width: u8) {
        self.held |= u128::from(value) << self.count;
        self.count += width;
        while self.count >= 8 {
            self.out.push(self.held.to_le_bytes()[0]);
            (self.held, self.count) = (self.held >> 8, self.count - 8);
        }
    }

    fn end(self) {
        if self.count > 0 {
            self.out.push(self.held.to_le_bytes()[0]);
        }
    }
}

/// An encoded block.
#[derive(Debug)]
pub(super) struct Block<'b> {
    count: usize,
    widths: [u8; PARTS],
    bases: Fields,
    /// Bits of an entry.
    stride: usize,
    /// The entries and the checksum.
    rest: &'b [u8],
}

impl<'b> Block<'b> {
    /// `None`: the bytes are damaged.
    pub(super) fn open(bytes: &'b [u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
        if xxh3_64(body).to_le_bytes() != *checksum {
            return None;
        }
        let mut head = Reader(bytes);
        let [last]: [u8; 1] = head.take(1)?.try_into().ok()?;
        let widths: [u8; PARTS] = head.take(PARTS)?.try_into().ok()?;
        let mut bases = Fields::default();
        for base in &mut bases {
            *base = head.u64()?;
        }
        let (count, rest) = (usize::from(last) + 1, head.0);
        let stride = widths.iter().map(|width| usize::from(*width)).sum::<usize>();
        let is_whole = rest.len() == (count * stride).div_ceil(8) + CHECKSUM && widths.iter().all(|width| *width <= 64);
        is_whole.then_some(Self { count, widths, bases, stride, rest })
    }

    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = Entry> {
        (0..self.count).map(|row| self.entry(row))
    }

    /// Calls `see` with every entry of `id`; returns whether there was one.
    pub(super) fn visit(&self, id: IdWords, see: &mut impl FnMut(Entry)) -> bool {
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = from.midpoint(to);
            if self.high(middle) < id[0] { from = middle + 1 } else { to = middle }
        }
        let alike = (from..self.count).take_while(|row| self.high(*row) == id[0]);
        let mut found = false;
        for entry in alike.map(|row| self.entry(row)).filter(|entry| entry.id() == id) {
            found = true;
            see(entry);
        }
        found
    }

    /// The first 64 bits of an entry's id.
    fn high(&self, row: usize) -> u64 {
        self.bases[0].wrapping_add(self.bits(row * self.stride, self.widths[0]))
    }

    fn entry(&self, row: usize) -> Entry {
        let mut at = row * self.stride;
        Entry::of_fields(std::array::from_fn(|part| {
            let value = self.bases[part].wrapping_add(self.bits(at, self.widths[part]));
            at += usize::from(self.widths[part]);
            value
        }))
    }

    fn bits(&self, at: usize, width: u8) -> u64 {
        if width == 0 {
            return 0;
        }
        let window = self.rest.get(at / 8..).and_then(|rest| rest.first_chunk::<WINDOW>());
        let mut word = [0; 16];
        word[..WINDOW].copy_from_slice(window.unwrap_or(&[0; WINDOW]));
        let value = u128::from_le_bytes(word) >> (at % 8);
        u64::try_from(value & ((1_u128 << width) - 1)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_entry() -> impl Strategy<Value = Entry> {
        let ids = (prop_oneof![any::<u64>(), 0..4_u64], any::<u32>());
        let place = prop_oneof![1..4_u64, 1..(1_u64 << 24)];
        (ids, place, any::<u32>(), 0..(1_u64 << 12), any::<u32>(), prop_oneof![0..5_u64, 0..(1_u64 << 28)]).prop_map(
            |((high, low), place, offset, index, content, step)| {
                Entry::new([high, u64::from(low) << 32], place, offset.into(), index, content.into(), step)
            },
        )
    }

    proptest! {
        #[test]
        fn a_block_holds_what_was_written(mut entries in prop::collection::vec(any_entry(), 1..=PER_BLOCK), other in any::<u64>()) {
            entries.sort_unstable_by_key(|entry| entry.0);
            let mut bytes = Vec::new();
            encode(&entries, &mut bytes);
            let block = Block::open(&bytes).unwrap();
            let words = |entries: &[Entry]| entries.iter().map(|entry| entry.0).collect::<Vec<_>>();
            prop_assert_eq!(words(&block.entries().collect::<Vec<_>>()), words(&entries));
            for id in entries.iter().map(|entry| entry.id()).chain([[other, 0]]) {
                let mut seen = Vec::new();
                let found = block.visit(id, &mut |entry| seen.push(entry));
                let alike: Vec<_> = entries.iter().copied().filter(|entry| entry.id() == id).collect();
                prop_assert_eq!(words(&seen), words(&alike));
                prop_assert_eq!(found, !alike.is_empty());
            }
        }

        #[test]
        fn other_bytes_are_no_block(entries in prop::collection::vec(any_entry(), 1..20), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut bytes = Vec::new();
            encode(&entries, &mut bytes);
            prop_assert!(Block::open(&bytes[..bytes.len() - 1]).is_none());
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Block::open(&bytes).is_none());
        }
    }
}
