//! A map from 64-bit keys to small values, as one sorted sequence of bytes in leaves of at most some 1 KiB: a key costs the difference to
//! the one before it, a value its bytes and their count. Hashed keys of a million entries take some 6 bytes each.
//!
//! It stores everything that seldom changes: customers, orders, payments, the cells and the persons of past days. A change
//! rewrites one leaf, so a late row costs about a microsecond, and nothing has to be opened or closed. Leaves never change in
//! place: clones share them.

use serde::{Deserialize, Serialize};

use crate::shared::{Bytes, Shared};
use crate::varint::{read, write};

/// A leaf with more bytes than this is split, unless it has a single entry.
const LEAF_MAX: usize = 1024;
/// Leaves per node: a change copies them together with its leaf.
const NODE_MAX: usize = 256;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Packed {
    /// Sorted; each contains the keys from its first leaf's `from` up to that of the next node.
    nodes: Vec<Shared<Vec<Leaf>>>,
    len: usize,
    leaves: usize,
    /// Bytes of all leaves.
    bytes: usize,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Leaf {
    /// The lower bound of its keys.
    from: u64,
    bytes: Bytes,
}

/// The memory of a leaf and its allocation, besides the bytes.
const LEAF_BYTES: usize = size_of::<Leaf>() + 2 * size_of::<usize>();

/// The entries of a leaf in order.
struct Entries<'a> {
    rest: &'a [u8],
    last: u64,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest;
        let difference = read(&mut rest)?;
        let count = usize::try_from(read(&mut rest)?).ok()?;
        let (value, rest) = rest.split_at_checked(count)?;
        self.rest = rest;
        self.last = self.last.wrapping_add(difference.cast_unsigned());
        Some((self.last, value))
    }
}

fn write_entry(out: &mut Vec<u8>, difference: u64, value: &[u8]) {
    write(out, difference.cast_signed());
    write(out, i64::try_from(value.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(value);
}

impl Leaf {
    fn entries(&self) -> Entries<'_> {
        Entries { rest: &self.bytes.0, last: self.from }
    }

    fn get(&self, key: u64) -> Option<&[u8]> {
        self.entries().find(|(at, _)| *at >= key).filter(|(at, _)| *at == key).map(|(_, value)| value)
    }

    /// Its bytes after setting or removing a key; and whether it had the key.
    fn with(&self, key: u64, value: Option<&[u8]>) -> (Vec<u8>, bool) {
        let bytes: &[u8] = &self.bytes.0;
        let mut entries = self.entries();
        let (mut head, mut before) = (0, self.from);
        let mut next = entries.next();
        while let Some((at, _)) = next.filter(|(at, _)| *at < key) {
            (head, before) = (bytes.len() - entries.rest.len(), at);
            next = entries.next();
        }
        let is_known = next.is_some_and(|(at, _)| at == key);
        if is_known {
            next = entries.next();
        }
        let mut out = Vec::with_capacity(bytes.len() + value.map_or(0, <[u8]>::len) + 20);
        out.extend_from_slice(&bytes[..head]);
        if let Some(value) = value {
            write_entry(&mut out, key - before, value);
            before = key;
        }
        if let Some((at, value)) = next {
            write_entry(&mut out, at - before, value);
            out.extend_from_slice(entries.rest);
        }
        (out, is_known)
    }

    /// A leaf of these bytes, or two.
    fn split(from: u64, bytes: &[u8]) -> (Leaf, Option<Leaf>) {
        let mut entries = Entries { rest: bytes, last: from };
        let mut end = 0;
        while bytes.len() > LEAF_MAX && end < bytes.len() / 2 && entries.next().is_some() {
            end = bytes.len() - entries.rest.len();
        }
        let second = if end == 0 { None } else { entries.next() };
        let Some((key, value)) = second else { return (Leaf { from, bytes: Bytes(bytes.into()) }, None) };
        let mut out = Vec::with_capacity(bytes.len() - end);
        write_entry(&mut out, 0, value);
        out.extend_from_slice(entries.rest);
        (Leaf { from, bytes: Bytes(bytes[..end].into()) }, Some(Leaf { from: key, bytes: Bytes(out.into()) }))
    }
}

impl Packed {
    /// Entries that are sorted by key, each key once.
    pub(crate) fn of_sorted(entries: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Self {
        let (mut leaves, mut len, mut all) = (Vec::new(), 0, 0);
        let (mut from, mut last, mut out) = (0, 0, Vec::new());
        for (key, value) in entries {
            if out.len() + value.len() > LEAF_MAX && !out.is_empty() {
                all += out.len();
                leaves.push(Leaf { from, bytes: Bytes(std::mem::take(&mut out).into()) });
                (from, last) = (key, key);
            }
            write_entry(&mut out, key - last, &value);
            (last, len) = (key, len + 1);
        }
        all += out.len();
        leaves.push(Leaf { from, bytes: Bytes(out.into()) });
        let nodes = leaves.chunks(NODE_MAX).map(|leaves| Shared::new(leaves.to_vec())).collect();
        Self { nodes, len, leaves: leaves.len(), bytes: all }
    }

    /// The location of a key, or where it would be: node and leaf.
    fn place(&self, key: u64) -> Option<(usize, usize)> {
        let from = |leaves: &Shared<Vec<Leaf>>| leaves.first().map_or(0, |leaf| leaf.from);
        let nth = self.nodes.partition_point(|node| from(node) <= key).saturating_sub(1);
        let leaves = self.nodes.get(nth)?;
        Some((nth, leaves.partition_point(|leaf| leaf.from <= key).saturating_sub(1)))
    }

    pub(crate) fn get(&self, key: u64) -> Option<&[u8]> {
        let (nth, at) = self.place(key)?;
        self.nodes[nth].get(at)?.get(key)
    }

    pub(crate) fn contains(&self, key: u64) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key. Returns whether the key is new.
    pub(crate) fn set(&mut self, key: u64, value: &[u8]) -> bool {
        let is_new = !self.change(key, Some(value));
        self.len += usize::from(is_new);
        is_new
    }

    pub(crate) fn remove(&mut self, key: u64) {
        if self.contains(key) {
            self.change(key, None);
            self.len -= 1;
        }
    }

    fn change(&mut self, key: u64, value: Option<&[u8]>) -> bool {
        if self.nodes.is_empty() {
            self.nodes.push(Shared::new(vec![Leaf::default()]));
            self.leaves = 1;
        }
        let Some((nth, at)) = self.place(key) else { return false };
        let leaves = self.nodes[nth].edit();
        let (bytes, is_known) = leaves[at].with(key, value);
        self.bytes = self.bytes + bytes.len() - leaves[at].bytes.0.len();
        let (first, second) = Leaf::split(leaves[at].from, &bytes);
        if let Some(second) = second {
            self.bytes = self.bytes + first.bytes.0.len() + second.bytes.0.len() - bytes.len();
            leaves.insert(at + 1, second);
            self.leaves += 1;
        }
        leaves[at] = first;
        if leaves.len() > NODE_MAX {
            let rest = leaves.split_off(NODE_MAX / 2);
            self.nodes.insert(nth + 1, Shared::new(rest));
        }
        is_known
    }

    /// All entries in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.nodes.iter().flat_map(|node| node.iter()).flat_map(Leaf::entries)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Memory, except for the allocator's rounding. Takes constant time.
    pub(crate) fn size(&self) -> usize {
        self.bytes + self.leaves * LEAF_BYTES + self.nodes.capacity() * size_of::<usize>()
    }

    /// The number of leaves that share memory with another table's, and the number of all leaves of this one.
    #[cfg(test)]
    pub(crate) fn shared_leaves(&self, other: &Self) -> (usize, usize) {
        let of = |table: &Self| -> std::collections::HashSet<*const u8> {
            table.nodes.iter().flat_map(|node| node.iter()).map(|leaf| leaf.bytes.0.as_ptr()).collect()
        };
        (of(self).intersection(&of(other)).count(), self.leaves)
    }
}

#[cfg(test)]
mod tests;
