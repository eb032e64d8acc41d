//! The thread that writes checkpoints.

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kassa_model::Positions;
use kassa_pipeline::Stage;

use super::desk::StageCut;
use super::draft::{Draft, Drafts, Parts, WriteError};
use crate::Known;
use crate::ticks::Ticks;

/// The minimum number of lake commits between two checkpoints.
const COMMITS: u32 = 5;
/// The maximum share of time for writing checkpoints: one in this many parts.
const SHARE: u32 = 20;
/// The interval for checking whether the sinks have committed a checkpoint's contents.
const LOOK: Duration = Duration::from_millis(200);
/// The longest wait for the engine before checking for the end of the program.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes checkpoints until it is finished.
#[derive(Debug)]
pub struct Writer {
    ends: Sender<()>,
    thread: JoinHandle<Drafts>,
}

impl Writer {
    pub fn start(parts: Parts, ticks: Arc<dyn Ticks>) -> Result<Self, WriteError> {
        let (ends, ended) = channel();
        let drafts = Drafts::new(parts);
        let work = move || keep(drafts, &ended, ticks.as_ref());
        Ok(Self { ends, thread: thread::Builder::new().name("checkpoint".to_owned()).spawn(work)? })
    }

    /// Writes a last checkpoint, of a stage whose records are all committed.
    pub fn finish(self, (stage, known, read): (&mut Stage, &Known, &Positions)) -> Result<(), WriteError> {
        drop(self.ends);
        let mut drafts = self.thread.join().map_err(|_| WriteError::Thread)?;
        drafts.finish((stage, known, read)).map(drop)
    }
}

fn keep(mut drafts: Drafts, ended: &Receiver<()>, ticks: &dyn Ticks) -> Drafts {
    let interval = drafts.commit_interval() * COMMITS;
    let mut wait = interval;
    while matches!(ended.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
        let Some(cut) = cut(&drafts, ended) else { break };
        let started = ticks.now();
        if drafts.is_saved(&cut) {
            continue;
        }
        let draft = drafts.write(&cut);
        wait = interval.max((ticks.now() - started) * SHARE);
        let published = draft.and_then(|draft| publish(&mut drafts, &cut, &draft, ended));
        if !matches!(published, Ok(true)) {
            drafts.desk().rewrite();
        }
        match published {
            Ok(published) => tracing::debug!(published, elapsed = ?(ticks.now() - started), "checkpoint"),
            Err(error) => tracing::warn!(error = &error as &dyn Error, "could not write a checkpoint; trying again"),
        }
    }
    drafts
}

/// Requests the stage's memory; `None`: the program ends.
fn cut(drafts: &Drafts, ended: &Receiver<()>) -> Option<StageCut> {
    loop {
        if let Some(cut) = drafts.desk().cut(PATIENCE) {
            return Some(cut);
        }
        if !matches!(ended.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) {
            return None;
        }
    }
}

/// Publishes a draft once every sink has committed its contents; `false`: the program ends, or the draft is invalid.
fn publish(drafts: &mut Drafts, cut: &StageCut, draft: &Draft, ended: &Receiver<()>) -> Result<bool, WriteError> {
    while !drafts.has_committed(cut, draft)? {
        if !drafts.desk().is_valid(cut) || !matches!(ended.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
            return Ok(false);
        }
    }
    drafts.publish(cut, draft)
}
