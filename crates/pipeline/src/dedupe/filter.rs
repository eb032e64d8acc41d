//! Which keys a run may contain: binary fuse filters of 9.2 bits per key, each over a range of 262,144 keys, so that building one
//! never takes more than 8 MiB.

use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter as _, FilterRef as _};

use super::codec::{Reader, put_bytes, put_u64};

const KEYS_PER_FILTER: usize = 1 << 18;
const DESCRIPTOR: usize = BinaryFuse8::DESCRIPTOR_LEN;

/// The filters of a run, in the order of the keys.
#[derive(Debug, Default)]
pub(super) struct Filters {
    firsts: Vec<u64>,
    parts: Vec<Part>,
}

/// No fingerprints: the filter could not be built, and every key may be there.
#[derive(Debug)]
struct Part {
    descriptor: [u8; DESCRIPTOR],
    fingerprints: Box<[u8]>,
}

impl Filters {
    /// Whether the run may hold `key`: no is certain, yes is wrong once in 256.
    pub(super) fn may_hold(&self, key: u64) -> bool {
        let after = self.firsts.partition_point(|first| *first <= key);
        after.checked_sub(1).and_then(|at| self.parts.get(at)).is_some_and(|part| {
            part.fingerprints.is_empty() || BinaryFuse8Ref::from_dma(&part.descriptor, &part.fingerprints).contains(&key)
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.parts.iter().map(|part| size_of::<Part>() + size_of::<u64>() + part.fingerprints.len()).sum()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.parts.len() as u64);
        for (first, part) in self.firsts.iter().zip(&self.parts) {
            put_u64(out, *first);
            put_bytes(out, &part.descriptor);
            put_bytes(out, &part.fingerprints);
        }
    }

    pub(super) fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let mut filters = Self::default();
        for _ in 0..from.u64()? {
            filters.firsts.push(from.u64()?);
            let descriptor = from.bytes()?.try_into().ok()?;
            filters.parts.push(Part { descriptor, fingerprints: from.bytes()?.into() });
        }
        Some(filters)
    }
}

/// Builds filters from keys that come in order.
#[derive(Debug, Default)]
pub(super) struct FiltersBuilder {
    done: Filters,
    keys: Vec<u64>,
}

impl FiltersBuilder {
    pub(super) fn add(&mut self, key: u64) {
        if self.keys.last() == Some(&key) {
            return;
        }
        if self.keys.len() == KEYS_PER_FILTER {
            self.cut();
        }
        self.keys.push(key);
    }

    pub(super) fn finish(mut self) -> Filters {
        self.cut();
        self.done
    }

    fn cut(&mut self) {
        let Some(first) = self.keys.first().copied() else { return };
        let mut part = Part { descriptor: [0; DESCRIPTOR], fingerprints: Box::default() };
        if let Ok(filter) = BinaryFuse8::try_from(&self.keys) {
            filter.dma_copy_descriptor_to(&mut part.descriptor);
            part.fingerprints = filter.fingerprints;
        }
        self.done.firsts.push(first);
        self.done.parts.push(part);
        self.keys.clear();
    }
}
