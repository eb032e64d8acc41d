//! The position of a record, its fate, and the span of offsets of a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A partition of a topic. A file is also a partition; its number is 63 bits of the hash of its
/// contents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    pub topic: Arc<str>,
    pub number: i64,
}

impl Partition {
    pub fn new(topic: impl Into<Arc<str>>, number: i64) -> Self {
        Self { topic: topic.into(), number }
    }
}

/// The next offset to read, for each partition. An absent partition has not been started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions(BTreeMap<Partition, i64>);

impl Positions {
    pub fn get(&self, partition: &Partition) -> Option<i64> {
        self.0.get(partition).copied()
    }

    /// The next offset to read; 0 if nothing was read yet.
    pub fn next(&self, partition: &Partition) -> i64 {
        self.get(partition).unwrap_or(0)
    }

    pub fn set(&mut self, partition: Partition, next: i64) {
        self.0.insert(partition, next);
    }

    /// Moves a partition forward; never back.
    pub fn advance(&mut self, partition: &Partition, next: i64) {
        match self.0.get_mut(partition) {
            Some(held) => *held = next.max(*held),
            None => {
                self.0.insert(partition.clone(), next);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.0.iter().map(|(partition, next)| (partition, *next))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<(Partition, i64)> for Positions {
    fn from_iter<I: IntoIterator<Item = (Partition, i64)>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// The fate of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    Accepted,
    Duplicate,
    DeadLetter,
}

/// The number of records by fate: `read = accepted + duplicates + dead_letters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub read: i64,
    pub accepted: i64,
    pub duplicates: i64,
    pub dead_letters: i64,
}

impl Counts {
    pub fn of(fates: &[Fate]) -> Self {
        let mut counts = Self::default();
        for fate in fates {
            counts.read += 1;
            match fate {
                Fate::Accepted => counts.accepted += 1,
                Fate::Duplicate => counts.duplicates += 1,
                Fate::DeadLetter => counts.dead_letters += 1,
            }
        }
        counts
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            accepted: self.accepted + other.accepted,
            duplicates: self.duplicates + other.duplicates,
            dead_letters: self.dead_letters + other.dead_letters,
        }
    }

    pub fn add_up(&self) -> bool {
        self.read == self.accepted + self.duplicates + self.dead_letters
    }
}

/// A half-open range of offsets of one partition, with the fates of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub partition: Partition,
    pub from: i64,
    pub to: i64,
    pub counts: Counts,
    /// The number of records in the range that the source has lost (retention, truncation).
    pub gap: i64,
}
