//! The thread that keeps the derived tables up to date while the pipeline runs. Nothing waits for it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;

use crate::ticks::Ticks;

/// The minimum number of lake commits between two refreshes.
const COMMITS: u32 = 5;
/// The maximum share of time for refreshes: one in this many parts.
const SHARE: u32 = 10;

/// Brings the derived tables up to date; returns whether any has changed.
pub type Refresh = Box<dyn FnMut() -> anyhow::Result<bool> + Send>;

/// Refreshes until it is finished.
#[derive(Debug)]
pub struct Deriver {
    closed: Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Deriver {
    pub fn start(mut refresh: Refresh, commit_interval: Duration, ticks: Arc<dyn Ticks>) -> io::Result<Self> {
        let (closed, close) = channel();
        let work = move || keep(&mut refresh, commit_interval, &close, ticks.as_ref());
        let thread = thread::Builder::new().name("derived".to_owned()).spawn(work)?;
        Ok(Self { closed, thread })
    }

    /// Refreshes a last time; call it when everything is committed.
    pub fn finish(self) -> anyhow::Result<()> {
        drop(self.closed);
        let ended = self.thread.join().map_err(|_| anyhow::anyhow!("the thread of the derived tables panicked"))?;
        ended.context("could not bring the derived tables up to date")
    }
}

fn keep(refresh: &mut Refresh, commit_interval: Duration, close: &Receiver<()>, ticks: &dyn Ticks) -> anyhow::Result<()> {
    let mut wait = commit_interval;
    loop {
        let is_last = matches!(close.recv_timeout(wait), Err(RecvTimeoutError::Disconnected));
        let started = ticks.now();
        let refreshed = refresh();
        let elapsed = ticks.now() - started;
        match refreshed {
            Err(error) if is_last => return Err(error),
            // The tables stay unchanged at the positions that they state; the next refresh includes the missing rows.
            Err(error) => tracing::warn!(%error, "could not refresh the derived tables"),
            Ok(changed) => tracing::debug!(changed, ?elapsed, "derived tables refreshed"),
        }
        if is_last {
            return Ok(());
        }
        wait = (commit_interval * COMMITS).max(elapsed * SHARE);
    }
}
