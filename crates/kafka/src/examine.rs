//! What an operator wants to know of a cluster, without anything being read for the group or changed.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;

use crate::cluster::{HEAR, TRY};
use crate::{Bounds, Cluster, KafkaError};

/// What a topic keeps, as far as it concerns who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// `None`: for ever.
    pub retention: Option<Duration>,
    /// Of a partition; `None`: whatever comes.
    pub retention_bytes: Option<u64>,
    /// Records whose key comes again are deleted.
    pub is_compacted: bool,
    /// Of a record batch; `None` where the broker does not say.
    pub record_bytes_max: Option<u64>,
}

impl Settings {
    pub(crate) fn of(entries: impl Iterator<Item = (String, String)>) -> Self {
        let mut settings = Self::default();
        let mut deletes = true;
        for (name, value) in entries {
            // Kafka says -1 where there is no bound.
            let number = value.parse::<u64>().ok();
            match name.as_str() {
                "retention.ms" => settings.retention = number.map(Duration::from_millis),
                "retention.bytes" => settings.retention_bytes = number,
                "max.message.bytes" => settings.record_bytes_max = number,
                "cleanup.policy" => {
                    deletes = value.contains("delete");
                    settings.is_compacted = value.contains("compact");
                }
                _ => {}
            }
        }
        if !deletes {
            (settings.retention, settings.retention_bytes) = (None, None);
        }
        settings
    }
}

impl Cluster {
    /// The brokers, as they advertise themselves.
    pub fn brokers(&self) -> Result<Vec<String>, KafkaError> {
        let metadata = self.ask("the list of brokers", |limit| self.client.fetch_metadata(None, limit))?;
        Ok(metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect())
    }

    /// Whether this client may read a partition: fetches from its end, or one record where it has some.
    pub fn may_read(&self, topic: &str, partition: i32, bounds: Bounds) -> Result<(), KafkaError> {
        self.is_empty(topic, partition, bounds.start, bounds.stable_end).map(drop)
    }

    /// Whether this client may see its group: nothing is joined, so that the right to join (READ) is not tried.
    pub fn may_see_group(&self, topic: &str, partition: i32) -> Result<(), KafkaError> {
        let context = self.client.context();
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let (what, started) = ("the offsets of the group", Instant::now());
        loop {
            let Err(error) = self.client.committed_offsets(list.clone(), TRY) else { return Ok(()) };
            while let Some(told) = self.client.poll(HEAR) {
                told.map_or_else(|error| context.denied(what, &error), |_| Ok(()))?;
            }
            if started.elapsed() >= self.patience {
                return Err(context.take_error().unwrap_or_else(|| context.failed(what, &error)));
            }
        }
    }

    /// When the first record from an offset on was written (ms since 1970); `None`: there is none, or it does not say.
    pub fn time_from(&self, topic: &str, partition: i32, offset: i64) -> Result<Option<i64>, KafkaError> {
        Ok(self.first(topic, partition, offset)?.and_then(|(_, time)| time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(&str, &str)]) -> Settings {
        Settings::of(entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn no_bound_is_none_and_a_compacted_topic_deletes_by_key_alone() {
        let week = of(&[("retention.ms", "604800000"), ("retention.bytes", "-1"), ("cleanup.policy", "delete")]);
        assert_eq!((week.retention, week.retention_bytes), (Some(Duration::from_secs(604_800)), None));
        assert_eq!(of(&[("retention.ms", "-1")]).retention, None);
        let compacted = of(&[("retention.ms", "1000"), ("cleanup.policy", "compact")]);
        assert!(compacted.is_compacted && compacted.retention.is_none());
        let both = of(&[("retention.ms", "1000"), ("cleanup.policy", "compact,delete")]);
        assert!(both.is_compacted && both.retention.is_some());
    }
}
