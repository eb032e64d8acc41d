//! The progress of a proof: its steps and the rows that each of them reads.

use std::fmt::Debug;

use super::Prover;
use crate::delta::{Add, Snapshot};

/// Receives the progress of a proof.
pub trait Progress: Debug {
    /// A step begins. `rows`: the number of rows it will read, if known.
    fn step(&self, name: &'static str, rows: Option<u64>);

    /// The step has read this number of further rows.
    fn read(&self, rows: usize);
}

/// Ignores the progress.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: &'static str, _: Option<u64>) {}

    fn read(&self, _: usize) {}
}

/// The tables that a step reads, once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    Archive,
    Tables,
    /// As much as the step needs.
    AsNeeded,
}

impl Prover<'_> {
    pub(super) fn step(&self, name: &'static str, reads: Reads) {
        let rows = |snapshot: &Snapshot| snapshot.files.values().filter_map(Add::rows).sum::<i64>();
        let expected: Option<i64> = match reads {
            Reads::AsNeeded => None,
            // The number of rows in the range is known only once they are read.
            Reads::Archive | Reads::Tables if self.since.is_some() => None,
            Reads::Archive => Some(self.archives.values().map(|held| rows(held)).sum()),
            Reads::Tables => {
                let follow = self.tables.iter().filter(|(table, _)| table.has_lineage());
                Some(follow.map(|(_, held)| rows(held)).sum())
            }
        };
        self.subject.progress.step(name, expected.and_then(|rows| u64::try_from(rows).ok()));
    }
}
