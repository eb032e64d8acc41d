//! State that clones share until one of them changes it. A snapshot of the figures is a clone: it costs a reference for each part, and
//! only parts that change while it exists are copied.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::map::Map;

/// A value that clones share.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The value, for a change; copied first if another clone shares it.
    pub(crate) fn edit(&mut self) -> &mut T
    where
        T: Clone,
    {
        Arc::make_mut(&mut self.0)
    }

    pub(crate) fn into_inner(self) -> T
    where
        T: Clone,
    {
        Arc::unwrap_or_clone(self.0)
    }

    /// Whether both share memory.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

/// Bytes that clones share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytes(pub(crate) Arc<[u8]>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl Visitor<'_> for Take {
            type Value = Bytes;

            fn expecting(&self, words: &mut fmt::Formatter<'_>) -> fmt::Result {
                words.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }
        }
        // Owned, so that figures can be read from a file, too.
        deserializer.deserialize_byte_buf(Take)
    }
}

/// A map by key in shards: a change copies at most its own shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sharded<V>(Vec<Shared<Map<i64, V>>>);

/// Keys are hashes, so their low bits spread them evenly.
const SHARDS: usize = 256;

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Shared::new(Map::default())).collect())
    }
}

impl<V: Clone> Sharded<V> {
    fn at(key: i64) -> usize {
        usize::from(key.to_le_bytes()[0])
    }

    pub(crate) fn get(&self, key: i64) -> Option<&V> {
        self.0[Self::at(key)].get(&key)
    }

    /// The shard of a key, for a change.
    pub(crate) fn edit(&mut self, key: i64) -> &mut Map<i64, V> {
        self.0[Self::at(key)].edit()
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = &Map<i64, V>> {
        self.0.iter().map(|shard| &**shard)
    }

    pub(crate) fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shared<Map<i64, V>>> {
        self.0.iter_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&i64, &V)> {
        self.shards().flat_map(|shard| shard.iter())
    }

    /// The memory of the map itself, without what its values point to.
    pub(crate) fn allocation_size(&self) -> usize {
        self.shards().map(|shard| shard.allocation_size()).sum()
    }
}

/// A list that grows at its end only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chunks<T>(Vec<Shared<Vec<T>>>);

const CHUNK: usize = 4096;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Chunks<T> {
    pub(crate) fn push(&mut self, value: T) {
        match self.0.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.edit().push(value),
            None => self.0.push(Shared::new(vec![value])),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.0.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * CHUNK + last.len())
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_copies_only_what_it_touches() {
        let mut map = Sharded::<i64>::default();
        (0..1_000).for_each(|key| *map.edit(key).entry(key).or_default() = key);
        let before = map.clone();
        map.edit(5).insert(5, -5);
        assert_eq!((before.get(5), map.get(5)), (Some(&5), Some(&-5)));
        assert_eq!(map.0.iter().zip(&before.0).filter(|(one, other)| !one.is_same(other)).count(), 1);
        let mut list = Chunks::default();
        (0..CHUNK + 10).for_each(|number| list.push(number));
        let before = list.clone();
        list.push(7);
        assert_eq!((before.len(), list.len()), (CHUNK + 10, CHUNK + 11));
        assert_eq!((list.get(CHUNK - 1), list.get(CHUNK + 10), before.get(CHUNK + 10)), (Some(&(CHUNK - 1)), Some(&7), None));
        assert_eq!(list.0.iter().zip(&before.0).map(|(one, other)| one.is_same(other)).collect::<Vec<_>>(), [true, false]);
    }
}
