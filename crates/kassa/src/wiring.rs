//! Builds the parts that a configuration names: the streams with their mappings, the sinks, and the stage with its memory
//! rebuilt from the lake.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kassa_analytics::Figures;
use kassa_config::{Config, Encoding, Format as Written, LakePlace, Mapping as Sql, Mistake, Mistakes};
use kassa_engine::Memory;
use kassa_engine::checkpoint::{Place, SavedStage};
use kassa_kafka::{Connection, Mechanism, Sasl, Security, Tls};
use kassa_lake::{ArchiveSink, Derived, Folder, S3, S3Keys, S3Options, StarSink, Store, format, maintain, rebuild};
use kassa_mapping::{Lookups, Mapping, MappingError, TableError, TableFile};
use kassa_model::time::{self, Clock, SystemClock};
use kassa_model::{Code, Contract};
use kassa_pipeline::csv::Dialect;
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, Mapper, Sink, Stage, Stream};
use kassa_warehouse::Target;
use xxhash_rust::xxh3::xxh3_64;

use crate::budget::Budget;
use crate::failure::Failure;
use crate::schemas::Registry;
use crate::warehouse;

/// Where a pipeline keeps the sealed part of its dedupe index.
pub fn index_dir(config: &Config) -> PathBuf {
    config.data_dir.join("state/dedupe")
}

/// What every command that touches the lake needs.
pub struct Lake {
    pub store: Arc<dyn Store>,
    /// The same store, if it is a bucket.
    pub bucket: Option<S3>,
    /// The warehouse, if there is one.
    pub warehouse: Option<Target>,
    pub contracts: HashMap<Arc<str>, Contract>,
    pub clock: Arc<dyn Clock>,
}

/// The durable sinks that a command feeds.
#[derive(Debug, Clone, Copy)]
pub struct Durable {
    pub archive: bool,
    pub lake: bool,
    pub warehouse: bool,
}

impl Durable {
    pub const ALL: Self = Self { archive: true, lake: true, warehouse: true };
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
    /// Refuses a lake whose star is half exchanged.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        let lake = Self::open(config)?;
        lake.refuse_unfinished()?;
        Ok(lake)
    }

    /// The same, also while a rebuild has not ended: for the rebuild itself.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let contracts = config.streams.iter().map(|stream| (Arc::from(stream.topic.as_str()), stream.contract)).collect();
        let (store, bucket) = store(config)?;
        format::check(store.as_ref()).context("could not open the lake")?;
        Ok(Self { store, bucket, warehouse: warehouse::target(config)?, contracts, clock: Arc::new(SystemClock) })
    }

    /// Refuses a lake whose star a rebuild has exchanged only in part.
    pub fn refuse_unfinished(&self) -> anyhow::Result<()> {
        let Some(began) = rebuild::interrupted(self.store.as_ref()).context("could not open the lake")? else { return Ok(()) };
        let what = format!("a rebuild of the star, begun at {}, has not ended", time::format(began));
        Err(Failure::new(Code::Rebuilding, what)
            .hint("if it is not running any more, `kassa rebuild --apply` completes it")
            .into())
    }

    /// The last rebuild of the star. Who reads several tables compares it afterwards by [`Lake::refuse_rebuilt`].
    pub fn rebuilt(&self) -> anyhow::Result<Option<i64>> {
        rebuild::last(self.store.as_ref()).context("could not read the lake")
    }

    /// Refuses what was read of the star if a rebuild has exchanged tables meanwhile.
    pub fn refuse_rebuilt(&self, before: Option<i64>) -> anyhow::Result<()> {
        self.refuse_unfinished()?;
        if self.rebuilt()? == before {
            return Ok(());
        }
        Err(Failure::new(Code::Rebuilding, "the star was rebuilt while it was read").hint("run the command again").into())
    }

    pub fn sinks(&self, config: &Config, wanted: Durable) -> anyhow::Result<Vec<Box<dyn Sink>>> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if wanted.archive || wanted.lake {
            self.may_write()?;
            format::state(self.store.as_ref()).context("could not open the lake")?;
        }
        let options = maintenance(config);
        if wanted.archive {
            let of_archive = maintain::Options { zstd_level: config.archive.zstd_level, ..options.clone() };
            let topics: Vec<Arc<str>> = self.contracts.keys().cloned().collect();
            let archive = ArchiveSink::open(Arc::clone(&self.store), &topics, Arc::clone(&self.clock));
            sinks.push(Box::new(archive.context("could not open the archive")?.maintained(of_archive)));
        }
        if wanted.lake {
            let star = StarSink::open(&self.store, self.contracts.clone(), Arc::clone(&self.clock));
            sinks.push(Box::new(star.context("could not open the lake")?.maintained(options)));
        }
        if let Some(target) = self.warehouse.as_ref().filter(|_| wanted.warehouse) {
            sinks.push(Box::new(warehouse::sink(target, &self.clock)?.keeping(warehouse::days_kept(config))));
        }
        Ok(sinks)
    }

    /// Says what a writer lacks before anything is read.
    pub fn may_write(&self) -> anyhow::Result<()> {
        self.bucket.as_ref().map_or(Ok(()), |bucket| bucket.may_write()).context("could not open the lake")
    }

    /// The tables that follow from others.
    pub fn derived(&self, config: &Config) -> anyhow::Result<Derived> {
        let derived =
            Derived::open(&self.store, &config.shop, self.contracts.clone(), Arc::clone(&self.clock), maintenance(config));
        derived.context("could not open the derived tables")
    }

    /// Brings the derived tables up to what the lake accounts for.
    pub fn derive(&self, config: &Config) -> anyhow::Result<()> {
        self.derived(config)?.refresh().context("could not bring the derived tables up to date")?;
        self.derive_warehouse(config)
    }

    /// The same of the warehouse alone.
    pub fn derive_warehouse(&self, config: &Config) -> anyhow::Result<()> {
        if let Some(target) = &self.warehouse {
            kassa_warehouse::derived::refresh(target, &config.shop)
                .context("could not bring the warehouse's derived tables up to date")?;
        }
        Ok(())
    }

    /// Completes a stage's memory by what the sinks hold beyond what it knows; `None`: it knows more than one of them holds.
    pub fn complete(&self, fed: Durable, memory: Memory) -> anyhow::Result<Option<Memory>> {
        let mut warehouse = self.warehouse.as_ref().filter(|_| fed.warehouse).map(warehouse::Held::open).transpose()?;
        let held = warehouse.as_mut().map(|held| held as &mut dyn kassa_engine::Held);
        Ok(memory.complete((self.store.as_ref(), &self.contracts), held)?)
    }

    /// The stage with its memory completed from what the sinks hold. Its index seals to `dir`.
    pub fn stage(&self, config: &Config, fed: Durable, dir: &Path) -> anyhow::Result<Memory> {
        let completed = self.complete(fed, Memory::none(self.bare_stage(config, Some(dir))?))?;
        completed.context("a stage that remembers nothing is ahead of no sink")
    }

    /// A stage whose memory is that of a checkpoint.
    pub fn remembering(&self, config: &Config, saved: SavedStage) -> anyhow::Result<Memory> {
        let mut stage = self.stage_of(config, saved.index)?;
        stage.memory.members = saved.members;
        Ok(Memory { stage, known: saved.known })
    }

    /// The stage without any memory. Its index seals to `dir`, or stays in memory.
    pub fn bare_stage(&self, config: &Config, dir: Option<&Path>) -> anyhow::Result<Stage> {
        if let Some(dir) = dir {
            std::fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))?;
        }
        let index = Index::new(&index_options(config, dir)).context("could not open the dedupe index")?;
        self.stage_of(config, index)
    }

    fn stage_of(&self, config: &Config, index: Index) -> anyhow::Result<Stage> {
        let streams = streams(config)?;
        Ok(Stage::new(&config.shop, index, streams).with_schemas(Box::new(Registry::of(config, &self.store)?)))
    }
}

/// Where checkpoints are kept. `replays`: the lake's count of replays before anything else of it was read.
pub fn checkpoints(config: &Config, replays: i64) -> Place {
    let mut streams: Vec<(&str, Contract)> =
        config.streams.iter().map(|stream| (stream.topic.as_str(), stream.contract)).collect();
    streams.sort_unstable_by_key(|(topic, _)| *topic);
    let window = config.streams.iter().map(|stream| stream.dedupe_window.as_micros()).max();
    let shop = (&config.shop.zone_name, config.shop.currency.code());
    // What state follows from the same records depends on these alone.
    let settings = format!("{:?}", (env!("CARGO_PKG_VERSION"), Figures::FORM, streams, window, shop));
    Place::new(config.data_dir.join("state/checkpoint"), xxh3_64(settings.as_bytes()), replays)
}

pub fn index_options(config: &Config, dir: Option<&Path>) -> IndexOptions {
    let window = config.streams.iter().map(|stream| stream.dedupe_window).max().unwrap_or_default();
    IndexOptions {
        memory_bytes: Budget::of(config).dedupe_tables,
        dir: dir.map(Path::to_owned),
        event_window_us: i64::try_from(window.as_micros()).unwrap_or(i64::MAX),
    }
}

/// How long a bucket's server may be away before the sinks hear of it.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn bucket(s3: &kassa_config::S3, data_dir: &Path) -> S3Options {
    let keys = s3.keys.clone().map(|keys| S3Keys {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key,
        session_token: keys.session_token,
    });
    S3Options {
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        path_style: s3.path_style,
        keys,
        scratch: data_dir.join("tmp"),
        patience: PATIENCE,
    }
}

/// Kafka as every client of it needs it.
pub fn kafka(kafka: &kassa_config::Kafka) -> Connection {
    let tls = kafka.tls.clone().map(|tls| {
        let (certificate, key) = tls.client.unzip();
        Tls { ca: tls.ca, certificate, key }
    });
    let sasl = kafka.sasl.as_ref().map(|sasl| Sasl {
        mechanism: Mechanism::ALL.into_iter().find(|known| known.name() == sasl.mechanism).unwrap_or(Mechanism::ScramSha512),
        user: sasl.user.clone(),
        password: kassa_kafka::Secret::new(sasl.password.expose()),
    });
    let security = match (sasl, tls) {
        (None, None) => Security::Plaintext,
        (None, Some(tls)) => Security::Tls(tls),
        (Some(sasl), None) => Security::SaslPlaintext(sasl),
        (Some(sasl), Some(tls)) => Security::SaslTls(sasl, tls),
    };
    Connection { brokers: kafka.brokers.clone(), security, properties: kafka.properties.iter().cloned().collect() }
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

/// The streams by topic, their mappings compiled; or everything that is wrong with mappings and reference tables.
pub fn streams(config: &Config) -> Result<Vec<(Arc<str>, Stream)>, Mistakes> {
    let mut mistakes = Mistakes(Vec::new());
    let (lookups, unread) = lookups(config, &mut mistakes);
    let mut streams = Vec::new();
    for stream in &config.streams {
        let mut mapper = None;
        if let Some(mapping) = &stream.mapping {
            // What a mapping does with a table that could not be read cannot be told.
            if unread.iter().any(|name| mapping.sql.contains(&format!("'{name}'"))) {
                continue;
            }
            match Mapping::compile(&mapping.sql, stream.contract, &lookups) {
                Ok(compiled) => mapper = Some(Box::new(compiled) as Box<dyn Mapper>),
                Err(errors) => mistakes.0.extend(errors.into_iter().map(|error| bad_mapping(&stream.name, mapping, error))),
            }
        }
        let format = match stream.format {
            Written::Csv => Format::Csv,
            Written::Avro => Format::Avro,
            Written::Debezium => Format::Debezium,
            Written::Json | Written::Parquet => Format::Json,
        };
        let mut built = Stream::new(&stream.name, stream.contract, format, mapper, stream.max_record_bytes);
        if !stream.columns.is_empty() {
            built = built.with_columns(Dialect {
                header: stream.columns.clone(),
                delimiter: stream.delimiter,
                windows_1252: stream.encoding == Encoding::Windows1252,
            });
        }
        streams.push((Arc::from(stream.topic.as_str()), built));
    }
    mistakes.sort();
    if mistakes.0.is_empty() { Ok(streams) } else { Err(mistakes) }
}

fn bad_mapping(stream: &str, mapping: &Sql, error: MappingError) -> Mistake {
    let what = format!("the mapping of stream `{stream}`: {}", error.message);
    let mistake = Mistake::new(Code::BadMapping, what, mapping.origin_at(error.line, error.column));
    match error.hint {
        Some(hint) => mistake.help(hint),
        None => mistake,
    }
}

/// The reference tables of the mappings, and the names of those that cannot be used.
fn lookups<'c>(config: &'c Config, mistakes: &mut Mistakes) -> (Lookups, Vec<&'c str>) {
    let (mut lookups, mut unread) = (Lookups::default(), Vec::new());
    for lookup in &config.lookups {
        let encoding = match lookup.encoding {
            Encoding::Utf8 => kassa_mapping::Encoding::Utf8,
            Encoding::Windows1252 => kassa_mapping::Encoding::Windows1252,
        };
        let file = TableFile { path: &lookup.file, key: &lookup.key, encoding, delimiter: lookup.delimiter };
        if let Err(error) = lookups.load(&lookup.name, file) {
            let origin = if matches!(error, TableError::NoKey(..)) { &lookup.key_origin } else { &lookup.file_origin };
            let what = format!("the lookup `{}` cannot be used: {error}", lookup.name);
            mistakes
                .0
                .push(Mistake::new(Code::BadLookup, what, origin.clone()).help(format!("the file is {}", lookup.file.display())));
            unread.push(lookup.name.as_str());
        }
    }
    (lookups, unread)
}

/// Held for as long as a process may write below `data_dir`.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
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
