//! The collector's log as a feed: every topic in turn, reference data first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kassa_config::Config;
use kassa_engine::feed::{BATCH_BYTES, BATCH_RECORDS};
use kassa_model::time::Clock;
use kassa_model::{Partition, Positions};
use kassa_pipeline::Batch;
use kassa_source::log::{Log, LogOptions, LogReader};

use super::{Feed, Mark, Marks, Next, Reached};
use crate::budget::Budget;

/// The partition of a topic in the collector's log.
pub fn partition(topic: &str) -> Partition {
    Partition::new(topic, 0)
}

/// What segment files may have of `log.capacity`. The file system adds folders, and up to a block to each file.
fn capacity(config: &Config) -> u64 {
    const BLOCK_BYTES: u64 = 4096;
    let (whole, streams) = (config.log.capacity_bytes, config.streams.len() as u64);
    let files = whole / config.log.segment_bytes.max(1) + 2 * streams;
    let added = BLOCK_BYTES * (files + 3 * streams);
    whole.saturating_sub(added).max(whole / 2)
}

pub fn open_log(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<Log>> {
    let options = LogOptions {
        segment_bytes: config.log.segment_bytes,
        retention_age: Some(config.log.retention),
        capacity_bytes: capacity(config),
        max_record_bytes: config.collector.max_body_bytes,
        queue_bytes: Budget::of(config).collector_queue as u64,
        ..LogOptions::default()
    };
    Ok(Arc::new(Log::open(&config.data_dir, options, Arc::clone(clock)).context("could not open the collector's log")?))
}

#[derive(Debug)]
struct Input {
    partition: Partition,
    is_reference: bool,
    reader: Option<LogReader>,
}

/// Reads all topics in turn.
///
/// The ends of the facts are noted before reference data is read to its end, so that a fact always finds the members that were in
/// the log before it.
#[derive(Debug)]
pub struct LogFeed {
    log: Arc<Log>,
    inputs: Vec<Input>,
    /// The index of the next input.
    at: usize,
    /// Where the topics ended when the round began.
    ends: Positions,
    /// The current round, if there is one, and whether it has found records.
    round: Option<bool>,
    /// The log's changes when it began.
    seen: u64,
}

impl LogFeed {
    pub fn new(config: &Config, log: Arc<Log>) -> Self {
        let input = |stream: &kassa_config::Stream| Input {
            partition: partition(&stream.topic),
            is_reference: stream.contract.is_reference(),
            reader: None,
        };
        let mut inputs: Vec<Input> = config.streams.iter().map(input).collect();
        inputs.sort_by_key(|input| !input.is_reference);
        Self { ends: Positions::default(), seen: log.signal().seen(), log, inputs, at: 0, round: None }
    }

    /// The next records of the current input: facts only up to the end that was noted when the round began.
    fn read(&mut self) -> anyhow::Result<Option<Next>> {
        let input = &mut self.inputs[self.at];
        let end = if input.is_reference { i64::MAX } else { self.ends.next(&input.partition) };
        let Some(reader) = &mut input.reader else { return Ok(None) };
        let from = reader.next_offset();
        let left = usize::try_from(end.saturating_sub(from)).unwrap_or(0);
        if left == 0 {
            return Ok(None);
        }
        if let Some(lost) = reader.skip_lost() {
            let (topic, from, to) = (input.partition.topic.as_ref(), lost.start, lost.end);
            tracing::error!(topic, from, to, "the collector's log lost these records; a repair has given them up");
            return Ok(Some(Next::Lost(Batch::lost(input.partition.clone(), lost))));
        }
        let records = reader.read(left.min(BATCH_RECORDS), BATCH_BYTES)?;
        Ok(records.map(|records| Next::Records(records, from)))
    }
}

impl Feed for LogFeed {
    /// Where a repair has given up records, the log begins after them: the archive may still have them.
    fn starts(&mut self, _reached: &Reached) -> anyhow::Result<Positions> {
        let starts = self.log.starts();
        let of = |input: &Input| {
            let start = starts.get(&input.partition)?;
            Some((input.partition.clone(), self.log.lost_to(&input.partition).map_or(start, |lost_to| lost_to.max(start))))
        };
        Ok(self.inputs.iter().filter_map(of).collect())
    }

    fn begin(&mut self, reached: &Reached) -> anyhow::Result<()> {
        for input in &mut self.inputs {
            let partition = &input.partition;
            self.log
                .continue_from(partition, reached.by_any.next(partition))
                .context("the collector's log has lost records that a sink holds")?;
            let reader = self.log.reader(partition, reached.by_all.next(partition));
            input.reader = Some(reader.with_context(|| format!("could not read the log of {}", partition.topic))?);
        }
        (self.at, self.round) = (0, None);
        self.committed(reached)
    }

    fn is_pressed(&self) -> bool {
        self.log.is_pressed()
    }

    fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            if self.round.is_none() {
                self.seen = self.log.signal().seen();
                (self.at, self.round, self.ends) = (0, Some(false), self.log.ends());
            }
            while self.at < self.inputs.len() {
                let read = self.read()?;
                // Reference data is read to its end; each topic of facts gives one batch per round.
                if read.is_none() || !self.inputs[self.at].is_reference {
                    self.at += 1;
                }
                if let Some(next) = read {
                    self.round = Some(true);
                    return Ok(next);
                }
            }
            if self.round.take() == Some(false) {
                return Ok(Next::Idle);
            }
        }
    }

    /// It is idle only then.
    fn is_at_end(&mut self) -> anyhow::Result<bool> {
        Ok(true)
    }

    fn wait(&mut self, longest: Duration) {
        self.log.signal().wait(self.seen, longest);
    }

    fn keep(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn committed(&mut self, reached: &Reached) -> anyhow::Result<()> {
        self.log.retain(&reached.by_all)?;
        Ok(())
    }

    /// Nothing to do: `begin` always states where to read.
    fn reset(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The marks of the log, for observers.
#[derive(Debug)]
pub struct LogMarks {
    log: Arc<Log>,
    topics: Vec<String>,
}

impl LogMarks {
    pub fn new(config: &Config, log: Arc<Log>) -> Self {
        Self { log, topics: config.streams.iter().map(|stream| stream.topic.clone()).collect() }
    }
}

impl Marks for LogMarks {
    fn marks(&self) -> Vec<Mark> {
        let (starts, ends) = (self.log.starts(), self.log.ends());
        let marks = self.topics.iter().map(|topic| partition(topic));
        let marks = marks.map(|partition| Mark { start: starts.get(&partition), end: ends.get(&partition), partition });
        marks.filter(|mark| mark.end.is_some()).collect()
    }

    fn trouble(&self) -> Option<String> {
        self.log.stopped().or_else(|| self.log.unavailable()).map(|failed| format!("the collector: {failed}"))
    }

    fn ended(&self) -> Option<String> {
        self.log.stopped().map(|stopped| format!("the collector: {stopped}"))
    }
}
