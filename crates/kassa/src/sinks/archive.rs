//! Every record unchanged, in the lake.

use std::sync::Arc;

use anyhow::Context;
use kassa_config::Config;
use kassa_lake::{ArchiveSink, maintain};
use kassa_pipeline::Sink;

use super::registration::Registration;
use crate::wiring::{Durable, Lake, maintenance};

#[derive(Debug)]
pub struct Archive;

impl Registration for Archive {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn flag<'f>(&self, fed: &'f mut Durable) -> Option<&'f mut bool> {
        Some(&mut fed.archive)
    }

    fn open(&self, lake: &Lake, config: &Config) -> anyhow::Result<Option<Box<dyn Sink>>> {
        let options = maintain::Options { zstd_level: config.archive.zstd_level, ..maintenance(config) };
        let topics: Vec<Arc<str>> = lake.contracts.keys().cloned().collect();
        let archive = ArchiveSink::open(Arc::clone(&lake.store), &topics, Arc::clone(&lake.clock));
        Ok(Some(Box::new(archive.context("could not open the archive")?.maintained(options))))
    }
}
