use arrow_array::builder::BinaryBuilder;
use kassa_model::time::{UNSTATED, in_range};
use kassa_model::{Headers, Partition, Records};
use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Message};
use std::sync::Arc;

use super::headers;

/// Consecutive records of one partition, by column. Each value is copied once, from the client's
/// buffer.
#[derive(Debug, Default)]
pub(crate) struct Run {
    offsets: Vec<i64>,
    timestamps: Vec<Option<i64>>,
    values: BinaryBuilder,
    keys: BinaryBuilder,
    any_key: bool,
    headers: Vec<Option<Arc<str>>>,
    /// Records and bytes of the last run, as an estimate for the next.
    last: (usize, usize),
}

impl Run {
    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    pub(crate) fn follows(&self, offset: i64) -> bool {
        self.offsets.last().is_none_or(|last| *last < offset)
    }

    /// Adds a record; returns its size in bytes.
    pub(crate) fn push(&mut self, message: &BorrowedMessage<'_>) -> usize {
        if self.offsets.is_empty() {
            self.offsets.reserve(self.last.0);
            self.timestamps.reserve(self.last.0);
            self.values = BinaryBuilder::with_capacity(self.last.0, self.last.1);
        }
        self.offsets.push(message.offset());
        self.timestamps.push(micros(message.timestamp()));
        let (value, key) = (message.payload(), message.key());
        self.values.append_option(value);
        self.keys.append_option(key);
        self.any_key |= key.is_some();
        if let Some(of_record) = message.headers() {
            self.headers.resize(self.offsets.len() - 1, None);
            self.headers.push(headers::text(of_record));
        }
        value.map_or(0, <[u8]>::len) + key.map_or(0, <[u8]>::len)
    }

    /// The records so far, if any. The run is empty afterwards.
    pub(crate) fn finish(&mut self, partition: &Partition) -> Option<Records> {
        let next = self.offsets.last()? + 1;
        let offsets = std::mem::take(&mut self.offsets);
        let (keys, values) = (self.keys.finish(), self.values.finish());
        self.last = (offsets.len(), values.value_data().len());
        let mut headers = std::mem::take(&mut self.headers);
        if !headers.is_empty() {
            headers.resize(offsets.len(), None);
        }
        let timestamps = std::mem::take(&mut self.timestamps);
        Some(Records {
            partition: partition.clone(),
            // This time does not depend on when the record is read, so decisions based on it never
            // change.
            ingested_at: timestamps.iter().map(|timestamp| timestamp.unwrap_or(UNSTATED)).collect(),
            timestamps,
            keys: std::mem::take(&mut self.any_key).then_some(keys),
            headers: if headers.is_empty() { Headers::None } else { Headers::Each(headers) },
            values,
            next,
            offsets,
        })
    }
}

/// A record's time in µs UTC. Producers may write any number: one outside the years 1900 to 2199 is not a time.
fn micros(timestamp: Timestamp) -> Option<i64> {
    match timestamp {
        Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => ms.checked_mul(1000).and_then(|micros| in_range(micros).ok()),
        Timestamp::NotAvailable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_time_is_none() {
        for ms in
            [i64::MIN, i64::MAX, i64::MAX / 1000, i64::MAX / 1000 + 1, i64::MIN / 1000, -3_000_000_000_000, 7_258_118_400_000]
        {
            assert_eq!(micros(Timestamp::CreateTime(ms)), None, "{ms}");
        }
        for ms in [0, -1, 1, 1_767_614_400_000, 7_258_118_399_999] {
            assert_eq!(micros(Timestamp::CreateTime(ms)), Some(ms * 1000), "{ms}");
        }
        assert_eq!(micros(Timestamp::NotAvailable), None);
    }
}
