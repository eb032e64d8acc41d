//! Builds the parts of a configuration: the lake, the stage with its memory, and the place of its checkpoints. The sinks are in
//! `sinks.rs`.

mod connections;
mod keyring;
mod lock;
mod streams;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use anyhow::Context;
use kassa_analytics::Figures;
use kassa_config::{Config, LakePlace};
pub use kassa_engine::Durable;
use kassa_engine::Memory;
use kassa_engine::checkpoint::Place;
use kassa_lake::{Derived, Folder, S3, Store, format, maintain, rebuild};
use kassa_model::key::Keyring;
use kassa_model::time::{self, Clock, Jump, SECOND, SETTLED, SteadyClock, Turn};
use kassa_model::{Code, Contract};
use kassa_pipeline::Stage;
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_warehouse::Target;
use xxhash_rust::xxh3::xxh3_64;

pub use self::connections::{bucket, kafka};
pub use self::lock::Lock;
pub use self::streams::streams;
use crate::budget::Budget;
use crate::failure::{COMPLETE_REBUILD, Failure};
use crate::schemas::{Patience, Registry};
use crate::warehouse;

/// Where a pipeline stores the sealed part of its dedupe index.
pub fn index_dir(config: &Config) -> PathBuf {
    config.data_dir.join("state/dedupe")
}

/// The clock of this process. There is one, so that a pipeline that starts again during a jump does not begin with the wrong time.
pub fn clock() -> Arc<dyn Clock> {
    static CLOCK: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SteadyClock::of_machine(report)));
    Arc::clone(&CLOCK)
}

fn report(jump: Jump) {
    let by_seconds = jump.by / SECOND;
    match jump.turn {
        Turn::Jumped => tracing::warn!(
            by_seconds,
            settled_seconds = SETTLED / SECOND,
            "the machine's clock jumped; kassa counts time by the monotonic clock until the clock returns or has settled"
        ),
        Turn::Returned => tracing::warn!(by_seconds, "the machine's clock has returned from its jump"),
        Turn::Followed => tracing::warn!(by_seconds, "the machine's clock has settled after its jump; kassa follows it"),
    }
}

/// The parts that every command on the lake needs.
pub struct Lake {
    pub store: Arc<dyn Store>,
    /// The same store, if it is a bucket.
    pub bucket: Option<S3>,
    /// The warehouse, if there is one.
    pub warehouse: Option<Target>,
    pub contracts: HashMap<Arc<str>, Contract>,
    pub clock: Arc<dyn Clock>,
    /// Of a running pipeline: its stage waits for a schema registry that does not answer.
    pub patience: Option<Arc<Patience>>,
}

/// The store of a configuration's lake, and the same as a bucket if it is one.
pub fn store(config: &Config) -> anyhow::Result<(Arc<dyn Store>, Option<S3>)> {
    Ok(match &config.lake.place {
        LakePlace::Folder(dir) => (Arc::new(Folder::new(dir)), None),
        LakePlace::S3(s3) => {
            let bucket = S3::open(&bucket(s3, &config.data_dir)).context("could not open the lake")?;
            (Arc::new(bucket.clone()), Some(bucket))
        }
    })
}

impl Lake {
    /// Opens the lake. Refuses one whose star is only partly exchanged.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        let lake = Self::open(config)?;
        lake.refuse_unfinished()?;
        Ok(lake)
    }

    /// As `of`, but also during a rebuild: for the rebuild itself.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let contracts = config.streams.iter().map(|stream| (Arc::from(stream.topic.as_str()), stream.contract)).collect();
        let (store, bucket) = store(config)?;
        format::check(store.as_ref()).context("could not open the lake")?;
        Ok(Self { store, bucket, warehouse: warehouse::target(config)?, contracts, clock: clock(), patience: None })
    }

    /// Refuses a lake whose star a rebuild has exchanged only in part.
    pub fn refuse_unfinished(&self) -> anyhow::Result<()> {
        let Some(began) = rebuild::interrupted(self.store.as_ref()).context("could not open the lake")? else { return Ok(()) };
        let what = format!("a rebuild of the star, begun at {}, has not ended", time::format(began));
        Err(Failure::new(Code::Rebuilding, what).hint(COMPLETE_REBUILD).into())
    }

    /// The last rebuild of the star. Readers of several tables compare it afterwards with [`Lake::refuse_rebuilt`].
    pub fn rebuilt(&self) -> anyhow::Result<Option<i64>> {
        rebuild::last(self.store.as_ref()).context("could not read the lake")
    }

    /// Fails if a rebuild has exchanged tables since `before`: the rows that were read may be from different stars.
    pub fn refuse_rebuilt(&self, before: Option<i64>) -> anyhow::Result<()> {
        self.refuse_unfinished()?;
        if self.rebuilt()? == before {
            return Ok(());
        }
        Err(Failure::new(Code::Rebuilding, "the star was rebuilt while it was read").hint("run the command again").into())
    }

    /// Reports what a writer is missing, before anything is read.
    pub fn may_write(&self) -> anyhow::Result<()> {
        self.bucket.as_ref().map_or(Ok(()), |bucket| bucket.may_write()).context("could not open the lake")
    }

    /// The derived tables.
    pub fn derived(&self, config: &Config) -> anyhow::Result<Derived> {
        let derived =
            Derived::open(&self.store, &config.shop, self.contracts.clone(), Arc::clone(&self.clock), maintenance(config));
        derived.context("could not open the derived tables")
    }

    /// The stage with its memory completed from the sinks. Its index seals to `dir`.
    pub fn stage(&self, config: &Config, fed: Durable, dir: &Path) -> anyhow::Result<Memory> {
        let completed = self.complete(fed, Memory::none(self.bare_stage(config, Some(dir))?))?;
        completed.context("a stage that remembers nothing is ahead of no sink")
    }

    /// The stage without any memory. Its index seals to `dir`, or stays in memory.
    pub fn bare_stage(&self, config: &Config, dir: Option<&Path>) -> anyhow::Result<Stage> {
        let index = Index::new(&index_options(config, dir)?).context("could not open the dedupe index")?;
        self.stage_of(config, index)
    }

    /// A stage with this index.
    pub fn stage_of(&self, config: &Config, index: Index) -> anyhow::Result<Stage> {
        self.stage_with(config, self.keyring(config)?, index)
    }

    /// The same for a lake whose rows another keyring makes: the new star of a rebuild.
    pub fn stage_with(&self, config: &Config, keyring: Keyring, index: Index) -> anyhow::Result<Stage> {
        let streams = streams(config)?;
        let index = index.with_windows(event_windows(config));
        Ok(Stage::new(&config.shop, keyring, index, streams).with_schemas(Box::new(Registry::of(
            config,
            &self.store,
            self.patience.clone(),
        )?)))
    }
}

/// Where checkpoints are kept. `replays`: the lake's count of replays before anything else of it was read.
pub fn checkpoints(config: &Config, keyring: &Keyring, replays: i64) -> Place {
    let mut streams: Vec<(&str, Contract)> =
        config.streams.iter().map(|stream| (stream.topic.as_str(), stream.contract)).collect();
    streams.sort_unstable_by_key(|(topic, _)| *topic);
    let windows = event_windows(config);
    let shop = (&config.shop.zone_name, config.shop.currency.code());
    // What state follows from the same records depends on these alone.
    let settings = format!("{:?}", (env!("CARGO_PKG_VERSION"), Figures::FORM, streams, windows, shop, keyring.fingerprint()));
    Place::new(config.data_dir.join("state/checkpoint"), xxh3_64(settings.as_bytes()), replays)
}

/// The options of an index that seals to `dir`, which is created, or stays in memory.
pub fn index_options(config: &Config, dir: Option<&Path>) -> anyhow::Result<IndexOptions> {
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))?;
    }
    let event_window_us = event_windows(config).into_values().max().unwrap_or_default();
    Ok(IndexOptions { memory_bytes: Budget::of(config).dedupe_tables, dir: dir.map(Path::to_owned), event_window_us })
}

/// The window (µs) of each contract of events. Streams of one contract share their ids, so the longest of their windows counts.
fn event_windows(config: &Config) -> BTreeMap<Contract, i64> {
    let mut windows = BTreeMap::new();
    for stream in config.streams.iter().filter(|stream| !stream.contract.is_money()) {
        let window = i64::try_from(stream.dedupe_window.as_micros()).unwrap_or(i64::MAX);
        let held = windows.entry(stream.contract).or_insert(window);
        *held = window.max(*held);
    }
    windows
}

pub fn maintenance(config: &Config) -> maintain::Options {
    maintain::Options {
        small_files: config.lake.compact_after_files,
        checkpoint_entries: config.lake.checkpoint_interval,
        retention: i64::try_from(config.lake.log_retention.as_micros()).unwrap_or(i64::MAX),
        zstd_level: config.lake.zstd_level,
        ..maintain::Options::default()
    }
}

#[cfg(test)]
mod tests;
