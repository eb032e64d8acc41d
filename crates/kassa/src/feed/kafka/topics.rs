//! The ids of Kafka's topics, stored in the lake: they show whether a topic was deleted and recreated while it was not read.

use std::io;
use std::sync::Arc;

use anyhow::Context;
use kassa_lake::Store;

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

    pub(super) fn replace(&self, topic: &str, id: &str) -> anyhow::Result<()> {
        self.0.put(&path(topic), id.as_bytes()).with_context(|| format!("could not keep the id of the topic {topic}"))
    }
}

const FOLDER: &str = "_kassa/kafka";

fn path(topic: &str) -> String {
    format!("{FOLDER}/{topic}.id")
}

/// The topics that were read.
pub fn known_topics(store: &dyn Store) -> anyhow::Result<Vec<String>> {
    let names = store.list(FOLDER).context("could not list the topics that were read")?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".id")).map(ToOwned::to_owned).collect())
}
