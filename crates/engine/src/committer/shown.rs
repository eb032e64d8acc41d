//! The state of a sink, as status pages and the engine see it.

use std::sync::{Arc, Mutex, PoisonError};

use kassa_model::Positions;

use super::commits::Commits;

/// The published state of a sink's committer.
#[derive(Debug, Clone, Default)]
pub struct SinkState {
    /// Where reading continues after a restart.
    pub positions: Positions,
    /// The positions up to which it has everything. Positions of tables without new rows follow later.
    pub committed: Positions,
    /// µs UTC.
    pub committed_at: Option<i64>,
    pub commits: Commits,
    /// Bytes of gathered batches that are not committed.
    pub gathered_bytes: usize,
    /// The store's last failure, while it does not answer.
    pub waiting: Option<String>,
    pub failed: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SinkHandle {
    pub name: &'static str,
    state: Arc<Mutex<SinkState>>,
}

impl SinkHandle {
    pub fn new(name: &'static str) -> Self {
        Self { name, state: Arc::default() }
    }

    pub fn state(&self) -> SinkState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn update(&self, change: impl FnOnce(&mut SinkState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
