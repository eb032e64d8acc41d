//! A thread for each sink: waits for batches and steps the sink's committer when it is time.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kassa_model::time::Clock;
use kassa_pipeline::{Batch, SinkError};

use crate::committer::{Committer, PATIENCE, SinkHandle, Step};
use crate::handoff::{HAND_OFF, HandOff, Host};
use crate::ticks::{SystemTicks, Ticks};

/// The machine's threads and its monotonic clock.
pub fn host(clock: &Arc<dyn Clock>) -> Host {
    let ticks: Arc<dyn Ticks> = Arc::new(SystemTicks::default());
    let given = Arc::clone(&ticks);
    let start = move |committer| Ok(Box::new(SinkThread::start(committer, Arc::clone(&given))?) as Box<dyn HandOff>);
    Host { clock: Arc::clone(clock), ticks, start: Box::new(start) }
}

enum Message {
    Batch(Arc<Batch>),
    /// Commit the gathered batches, settle, and answer.
    Flush(SyncSender<()>),
    Settle,
}

#[derive(Debug)]
struct SinkThread {
    handle: SinkHandle,
    sender: Option<SyncSender<Message>>,
    /// The answer to a flush.
    answer: Option<Receiver<()>>,
    /// Set when the program ends: how long the sink then waits for its store.
    ends: Arc<OnceLock<Duration>>,
    thread: Option<JoinHandle<Result<(), SinkError>>>,
}

impl SinkThread {
    fn start(committer: Committer, ticks: Arc<dyn Ticks>) -> io::Result<Self> {
        let handle = committer.handle().clone();
        let (sender, receiver) = sync_channel(HAND_OFF);
        let ends = Arc::<OnceLock<Duration>>::default();
        let (shown, ending) = (handle.clone(), Arc::clone(&ends));
        let work = move || {
            let result = work(committer, &receiver, ticks.as_ref(), &ending);
            if let Err(error) = &result {
                tracing::error!(sink = shown.name, %error, "sink stopped");
                shown.update(|state| (state.failed, state.gathered_bytes) = (Some(error.to_string()), 0));
            }
            result
        };
        let thread = thread::Builder::new().name(handle.name.to_owned()).spawn(work)?;
        Ok(Self { handle, sender: Some(sender), answer: None, ends, thread: Some(thread) })
    }

    fn failure(&mut self) -> SinkError {
        self.close();
        let ended = self.thread.take().and_then(|thread| thread.join().ok()).and_then(Result::err);
        ended.unwrap_or_else(|| SinkError::Corrupt("it had stopped before".into()))
    }
}

impl HandOff for SinkThread {
    fn handle(&self) -> &SinkHandle {
        &self.handle
    }

    fn offer(&mut self, batch: &Arc<Batch>) -> Result<bool, SinkError> {
        match self.sender.as_ref().map(|sender| sender.try_send(Message::Batch(Arc::clone(batch)))) {
            Some(Ok(())) => Ok(true),
            Some(Err(TrySendError::Full(_))) => Ok(false),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(self.failure()),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let (answer, answers) = sync_channel(1);
        self.answer = Some(answers);
        match self.sender.as_ref().map(|sender| sender.send(Message::Flush(answer))) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.failure()),
        }
    }

    fn flushed(&mut self) -> Result<(), SinkError> {
        match self.answer.take().map(|answer| answer.recv()) {
            Some(Err(_)) => Err(self.failure()),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn settle(&mut self) {
        // A full hand-off means that the sink is busy; one that has stopped is found by the next check.
        if let Some(sender) = &self.sender {
            sender.try_send(Message::Settle).unwrap_or_default();
        }
    }

    fn check(&mut self) -> Result<(), SinkError> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) { Err(self.failure()) } else { Ok(()) }
    }

    fn hurry(&mut self, patience: Duration) {
        self.ends.get_or_init(|| patience);
    }

    fn close(&mut self) {
        self.hurry(PATIENCE);
        self.sender = None;
    }

    fn join(&mut self) -> Result<(), SinkError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(SinkError::Corrupt("the sink's thread panicked".into())))
    }
}

fn work(
    mut committer: Committer,
    receiver: &Receiver<Message>,
    ticks: &dyn Ticks,
    ends: &OnceLock<Duration>,
) -> Result<(), SinkError> {
    let mut asked: Vec<SyncSender<()>> = Vec::new();
    loop {
        if let Some(patience) = ends.get() {
            committer.hurry(*patience);
        }
        let step = committer.step()?;
        if !committer.is_flushing() {
            // The thread that requested it may have ended.
            asked.drain(..).for_each(|answer| answer.send(()).unwrap_or_default());
        }
        let Step::Wait { until, takes } = step else { return Ok(()) };
        let wait = until.saturating_sub(ticks.now());
        if !takes {
            ticks.wait(wait);
            continue;
        }
        match receiver.recv_timeout(wait) {
            Ok(Message::Batch(batch)) => committer.take(batch),
            Ok(Message::Flush(answer)) => {
                asked.push(answer);
                committer.flush();
            }
            Ok(Message::Settle) => committer.settle_soon(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => committer.close(),
        }
    }
}

#[cfg(test)]
mod tests;
