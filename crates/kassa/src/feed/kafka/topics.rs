//! The ids of Kafka's topics, kept beside the lake: they show that a topic was deleted and recreated while nobody read it.
//!
//! ```text
//! _kassa/kafka/<topic>.id                 the id of the topic that is read now
//! _kassa/kafka/epochs/<topic>/first       the id before the topic was recreated for the first time
//! _kassa/kafka/epochs/<topic>/<number>    a partition of ours that began over: the topic's id then, and why
//! ```
//!
//! A partition that began over is recorded before anything is read from it: it may have no record yet, and then no table names it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use anyhow::Context;
use kassa_lake::Store;
use kassa_model::{Partition, Positions};

#[derive(Debug)]
pub struct TopicIds(Arc<dyn Store>);

impl TopicIds {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// The id that the topic had when it was first read, or after it was recreated.
    pub fn known(&self, topic: &str) -> anyhow::Result<Option<String>> {
        match self.0.get(&path(topic)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => {
                let text = read.with_context(|| format!("could not read the id of the topic {topic}"))?;
                Ok(Some(String::from_utf8_lossy(&text).trim().to_owned()).filter(|id| !id.is_empty()))
            }
        }
    }

    /// Stores the id, if none is stored yet.
    pub(super) fn remember(&self, topic: &str, id: &str) -> anyhow::Result<()> {
        if !id.is_empty() {
            self.0.put_new(&path(topic), id.as_bytes()).with_context(|| format!("could not keep the id of the topic {topic}"))?;
        }
        Ok(())
    }

    /// Records that a partition begins over, under this id of its topic.
    pub(super) fn begin_over(&self, partition: &Partition, id: &str, why: &str) -> anyhow::Result<()> {
        let topic = partition.topic.as_ref();
        let kept = || format!("could not keep the id of the topic {topic}");
        // The first writer is right: after it, the topic's file has another id.
        self.0.put_new(&epoch(topic, FIRST), self.known(topic)?.unwrap_or_default().as_bytes()).with_context(kept)?;
        let number = partition.number.to_string();
        self.0.put_new(&epoch(topic, &number), format!("{id}\n{why}\n").as_bytes()).with_context(kept)?;
        if id.is_empty() { Ok(()) } else { self.0.put(&path(topic), id.as_bytes()).with_context(kept) }
    }

    /// The epochs of a topic.
    pub fn epochs(&self, topic: &str) -> anyhow::Result<Epochs> {
        let read = || format!("could not read the ids of the topic {topic}");
        let names = self.0.list(&format!("{EPOCHS}/{topic}")).with_context(read)?;
        let paths: Vec<String> = names.iter().map(|name| epoch(topic, name)).collect();
        let (mut epochs, mut first) = (Epochs { topic: topic.into(), ..Epochs::default() }, None);
        for (name, text) in names.iter().zip(self.0.get_all(&paths).with_context(read)?) {
            let id = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned();
            match name.parse() {
                Ok(number) => drop(epochs.begun.insert(number, id)),
                Err(_) if name == FIRST => first = Some(id),
                Err(_) => {}
            }
        }
        epochs.first = match first {
            Some(first) => first,
            None => self.known(topic)?.unwrap_or_default(),
        };
        Ok(epochs)
    }
}

/// Which partitions of ours began under which id of their topic. An unknown id is empty.
#[derive(Debug, Clone, Default)]
pub struct Epochs {
    topic: Arc<str>,
    first: String,
    begun: BTreeMap<i64, String>,
}

impl Epochs {
    /// The id of the topic under which a partition is read.
    pub fn id_of(&self, partition: &Partition) -> Option<&str> {
        let id = self.begun.get(&partition.number).unwrap_or(&self.first);
        Some(id.as_str()).filter(|id| !id.is_empty())
    }

    /// Whether the topic was recreated, or cut, since it was first read.
    pub fn is_later(&self) -> bool {
        !self.begun.is_empty()
    }

    /// The same positions, with the partitions that began over and have no record yet.
    pub fn complete(&self, held: &Positions) -> Positions {
        let mut positions: Positions = held.iter().map(|(partition, next)| (partition.clone(), next)).collect();
        for number in self.begun.keys() {
            let partition = Partition { topic: Arc::clone(&self.topic), number: *number };
            if positions.get(&partition).is_none() {
                positions.set(partition, 0);
            }
        }
        positions
    }
}

const FOLDER: &str = "_kassa/kafka";
const EPOCHS: &str = "_kassa/kafka/epochs";
const FIRST: &str = "first";

fn epoch(topic: &str, name: &str) -> String {
    format!("{EPOCHS}/{topic}/{name}")
}

fn path(topic: &str) -> String {
    format!("{FOLDER}/{topic}.id")
}

/// The topics that were read.
pub fn known_topics(store: &dyn Store) -> anyhow::Result<Vec<String>> {
    let names = store.list(FOLDER).context("could not list the topics that were read")?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".id")).map(ToOwned::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use kassa_lake::Folder;
    use tempfile::TempDir;

    use super::*;

    const AGAIN: i64 = 1 << 32;

    #[test]
    fn a_partition_that_began_over_without_a_record_is_known_by_its_topic_s_id() {
        let dir = TempDir::new().expect("a folder");
        let ids = TopicIds::new(Arc::new(Folder::new(dir.path())));
        let at = |number: i64| Partition::new("events", number);
        ids.remember("events", "Z1").expect("kept");
        let epochs = ids.epochs("events").expect("read");
        assert_eq!((epochs.id_of(&at(0)), epochs.id_of(&at(1))), (Some("Z1"), Some("Z1")));

        // Recreated: one partition began over, and then the program was killed.
        ids.begin_over(&at(AGAIN), "Z2", "recreated").expect("kept");
        let epochs = ids.epochs("events").expect("read");
        assert_eq!((epochs.id_of(&at(AGAIN)), epochs.id_of(&at(1))), (Some("Z2"), Some("Z1")), "the other one is still to begin");
        assert_eq!(ids.known("events").expect("read").as_deref(), Some("Z2"));

        // The other one has no records: no table names it.
        ids.begin_over(&at(AGAIN + 1), "Z2", "recreated").expect("kept");
        ids.begin_over(&at(AGAIN + 1), "Z3", "another worker is too late").expect("kept");
        let epochs = ids.epochs("events").expect("read");
        assert_eq!((epochs.id_of(&at(AGAIN + 1)), epochs.id_of(&at(1))), (Some("Z2"), Some("Z1")));
        let held = Positions::from_iter([(at(0), 50), (at(1), 40), (at(AGAIN), 7)]);
        let completed = Positions::from_iter([(at(0), 50), (at(1), 40), (at(AGAIN), 7), (at(AGAIN + 1), 0)]);
        assert_eq!(epochs.complete(&held), completed);

        // Other topics are others, whatever their names.
        assert_eq!(ids.epochs("events.id").expect("read").id_of(&Partition::new("events.id", 0)), None);
        assert_eq!(known_topics(ids.0.as_ref()).expect("listed"), ["events"]);
    }
}
