//! The contents and the cost of the index.

use super::keys::Keys;
use super::{Index, MONEY};

/// The contents of the index, and its work since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub money_keys: u64,
    pub event_keys: u64,
    /// Bytes in memory: tables and partition names; filters and directories of the sealed runs; the sum of both.
    pub tables_bytes: usize,
    pub filters_bytes: usize,
    pub memory_bytes: usize,
    /// Bytes of the sealed runs.
    pub disk_bytes: u64,
    pub runs: usize,
    /// Keys that existed already.
    pub hits: u64,
    /// Rows that were ingested before the horizon, and so decided on as if they had been ingested at it.
    pub late: u64,
    /// Run files read because their filter matched, and how many of those did not contain the key.
    pub runs_read: u64,
    pub false_positives: u64,
}

impl Index {
    pub fn stats(&self) -> Stats {
        let sum = |of: fn(&Keys) -> u64| self.classes.iter().map(of).sum();
        let money_keys = self.classes[MONEY].len();
        let tables: usize = self.classes.iter().map(|keys| keys.table.memory_bytes()).sum();
        let tables_bytes = tables + self.places.memory_bytes();
        let filters_bytes: usize = self.classes.iter().map(Keys::runs_memory_bytes).sum();
        Stats {
            money_keys,
            event_keys: self.classes.iter().map(Keys::len).sum::<u64>() - money_keys,
            tables_bytes,
            filters_bytes,
            memory_bytes: tables_bytes + filters_bytes,
            disk_bytes: sum(Keys::disk_bytes),
            runs: self.classes.iter().map(|keys| keys.runs.len()).sum(),
            hits: self.hits,
            late: self.late,
            runs_read: sum(|keys| keys.asked.runs_read),
            false_positives: sum(|keys| keys.asked.false_positives),
        }
    }
}
