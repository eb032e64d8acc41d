//! The thread that keeps the derived tables up to date while the pipeline runs. Nobody waits for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use kassa_lake::Derived;
use kassa_model::Shop;
use kassa_warehouse::Target;

/// Commits of the lake between two refreshes.
const COMMITS: u32 = 5;
/// A refresh takes at most this share of the time.
const SHARE: u32 = 10;

/// Refreshes until it is told to finish.
pub struct Deriver {
    closed: Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Deriver {
    /// `warehouse` has derived tables of its own.
    pub fn start(derived: Derived, warehouse: Option<(Target, Shop)>, commit_interval: Duration) -> anyhow::Result<Self> {
        let (closed, close) = channel();
        let work = move || keep(&mut Tables { derived, warehouse }, commit_interval, &close);
        let thread = thread::Builder::new().name("derived".to_owned()).spawn(work)?;
        Ok(Self { closed, thread })
    }

    /// Refreshes a last time: to be called when everything is committed.
    pub fn finish(self) -> anyhow::Result<()> {
        drop(self.closed);
        let ended = self.thread.join().map_err(|_| anyhow::anyhow!("the thread of the derived tables panicked"))?;
        ended.context("could not bring the derived tables up to date")
    }
}

struct Tables {
    derived: Derived,
    warehouse: Option<(Target, Shop)>,
}

impl Tables {
    fn refresh(&mut self) -> anyhow::Result<bool> {
        let changed = self.derived.refresh()?;
        if let Some((target, shop)) = &self.warehouse {
            kassa_warehouse::derived::refresh(target, shop)?;
        }
        Ok(changed)
    }
}

fn keep(derived: &mut Tables, commit_interval: Duration, close: &Receiver<()>) -> anyhow::Result<()> {
    let mut wait = commit_interval;
    loop {
        let is_last = matches!(close.recv_timeout(wait), Err(RecvTimeoutError::Disconnected));
        let started = Instant::now();
        match derived.refresh() {
            Err(error) if is_last => return Err(error),
            // The tables stay as they were, at the positions that they state; the next refresh takes it up.
            Err(error) => tracing::warn!(%error, "could not refresh the derived tables"),
            Ok(changed) => tracing::debug!(changed, elapsed = ?started.elapsed(), "derived tables refreshed"),
        }
        if is_last {
            return Ok(());
        }
        wait = (commit_interval * COMMITS).max(started.elapsed() * SHARE);
    }
}
