//! Builds the parts that a configuration names: the streams with their mappings, the sinks, and the stage with its memory
//! rebuilt from the lake.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use kassa_config::{Config, Encoding, Format as Written};
use kassa_lake::{ArchiveSink, Folder, StarSink, Store, recover};
use kassa_mapping::{Lookups, Mapping};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Code, Contract};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, Mapper, Sink, Stage, Stream};

use crate::failure::Failure;

/// Bytes that the dedupe index's tables may use.
const INDEX_BYTES: usize = 96 << 20;

/// What every command that touches the lake needs.
pub struct Lake {
    pub store: Arc<dyn Store>,
    pub contracts: HashMap<Arc<str>, Contract>,
    pub clock: Arc<dyn Clock>,
}

impl Lake {
    pub fn of(config: &Config) -> Self {
        let contracts = config.streams.iter().map(|stream| (Arc::from(stream.topic.as_str()), stream.contract)).collect();
        Self { store: Arc::new(Folder::new(&config.lake.dir)), contracts, clock: Arc::new(SystemClock) }
    }

    pub fn sinks(&self) -> anyhow::Result<Vec<Box<dyn Sink>>> {
        let topics: Vec<Arc<str>> = self.contracts.keys().cloned().collect();
        let archive =
            ArchiveSink::open(Arc::clone(&self.store), &topics, Arc::clone(&self.clock)).context("could not open the archive")?;
        let star =
            StarSink::open(&self.store, self.contracts.clone(), Arc::clone(&self.clock)).context("could not open the lake")?;
        Ok(vec![Box::new(archive), Box::new(star)])
    }

    /// The stage with its memory and index completed from the lake.
    pub fn stage(&self, config: &Config) -> anyhow::Result<Stage> {
        let mut stage = self.bare_stage(config, Some(&config.data_dir.join("state/dedupe")))?;
        recover::memory(self.store.as_ref(), &mut stage.memory).context("could not read the lake")?;
        recover::dedupe(self.store.as_ref(), &self.contracts, &mut stage.index).context("could not read the lake")?;
        Ok(stage)
    }

    /// The stage without any memory. Its index seals to `dir`, or stays in memory.
    pub fn bare_stage(&self, config: &Config, dir: Option<&Path>) -> anyhow::Result<Stage> {
        let window = config.streams.iter().map(|stream| stream.dedupe_window).max().unwrap_or_default();
        if let Some(dir) = dir {
            std::fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))?;
        }
        let options = IndexOptions {
            memory_bytes: INDEX_BYTES,
            dir: dir.map(Path::to_owned),
            event_window_us: i64::try_from(window.as_micros()).unwrap_or(i64::MAX),
        };
        let index = Index::new(&options).context("could not open the dedupe index")?;
        Ok(Stage::new(&config.shop, index, streams(config)?))
    }
}

/// The streams by topic, their mappings compiled.
pub fn streams(config: &Config) -> anyhow::Result<Vec<(Arc<str>, Stream)>> {
    let lookups = lookups(config)?;
    let streams = config.streams.iter().map(|stream| {
        let mapper = match &stream.mapping {
            None => None,
            Some(mapping) => {
                let compiled = Mapping::compile(&mapping.sql, stream.contract, &lookups).map_err(|error| {
                    Failure::new(Code::BadMapping, format!("{}: {error}", mapping.origin_at(error.line, error.column)))
                })?;
                Some(Box::new(compiled) as Box<dyn Mapper>)
            }
        };
        let format = if stream.format == Written::Csv { Format::Csv } else { Format::Json };
        Ok((
            Arc::from(stream.topic.as_str()),
            Stream::new(&stream.name, stream.contract, format, mapper, stream.max_record_bytes),
        ))
    });
    streams.collect()
}

/// The reference tables of the mappings, loaded.
pub fn lookups(config: &Config) -> anyhow::Result<Lookups> {
    let mut lookups = Lookups::default();
    for lookup in &config.lookups {
        let encoding = match lookup.encoding {
            Encoding::Utf8 => kassa_mapping::Encoding::Utf8,
            Encoding::Windows1252 => kassa_mapping::Encoding::Windows1252,
        };
        lookups.load(&lookup.name, &lookup.file, &lookup.key, encoding).with_context(|| format!("lookup `{}`", lookup.name))?;
    }
    Ok(lookups)
}

/// Held for as long as a process may write below `data_dir`.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    /// Whether a kassa that may write is at work below `data_dir`.
    pub fn is_held(data_dir: &Path) -> bool {
        File::open(data_dir.join("kassa.lock")).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    pub fn take(data_dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data_dir).with_context(|| format!("could not create {}", data_dir.display()))?;
        let path = data_dir.join("kassa.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("could not open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                let hint = "stop the `kassa run` or `kassa demo` that uses this folder, or give another with --data-dir";
                Err(Failure::new(Code::LakeLocked, format!("{} is in use by another kassa", data_dir.display()))
                    .hint(hint)
                    .into())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("could not lock {}", path.display())),
        }
    }
}
