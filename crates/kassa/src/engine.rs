//! The running pipeline over the collector's log: reads every topic in turn and pushes what it reads through the topology.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use kassa_config::Config;
use kassa_model::{Partition, Positions};
use kassa_pipeline::{Batch, Sink};
use kassa_source::log::{Log, LogOptions, LogReader};

use crate::topology::{BATCH_BYTES, BATCH_RECORDS, Cadence, SinkHandle, Topology};
use crate::wiring::Lake;

/// Retention looks at the log this often.
const RETAIN: Duration = Duration::from_secs(10);
/// An idle reader looks again after this long, should a signal be missed.
const IDLE: Duration = Duration::from_millis(200);

/// The partition of a topic in the collector's log.
pub fn partition(topic: &str) -> Partition {
    Partition::new(topic, 0)
}

pub fn open_log(config: &Config, lake: &Lake) -> anyhow::Result<Arc<Log>> {
    let options = LogOptions {
        segment_bytes: config.log.segment_bytes,
        retention_age: Some(config.log.retention),
        capacity_bytes: config.log.capacity_bytes,
        max_record_bytes: config
            .collector
            .max_body_bytes
            .min(LogOptions::default().max_record_bytes.max(config.collector.max_body_bytes)),
        ..LogOptions::default()
    };
    Ok(Arc::new(Log::open(&config.data_dir, options, Arc::clone(&lake.clock)).context("could not open the collector's log")?))
}

struct Input {
    reader: LogReader,
    partition: Partition,
    is_reference: bool,
}

/// The pipeline at work. One thread calls [`Engine::turn`].
pub struct Engine {
    topology: Topology,
    log: Arc<Log>,
    inputs: Vec<Input>,
    retain_at: Instant,
    /// Told of every batch, before the sinks have committed it.
    observer: Box<dyn FnMut(&Batch)>,
}

impl Engine {
    pub fn start(
        config: &Config,
        lake: &Lake,
        log: Arc<Log>,
        sinks: Vec<Box<dyn Sink>>,
        observer: Box<dyn FnMut(&Batch)>,
    ) -> anyhow::Result<Self> {
        let cadence = |sink: Box<dyn Sink>| {
            let interval = if sink.name() == "live" { Duration::from_millis(20) } else { config.lake.commit_interval };
            Cadence { sink, interval, records: config.lake.commit_rows }
        };
        let topology = Topology::start(lake.stage(config)?, sinks.into_iter().map(cadence).collect(), &lake.clock)?;
        let mut inputs = Vec::with_capacity(config.streams.len());
        for stream in &config.streams {
            let partition = partition(&stream.topic);
            let committed = topology.handles().iter().map(|sink| sink.state().positions.next(&partition)).max().unwrap_or(0);
            log.continue_from(&partition, committed).context("the collector's log has lost records that a sink holds")?;
            let from = topology.position(&partition);
            let reader = log.reader(&partition, from).with_context(|| format!("could not read the log of {}", stream.topic))?;
            inputs.push(Input { reader, partition, is_reference: stream.contract.is_reference() });
        }
        inputs.sort_by_key(|input| !input.is_reference);
        Ok(Self { topology, log, inputs, retain_at: Instant::now() + RETAIN, observer })
    }

    pub fn handles(&self) -> Vec<SinkHandle> {
        self.topology.handles()
    }

    /// Reads what there is, once round all topics. Whether anything was read.
    ///
    /// The ends of the facts are noted before reference data is read to its own end: so a fact always finds the rates and the
    /// members that were in the log before it.
    pub fn turn(&mut self) -> anyhow::Result<bool> {
        let ends = self.log.ends();
        let mut any = false;
        for at in 0..self.inputs.len() {
            if self.inputs[at].is_reference {
                while self.read(at, i64::MAX)? {
                    any = true;
                }
            } else {
                let end = ends.next(&self.inputs[at].partition);
                any |= self.read(at, end)?;
            }
        }
        if self.retain_at <= Instant::now() {
            self.retain_at = Instant::now() + RETAIN;
            self.log.retain(&self.committed())?;
        }
        Ok(any)
    }

    fn read(&mut self, at: usize, end: i64) -> anyhow::Result<bool> {
        let input = &mut self.inputs[at];
        let from = input.reader.next_offset();
        let Ok(left) = usize::try_from(end.saturating_sub(from)) else { return Ok(false) };
        if left == 0 {
            return Ok(false);
        }
        let Some(records) = input.reader.read(left.min(BATCH_RECORDS), BATCH_BYTES)? else { return Ok(false) };
        let batch = self.topology.push(records, from)?;
        (self.observer)(&batch);
        Ok(true)
    }

    /// What every sink has committed.
    fn committed(&self) -> Positions {
        self.inputs.iter().map(|input| (input.partition.clone(), self.topology.position(&input.partition))).collect()
    }

    /// Turns until `ended` says so.
    pub fn work(&mut self, ended: &dyn Fn() -> bool) -> anyhow::Result<()> {
        while !ended() {
            let seen = self.log.signal().seen();
            if !self.turn()? {
                self.log.signal().wait(seen, IDLE);
            }
        }
        Ok(())
    }

    /// Reads to the end of the log and returns when everything is committed.
    pub fn catch_up(&mut self) -> anyhow::Result<()> {
        while self.turn()? {}
        self.topology.flush()
    }

    pub fn finish(self) -> anyhow::Result<()> {
        self.topology.finish()
    }
}
