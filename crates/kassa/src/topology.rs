//! The topology: one thread reads and shapes, one thread per sink commits.
//!
//! ```text
//!  source (log or Kafka) ─Records─► Stage ─Arc<Batch>─┬─[2 batches]─► archive     one commit per interval, or at a commit's records or 48 MiB
//!     ≤ 8,192 records, ≤ 2 MiB      decode … shape    ├─[2 batches]─► lake        the same
//!                                                     ├─[2 batches]─► warehouse   the same, with an interval of its own
//!                                                     └─[2 batches]─► live        at once
//! ```
//!
//! A sink that is behind fills its hand-off. Then reading waits, and the source keeps the records. A sink whose store does not
//! answer retries until it does; any other failure stops the program with that error.

mod commits;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kassa_model::{Partition, Positions, Records};
use kassa_pipeline::{Batch, Sink, SinkError, Stage};

pub use self::commits::Commits;
use crate::feed::{Next, Reached};

/// Records and bytes read at once: what a batch is cut from.
pub const BATCH_RECORDS: usize = 8_192;
pub const BATCH_BYTES: usize = 2 << 20;
/// Batches that wait for a sink.
const HAND_OFF: usize = 2;
/// Bytes of records and rows that a sink gathers before it commits, however early.
const COMMIT_BYTES: usize = 48 << 20;
/// What comes after a pause waits this long for company, not for the whole interval.
const LINGER: Duration = Duration::from_millis(20);
/// How long a push waits for room in a sink's hand-off before it lets the feed do its duties.
const FULL: Duration = Duration::from_millis(1);
/// A store that does not answer is asked again after the first of these, then after twice as long, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long a store that does not answer is waited for when the program ends. What it has not got is read again at the next start.
const PATIENCE: Duration = Duration::from_secs(20);
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
    pub commits: Commits,
    /// Why its store does not answer, for as long as it does not.
    pub waiting: Option<String>,
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
    /// Set when the program ends: the sink is not to wait for its store for ever.
    ends: Arc<AtomicBool>,
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
    /// `shown` are handles of an earlier start: those of the same names are used again.
    pub fn start(
        stage: Stage,
        sinks: Vec<Cadence>,
        shown: &[SinkHandle],
        clock: &Arc<dyn kassa_model::time::Clock>,
    ) -> anyhow::Result<Self> {
        let mut threads = Vec::with_capacity(sinks.len());
        for cadence in sinks {
            let name = cadence.sink.name();
            let positions = cadence.sink.positions();
            let state = SinkState { committed: positions.clone(), positions, ..SinkState::default() };
            let handle = shown.iter().find(|handle| handle.name == name).cloned();
            let handle = handle.unwrap_or_else(|| SinkHandle { name, state: Arc::default() });
            *handle.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
            let (sender, receiver) = sync_channel(HAND_OFF);
            let ends = Arc::new(AtomicBool::new(false));
            let (shown, clock, ending) = (Arc::clone(&handle.state), Arc::clone(clock), Arc::clone(&ends));
            let work = move || {
                let committer = Committer {
                    cadence,
                    shown: &shown,
                    clock: &clock,
                    receiver,
                    ends: &ending,
                    gathered: Vec::new(),
                    records: 0,
                    bytes: 0,
                    asked: Vec::new(),
                };
                let result = committer.work();
                if let Err(error) = &result {
                    tracing::error!(sink = name, %error, "sink stopped");
                    shown.lock().unwrap_or_else(PoisonError::into_inner).failed = Some(error.to_string());
                }
                result
            };
            let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
            threads.push(SinkThread { handle, sender: Some(sender), ends, thread: Some(thread) });
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

    /// How far the sinks are, over all partitions that any of them knows.
    pub fn reached(&self) -> Reached {
        let mut reached = Reached::default();
        for sink in &self.sinks {
            for (partition, next) in sink.handle.state().positions.iter() {
                reached.by_any.advance(partition, next);
            }
        }
        reached.by_all = reached.by_any.iter().map(|(partition, _)| (partition.clone(), self.position(partition))).collect();
        reached
    }

    /// Takes what a feed or the archive has next; the batch, if that is one.
    pub fn take(&mut self, next: Next, keep: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<Option<Arc<Batch>>> {
        match next {
            Next::Records(records, from) => self.push(records, from, keep).map(Some),
            Next::Lost(batch) => self.hand_over(batch, keep).map(Some),
            Next::Moved | Next::Idle => Ok(None),
        }
    }

    /// Shapes records and hands the batch to every sink. While a sink's hand-off is full, `keep` is called again and again.
    pub fn push(
        &mut self,
        records: Records,
        from: i64,
        keep: &mut dyn FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Arc<Batch>> {
        let batch = self.stage.run(records, from)?;
        self.hand_over(batch, keep)
    }

    /// Hands a batch to every sink.
    fn hand_over(&mut self, batch: Batch, keep: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<Arc<Batch>> {
        let batch = Arc::new(batch);
        for sink in &mut self.sinks {
            let mut message = Message::Batch(Arc::clone(&batch));
            while let Some(refused) = sink.offer(message)? {
                message = refused;
                thread::sleep(FULL);
                keep()?;
            }
        }
        Ok(batch)
    }

    /// The failure of a sink that has stopped by itself: while there is nothing to hand over nobody else would hear of it.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let stopped = |sink: &&mut SinkThread| sink.thread.as_ref().is_none_or(JoinHandle::is_finished);
        self.sinks.iter_mut().find(stopped).map_or(Ok(()), |sink| Err(sink.failure()))
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

    /// Commits what is left and stops the sinks. The stage; what it remembers is all committed only if nothing failed.
    pub fn finish(mut self) -> (Stage, anyhow::Result<()>) {
        let ended = self.join();
        (self.stage, ended)
    }

    fn join(&mut self) -> anyhow::Result<()> {
        let mut failure = Ok(());
        self.sinks.iter_mut().for_each(SinkThread::close);
        for sink in &mut self.sinks {
            if let Some(thread) = sink.thread.take() {
                let ended = thread.join().unwrap_or_else(|_| Err(SinkError::Corrupt("the sink's thread panicked".into())));
                failure = failure
                    .and(ended.map_err(|error| anyhow::Error::new(error).context(format!("the {} stopped", sink.handle.name))));
            }
        }
        failure
    }
}

impl SinkThread {
    /// Hands a message over; gives it back if there is no room.
    fn offer(&mut self, message: Message) -> anyhow::Result<Option<Message>> {
        match self.sender.as_ref().map(|sender| sender.try_send(message)) {
            Some(Ok(())) => Ok(None),
            Some(Err(TrySendError::Full(message))) => Ok(Some(message)),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(self.failure()),
        }
    }

    fn close(&mut self) {
        self.ends.store(true, Ordering::Release);
        self.sender = None;
    }

    fn failure(&mut self) -> anyhow::Error {
        self.close();
        let ended = self.thread.take().and_then(|thread| thread.join().ok()).and_then(Result::err);
        let why = ended.unwrap_or_else(|| SinkError::Corrupt("it had stopped before".into()));
        anyhow::Error::new(why).context(format!("the {} stopped", self.handle.name))
    }
}

struct Committer<'t> {
    cadence: Cadence,
    shown: &'t Mutex<SinkState>,
    clock: &'t Arc<dyn kassa_model::time::Clock>,
    receiver: Receiver<Message>,
    ends: &'t AtomicBool,
    gathered: Vec<Arc<Batch>>,
    records: usize,
    bytes: usize,
    /// Those who wait until all is committed.
    asked: Vec<SyncSender<()>>,
}

/// What a sink is asked to do, again and again until its store answers.
type Work = fn(&mut dyn Sink, &[Arc<Batch>]) -> Result<(), SinkError>;

impl Committer<'_> {
    fn work(mut self) -> Result<(), SinkError> {
        let (mut due, mut settle) = (None::<Instant>, Instant::now() + SETTLE);
        // When the last commit's interval is over.
        let mut rested = Instant::now();
        loop {
            let wait = due.unwrap_or(settle).min(settle).saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(wait) {
                Ok(message) => {
                    self.take(message);
                    if !self.gathered.is_empty() {
                        due = due.or(Some(rested.max(Instant::now() + LINGER.min(self.cadence.interval))));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.commit()?;
                    return self.settle();
                }
            }
            let is_full = self.bytes >= COMMIT_BYTES || self.records >= self.cadence.records;
            if is_full || !self.asked.is_empty() || due.is_some_and(|due| due <= Instant::now()) {
                self.commit()?;
                (due, rested) = (None, Instant::now() + self.cadence.interval);
            }
            if settle <= Instant::now() || !self.asked.is_empty() {
                self.settle()?;
                settle = Instant::now() + SETTLE;
            }
            // Whoever asked may have gone.
            self.asked.drain(..).for_each(|answer| answer.send(()).unwrap_or_default());
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Batch(batch) => {
                self.records += batch.records().len();
                self.bytes += batch.bytes();
                self.gathered.push(batch);
            }
            Message::Flush(answer) => self.asked.push(answer),
        }
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        while !self.gathered.is_empty() {
            let since = Instant::now();
            self.insist(|sink, batches| sink.commit(batches))?;
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).commits.took(since.elapsed());
            (self.records, self.bytes) = (0, 0);
            let committed = std::mem::take(&mut self.gathered);
            self.show(&committed);
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.insist(|sink, _| sink.settle())?;
        self.show(&[]);
        Ok(())
    }

    /// Tries again while the store does not answer, and gathers meanwhile what there is room for: the other sinks go on.
    fn insist(&mut self, work: Work) -> Result<(), SinkError> {
        let (mut pause, mut deadline) = (RETRY.0, None::<Instant>);
        loop {
            let why = match work(self.cadence.sink.as_mut(), &self.gathered) {
                Err(SinkError::Unavailable(why)) => why,
                done => return done,
            };
            if self.ends.load(Ordering::Acquire) && *deadline.get_or_insert(Instant::now() + PATIENCE) <= Instant::now() {
                return Err(SinkError::Unavailable(why));
            }
            tracing::warn!(sink = self.cadence.sink.name(), why, ?pause, "the store does not answer; trying again");
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).waiting = Some(why);
            self.gather(Instant::now() + pause);
            pause = (pause * 2).min(RETRY.1);
        }
    }

    fn gather(&mut self, until: Instant) {
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.bytes >= COMMIT_BYTES {
                return thread::sleep(left);
            }
            match self.receiver.recv_timeout(left) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => return thread::sleep(left),
            }
        }
    }

    fn show(&self, committed: &[Arc<Batch>]) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.positions = self.cadence.sink.positions();
        shown.waiting = None;
        for batch in committed {
            shown.committed.advance(&batch.records().partition, batch.to());
            shown.committed_at = Some(self.clock.now());
        }
    }
}
