//! The newest keys, in memory: open addressing in 256 shards by the id's high bits.
//!
//! Slots come in groups of 8 with a one-byte tag each, so that the tags alone show that a key is new: they are 1/33 of the table,
//! and stay in the cache when the table does not. Each shard grows on its own: by half while all are small, later by a quarter,
//! so that growing never doubles the memory nor stalls for long, and a large table stays 70 to 90 % full: 37 to 47 bytes per key.

use super::entry::{Entry, IdWords, Words};

const SHARD_BITS: u32 = 8;
const SHARDS: usize = 1 << SHARD_BITS;
const GROUP: usize = 8;
/// A shard with fewer groups is small: all shards of this size are 33 MiB.
const SMALL: usize = 512;
const GROUP_BYTES: usize = GROUP * (size_of::<Words>() + 1);
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

#[derive(Debug)]
pub(super) struct Table {
    shards: Vec<Shard>,
    entries: usize,
    bytes: usize,
}

/// `tags[g]` holds the tags of `slots[8 * g..8 * g + 8]`, the first in the lowest byte; 0 is an empty slot.
#[derive(Debug, Default)]
struct Shard {
    tags: Vec<u64>,
    slots: Vec<Words>,
    used: usize,
    /// The maximum number of entries.
    limit: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), entries: 0, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// Calls `see` with every entry of `id`.
    #[inline]
    pub(super) fn visit(&self, id: IdWords, see: impl FnMut(Entry)) {
        self.shards[shard_of(id[0])].visit(id, see);
    }

    /// Reads the tags, and then the slot, where the search for each key (the first 64 bits of an id) begins. The reads are
    /// independent, so the processor does many at once.
    pub(super) fn warm(&self, keys: impl Iterator<Item = u64> + Clone) -> u64 {
        let mut seen = keys.clone().fold(0, |seen, key| seen ^ self.shards[shard_of(key)].home_tags(key));
        for key in keys {
            let shard = &self.shards[shard_of(key)];
            let tags = shard.home_tags(key);
            let marks = equal_bytes(tags, tag(key)) | (!tags & HIGHS);
            let slot = shard.slots.get(shard.home(key) * GROUP + first_byte(marks) % GROUP);
            seen ^= slot.map_or(0, |words| words[3]);
        }
        seen
    }

    /// Adds an entry; others with the same key stay.
    #[inline]
    pub(super) fn insert(&mut self, entry: Entry) {
        let shard = &mut self.shards[shard_of(entry.0[0])];
        if shard.is_full() {
            let before = shard.tags.len();
            shard.grow();
            self.bytes += (shard.tags.len() - before) * GROUP_BYTES;
        }
        shard.put(entry.0);
        self.entries += 1;
    }

    /// Keeps only the entries for which `keep` is true.
    pub(super) fn retain(&mut self, keep: impl Fn(Entry) -> bool) {
        (self.entries, self.bytes) = (0, 0);
        for shard in &mut self.shards {
            let old = std::mem::take(shard);
            for words in old.slots.into_iter().filter(|words| is_used(words) && keep(Entry(*words))) {
                if shard.is_full() {
                    shard.grow();
                }
                shard.put(words);
            }
            self.entries += shard.used;
            self.bytes += shard.tags.len() * GROUP_BYTES;
        }
    }

    /// Calls `take` with the entries, in no order.
    pub(super) fn for_each(&self, take: impl FnMut(Entry)) {
        let slots = self.shards.iter().flat_map(|shard| &shard.slots);
        slots.filter(|words| is_used(words)).map(|words| Entry(*words)).for_each(take);
    }

    /// Calls `take` with the entries in the order of their keys, a shard at a time.
    pub(super) fn for_each_sorted<E>(&self, mut take: impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
        let mut sorted = Vec::new();
        for shard in &self.shards {
            sorted.clear();
            sorted.extend(shard.slots.iter().filter(|words| is_used(words)));
            sorted.sort_unstable();
            sorted.iter().try_for_each(|words| take(Entry(*words)))?;
        }
        Ok(())
    }
}

fn shard_of(key: u64) -> usize {
    usize::try_from(key >> (64 - SHARD_BITS)).unwrap_or(0)
}

/// No entry's last word is 0, as no place is.
fn is_used(words: &Words) -> bool {
    words[3] != 0
}

/// A byte that is not 0, from bits that do not choose the group.
fn tag(key: u64) -> u64 {
    (key & 0x7F) | 0x80
}

/// The high bit of each byte of `tags` that equals `wanted`, and perhaps of the byte above: comparing the key decides.
fn equal_bytes(tags: u64, wanted: u64) -> u64 {
    let differing = tags ^ (wanted * ONES);
    differing.wrapping_sub(ONES) & !differing & HIGHS
}

/// The lowest byte of the group that has its high bit set in `marks`.
fn first_byte(marks: u64) -> usize {
    usize::try_from(marks.trailing_zeros() / 8).unwrap_or(0)
}

impl Shard {
    /// The group where the search for a key begins: in the order of the keys, so that sealing and growing walk memory forwards.
    fn home(&self, key: u64) -> usize {
        let within = u128::from(key << SHARD_BITS) * self.tags.len() as u128;
        usize::try_from(within >> 64).unwrap_or(0)
    }

    fn home_tags(&self, key: u64) -> u64 {
        self.tags.get(self.home(key)).copied().unwrap_or(0)
    }

    #[inline]
    fn visit(&self, id: IdWords, mut see: impl FnMut(Entry)) {
        let groups = self.tags.len();
        let mut group = self.home(id[0]);
        for _ in 0..groups {
            let tags = self.tags[group];
            let mut marks = equal_bytes(tags, tag(id[0]));
            while marks != 0 {
                let words = self.slots[group * GROUP + first_byte(marks)];
                if words[0] == id[0] && words[1] == id[1] {
                    see(Entry(words));
                }
                marks &= marks - 1;
            }
            if tags & HIGHS != HIGHS {
                return;
            }
            group = if group + 1 == groups { 0 } else { group + 1 };
        }
    }

    /// At most 9 of 10 slots are in use.
    fn is_full(&self) -> bool {
        self.used >= self.limit
    }

    #[cold]
    fn grow(&mut self) {
        let held = self.tags.len();
        let groups = held + if held < SMALL { held / 2 } else { held / 4 } + 1;
        let wider = Self {
            tags: vec![0; groups],
            slots: vec![Words::default(); groups * GROUP],
            used: 0,
            limit: groups * GROUP * 9 / 10,
        };
        let old = std::mem::replace(self, wider);
        old.slots.into_iter().filter(is_used).for_each(|words| self.put(words));
    }

    #[inline]
    fn put(&mut self, words: Words) {
        let mut group = self.home(words[0]);
        while self.tags[group] & HIGHS == HIGHS {
            group = if group + 1 == self.tags.len() { 0 } else { group + 1 };
        }
        let free = first_byte(!self.tags[group] & HIGHS);
        self.tags[group] |= tag(words[0]) << (8 * free);
        self.slots[group * GROUP + free] = words;
        self.used += 1;
    }
}
