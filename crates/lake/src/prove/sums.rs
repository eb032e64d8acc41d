//! Sums of row hashes that do not depend on the rows' order: one sum per 1,024 offsets of a
//! partition.

use std::collections::HashMap;

use kassa_model::Table;

/// What is compared with the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Lane {
    Table(Table),
    /// The bytes in the source.
    Log,
}

/// The lane, partition and number of a bucket.
pub(super) type Bucket = (Lane, u32, i64);

const OFFSETS: i64 = 1024;

pub(super) fn bucket(lane: Lane, part: u32, offset: i64) -> Bucket {
    (lane, part, offset.div_euclid(OFFSETS))
}

/// Stored minus derived hashes: zero if all rows are equal.
#[derive(Debug, Default)]
pub(super) struct Sums(HashMap<Bucket, u128>);

impl Sums {
    pub(super) fn held(&mut self, bucket: Bucket, hash: u128) {
        let sum = self.0.entry(bucket).or_default();
        *sum = sum.wrapping_add(hash);
    }

    pub(super) fn derived(&mut self, bucket: Bucket, hash: u128) {
        let sum = self.0.entry(bucket).or_default();
        *sum = sum.wrapping_sub(hash);
    }

    /// The buckets whose sides differ, in order.
    pub(super) fn unequal(&self) -> Vec<Bucket> {
        let mut unequal: Vec<Bucket> = self.0.iter().filter(|(_, sum)| **sum != 0).map(|(bucket, _)| *bucket).collect();
        unequal.sort_unstable();
        unequal
    }
}
