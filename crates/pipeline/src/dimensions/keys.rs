//! The keys of one dimension's members, each with a check, in memory: open addressing in cache lines of five.
//!
//! A search begins in the line that the key's bits select, and continues only if that line has overflowed: for a known key it
//! reads 1.1 to 1.3 cache lines on average. The table begins as one shard; with its first few thousand members it becomes 256
//! shards, each of which grows on its own, by a quarter at most. So growing copies a few hundred KiB at a time, and a large table
//! stays 65 to 81 % full: 16 to 20 bytes per member. Shard sizes match the allocator's size classes.

const LINE: usize = 5;
/// Shards of a large table, as a power of two.
const SHARD_BITS: u32 = 8;
/// Lines of the only shard of a small table.
const SMALL: usize = 1024;
/// An empty slot; no member has this key.
const EMPTY: i64 = 0;

#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Line {
    /// Filled from the front; the rest is [`EMPTY`].
    keys: [i64; LINE],
    checks: [u32; LINE],
    /// Whether a key was added further on because this line was full.
    is_passed: bool,
}

#[derive(Debug, Default)]
struct Shard {
    lines: Box<[Line]>,
    used: usize,
}

#[derive(Debug, Default)]
pub(super) struct Keys {
    /// None, one, or 256.
    shards: Vec<Shard>,
    len: usize,
    /// The lines of all shards.
    lines: usize,
}

impl Keys {
    /// The check of a known key. An unknown key, which must not be 0, is added with `check`.
    #[inline]
    pub(super) fn add(&mut self, key: i64, check: u32) -> Option<&mut u32> {
        let (nth, bits) = self.shard_of(key);
        if let Some((line, slot)) = self.shards.get(nth).and_then(|shard| shard.search(key, bits)) {
            return Some(&mut self.shards[nth].lines[line].checks[slot]);
        }
        self.insert(key, check);
        None
    }

    /// Removes a key. Searches that went past it still do.
    pub(super) fn remove(&mut self, key: i64) {
        let (nth, bits) = self.shard_of(key);
        let Some(shard) = self.shards.get_mut(nth) else { return };
        let Some((line, slot)) = shard.search(key, bits) else { return };
        shard.remove(line, slot);
        self.len -= 1;
    }

    /// Reads what searches for these keys begin with. The reads wait for nothing but memory, so the processor does many at once.
    pub(super) fn warm(&self, keys: impl Iterator<Item = i64>) -> i64 {
        let home = |key| {
            let (nth, bits) = self.shard_of(key);
            let shard = self.shards.get(nth)?;
            shard.lines.get(shard.home(key, bits))
        };
        keys.filter_map(home).fold(0, |seen, line| seen ^ line.keys[0])
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes in memory.
    pub(super) fn size(&self) -> usize {
        self.shards.capacity() * size_of::<Shard>() + self.lines * size_of::<Line>()
    }

    /// The keys with their checks, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, u32)> {
        self.shards.iter().flat_map(Shard::iter)
    }

    pub(super) fn clear(&mut self) {
        match &mut self.shards[..] {
            // A proof clears after each record, and most records name few members.
            [shard] if shard.lines.len() <= 4 => {
                shard.lines.fill(Line::default());
                (shard.used, self.len) = (0, 0);
            }
            _ => *self = Self::default(),
        }
    }

    /// The shard of a key, and how many of the key's bits choose it.
    fn shard_of(&self, key: i64) -> (usize, u32) {
        let bits = if self.shards.len() > 1 { SHARD_BITS } else { 0 };
        (whole((u128::from(spread(key)) << bits) >> 64), bits)
    }

    fn insert(&mut self, key: i64, check: u32) {
        if self.shards.is_empty() {
            self.shards = vec![Shard::default()];
        }
        if let [shard] = &self.shards[..]
            && shard.is_full()
            && shard.lines.len() >= SMALL
        {
            self.split();
        }
        let (nth, bits) = self.shard_of(key);
        self.lines += self.shards[nth].put(key, check, bits);
        self.len += 1;
    }

    /// Splits the only shard into many.
    fn split(&mut self) {
        let shards = (0..1 << SHARD_BITS).map(|_| Shard::default()).collect();
        let small = std::mem::replace(&mut self.shards, shards);
        self.lines = 0;
        for (key, check) in small.iter().flat_map(Shard::iter) {
            let (nth, bits) = self.shard_of(key);
            self.lines += self.shards[nth].put(key, check, bits);
        }
    }
}

impl Shard {
    /// The line where the search for a key begins: in the order of the spread keys, so that growing walks memory forwards.
    fn home(&self, key: i64, bits: u32) -> usize {
        whole((u128::from(spread(key) << bits) * self.lines.len() as u128) >> 64)
    }

    /// The line and the slot of a key.
    #[inline]
    fn search(&self, key: i64, bits: u32) -> Option<(usize, usize)> {
        let mut nth = self.home(key, bits);
        loop {
            let line = self.lines.get(nth)?;
            match line.keys.iter().position(|held| *held == key) {
                Some(slot) => return Some((nth, slot)),
                None if line.is_passed => nth = self.after(nth),
                None => return None,
            }
        }
    }

    /// The next line; after the last one comes the first.
    fn after(&self, nth: usize) -> usize {
        if nth + 1 == self.lines.len() { 0 } else { nth + 1 }
    }

    /// Whether another member would take more than 13 of 16 slots. There are always empty slots, so every search ends.
    fn is_full(&self) -> bool {
        self.used >= self.lines.len() * LINE * 13 / 16
    }

    /// Adds an unknown key. Returns the number of lines by which the shard has grown.
    fn put(&mut self, key: i64, check: u32, bits: u32) -> usize {
        let before = self.lines.len();
        if self.is_full() {
            self.grow(bits);
        }
        self.fill(key, check, bits);
        self.lines.len() - before
    }

    fn fill(&mut self, key: i64, check: u32, bits: u32) {
        let mut nth = self.home(key, bits);
        loop {
            let line = &mut self.lines[nth];
            if let Some(slot) = line.keys.iter().position(|held| *held == EMPTY) {
                (line.keys[slot], line.checks[slot]) = (key, check);
                self.used += 1;
                return;
            }
            line.is_passed = true;
            nth = self.after(nth);
        }
    }

    /// Moves the later keys of the line up, so that the used slots stay the first ones.
    fn remove(&mut self, line: usize, slot: usize) {
        let line = &mut self.lines[line];
        line.keys[slot..].rotate_left(1);
        line.checks[slot..].rotate_left(1);
        line.keys[LINE - 1] = EMPTY;
        self.used -= 1;
    }

    /// By a quarter of the power of two below.
    fn grow(&mut self, bits: u32) {
        let lines = self.lines.len();
        let more = lines.checked_ilog2().map_or(1, |log| ((1_usize << log) / 4).max(1));
        let larger = Self { lines: vec![Line::default(); lines + more].into(), used: 0 };
        let smaller = std::mem::replace(self, larger);
        smaller.iter().for_each(|(key, check)| self.fill(key, check, bits));
    }

    fn iter(&self) -> impl Iterator<Item = (i64, u32)> {
        let slots = self.lines.iter().flat_map(|line| line.keys.into_iter().zip(line.checks));
        slots.filter(|(key, _)| *key != EMPTY)
    }
}

/// Our keys are hashes already. The product spreads other keys over the high bits, too.
fn spread(key: i64) -> u64 {
    key.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A number below that of shards or lines.
fn whole(number: u128) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
