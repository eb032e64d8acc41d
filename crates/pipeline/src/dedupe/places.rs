//! Partitions by number, so that an entry stores one in 24 bits. Files make many of them: 24 bytes each, and 5 in the hash table.

use std::sync::Arc;

use hashbrown::HashTable;
use kassa_model::Partition;

use super::IndexError;
use super::entry::INDEX_BITS;

/// A partition's id in this index; another index may use another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartitionId(pub(super) u32);

/// The number of places that an entry can distinguish.
const PLACES_MAX: usize = (1 << 24) - 1;

/// A partition, and a range of 2^32 offsets and 2^12 indexes of it. The first range is the partition's own place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) topic: u32,
    pub(super) offset_high: u32,
    pub(super) index_high: u32,
    pub(super) base: u32,
    pub(super) number: i64,
}

/// The position of a row, in the parts that an entry stores.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located {
    pub(super) place: u64,
    pub(super) offset_low: u64,
    pub(super) index_low: u64,
}

/// Every place seen so far. Id `n` is `all[n - 1]`: no place is 0.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) topics: Vec<Arc<str>>,
    pub(super) all: Vec<Place>,
    by_name: HashTable<u32>,
}

impl Places {
    pub(super) fn intern(&mut self, partition: &Partition) -> Result<PartitionId, IndexError> {
        let topic = self.topics.iter().position(|topic| *topic == partition.topic).unwrap_or_else(|| {
            self.topics.push(partition.topic.clone());
            self.topics.len() - 1
        });
        let topic = u32::try_from(topic).map_err(|_| IndexError::TooManyPartitions)?;
        self.number(Place { topic, offset_high: 0, index_high: 0, base: 0, number: partition.number }).map(PartitionId)
    }

    pub(super) fn locate(&mut self, id: PartitionId, offset: i64, index: u32) -> Result<Located, IndexError> {
        let offset = offset.cast_unsigned();
        let located = Located {
            place: u64::from(id.0),
            offset_low: offset & 0xFFFF_FFFF,
            index_low: u64::from(index & ((1 << INDEX_BITS) - 1)),
        };
        let offset_high = u32::try_from(offset >> 32).unwrap_or(u32::MAX);
        let index_high = index >> INDEX_BITS;
        if offset_high == 0 && index_high == 0 {
            return Ok(located);
        }
        let Some(base) = self.get(u64::from(id.0)) else { return Err(IndexError::TooManyPartitions) };
        let place = self.number(Place { offset_high, index_high, base: id.0, ..base })?;
        Ok(Located { place: u64::from(place), ..located })
    }

    /// The partition and the offset that an entry's parts represent.
    pub(super) fn resolve(&self, place: u64, offset_low: u64) -> (PartitionId, i64) {
        let own = PartitionId(u32::try_from(place).unwrap_or(0));
        match self.get(place) {
            Some(held) if held.base != 0 => {
                (PartitionId(held.base), ((u64::from(held.offset_high) << 32) | offset_low).cast_signed())
            }
            _ => (own, offset_low.cast_signed()),
        }
    }

    pub(super) fn name(&self, id: PartitionId) -> Option<Partition> {
        let place = self.get(u64::from(id.0))?;
        let topic = self.topics.get(usize::try_from(place.topic).ok()?)?;
        Some(Partition { topic: topic.clone(), number: place.number })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.all.capacity() * size_of::<Place>() + self.by_name.capacity() * 5
    }

    fn get(&self, place: u64) -> Option<Place> {
        self.all.get(usize::try_from(place).ok()?.checked_sub(1)?).copied()
    }

    /// The id of a place; a new place gets a new id.
    pub(super) fn number(&mut self, place: Place) -> Result<u32, IndexError> {
        let Self { all, by_name, .. } = self;
        let of = |id: u32| usize::try_from(id).ok().and_then(|id| all.get(id - 1)).copied();
        if let Some(id) = by_name.find(hash(place), |id| of(*id) == Some(place)) {
            return Ok(*id);
        }
        if all.len() >= PLACES_MAX {
            return Err(IndexError::TooManyPartitions);
        }
        let id = u32::try_from(all.len() + 1).map_err(|_| IndexError::TooManyPartitions)?;
        by_name.insert_unique(hash(place), id, |id| of(*id).map_or(0, hash));
        all.push(place);
        Ok(id)
    }
}

fn hash(place: Place) -> u64 {
    let Place { topic, offset_high, index_high, base, number } = place;
    let stretch = (u64::from(offset_high) << 32) | u64::from(index_high);
    let owner = (u64::from(topic) << 32) | u64::from(base);
    [owner, stretch, number.cast_unsigned()].iter().fold(0, |all, part| spread(all ^ part).rotate_left(17))
}

/// Spreads a number over all 64 bits, one to one.
fn spread(number: u64) -> u64 {
    let mixed = (number ^ (number >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}
