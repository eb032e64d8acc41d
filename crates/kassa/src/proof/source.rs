//! The records that a source still has: the collector's log in its folder, or Kafka.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kassa_config::{Config, Kafka};
use kassa_engine::feed::{BATCH_BYTES, BATCH_RECORDS};
use kassa_kafka::{Cluster, KafkaError, Reader, incarnation, kafka_partition};
use kassa_lake::figures;
use kassa_lake::prove::{Finding, Kind, LogState, SourceLog};
use kassa_model::{Cause, Partition, Positions, Records};
use kassa_source::log::{self, LogReader, Problem, ProblemKind};

use crate::feed::{TopicIds, refused};
use crate::wiring::{self, Lake};

/// The collector's log below a data folder, read as its files are.
pub(super) struct Collected(pub(super) PathBuf);

impl SourceLog for Collected {
    fn states(&mut self, from: &Positions) -> Result<(Vec<LogState>, Vec<Finding>), Cause> {
        if !self.0.join("log").is_dir() {
            return Ok((Vec::new(), Vec::new()));
        }
        let verified = log::verify_from(&self.0, from).map_err(Cause::of)?;
        let states = verified.partitions.into_iter();
        let states = states.map(|held| LogState { partition: held.partition, first: held.first, next: held.next }).collect();
        Ok((states, verified.problems.iter().filter_map(finding).collect()))
    }

    fn read(&mut self, partition: &Partition, range: Range<i64>, take: &mut dyn FnMut(&Records)) -> Result<(), Cause> {
        // Damage was reported above, and segments that retention deletes meanwhile are no damage: read what can be read.
        let Ok(mut reader) = LogReader::open(&self.0, partition, range.start) else { return Ok(()) };
        while let Ok(Some(records)) = reader.read(BATCH_RECORDS, BATCH_BYTES) {
            take(&records);
            if records.next >= range.end {
                break;
            }
        }
        Ok(())
    }
}

/// A torn tail is no finding: a crash leaves one, and its records were not acknowledged. Records that were read and then cut are
/// found missing elsewhere.
fn finding(problem: &Problem) -> Option<Finding> {
    let kind = match problem.kind {
        ProblemKind::TornTail => return None,
        ProblemKind::Corrupt => Kind::LogCorrupt,
        ProblemKind::Missing => Kind::LogCut,
        ProblemKind::Overlap => Kind::Overlap,
    };
    let detail = format!("{} byte {}: {}", problem.file.display(), problem.byte, problem.detail);
    Some(Finding::new(kind, "log", "log", detail).of(&problem.partition).between(problem.from..problem.to))
}

/// How long requests to Kafka are retried.
const PATIENCE: Duration = Duration::from_secs(15);

/// Kafka, for the partitions that the lake knows, as they are now. A topic that was recreated since is another one.
pub(super) struct Kept {
    reader: Reader,
    states: Vec<LogState>,
    /// Why reading ended early.
    pub(super) failed: Option<KafkaError>,
}

impl Kept {
    pub(super) fn open(config: &Config, kafka: &Kafka, lake: &Lake) -> anyhow::Result<Self> {
        let (connection, group) = (wiring::kafka(kafka), kafka.group.as_str());
        let cluster = Cluster::new(&connection, group, PATIENCE).map_err(refused)?;
        let (ids, held) = (TopicIds::new(Arc::clone(&lake.store)), figures::accounted(lake.store.as_ref())?);
        let mut states = Vec::new();
        for stream in &config.streams {
            let topic = match cluster.topic(&stream.topic) {
                Err(KafkaError::UnknownTopic { .. }) => continue,
                topic => topic.map_err(refused)?,
            };
            // What another topic of the same name has says nothing of the records that were read.
            let epochs = ids.epochs(&stream.topic)?;
            let is_it = |partition: &Partition| match (epochs.id_of(partition), topic.id.as_deref()) {
                (Some(known), Some(now)) => known == now,
                _ => true,
            };
            let known = epochs.complete(&held);
            for partition in topic.partitions.iter().filter_map(|number| latest(&known, &stream.topic, *number)) {
                let Some(number) = kafka_partition(&partition).filter(|_| is_it(&partition)) else { continue };
                let bounds = cluster.bounds(&stream.topic, number).map_err(refused)?;
                states.push(LogState { partition, first: bounds.start, next: bounds.stable_end });
            }
        }
        let reader = Reader::open(&connection, group, PATIENCE).map_err(refused)?;
        Ok(Self { reader, states, failed: None })
    }
}

/// The latest incarnation of a partition that was read.
fn latest(held: &Positions, topic: &str, number: i32) -> Option<Partition> {
    let same = |held: &&Partition| *held.topic == *topic && kafka_partition(held) == Some(number);
    held.iter().map(|(partition, _)| partition).filter(same).max_by_key(|partition| incarnation(partition)).cloned()
}

impl SourceLog for Kept {
    fn states(&mut self, _: &Positions) -> Result<(Vec<LogState>, Vec<Finding>), Cause> {
        Ok((self.states.clone(), Vec::new()))
    }

    fn read(&mut self, partition: &Partition, range: Range<i64>, take: &mut dyn FnMut(&Records)) -> Result<(), Cause> {
        let read = self.reader.read(partition, range, &mut |records| take(&records));
        read.map_err(|error| {
            self.failed = Some(error.clone());
            Cause::of(error)
        })
    }
}
