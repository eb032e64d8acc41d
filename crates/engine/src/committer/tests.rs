use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use arrow_array::BinaryArray;
use kassa_model::{Fate, Headers, Partition, Positions, Records};

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Virtual time.
#[derive(Debug, Default)]
struct Virtual(AtomicU64);

impl Ticks for Virtual {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn wait(&self, pause: Duration) {
        self.0.fetch_add(u64::try_from(pause.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Virtual {
    fn now(&self) -> i64 {
        i64::try_from(Ticks::now(self).as_micros()).unwrap()
    }
}

/// A request that reached the sink, its time in ms, and the number of batches.
type Request = (&'static str, u64, usize);

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Request>,
    /// The answers to come; `Ok` when there are none.
    answers: VecDeque<Result<(), SinkError>>,
    positions: Positions,
}

#[derive(Debug, Clone)]
struct Scripted {
    seen: Arc<Mutex<Seen>>,
    ticks: Arc<Virtual>,
}

impl Scripted {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn answer(&self, request: &'static str, batches: usize) -> Result<(), SinkError> {
        let at = u64::try_from(Ticks::now(self.ticks.as_ref()).as_millis()).unwrap();
        let mut seen = self.seen();
        seen.requests.push((request, at, batches));
        seen.answers.pop_front().unwrap_or(Ok(()))
    }
}

impl Sink for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn positions(&self) -> Positions {
        self.seen().positions.clone()
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        self.answer("commit", batches.len())?;
        let mut seen = self.seen();
        batches.iter().for_each(|batch| seen.positions.advance(&batch.records().partition, batch.to()));
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.answer("settle", 0)
    }
}

/// A committer every 200 ms, or with 10 records.
fn committer() -> (Committer, Scripted) {
    committer_within(COMMIT_BYTES)
}

/// The same, with a bound of bytes.
fn committer_within(bytes: usize) -> (Committer, Scripted) {
    let ticks = Arc::<Virtual>::default();
    let sink = Scripted { seen: Arc::default(), ticks: Arc::clone(&ticks) };
    let cadence = Cadence { sink: Box::new(sink.clone()), interval: 200 * MS, records: 10, bytes };
    let clock: Arc<dyn Clock> = Arc::clone(&ticks) as Arc<dyn Clock>;
    (Committer::new(cadence, SinkHandle::new("scripted"), clock, ticks), sink)
}

fn batch(from: i64, to: i64) -> Arc<Batch> {
    let offsets: Vec<i64> = (from..to).collect();
    let count = offsets.len();
    let records = Records {
        partition: Partition::new("orders", 0),
        offsets,
        ingested_at: vec![0; count],
        timestamps: vec![None; count],
        keys: None,
        headers: Headers::None,
        values: BinaryArray::from_iter_values(vec!["{"; count]),
        next: to,
    };
    Arc::new(Batch::new(Arc::new(records), from, vec![Fate::DeadLetter; count], Vec::new()))
}

fn unavailable(times: usize) -> VecDeque<Result<(), SinkError>> {
    (0..times).map(|_| Err(SinkError::Unavailable("no answer".to_owned()))).collect()
}

/// Steps until this time, as a thread without batches does.
fn run(committer: &mut Committer, sink: &Scripted, until_ms: u64) -> Result<Step, SinkError> {
    let end = Duration::from_millis(until_ms);
    loop {
        let step = committer.step()?;
        let Step::Wait { until, .. } = step else { return Ok(step) };
        let now = Ticks::now(sink.ticks.as_ref());
        if until > end {
            sink.ticks.wait(end.saturating_sub(now));
            return Ok(step);
        }
        sink.ticks.wait(until.saturating_sub(now));
    }
}

#[test]
fn a_batch_after_a_pause_lingers_and_the_next_one_waits_for_the_interval() {
    let (mut committer, sink) = committer();
    run(&mut committer, &sink, 1_000).unwrap();
    committer.take(batch(0, 2));
    run(&mut committer, &sink, 1_030).unwrap();
    committer.take(batch(2, 4));
    committer.take(batch(4, 6));
    run(&mut committer, &sink, 2_000).unwrap();
    assert_eq!(sink.seen().requests, [("commit", 1_020, 1), ("commit", 1_220, 2)]);
    let state = committer.handle().state();
    assert_eq!(state.positions.next(&Partition::new("orders", 0)), 6);
    assert_eq!((state.committed, state.committed_at), (state.positions, Some(1_220_000)));
}

#[test]
fn enough_records_are_committed_at_once() {
    let (mut committer, sink) = committer();
    committer.take(batch(0, 9));
    assert_eq!(committer.step().unwrap(), Step::Wait { until: 20 * MS, takes: true });
    committer.take(batch(9, 10));
    committer.step().unwrap();
    assert_eq!(sink.seen().requests, [("commit", 0, 2)]);
}

#[test]
fn positions_settle_every_thirty_seconds() {
    let (mut committer, sink) = committer();
    run(&mut committer, &sink, 90_000).unwrap();
    assert_eq!(sink.seen().requests, [("settle", 30_000, 0), ("settle", 60_000, 0), ("settle", 90_000, 0)]);
}

#[test]
fn a_store_that_does_not_answer_is_asked_ever_more_rarely_and_the_sink_gathers_meanwhile() {
    let (mut committer, sink) = committer();
    sink.seen().answers = unavailable(8);
    committer.take(batch(0, 1));
    let step = run(&mut committer, &sink, 20).unwrap();
    assert_eq!(step, Step::Wait { until: 120 * MS, takes: true });
    assert_eq!(committer.handle().state().waiting.as_deref(), Some("no answer"));
    committer.take(batch(1, 2));
    run(&mut committer, &sink, 20_000).unwrap();
    let at = [20, 120, 320, 720, 1_520, 3_120, 6_320, 11_320, 16_320];
    let counts = [1, 2, 2, 2, 2, 2, 2, 2, 2];
    let expected: Vec<Request> = at.into_iter().zip(counts).map(|(at, count)| ("commit", at, count)).collect();
    assert_eq!(sink.seen().requests, expected);
    let state = committer.handle().state();
    assert_eq!((state.waiting, state.commits.last()), (None, Some(16_300 * MS)));
}

#[test]
fn a_sink_whose_store_does_not_answer_gathers_no_more_than_its_bound() {
    let one = batch(0, 1).bytes();
    let bound = 4 * one + one / 2;
    let (mut committer, sink) = committer_within(bound);
    sink.seen().answers = unavailable(3);
    committer.take(batch(0, 1));
    let (mut taken, mut step) = (1, run(&mut committer, &sink, 20).unwrap());
    while let Step::Wait { takes: true, .. } = step {
        committer.take(batch(taken, taken + 1));
        taken += 1;
        step = committer.step().unwrap();
    }
    let gathered = |committer: &Committer| committer.handle().state().gathered_bytes;
    assert_eq!((taken, gathered(&committer)), (4, 4 * one));
    let step = run(&mut committer, &sink, 1_000).unwrap();
    assert!(matches!(step, Step::Wait { takes: true, .. }), "{step:?}");
    assert_eq!(gathered(&committer), 0);
    assert_eq!(sink.seen().requests, [("commit", 20, 1), ("commit", 120, 4), ("commit", 320, 4), ("commit", 720, 4)]);
}

#[test]
fn a_sink_commits_when_another_batch_would_exceed_its_bound() {
    let one = batch(0, 1).bytes();
    for (bound, expected) in [(one / 2, 1), (one, 1), (2 * one, 2), (3 * one, 3)] {
        let (mut committer, sink) = committer_within(bound);
        let mut most = 0_usize;
        for number in 0..6 {
            committer.take(batch(number, number + 1));
            most = most.max(committer.handle().state().gathered_bytes);
            committer.step().unwrap();
        }
        assert_eq!(most, expected * one, "of {bound}");
        assert_eq!(sink.seen().requests, vec![("commit", 0, expected); 6 / expected], "of {bound}");
    }
}

#[test]
fn what_comes_while_a_flush_settles_is_committed_before_the_flush_ends() {
    let (mut committer, sink) = committer();
    committer.take(batch(0, 1));
    committer.flush();
    committer.step().unwrap();
    sink.seen().answers = unavailable(1);
    committer.step().unwrap();
    committer.take(batch(1, 2));
    assert!(committer.is_flushing());
    run(&mut committer, &sink, 1_000).unwrap();
    assert!(!committer.is_flushing());
    let expected = [("commit", 0, 1), ("settle", 0, 0), ("settle", 100, 0), ("commit", 100, 1), ("settle", 100, 0)];
    assert_eq!(sink.seen().requests, expected);
}

#[test]
fn a_closed_committer_commits_settles_and_ends() {
    let (mut committer, sink) = committer();
    committer.take(batch(0, 1));
    committer.close();
    assert_eq!(committer.step().unwrap(), Step::Wait { until: Duration::ZERO, takes: false });
    assert_eq!(committer.step().unwrap(), Step::Ended);
    assert_eq!(committer.step().unwrap(), Step::Ended);
    assert_eq!(sink.seen().requests, [("commit", 0, 1), ("settle", 0, 0)]);
}

#[test]
fn the_end_waits_twenty_seconds_for_a_store() {
    let (mut committer, sink) = committer();
    sink.seen().answers = unavailable(1_000);
    committer.take(batch(0, 1));
    run(&mut committer, &sink, 60_000).unwrap();
    committer.close();
    let error = run(&mut committer, &sink, 600_000).unwrap_err();
    assert!(matches!(error, SinkError::Unavailable(_)), "{error:?}");
    let ended = Ticks::now(sink.ticks.as_ref());
    assert!((80_000 * MS..=90_000 * MS).contains(&ended), "{ended:?}");
}

#[test]
fn every_other_failure_stops_the_committer() {
    let (mut committer, sink) = committer();
    sink.seen().answers = [Err(SinkError::Fenced("another writer".to_owned()))].into();
    committer.take(batch(0, 1));
    let error = run(&mut committer, &sink, 1_000).unwrap_err();
    assert!(matches!(error, SinkError::Fenced(_)), "{error:?}");
    assert_eq!(sink.seen().requests, [("commit", 20, 1)]);
}
