//! A table that we append to: its newest version in memory, and one log entry per commit.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kassa_model::time::Clock;
use kassa_model::{Partition, Positions, crash, star};
use parquet::file::metadata::ParquetMetaDataReader;
use serde_json::json;
use uuid::Uuid;

use super::action::{self, Add, Format, Line, Metadata, Protocol, Remove, Txn};
use super::contents;
use super::error::LogError;
use super::schema;
use super::snapshot::{Snapshot, checkpoint_version, entry_name, entry_version};
use super::spec::TableSpec;
use crate::store::Store;

/// A data file to be added.
#[derive(Debug)]
pub struct NewFile {
    pub bytes: Vec<u8>,
    pub rows: usize,
    pub partition_values: BTreeMap<String, Option<String>>,
}

/// A Delta table, opened for appending. Created by its first commit.
#[derive(Debug)]
pub struct DeltaTable {
    store: Arc<dyn Store>,
    spec: TableSpec,
    snapshot: Snapshot,
    /// The positions as this writer found and moved them. The snapshot may contain moves of other writers.
    held: Positions,
    /// The rebuild that the table came from when it was opened.
    rebuilt: Option<i64>,
    clock: Arc<dyn Clock>,
    unanswered: Option<Commit>,
}

/// The contents of one log entry, whichever version it becomes.
#[derive(Debug, Clone)]
struct Commit {
    info: Line,
    lines: Vec<Line>,
    begun: Instant,
}

/// If a commit is not answered within this time, another process may have deleted its files as leftovers: check that they exist.
/// Less than any lease.
const FILES_ARE_SAFE: Duration = Duration::from_secs(20 * 60);

/// A unique file name in the folder of the partition.
pub(crate) fn file_path(partition_values: &BTreeMap<String, Option<String>>) -> String {
    let folder: String = partition_values
        .iter()
        .map(|(name, value)| format!("{name}={}/", value.as_deref().unwrap_or("__HIVE_DEFAULT_PARTITION__")))
        .collect();
    format!("{folder}part-{}.parquet", Uuid::new_v4())
}

const APP: &str = "kassa:";

/// The application id of the last rebuild. A writer that opened the table before the rebuild must not commit after it: its memory
/// is that of other rows.
pub const REBUILT: &str = "kassa-rebuild";

fn is_rebuild(lines: &[Line]) -> bool {
    lines.iter().filter_map(|line| line.txn.as_ref()).any(|txn| txn.app_id == REBUILT)
}

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

/// The metadata for the next commit, if it must change. Refuses a table that this program cannot write to.
fn evolution(snapshot: &Snapshot, spec: &TableSpec) -> Result<Option<Metadata>, LogError> {
    snapshot.protocol.as_ref().map_or(Ok(()), |protocol| protocol.may_write(&spec.folder))?;
    snapshot.metadata.as_ref().map_or(Ok(None), |held| schema::evolve(held, spec))
}

impl DeltaTable {
    pub fn open(store: Arc<dyn Store>, spec: TableSpec, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let snapshot = Snapshot::load(store.as_ref(), &spec.folder)?;
        evolution(&snapshot, &spec)?;
        let (held, rebuilt) = (Positions::default(), snapshot.txns.get(REBUILT).copied());
        let mut table = Self { store, spec, snapshot, held, rebuilt, clock, unanswered: None };
        table.held = table.positions();
        Ok(table)
    }

    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// The columns of a merged file: the program's, and those that only the table has.
    pub fn merged_spec(&self) -> Result<TableSpec, LogError> {
        let Some(held) = &self.snapshot.metadata else { return Ok(self.spec.clone()) };
        Ok(TableSpec { schema: Arc::new(schema::merged(held, &self.spec)?), ..self.spec.clone() })
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The next offset of each partition, as committed.
    pub fn positions(&self) -> Positions {
        self.snapshot.txns.iter().filter_map(|(app, version)| Some((partition_of(app)?, *version))).collect()
    }

    /// Refuses a partition that another writer has moved since this one read its position, even if its entries were applied
    /// outside a commit; and every partition of a table that was rebuilt since it was opened.
    pub fn owns(&self, partition: &Partition) -> Result<(), LogError> {
        let found = self.snapshot.txns.get(&app_id(partition)).copied();
        let is_same = self.snapshot.txns.get(REBUILT).copied() == self.rebuilt;
        if is_same && found == self.held.get(partition) { Ok(()) } else { Err(LogError::Fenced(self.spec.name.clone())) }
    }

    /// Adds files and moves positions, in one commit. The files contain only rows of records between the committed positions and
    /// the new ones; files without positions may contain any rows.
    pub fn append(&mut self, files: Vec<NewFile>, positions: &[(Partition, i64)]) -> Result<(), LogError> {
        positions.iter().try_for_each(|(partition, _)| self.owns(partition))?;
        let mut lines = Vec::with_capacity(files.len() + positions.len());
        let moved = positions.iter().map(|(partition, next)| (partition.clone(), self.held.next(partition)..*next));
        let tags = contents::tags(&moved.collect());
        for file in files {
            lines.push(Line::from(Add { tags: tags.clone(), ..self.put_file(file, true)? }));
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

    /// Replaces files with one, already written, that has the same rows.
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

    /// Replaces files with others, written by [`DeltaTable::put_file`], that have different rows, and states their positions, in
    /// one commit.
    pub fn exchange(&mut self, removed: &[Add], added: Vec<Add>, stated: Vec<(String, i64)>) -> Result<(), LogError> {
        crash::point("derived.after_data_files");
        self.commit(self.exchanged(removed, added, stated), "WRITE")?;
        crash::point("derived.after_commit");
        Ok(())
    }

    /// Replaces all files of the table with others, which are already written, and states positions, in one commit with the id of
    /// a rebuild. Any other commit since the table was opened fences this one.
    pub fn overwrite(&mut self, added: Vec<Add>, mut stated: Vec<(String, i64)>, rebuild: i64) -> Result<(), LogError> {
        let removed: Vec<Add> = self.snapshot.files.values().cloned().collect();
        stated.push((REBUILT.to_owned(), rebuild));
        self.commit(self.exchanged(&removed, added, stated), "WRITE")
    }

    fn exchanged(&self, removed: &[Add], added: Vec<Add>, stated: Vec<(String, i64)>) -> Vec<Line> {
        let now = self.clock.now() / 1000;
        let mut lines: Vec<Line> = added.into_iter().map(Line::from).collect();
        lines.extend(removed.iter().map(|add| remove(add, now, true)));
        lines.extend(stated.into_iter().map(|(app_id, version)| Line::from(Txn { app_id, version, last_updated: Some(now) })));
        lines
    }

    /// Writes a data file, which no reader sees before a commit names it.
    pub fn put_file(&self, file: NewFile, data_change: bool) -> Result<Add, LogError> {
        let path = file_path(&file.partition_values);
        let bytes = Bytes::from(file.bytes);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes);
        let stats = contents::stats(file.rows, &metadata.map_err(LogError::encode)?);
        self.store.put(&format!("{}/{path}", self.spec.folder), &bytes)?;
        Ok(Add {
            path,
            partition_values: file.partition_values,
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            modification_time: self.clock.now() / 1000,
            data_change,
            stats: Some(stats),
            tags: None,
        })
    }

    /// Writes one log entry after the newest version.
    fn commit(&mut self, lines: Vec<Line>, operation: &str) -> Result<(), LogError> {
        // An entry is identified by its `txnId`, because two entries may be equal otherwise.
        let info = json!({"timestamp": self.clock.now() / 1000, "operation": operation, "txnId": Uuid::new_v4().to_string(),
            "engineInfo": concat!("kassa/", env!("CARGO_PKG_VERSION"))});
        let info = Line { commit_info: Some(info), ..Line::default() };
        self.answer(Commit { info, lines, begun: Instant::now() }, false)
    }

    /// Completes a commit whose answer was lost: it is in the log already, or is written now, unchanged. Call it after an error,
    /// before using [`DeltaTable::positions`]. Returns whether there was one.
    pub fn complete(&mut self) -> Result<bool, LogError> {
        match self.unanswered.take() {
            Some(commit) => self.answer(commit, true).map(|()| true),
            None => Ok(false),
        }
    }

    fn answer(&mut self, commit: Commit, is_repeated: bool) -> Result<(), LogError> {
        let result = self.put_entry(&commit, is_repeated);
        // The store may have written it nevertheless, or may still write it.
        if matches!(result, Err(LogError::Io(_) | LogError::Refused(_))) {
            self.unanswered = Some(commit);
        }
        result
    }

    /// Reads entries of other writers first: one that moved a position of ours fences us; all others do not matter.
    fn put_entry(&mut self, commit: &Commit, is_repeated: bool) -> Result<(), LogError> {
        let log = format!("{}/_delta_log", self.spec.folder);
        loop {
            let version = self.snapshot.version.map_or(0, |version| version + 1);
            let mut entry = vec![commit.info.clone()];
            if version == 0 {
                entry.extend(self.creation(&commit.info));
            }
            // Computed for each version: another writer may have stated the same columns meanwhile, or more.
            let evolved = evolution(&self.snapshot, &self.spec)?;
            entry.extend(evolved.map(|metadata| Line { meta_data: Some(metadata), ..Line::default() }));
            entry.extend(commit.lines.iter().cloned());
            let bytes = action::to_entry(&entry).map_err(LogError::encode)?;
            self.holds_files(commit)?;
            crash::point("lake.before_log_entry");
            let path = format!("{log}/{}", entry_name(version));
            if self.store.put_new(&path, &bytes)? || is_repeated && self.store.get(&path)? == bytes {
                crash::point("lake.after_log_entry");
                if self.follows(&log, version)? {
                    self.snapshot.apply(version, &entry);
                    let moved = entry.iter().filter_map(|line| line.txn.as_ref());
                    for (partition, next) in moved.filter_map(|txn| Some((partition_of(&txn.app_id)?, txn.version))) {
                        self.held.set(partition, next);
                    }
                    if is_rebuild(&entry) {
                        self.rebuilt = self.snapshot.txns.get(REBUILT).copied();
                    }
                    return Ok(());
                }
                // It is among trimmed entries: no reader will ever see it, whether or not it can be deleted.
                if let Err(error) = self.store.delete(&path) {
                    tracing::warn!(path, %error, "a log entry below the checkpoint is left behind");
                }
            } else if let Some(theirs) = self.theirs(&log, version)? {
                self.fence(&commit.lines, &theirs)?;
                continue;
            }
            self.overtaken(&commit.lines)?;
        }
    }

    /// Reads and applies another writer's entry at a version. `None`: it has been trimmed already.
    fn theirs(&mut self, log: &str, version: u64) -> Result<Option<Vec<Line>>, LogError> {
        match self.snapshot.apply_entry(self.store.as_ref(), log, version) {
            Err(LogError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => {
                let lines = result?;
                evolution(&self.snapshot, &self.spec)?;
                Ok(Some(lines))
            }
        }
    }

    /// Whether the entry before a new one exists. If not, other writers have trimmed it meanwhile, and with it the entry whose
    /// version the new one has.
    fn follows(&self, log: &str, version: u64) -> Result<bool, LogError> {
        let Some(before) = version.checked_sub(1) else {
            return Ok(!self.store.list(log)?.iter().any(|name| checkpoint_version(name).is_some()));
        };
        match self.store.about(&format!("{log}/{}", entry_name(before))) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reloads the table, because entries in between are gone, and checks that it is still at the start of the commit.
    fn overtaken(&mut self, ours: &[Line]) -> Result<(), LogError> {
        let newest = Snapshot::load(self.store.as_ref(), &self.spec.folder)?;
        let held = &self.snapshot;
        let moved = |txn: &Txn| newest.txns.get(&txn.app_id) != held.txns.get(&txn.app_id);
        let is_of_a_rebuild = is_rebuild(ours) || newest.txns.get(REBUILT) != held.txns.get(REBUILT);
        let is_stale = ours.iter().any(|our| {
            our.txn.as_ref().is_some_and(moved) || our.remove.as_ref().is_some_and(|gone| !newest.files.contains_key(&gone.path))
        });
        let is_stale = is_stale || is_of_a_rebuild;
        self.snapshot = newest;
        evolution(&self.snapshot, &self.spec)?;
        if is_stale { Err(LogError::Fenced(self.spec.name.clone())) } else { Ok(()) }
    }

    /// Checks the files of a commit that waited for long: another process may have deleted them as leftovers.
    fn holds_files(&self, commit: &Commit) -> Result<(), LogError> {
        if commit.begun.elapsed() < FILES_ARE_SAFE {
            return Ok(());
        }
        for add in commit.lines.iter().filter_map(|line| line.add.as_ref()) {
            if let Err(error) = self.store.about(&format!("{}/{}", self.spec.folder, add.path)) {
                let swept = error.kind() == io::ErrorKind::NotFound;
                return Err(if swept { LogError::Fenced(self.spec.name.clone()) } else { error.into() });
            }
        }
        Ok(())
    }

    /// Applies the commits of other writers.
    pub fn refresh(&mut self) -> Result<(), LogError> {
        self.complete()?;
        let log = format!("{}/_delta_log", self.spec.folder);
        let next = self.snapshot.version.map_or(0, |version| version + 1);
        let names = self.store.list(&log)?;
        let newer = names.iter().filter_map(|name| entry_version(name)).filter(|version| *version >= next);
        for (want, version) in (next..).zip(newer.collect::<Vec<_>>()) {
            if version != want || self.theirs(&log, version)?.is_none() {
                self.snapshot = Snapshot::load(self.store.as_ref(), &self.spec.folder)?;
                return evolution(&self.snapshot, &self.spec).map(|_| ());
            }
        }
        Ok(())
    }

    fn fence(&self, ours: &[Line], theirs: &[Line]) -> Result<(), LogError> {
        let is_of_a_rebuild = is_rebuild(ours) || is_rebuild(theirs);
        let moved = |line: &Line| {
            let txn = line.txn.as_ref();
            txn.is_some_and(|txn| ours.iter().any(|our| our.txn.as_ref().is_some_and(|our| our.app_id == txn.app_id)))
        };
        let removed = |line: &Line| {
            let remove = line.remove.as_ref();
            remove.is_some_and(|gone| ours.iter().any(|our| our.remove.as_ref().is_some_and(|our| our.path == gone.path)))
        };
        if is_of_a_rebuild || theirs.iter().any(|line| moved(line) || removed(line)) {
            return Err(LogError::Fenced(self.spec.name.clone()));
        }
        Ok(())
    }

    fn creation(&self, info: &Line) -> [Line; 2] {
        // Retries of a commit write the same bytes.
        let id = info.commit_info.as_ref().and_then(|info| info["txnId"].as_str()).unwrap_or_default();
        let created = info.commit_info.as_ref().and_then(|info| info["timestamp"].as_i64());
        let configuration = [
            // kassa deletes replaced files itself, soon; tombstones would only enlarge the checkpoints. If several processes
            // delete, tombstones state when each file was replaced.
            (
                "delta.deletedFileRetentionDuration",
                if self.store.is_shared() { "interval 1 hours" } else { "interval 10 minutes" },
            ),
            ("delta.logRetentionDuration", "interval 1 hours"),
            (schema::VERSION, &star::SCHEMA.to_string()),
        ];
        let metadata = Metadata {
            id: id.to_owned(),
            name: Some(self.spec.name.clone()),
            description: None,
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: schema::to_delta(&self.spec.schema),
            partition_columns: self.spec.partition_columns.clone(),
            configuration: configuration.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            created_time: created,
        };
        [Line { protocol: Some(Protocol::ours()), ..Line::default() }, Line { meta_data: Some(metadata), ..Line::default() }]
    }
}

#[cfg(test)]
mod tests;
