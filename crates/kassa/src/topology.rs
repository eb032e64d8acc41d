//! The topology: one thread reads and shapes, one thread a sink commits. All of it fits this screen.
//!
//! ```text
//!  source (log or file) ──Records──► Stage ──Arc<Batch>──┬─[4 batches]──► archive   a commit interval apart, or at a commit's records or 48 MiB
//!     ≤ 8,192 records, ≤ 2 MiB       decode … shape      ├─[4 batches]──► lake      the same
//!                                                        └─[4 batches]──► live      at once
//! ```
//!
//! A sink that is behind fills its hand-off; then reading waits, and the log keeps what comes. A sink that fails stops the whole:
//! its error is the program's.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kassa_model::{Partition, Positions, Records};
use kassa_pipeline::{Batch, Sink, SinkError, Stage};

/// Records and bytes read at once: what a batch is cut from.
pub const BATCH_RECORDS: usize = 8_192;
pub const BATCH_BYTES: usize = 2 << 20;
/// Batches that wait for a sink.
const HAND_OFF: usize = 2;
/// Bytes of records and rows that a sink gathers before it commits, however early.
const COMMIT_BYTES: usize = 48 << 20;
/// What comes after a pause waits this long for company, not for the whole interval.
const LINGER: Duration = Duration::from_millis(20);
/// Positions of tables that get no rows move on this often, lest a restart re-read for long.
const SETTLE: Duration = Duration::from_secs(30);

enum Message {
    Batch(Arc<Batch>),
    /// Commit what is gathered, settle, and answer.
    Flush(SyncSender<()>),
}

/// What a sink's thread shows to others.
#[derive(Debug, Clone, Default)]
pub struct SinkState {
    /// From where it must be read after a restart.
    pub positions: Positions,
    /// What it holds all of. Positions of tables that got no rows follow later.
    pub committed: Positions,
    /// µs UTC.
    pub committed_at: Option<i64>,
    pub failed: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SinkHandle {
    pub name: &'static str,
    pub state: Arc<Mutex<SinkState>>,
}

impl SinkHandle {
    pub fn state(&self) -> SinkState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct SinkThread {
    handle: SinkHandle,
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<Result<(), SinkError>>>,
}

/// A stage and its sinks, at work.
pub struct Topology {
    pub stage: Stage,
    sinks: Vec<SinkThread>,
}

/// How often a sink commits.
pub struct Cadence {
    pub sink: Box<dyn Sink>,
    pub interval: Duration,
    /// Records after which it does so before the interval is over. A batch is not split.
    pub records: usize,
}

impl Topology {
    pub fn start(stage: Stage, sinks: Vec<Cadence>, clock: &Arc<dyn kassa_model::time::Clock>) -> anyhow::Result<Self> {
        let mut threads = Vec::with_capacity(sinks.len());
        for cadence in sinks {
            let name = cadence.sink.name();
            let positions = cadence.sink.positions();
            let state = SinkState { committed: positions.clone(), positions, ..SinkState::default() };
            let handle = SinkHandle { name, state: Arc::new(Mutex::new(state)) };
            let (sender, receiver) = sync_channel(HAND_OFF);
            let (shown, clock) = (Arc::clone(&handle.state), Arc::clone(clock));
            let work = move || {
                let result = Committer { cadence, shown: &shown, clock: &clock, gathered: Vec::new(), records: 0, bytes: 0 }
                    .work(&receiver);
                if let Err(error) = &result {
                    tracing::error!(sink = name, %error, "sink stopped");
                    shown.lock().unwrap_or_else(PoisonError::into_inner).failed = Some(error.to_string());
                }
                result
            };
            let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
            threads.push(SinkThread { handle, sender: Some(sender), thread: Some(thread) });
        }
        Ok(Self { stage, sinks: threads })
    }

    pub fn handles(&self) -> Vec<SinkHandle> {
        self.sinks.iter().map(|sink| sink.handle.clone()).collect()
    }

    /// From where a partition must be read: the lowest of what the sinks have committed.
    pub fn position(&self, partition: &Partition) -> i64 {
        self.sinks.iter().map(|sink| sink.handle.state().positions.next(partition)).min().unwrap_or(0)
    }

    /// Shapes records and hands the batch to every sink. Waits while a sink's hand-off is full.
    pub fn push(&mut self, records: Records, from: i64) -> anyhow::Result<Arc<Batch>> {
        let batch = Arc::new(self.stage.run(records, from)?);
        for sink in &mut self.sinks {
            let sent = sink.sender.as_ref().map(|sender| sender.send(Message::Batch(Arc::clone(&batch))));
            if !matches!(sent, Some(Ok(()))) {
                return Err(sink.failure());
            }
        }
        Ok(batch)
    }

    /// Returns when everything that was pushed is committed in every sink.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        let (answer, answers) = sync_channel(self.sinks.len());
        for sink in &mut self.sinks {
            let sent = sink.sender.as_ref().map(|sender| sender.send(Message::Flush(answer.clone())));
            if !matches!(sent, Some(Ok(()))) {
                return Err(sink.failure());
            }
        }
        drop(answer);
        let answered = answers.iter().count();
        if answered == self.sinks.len() { Ok(()) } else { self.join() }
    }

    /// Commits what is left and stops the sinks.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.join()
    }

    fn join(&mut self) -> anyhow::Result<()> {
        let mut failure = Ok(());
        for sink in &mut self.sinks {
            sink.sender = None;
            if let Some(thread) = sink.thread.take() {
                let ended = thread.join().unwrap_or_else(|_| Err(SinkError::Corrupt("the sink's thread panicked".to_owned())));
                failure = failure
                    .and(ended.map_err(|error| anyhow::Error::new(error).context(format!("the {} stopped", sink.handle.name))));
            }
        }
        failure
    }
}

impl SinkThread {
    fn failure(&mut self) -> anyhow::Error {
        self.sender = None;
        let ended = self.thread.take().and_then(|thread| thread.join().ok()).and_then(Result::err);
        let why = ended.unwrap_or_else(|| SinkError::Corrupt("it had stopped before".to_owned()));
        anyhow::Error::new(why).context(format!("the {} stopped", self.handle.name))
    }
}

struct Committer<'t> {
    cadence: Cadence,
    shown: &'t Mutex<SinkState>,
    clock: &'t Arc<dyn kassa_model::time::Clock>,
    gathered: Vec<Arc<Batch>>,
    records: usize,
    bytes: usize,
}

impl Committer<'_> {
    fn work(&mut self, receiver: &Receiver<Message>) -> Result<(), SinkError> {
        let (mut due, mut settle) = (None::<Instant>, Instant::now() + SETTLE);
        // When the last commit's interval is over.
        let mut rested = Instant::now();
        loop {
            let wait = due.unwrap_or(settle).min(settle).saturating_duration_since(Instant::now());
            match receiver.recv_timeout(wait) {
                Ok(Message::Batch(batch)) => {
                    self.records += batch.records().len();
                    self.bytes += batch.bytes();
                    self.gathered.push(batch);
                    due = due.or(Some(rested.max(Instant::now() + LINGER.min(self.cadence.interval))));
                }
                Ok(Message::Flush(answer)) => {
                    self.commit()?;
                    self.settle()?;
                    due = None;
                    // Whoever asked may have gone.
                    answer.send(()).unwrap_or_default();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.commit()?;
                    return self.settle();
                }
            }
            let is_full = self.bytes >= COMMIT_BYTES || self.records >= self.cadence.records;
            if is_full || due.is_some_and(|due| due <= Instant::now()) {
                self.commit()?;
                (due, rested) = (None, Instant::now() + self.cadence.interval);
            }
            if settle <= Instant::now() {
                self.settle()?;
                settle = Instant::now() + SETTLE;
            }
        }
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        self.cadence.sink.commit(&self.gathered)?;
        (self.records, self.bytes) = (0, 0);
        let committed = std::mem::take(&mut self.gathered);
        self.show(&committed);
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.cadence.sink.settle()?;
        self.show(&[]);
        Ok(())
    }

    fn show(&self, committed: &[Arc<Batch>]) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.positions = self.cadence.sink.positions();
        for batch in committed {
            shown.committed.advance(&batch.records().partition, batch.to());
            shown.committed_at = Some(self.clock.now());
        }
    }
}
