use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use kassa_model::{Partition, Positions};
use kassa_pipeline::Sink;

use super::*;
use crate::committer::{COMMIT_BYTES, Cadence};

/// A clock that stands still.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> i64 {
        0
    }
}

/// Where the batches of a commit end.
type Committed = Arc<Mutex<Vec<Vec<i64>>>>;

/// Says that a commit has begun, and waits for its outcome.
#[derive(Debug)]
struct Gate {
    begun: Sender<()>,
    outcome: Receiver<Result<(), SinkError>>,
}

#[derive(Debug)]
struct Gated {
    committed: Committed,
    gate: Option<Gate>,
}

impl Sink for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn positions(&self) -> Positions {
        Positions::default()
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        if let Some(gate) = &self.gate {
            gate.begun.send(()).unwrap();
            gate.outcome.recv().unwrap()?;
        }
        self.committed.lock().unwrap().push(batches.iter().map(|batch| batch.to()).collect());
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A sink that commits with every batch (`records` = 0) or when it is asked to.
fn started(records: usize, gate: Option<Gate>) -> (Box<dyn HandOff>, Committed) {
    let committed = Committed::default();
    let host = host(&(Arc::new(Still) as Arc<dyn Clock>));
    let sink = Box::new(Gated { committed: Arc::clone(&committed), gate });
    let cadence = Cadence { sink, interval: Duration::from_secs(3_600), records, bytes: COMMIT_BYTES };
    let committer = Committer::new(cadence, SinkHandle::new("gated"), Arc::clone(&host.clock), Arc::clone(&host.ticks));
    ((host.start)(committer).unwrap(), committed)
}

fn batch(to: i64) -> Arc<Batch> {
    Arc::new(Batch::lost(Partition::new("orders", 0), to - 1..to))
}

#[test]
fn a_flush_returns_when_everything_is_committed() {
    let (mut sink, committed) = started(1_000, None);
    assert!(sink.offer(&batch(1)).unwrap() && sink.offer(&batch(2)).unwrap());
    sink.flush().unwrap();
    sink.flushed().unwrap();
    assert_eq!(committed.lock().unwrap().concat(), [1, 2]);
    sink.check().unwrap();
    assert!(sink.offer(&batch(3)).unwrap());
    sink.close();
    sink.join().unwrap();
    assert_eq!(committed.lock().unwrap().concat(), [1, 2, 3]);
}

#[test]
fn two_batches_wait_for_a_sink_that_is_busy() {
    let ((begun, begins), (outcome, outcomes)) = (channel(), channel());
    let (mut sink, committed) = started(0, Some(Gate { begun, outcome: outcomes }));
    assert!(sink.offer(&batch(1)).unwrap());
    begins.recv().unwrap();
    let offered: Vec<bool> = (2..=4).map(|to| sink.offer(&batch(to)).unwrap()).collect();
    assert_eq!(offered, [true, true, false]);
    (0..3).for_each(|_| outcome.send(Ok(())).unwrap());
    sink.flush().unwrap();
    sink.flushed().unwrap();
    assert_eq!(*committed.lock().unwrap(), [[1], [2], [3]]);
}

#[test]
fn the_failure_of_a_sink_reaches_the_engine() {
    let ((begun, _begins), (outcome, outcomes)) = (channel(), channel());
    let (mut sink, committed) = started(0, Some(Gate { begun, outcome: outcomes }));
    outcome.send(Err(SinkError::Fenced("another writer".to_owned()))).unwrap();
    assert!(sink.offer(&batch(1)).unwrap());
    let failure = sink.flush().and_then(|()| sink.flushed()).unwrap_err();
    assert!(matches!(failure, SinkError::Fenced(_)), "{failure:?}");
    assert_eq!(sink.handle().state().failed.as_deref(), Some("fenced: another writer"));
    assert!(sink.check().is_err() && sink.offer(&batch(2)).is_err());
    sink.join().unwrap();
    assert!(committed.lock().unwrap().is_empty());
}

/// Time that passes two hundred times as fast.
#[derive(Debug, Default)]
struct Fast(SystemTicks);

impl Ticks for Fast {
    fn now(&self) -> Duration {
        self.0.now() * 200
    }

    fn wait(&self, pause: Duration) {
        self.0.wait(pause / 200);
    }
}

/// A store that never answers.
#[derive(Debug)]
struct Away;

impl Sink for Away {
    fn name(&self) -> &'static str {
        "away"
    }

    fn positions(&self) -> Positions {
        Positions::default()
    }

    fn commit(&mut self, _: &[Arc<Batch>]) -> Result<(), SinkError> {
        Err(SinkError::Unavailable("no answer".to_owned()))
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The end of the program reads to the end of the source before it closes the sinks.
#[test]
fn a_flush_at_the_end_of_the_program_does_not_wait_for_ever() {
    let ticks: Arc<dyn Ticks> = Arc::new(Fast::default());
    let cadence = Cadence { sink: Box::new(Away), interval: Duration::ZERO, records: 1_000, bytes: COMMIT_BYTES };
    let committer = Committer::new(cadence, SinkHandle::new("away"), Arc::new(Still), Arc::clone(&ticks));
    let mut sink = SinkThread::start(committer, ticks).unwrap();
    assert!(sink.offer(&batch(1)).unwrap());
    sink.flush().unwrap();
    sink.hurry(Duration::from_secs(5));
    let failure = sink.flushed().unwrap_err();
    assert!(matches!(failure, SinkError::Unavailable(_)), "{failure:?}");
}
