//! The rates that every worker has to know, whichever of them the group gave their topics: read to their end before the records that
//! came after them are shaped.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use kassa_config::Config;
use kassa_kafka::{Connection, KafkaError, Tail};
use kassa_lake::{read, recover};
use kassa_model::time::{Clock, SECOND};
use kassa_model::{Contract, Table};
use kassa_pipeline::Stage;
use kassa_pipeline::rates::Rates;

use super::PATIENCE;
use crate::wiring::Lake;

/// Records whose time lies so far (µs) before the last look need no other: a rate that came before them has long been in its topic.
const SETTLED: i64 = 2 * SECOND;

pub(super) struct RateTail {
    tails: Vec<Tail>,
    /// Judges rates by itself.
    stage: Stage,
    clock: Arc<dyn Clock>,
    /// When the last look began: by the clock of records (µs UTC), and by that of this machine.
    looked_at: i64,
    looked: Option<Instant>,
    /// All rates that were read, a few a day: a pipeline that is begun anew knows those alone that the lake has.
    read: Vec<RecordBatch>,
    /// How many of these the pipeline at work has been told.
    told: usize,
}

impl fmt::Debug for RateTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateTail").field("tails", &self.tails).finish_non_exhaustive()
    }
}

/// Why rates could not be learnt.
#[derive(Debug, thiserror::Error)]
pub(super) enum RatesError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("could not read rates: {0}")]
    Rates(#[from] anyhow::Error),
}

impl RateTail {
    /// `None`: no stream brings rates.
    pub(super) fn open(config: &Config, connection: &Connection, group: &str, lake: &Lake) -> anyhow::Result<Option<Self>> {
        let topics = config.streams.iter().filter(|stream| stream.contract == Contract::FxRate).map(|stream| &stream.topic);
        let open =
            |topic: &String| Tail::open(connection, group, topic, Arc::clone(&lake.clock), PATIENCE).map_err(super::refused);
        let tails = topics.map(open).collect::<anyhow::Result<Vec<_>>>()?;
        if tails.is_empty() {
            return Ok(None);
        }
        let (stage, clock) = (lake.bare_stage(config, None)?, Arc::clone(&lake.clock));
        Ok(Some(Self { tails, stage, clock, looked_at: i64::MIN, looked: None, read: Vec::new(), told: 0 }))
    }

    /// A pipeline is begun anew: it is told everything again.
    pub(super) fn begin(&mut self) {
        self.told = 0;
    }

    /// Teaches what was in Kafka before records of this time (µs UTC) that had been fetched then. One look does for all that was fetched at once.
    pub(super) fn learn(&mut self, time: i64, fetched_at: Instant, rates: &mut Rates) -> Result<(), RatesError> {
        if time.saturating_add(SETTLED) > self.looked_at && self.looked.is_none_or(|looked| looked < fetched_at) {
            self.look()?;
        }
        for rows in &self.read[self.told..] {
            recover::learn(rows, rates).map_err(anyhow::Error::from)?;
        }
        self.told = self.read.len();
        Ok(())
    }

    fn look(&mut self) -> Result<(), RatesError> {
        let (now, began) = (self.clock.now(), Instant::now());
        for tail in &mut self.tails {
            for records in tail.read()? {
                let from = records.offsets.first().copied().unwrap_or(0);
                let batch = self.stage.run(records, from).map_err(anyhow::Error::from)?;
                for (_, rows) in batch.tables().iter().filter(|(table, _)| *table == Table::FactFxRate) {
                    self.read.push(columns(rows)?);
                }
            }
        }
        (self.looked_at, self.looked) = (now, Some(began));
        Ok(())
    }
}

/// What a rate is learnt from.
fn columns(rows: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let schema = rows.schema();
    let columns = recover::RATE_COLUMNS.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(read::plain(&rows.project(&columns)?)?)
}
