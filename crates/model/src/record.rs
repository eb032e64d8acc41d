//! Records as read: consecutive records of one partition, stored by column so that the archive can
//! write the original bytes.

use std::sync::Arc;

use arrow_array::{Array, BinaryArray};

use crate::Partition;

/// Headers are a JSON array of [name, value] pairs. The records of a file share one (file name, CSV
/// header line).
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

/// Records of one partition in order of offset. All columns have one entry per record.
#[derive(Debug, Clone)]
pub struct Records {
    pub partition: Partition,
    pub offsets: Vec<i64>,
    /// When kassa received the record (µs since 1970, UTC): set once by the log or the file's
    /// reader.
    pub ingested_at: Vec<i64>,
    /// The source's own timestamp (µs UTC), if any.
    pub timestamps: Vec<Option<i64>>,
    pub keys: Option<BinaryArray>,
    pub headers: Headers,
    /// The original bytes; null for a record without a value.
    pub values: BinaryArray,
    /// The next offset in the source after these records: more than the last offset + 1 only if the
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

    /// The total bytes of all values.
    pub fn bytes(&self) -> usize {
        self.values.value_data().len()
    }

    /// Empty if there is none.
    pub fn value(&self, index: usize) -> &[u8] {
        self.values.value(index)
    }

    /// Whether the record has no value: a compacted topic keeps such a record for a deleted key. An
    /// empty value is a value.
    pub fn is_tombstone(&self, index: usize) -> bool {
        self.values.is_null(index)
    }

    pub fn key(&self, index: usize) -> Option<&[u8]> {
        self.keys.as_ref().filter(|keys| keys.is_valid(index)).map(|keys| keys.value(index))
    }
}

impl Records {
    /// No records up to an offset: the source has only markers there, or has lost the records.
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

    /// One record at offset 0 without a time, to find out what its fate would be.
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
