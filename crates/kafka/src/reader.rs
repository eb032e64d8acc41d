//! Reads ranges of partitions again, outside the group; a proof compares the archive with them.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use kassa_model::{Partition, Records};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Context, beside_the_group};
use crate::source::Run;
use crate::{Connection, ErrorKind, KafkaError, kafka_partition};

/// The number of records per call.
const RECORDS: usize = 8_192;
const BYTES: usize = 2 << 20;
/// The prefetch limit.
const QUEUED_KILOBYTES: &str = "8192";
const QUIET: Duration = Duration::from_millis(200);

/// A client that is not in any group and stores no position.
pub struct Reader {
    consumer: BaseConsumer<Context>,
    patience: Duration,
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reader").field("connection", self.consumer.context().connection()).finish_non_exhaustive()
    }
}

impl Reader {
    /// It never joins `group`, but the reader needs a group name that it has a right to. Gives up
    /// after `patience` without an answer.
    pub fn open(connection: &Connection, group: &str, patience: Duration) -> Result<Self, KafkaError> {
        // Records that retention deletes meanwhile are skipped.
        Ok(Self { consumer: beside_the_group(connection, group, QUEUED_KILOBYTES)?, patience })
    }

    /// Hands over the existing records of a partition between two offsets, in order.
    pub fn read(&mut self, partition: &Partition, range: Range<i64>, take: &mut dyn FnMut(Records)) -> Result<(), KafkaError> {
        let Some(number) = kafka_partition(partition).filter(|_| range.start < range.end) else { return Ok(()) };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, number, Offset::Offset(range.start)).map_err(|error| self.failed(&error))?;
        self.consumer.assign(&list).map_err(|error| self.failed(&error))?;
        let read = self.records(partition, range.end, take);
        self.consumer.unassign().map_err(|error| self.failed(&error))?;
        read
    }

    fn records(&self, partition: &Partition, end: i64, take: &mut dyn FnMut(Records)) -> Result<(), KafkaError> {
        let (mut run, mut bytes, mut count) = (Run::default(), 0, 0);
        let mut heard = Instant::now();
        loop {
            let goes_on = match self.consumer.poll(QUIET) {
                Some(Ok(message)) if message.offset() < end => {
                    bytes += run.push(&message);
                    (count, heard) = (count + 1, Instant::now());
                    message.offset() + 1 < end
                }
                Some(Ok(_) | Err(ClientError::PartitionEOF(_))) => false,
                Some(Err(error)) => self.consumer.context().denied("reading a partition", &error).map(|()| true)?,
                None => true,
            };
            if !goes_on || count >= RECORDS || bytes >= BYTES {
                run.finish(partition).into_iter().for_each(&mut *take);
                (bytes, count) = (0, 0);
            }
            if !goes_on {
                return Ok(());
            }
            let error = self.consumer.context().take_error();
            error.filter(|error| error.kind() != ErrorKind::Unavailable).map_or(Ok(()), Err)?;
            if heard.elapsed() >= self.patience {
                let why = format!("no more records of partition {} of {} arrived", partition.number, partition.topic);
                return Err(KafkaError::Unavailable { at: self.consumer.context().connection().at(), why });
            }
        }
    }

    fn failed(&self, error: &ClientError) -> KafkaError {
        self.consumer.context().failed("reading a partition", error)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}
