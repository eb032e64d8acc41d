//! Records as they were read: a run of one partition, held column by column so that the archive can write the bytes as they came.

use std::sync::Arc;

use arrow_array::{Array, BinaryArray};

use crate::Partition;

/// Headers are a JSON array of [name, value] pairs. A file's records share theirs (its name, a CSV header line).
#[derive(Debug, Clone, Default)]
pub enum Headers {
    #[default]
    None,
    Shared(Arc<str>),
    Each(Vec<Option<Arc<str>>>),
}

impl Headers {
    pub fn get(&self, index: usize) -> Option<&Arc<str>> {
        match self {
            Headers::None => None,
            Headers::Shared(headers) => Some(headers),
            Headers::Each(each) => each.get(index).and_then(Option::as_ref),
        }
    }
}

/// A run of records of one partition, offsets ascending. All columns have one entry a record.
#[derive(Debug, Clone)]
pub struct Records {
    pub partition: Partition,
    pub offsets: Vec<i64>,
    /// When the record entered kassa's keeping (µs since 1970, UTC): given by the log or the file's reader, once, and kept.
    pub ingested_at: Vec<i64>,
    /// The source's own timestamp (µs UTC), where it has one.
    pub timestamps: Vec<Option<i64>>,
    pub keys: Option<BinaryArray>,
    pub headers: Headers,
    /// The bytes as they came; null for a record without a value.
    pub values: BinaryArray,
    /// The offset after the last of these, beyond which the source goes on: more than the last offset + 1 only where the
    /// source itself skips offsets.
    pub next: i64,
}

impl Records {
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The bytes of all values together.
    pub fn bytes(&self) -> usize {
        self.values.value_data().len()
    }

    /// Empty where there is none.
    pub fn value(&self, index: usize) -> &[u8] {
        self.values.value(index)
    }

    /// Whether the record has no value at all: what a compacted topic keeps of a key that is gone. An empty value is one.
    pub fn is_tombstone(&self, index: usize) -> bool {
        self.values.is_null(index)
    }

    pub fn key(&self, index: usize) -> Option<&[u8]> {
        self.keys.as_ref().filter(|keys| keys.is_valid(index)).map(|keys| keys.value(index))
    }
}

impl Records {
    /// No records, up to an offset: marks of the source's own, or what it has lost.
    pub fn none(partition: Partition, next: i64) -> Self {
        Self {
            partition,
            offsets: Vec::new(),
            ingested_at: Vec::new(),
            timestamps: Vec::new(),
            keys: None,
            headers: Headers::None,
            values: BinaryArray::new_null(0),
            next,
        }
    }

    /// One record at offset 0, of no particular time: to ask what would become of it.
    pub fn single(topic: &str, value: &[u8]) -> Self {
        Self {
            partition: Partition::new(topic, 0),
            offsets: vec![0],
            ingested_at: vec![0],
            timestamps: vec![None],
            keys: None,
            headers: Headers::None,
            values: BinaryArray::from(vec![value]),
            next: 1,
        }
    }
}
