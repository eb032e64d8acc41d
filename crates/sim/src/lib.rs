//! Contract suites for the adapters of each port. A new sink or store must pass its suite. For
//! tests only.

#![allow(clippy::unwrap_used, reason = "a suite fails by panicking, as a test does")]

pub mod batches;
pub mod sink;
pub mod store;

/// Splitmix64: a seed determines the schedule.
#[derive(Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// A number from 0 to `limit` - 1.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}
