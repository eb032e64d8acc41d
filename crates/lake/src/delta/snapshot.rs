//! The state of a table at its newest version: files, positions and metadata.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch, StructArray};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::action::{self, Add, Format, Line, Metadata, Protocol};
use super::error::LogError;
use crate::store::Store;

/// A table at one version.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// `None`: the table does not exist yet.
    pub version: Option<u64>,
    pub files: BTreeMap<String, Add>,
    /// Application id → version.
    pub txns: HashMap<String, i64>,
    pub metadata: Option<Metadata>,
    /// The features that readers and writers must support.
    pub protocol: Option<Protocol>,
    /// Replaced files and the time of replacement (ms since 1970), as far as the checkpoint and the
    /// entries still list them.
    pub removed: HashMap<String, i64>,
    /// The version of the checkpoint that this was read from.
    pub checkpoint: Option<u64>,
    /// The number of entries read since the checkpoint.
    pub entries: u64,
    /// Files that an entry added although the table had them already. Our writers never do this.
    pub repeated: BTreeSet<String>,
}

/// The number of times that an unreadable table is listed again.
const ATTEMPTS: usize = 3;

/// The number of log entries requested at once.
const ENTRIES: usize = 256;

/// The name of a log entry.
pub fn entry_name(version: u64) -> String {
    format!("{version:020}.json")
}

impl Snapshot {
    /// Reads the newest version of the table in `folder`.
    pub fn load(store: &dyn Store, folder: &str) -> Result<Self, LogError> {
        // Another process may write a checkpoint and delete entries between the listing and the
        // reading; then list again.
        for _ in 0..ATTEMPTS {
            if let Ok(snapshot) = Self::read(store, folder) {
                return snapshot.readable(folder);
            }
        }
        Self::read(store, folder)?.readable(folder)
    }

    /// Refuses a table that needs reader features that kassa does not have.
    fn readable(self, folder: &str) -> Result<Self, LogError> {
        self.protocol.as_ref().map_or(Ok(()), |protocol| protocol.may_read(folder))?;
        Ok(self)
    }

    /// Applies the commits since this snapshot by reading only their entries. Reads the whole table
    /// again if some entries are gone.
    pub fn advance(&mut self, store: &dyn Store, folder: &str) -> Result<(), LogError> {
        let names = store.list(&format!("{folder}/_delta_log"))?;
        let newest = names.iter().filter_map(|name| entry_version(name).or_else(|| checkpoint_version(name))).max();
        let known = std::mem::take(self);
        // A table with a lower version than before is a different table.
        let is_the_same = known.version.is_some() && newest >= known.version;
        let advanced = is_the_same.then(|| known.read_entries(store, folder, &names).ok()).flatten();
        *self = advanced.map_or_else(|| Self::load(store, folder), |advanced| advanced.readable(folder))?;
        Ok(())
    }

    /// The state in the checkpoint of a version.
    pub(crate) fn of_checkpoint(store: &dyn Store, folder: &str, version: u64) -> Result<Self, LogError> {
        let log = format!("{folder}/_delta_log");
        let mut snapshot = Self::default();
        snapshot.read_checkpoint(store, &log, version, &store.list(&log)?)?;
        Ok(snapshot)
    }

    fn read(store: &dyn Store, folder: &str) -> Result<Self, LogError> {
        let log = format!("{folder}/_delta_log");
        let names = store.list(&log)?;
        let mut checkpoints: Vec<u64> = names.iter().filter_map(|name| checkpoint_version(name)).collect();
        checkpoints.dedup();
        // A checkpoint that was being written during a power cut may be torn. Its entries still
        // exist then.
        let mut unreadable = None;
        for version in checkpoints.into_iter().rev() {
            let mut snapshot = Self::default();
            match snapshot.read_checkpoint(store, &log, version, &names) {
                Ok(()) => return snapshot.read_entries(store, folder, &names).map_err(|error| unreadable.unwrap_or(error)),
                Err(error) => {
                    tracing::warn!(%error, folder, version, "unreadable checkpoint, trying the one before");
                    unreadable.get_or_insert(error);
                }
            }
        }
        Self::default().read_entries(store, folder, &names).map_err(|error| unreadable.unwrap_or(error))
    }

    fn read_entries(mut self, store: &dyn Store, folder: &str, names: &[String]) -> Result<Self, LogError> {
        let log = format!("{folder}/_delta_log");
        let first = self.version.map_or(0, |version| version + 1);
        let newer: Vec<u64> = names.iter().filter_map(|name| entry_version(name)).filter(|version| *version >= first).collect();
        for (version, wanted) in newer.iter().zip(first..) {
            if *version != wanted {
                return Err(LogError::Corrupt(format!("{folder}: log entry {wanted} is missing").into()));
            }
        }
        for versions in newer.chunks(ENTRIES) {
            let paths: Vec<String> = versions.iter().map(|version| format!("{log}/{}", entry_name(*version))).collect();
            for ((version, path), bytes) in versions.iter().zip(&paths).zip(store.get_all(&paths)?) {
                self.apply(*version, &lines(path, &bytes)?);
            }
        }
        Ok(self)
    }

    /// Applies one log entry on top of this version.
    pub fn apply_entry(&mut self, store: &dyn Store, log: &str, version: u64) -> Result<Vec<Line>, LogError> {
        let path = format!("{log}/{}", entry_name(version));
        let lines = lines(&path, &store.get(&path)?)?;
        self.apply(version, &lines);
        Ok(lines)
    }

    pub fn apply(&mut self, version: u64, lines: &[Line]) {
        for line in lines {
            if let Some(add) = &line.add
                && self.files.insert(add.path.clone(), add.clone()).is_some()
            {
                self.repeated.insert(add.path.clone());
            }
            if let Some(remove) = &line.remove {
                self.files.remove(&remove.path);
                self.removed.insert(remove.path.clone(), remove.deletion_timestamp.unwrap_or(i64::MAX));
            }
            if let Some(txn) = &line.txn {
                self.txns.insert(txn.app_id.clone(), txn.version);
            }
            if let Some(metadata) = &line.meta_data {
                self.metadata = Some(metadata.clone());
            }
            if let Some(protocol) = &line.protocol {
                self.protocol = Some(protocol.clone());
            }
        }
        self.version = Some(version);
        self.entries += 1;
    }

    fn read_checkpoint(&mut self, store: &dyn Store, log: &str, version: u64, names: &[String]) -> Result<(), LogError> {
        let prefix = format!("{version:020}.checkpoint");
        for name in names.iter().filter(|name| name.starts_with(&prefix) && name.ends_with(".parquet")) {
            let path = format!("{log}/{name}");
            let corrupt = |error: ParquetError| LogError::corrupt_at(&path, error);
            let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(store.get(&path)?)).map_err(corrupt)?;
            let wanted = [
                "add.path",
                "add.size",
                "add.modificationTime",
                "add.partitionValues",
                "add.stats",
                "add.tags",
                "txn",
                "metaData",
                "protocol",
                "remove.path",
                "remove.deletionTimestamp",
            ];
            let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
            for batch in builder.with_projection(mask).build().map_err(corrupt)? {
                let batch = batch.map_err(|error| LogError::corrupt_at(&path, error))?;
                self.take_checkpoint(&batch);
            }
        }
        self.version = Some(version);
        self.checkpoint = Some(version);
        Ok(())
    }

    fn take_checkpoint(&mut self, batch: &RecordBatch) {
        let part = |name: &str| batch.column_by_name(name).and_then(|column| column.as_struct_opt());
        if let Some(adds) = part("add") {
            for row in (0..adds.len()).filter(|row| adds.is_valid(*row)) {
                if let Some(path) = text(adds, "path", row) {
                    let add = Add {
                        path: path.clone(),
                        partition_values: pairs(adds, "partitionValues", row),
                        size: long(adds, "size", row).unwrap_or(0),
                        modification_time: long(adds, "modificationTime", row).unwrap_or(0),
                        data_change: false,
                        stats: text(adds, "stats", row),
                        tags: Some(pairs(adds, "tags", row)).filter(|tags| !tags.is_empty()),
                    };
                    self.files.insert(path, add);
                }
            }
        }
        if let Some(removes) = part("remove") {
            for row in (0..removes.len()).filter(|row| removes.is_valid(*row)) {
                if let Some(path) = text(removes, "path", row) {
                    self.removed.insert(path, long(removes, "deletionTimestamp", row).unwrap_or(i64::MAX));
                }
            }
        }
        if let Some(txns) = part("txn") {
            for row in (0..txns.len()).filter(|row| txns.is_valid(*row)) {
                if let Some((app, version)) = text(txns, "appId", row).zip(long(txns, "version", row)) {
                    self.txns.insert(app, version);
                }
            }
        }
        let first = |rows: &StructArray| (0..rows.len()).find(|row| rows.is_valid(*row));
        if let Some((metadata, row)) = part("metaData").and_then(|rows| Some((rows, first(rows)?))) {
            self.metadata = metadata_of(metadata, row);
        }
        if let Some((protocol, row)) = part("protocol").and_then(|rows| Some((rows, first(rows)?))) {
            self.protocol = Some(protocol_of(protocol, row));
        }
    }
}

/// The metadata in a checkpoint.
fn metadata_of(rows: &StructArray, row: usize) -> Option<Metadata> {
    let format = rows.column_by_name("format").and_then(|column| column.as_struct_opt());
    Some(Metadata {
        id: text(rows, "id", row)?,
        name: text(rows, "name", row),
        description: text(rows, "description", row),
        format: Format {
            provider: format.and_then(|format| text(format, "provider", row)).unwrap_or_else(|| "parquet".to_owned()),
            options: format
                .map(|format| pairs(format, "options", row))
                .unwrap_or_default()
                .into_iter()
                .filter_map(both)
                .collect(),
        },
        schema_string: text(rows, "schemaString", row)?,
        partition_columns: texts(rows, "partitionColumns", row).unwrap_or_default(),
        configuration: pairs(rows, "configuration", row).into_iter().filter_map(both).collect(),
        created_time: long(rows, "createdTime", row),
    })
}

fn protocol_of(rows: &StructArray, row: usize) -> Protocol {
    // An unreadable version counts as unsupported.
    let version = |name: &str| int(rows, name, row).unwrap_or(i32::MAX);
    Protocol {
        min_reader_version: version("minReaderVersion"),
        min_writer_version: version("minWriterVersion"),
        reader_features: texts(rows, "readerFeatures", row),
        writer_features: texts(rows, "writerFeatures", row),
    }
}

fn both((key, value): (String, Option<String>)) -> Option<(String, String)> {
    Some((key, value?))
}

fn lines(path: &str, bytes: &[u8]) -> Result<Vec<Line>, LogError> {
    action::from_entry(bytes).map_err(|error| LogError::corrupt_at(path, error))
}

/// The version of a checkpoint, by its file's name.
pub(crate) fn checkpoint_version(name: &str) -> Option<u64> {
    let (digits, rest) = name.split_once('.')?;
    (rest.starts_with("checkpoint") && rest.ends_with("parquet")).then(|| digits.parse().ok())?
}

/// The version of a log entry, by its file's name.
pub(crate) fn entry_version(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}

fn text(rows: &StructArray, name: &str, row: usize) -> Option<String> {
    let column = rows.column_by_name(name)?;
    let column = column.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn long(rows: &StructArray, name: &str, row: usize) -> Option<i64> {
    let column = rows.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn int(rows: &StructArray, name: &str, row: usize) -> Option<i32> {
    let column = rows.column_by_name(name)?.as_primitive_opt::<Int32Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

/// A list of texts; `None` if absent.
fn texts(rows: &StructArray, name: &str, row: usize) -> Option<Vec<String>> {
    let lists = rows.column_by_name(name)?.as_list_opt::<i32>()?;
    let list = lists.is_valid(row).then(|| lists.value(row))?;
    Some(list.as_string_opt::<i32>()?.iter().flatten().map(str::to_owned).collect())
}

/// A map of texts; empty if absent.
fn pairs(rows: &StructArray, name: &str, row: usize) -> BTreeMap<String, Option<String>> {
    let maps = rows.column_by_name(name).and_then(|column| column.as_map_opt());
    let Some(maps) = maps.filter(|maps| maps.is_valid(row)) else { return BTreeMap::new() };
    let entries = maps.value(row);
    let keys = entries.column(0).as_string_opt::<i32>();
    let values = entries.column(1).as_string_opt::<i32>();
    let Some((keys, values)) = keys.zip(values) else { return BTreeMap::new() };
    (0..keys.len()).map(|at| (keys.value(at).to_owned(), values.is_valid(at).then(|| values.value(at).to_owned()))).collect()
}
