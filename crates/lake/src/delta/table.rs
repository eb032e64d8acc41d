//! A table that we append to: its newest version in memory, a commit one log entry.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use kassa_model::time::Clock;
use kassa_model::{Partition, Positions, crash};
use kassa_pipeline::SinkError;
use serde_json::json;
use uuid::Uuid;

use super::action::{self, Add, Format, Line, Metadata, Protocol, Remove, Txn};
use super::schema;
use super::snapshot::{Snapshot, entry_name};
use crate::store::Store;

/// Why a table could not be read or committed to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("could not reach the store")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Corrupt(String),
    #[error("{0} was moved on by another writer")]
    Fenced(String),
    #[error("could not encode: {0}")]
    Encode(String),
}

impl From<LogError> for SinkError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Io(cause) => SinkError::Unavailable(cause.to_string()),
            LogError::Corrupt(what) | LogError::Encode(what) => SinkError::Corrupt(what),
            LogError::Fenced(_) => SinkError::Fenced(error.to_string()),
        }
    }
}

/// A data file to be added.
#[derive(Debug)]
pub struct NewFile {
    pub bytes: Vec<u8>,
    pub rows: usize,
    pub partition_values: BTreeMap<String, Option<String>>,
}

/// What a table is, whether or not it exists yet.
#[derive(Debug, Clone)]
pub struct TableSpec {
    pub name: String,
    /// The folder in the store.
    pub folder: String,
    pub schema: SchemaRef,
    pub partition_columns: Vec<String>,
}

/// A Delta table, opened for appending. Created by its first commit.
#[derive(Debug)]
pub struct DeltaTable {
    store: Arc<dyn Store>,
    spec: TableSpec,
    snapshot: Snapshot,
    clock: Arc<dyn Clock>,
}

/// A name that no other file of the table has, in the folder of its partition.
pub(crate) fn file_path(partition_values: &BTreeMap<String, Option<String>>) -> String {
    let folder: String = partition_values
        .iter()
        .map(|(name, value)| format!("{name}={}/", value.as_deref().unwrap_or("__HIVE_DEFAULT_PARTITION__")))
        .collect();
    format!("{folder}part-{}.parquet", Uuid::new_v4())
}

/// A file's statistics, as its log entry has them.
pub(crate) fn stats(rows: usize) -> String {
    json!({"numRecords": rows}).to_string()
}

const APP: &str = "kassa:";

/// The application id of a partition's position.
pub fn app_id(partition: &Partition) -> String {
    format!("{APP}{}:{}", partition.topic, partition.number)
}

/// The partition of an application id that [`app_id`] made.
pub fn partition_of(app_id: &str) -> Option<Partition> {
    let (topic, number) = app_id.strip_prefix(APP)?.rsplit_once(':')?;
    Some(Partition::new(topic, number.parse().ok()?))
}

fn remove(add: &Add, now: i64, data_change: bool) -> Line {
    Line::from(Remove {
        path: add.path.clone(),
        deletion_timestamp: Some(now),
        data_change,
        extended_file_metadata: true,
        partition_values: add.partition_values.clone(),
        size: add.size,
    })
}

impl DeltaTable {
    pub fn open(store: Arc<dyn Store>, spec: TableSpec, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let snapshot = Snapshot::load(store.as_ref(), &spec.folder)?;
        Ok(Self { store, spec, snapshot, clock })
    }

    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The next offset of each partition, by what is committed.
    pub fn positions(&self) -> Positions {
        self.snapshot.txns.iter().filter_map(|(app, version)| Some((partition_of(app)?, *version))).collect()
    }

    /// Adds files and moves positions on, in one commit.
    pub fn append(&mut self, files: Vec<NewFile>, positions: &[(Partition, i64)]) -> Result<(), LogError> {
        let mut lines = Vec::with_capacity(files.len() + positions.len());
        for file in files {
            lines.push(Line::from(self.put_file(file, true)?));
        }
        crash::point("lake.after_data_files");
        let now = self.clock.now() / 1000;
        lines.extend(
            positions
                .iter()
                .map(|(partition, next)| Line::from(Txn { app_id: app_id(partition), version: *next, last_updated: Some(now) })),
        );
        self.commit(lines, "WRITE")
    }

    /// Exchanges files for one, already written, with the same rows.
    pub fn replace(&mut self, removed: &[Add], merged: Add) -> Result<(), LogError> {
        crash::point("maintain.after_merged_file");
        let mut lines = vec![Line::from(merged)];
        let now = self.clock.now() / 1000;
        lines.extend(removed.iter().map(|add| remove(add, now, false)));
        self.commit(lines, "OPTIMIZE")
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Exchanges files, put by [`DeltaTable::put_file`], for others that say something else, and states what they are true of, in one
    /// commit.
    pub fn exchange(&mut self, removed: &[Add], added: Vec<Add>, stated: Vec<(String, i64)>) -> Result<(), LogError> {
        crash::point("derived.after_data_files");
        let now = self.clock.now() / 1000;
        let mut lines: Vec<Line> = added.into_iter().map(Line::from).collect();
        lines.extend(removed.iter().map(|add| remove(add, now, true)));
        lines.extend(stated.into_iter().map(|(app_id, version)| Line::from(Txn { app_id, version, last_updated: Some(now) })));
        self.commit(lines, "WRITE")?;
        crash::point("derived.after_commit");
        Ok(())
    }

    /// Puts a data file in its place, where no reader sees it before a commit names it.
    pub fn put_file(&self, file: NewFile, data_change: bool) -> Result<Add, LogError> {
        let path = file_path(&file.partition_values);
        self.store.put(&format!("{}/{path}", self.spec.folder), &file.bytes)?;
        Ok(Add {
            path,
            partition_values: file.partition_values,
            size: i64::try_from(file.bytes.len()).unwrap_or(i64::MAX),
            modification_time: self.clock.now() / 1000,
            data_change,
            stats: Some(stats(file.rows)),
        })
    }

    /// Puts one log entry on top of the newest version. Entries that others put meanwhile are read first: one that moved a
    /// position of ours fences us, any other is none of our business.
    fn commit(&mut self, lines: Vec<Line>, operation: &str) -> Result<(), LogError> {
        let log = format!("{}/_delta_log", self.spec.folder);
        let info = json!({"timestamp": self.clock.now() / 1000, "operation": operation, "engineInfo": concat!("kassa/", env!("CARGO_PKG_VERSION"))});
        let info = Line { commit_info: Some(info), ..Line::default() };
        loop {
            let version = self.snapshot.version.map_or(0, |version| version + 1);
            let mut entry = vec![info.clone()];
            if version == 0 {
                entry.extend(self.creation());
            }
            entry.extend(lines.iter().cloned());
            let bytes = action::to_entry(&entry).map_err(|error| LogError::Encode(error.to_string()))?;
            crash::point("lake.before_log_entry");
            if self.store.put_new(&format!("{log}/{}", entry_name(version)), &bytes)? {
                crash::point("lake.after_log_entry");
                self.snapshot.apply(version, &entry);
                return Ok(());
            }
            let theirs = self.snapshot.apply_entry(self.store.as_ref(), &log, version)?;
            self.fence(&lines, &theirs)?;
        }
    }

    fn fence(&self, ours: &[Line], theirs: &[Line]) -> Result<(), LogError> {
        let moved = |line: &Line| {
            let txn = line.txn.as_ref();
            txn.is_some_and(|txn| ours.iter().any(|our| our.txn.as_ref().is_some_and(|our| our.app_id == txn.app_id)))
        };
        let removed = |line: &Line| {
            let remove = line.remove.as_ref();
            remove.is_some_and(|gone| ours.iter().any(|our| our.remove.as_ref().is_some_and(|our| our.path == gone.path)))
        };
        if theirs.iter().any(|line| moved(line) || removed(line)) {
            return Err(LogError::Fenced(self.spec.name.clone()));
        }
        Ok(())
    }

    fn creation(&self) -> [Line; 2] {
        let configuration = [
            // Replaced files are deleted by kassa itself, soon; tombstones would only fatten the checkpoints.
            ("delta.deletedFileRetentionDuration", "interval 10 minutes"),
            ("delta.logRetentionDuration", "interval 1 hours"),
        ];
        let metadata = Metadata {
            id: Uuid::new_v4().to_string(),
            name: Some(self.spec.name.clone()),
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: schema::to_delta(&self.spec.schema),
            partition_columns: self.spec.partition_columns.clone(),
            configuration: configuration.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            created_time: Some(self.clock.now() / 1000),
        };
        let protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };
        [Line { protocol: Some(protocol), ..Line::default() }, Line { meta_data: Some(metadata), ..Line::default() }]
    }
}
