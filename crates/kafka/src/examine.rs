//! Checks of a cluster for the operator, which read nothing for the group and change nothing.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;

use crate::cluster::{HEAR, TRY};
use crate::options::CLIENT_ID;
use crate::{Bounds, Cluster, KafkaError};

/// A topic's settings that matter to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// `None`: forever.
    pub retention: Option<Duration>,
    /// Per partition; `None`: unlimited.
    pub retention_bytes: Option<u64>,
    /// A record is deleted when its key occurs again.
    pub is_compacted: bool,
    /// Per record batch; `None` if the broker does not say.
    pub record_bytes_max: Option<u64>,
}

impl Settings {
    pub(crate) fn of(entries: impl Iterator<Item = (String, String)>) -> Self {
        let mut settings = Self::default();
        let mut deletes = true;
        for (name, value) in entries {
            // Kafka says -1 for unlimited.
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
    /// The brokers' advertised addresses.
    pub fn brokers(&self) -> Result<Vec<String>, KafkaError> {
        let metadata = self.ask("the list of brokers", |limit| self.client.fetch_metadata(None, limit))?;
        Ok(metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect())
    }

    /// Checks that this client may read a partition: fetches from its end, or one record if it has
    /// any.
    pub fn may_read(&self, topic: &str, partition: i32, bounds: Bounds) -> Result<(), KafkaError> {
        self.is_empty(topic, partition, bounds.start, bounds.stable_end).map(drop)
    }

    /// Checks that this client may see its group. It does not join, so it does not test the right
    /// to join (READ).
    pub fn may_see_group(&self, topic: &str, partition: i32) -> Result<(), KafkaError> {
        let context = self.client.context();
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let (what, started) = ("the offsets of the group", Instant::now());
        loop {
            let Err(error) = self.client.committed_offsets(list.clone(), TRY) else { return Ok(()) };
            while let Some(event) = self.client.poll(HEAR) {
                event.map_or_else(|error| context.denied(what, &error), |_| Ok(()))?;
            }
            if started.elapsed() >= self.patience {
                return Err(context.take_error().unwrap_or_else(|| context.failed(what, &error)));
            }
        }
    }

    /// The members of a group that are not kassa's, as `client id at host`.
    pub fn foreign_members(&self, group: &str) -> Result<Vec<String>, KafkaError> {
        let groups = self.ask("the members of the group", |limit| self.client.fetch_group_list(Some(group), limit))?;
        let members = groups.groups().iter().filter(|listed| listed.name() == group).flat_map(|listed| listed.members());
        let foreign = members.filter(|member| member.client_id() != CLIENT_ID);
        let mut foreign: Vec<String> =
            foreign.map(|member| format!("{} at {}", member.client_id(), member.client_host().trim_start_matches('/'))).collect();
        foreign.sort_unstable();
        Ok(foreign)
    }

    /// When the first record from an offset on was written (ms since 1970); `None` if there is none
    /// or it has no time.
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
    fn unlimited_is_none_and_a_compacted_topic_deletes_only_by_key() {
        let week = of(&[("retention.ms", "604800000"), ("retention.bytes", "-1"), ("cleanup.policy", "delete")]);
        assert_eq!((week.retention, week.retention_bytes), (Some(Duration::from_secs(604_800)), None));
        assert_eq!(of(&[("retention.ms", "-1")]).retention, None);
        let compacted = of(&[("retention.ms", "1000"), ("cleanup.policy", "compact")]);
        assert!(compacted.is_compacted && compacted.retention.is_none());
        let both = of(&[("retention.ms", "1000"), ("cleanup.policy", "compact,delete")]);
        assert!(both.is_compacted && both.retention.is_some());
    }
}
