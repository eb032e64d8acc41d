//! The state of a sink, as status pages and the engine see it.

use std::sync::{Arc, Mutex, PoisonError};

use kassa_model::Positions;

use super::commits::Commits;

/// What a sink's committer shows to others.
#[derive(Debug, Clone, Default)]
pub struct SinkState {
    /// From where it must be read after a restart.
    pub positions: Positions,
    /// What it holds all of. Positions of tables that got no rows follow later.
    pub committed: Positions,
    /// µs UTC.
    pub committed_at: Option<i64>,
    pub commits: Commits,
    /// Bytes of the batches that it has gathered and not committed.
    pub gathered_bytes: usize,
    /// Why its store does not answer, for as long as it does not.
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
