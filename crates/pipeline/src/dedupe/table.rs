//! The newest keys, in memory: open addressing with linear probing, in 256 shards by the key's high bits.
//!
//! Each shard grows on its own and by a quarter, so that growing never doubles the memory, never stalls for long, and the table
//! stays 70 to 87 % full: 27 to 34 bytes a key.

use super::entry::{EMPTY, Entry, Words};

const SHARD_BITS: u32 = 8;
const SHARDS: usize = 1 << SHARD_BITS;

#[derive(Debug)]
pub(super) struct Table {
    shards: Vec<Shard>,
    entries: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Shard {
    slots: Vec<Words>,
    used: usize,
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

    /// Calls `see` with every entry of `key`.
    pub(super) fn visit(&self, key: u64, mut see: impl FnMut(Entry)) {
        let shard = &self.shards[shard_of(key)];
        if shard.slots.is_empty() {
            return;
        }
        let home = shard.home(key);
        for slot in shard.slots[home..].iter().chain(&shard.slots[..home]) {
            if slot[2] == 0 {
                return;
            }
            if slot[0] == key {
                see(Entry(*slot));
            }
        }
    }

    /// Adds an entry beside those that its key may have already.
    pub(super) fn insert(&mut self, entry: Entry) {
        let shard = &mut self.shards[shard_of(entry.key())];
        let before = shard.slots.len();
        shard.make_room();
        self.bytes += (shard.slots.len() - before) * size_of::<Words>();
        shard.put(entry.0);
        self.entries += 1;
    }

    /// Keeps only the entries that `keep` approves of.
    pub(super) fn retain(&mut self, keep: impl Fn(Entry) -> bool) {
        (self.entries, self.bytes) = (0, 0);
        for shard in &mut self.shards {
            for slot in std::mem::take(shard).slots {
                if slot[2] != 0 && keep(Entry(slot)) {
                    shard.make_room();
                    shard.put(slot);
                }
            }
            self.entries += shard.used;
            self.bytes += shard.slots.len() * size_of::<Words>();
        }
    }

    /// Calls `take` with the entries in the order of their keys, a shard at a time.
    pub(super) fn for_each_sorted<E>(&self, mut take: impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
        let mut sorted = Vec::new();
        for shard in &self.shards {
            sorted.clear();
            sorted.extend(shard.slots.iter().filter(|slot| slot[2] != 0));
            sorted.sort_unstable();
            sorted.iter().try_for_each(|slot| take(Entry(*slot)))?;
        }
        Ok(())
    }
}

fn shard_of(key: u64) -> usize {
    usize::try_from(key >> (64 - SHARD_BITS)).unwrap_or(0)
}

impl Shard {
    /// The slot where the search for a key begins: in the order of the keys, so that sealing and growing walk memory forwards.
    fn home(&self, key: u64) -> usize {
        let within = u128::from(key << SHARD_BITS) * self.slots.len() as u128;
        usize::try_from(within >> 64).unwrap_or(0)
    }

    fn make_room(&mut self) {
        if (self.used + 1) * 8 <= self.slots.len() * 7 {
            return;
        }
        let wider = vec![EMPTY; self.slots.len() + self.slots.len() / 4 + 8];
        let old = std::mem::replace(&mut self.slots, wider);
        self.used = 0;
        old.into_iter().filter(|slot| slot[2] != 0).for_each(|slot| self.put(slot));
    }

    fn put(&mut self, words: Words) {
        let home = self.home(words[0]);
        let (before, from_home) = self.slots.split_at_mut(home);
        if let Some(slot) = from_home.iter_mut().chain(before).find(|slot| slot[2] == 0) {
            *slot = words;
            self.used += 1;
        }
    }
}
