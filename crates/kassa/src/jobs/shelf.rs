//! The lake as the input of an export.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use kassa_config::{Config, LakePlace};
use kassa_lake::delta::table::partition_of;
use kassa_lake::delta::{self, Add, Snapshot};
use kassa_lake::read::{self, folder_of};
use kassa_lake::{LogError, Store, encode, rebuild};
use kassa_model::{Positions, Table, star};
use kassa_redshift::{Column, DataFile, Extent, LakeError, TableFiles, schema};

use crate::failure::Failure;
use crate::wiring::Lake;

pub struct Shelf<'l> {
    lake: &'l Lake,
    store: &'l dyn Store,
    /// The prefix of the URLs of its objects.
    url: String,
    zstd_level: i32,
}

impl<'l> Shelf<'l> {
    pub fn new(lake: &'l Lake, config: &Config) -> Self {
        let url = match &config.lake.place {
            LakePlace::S3(s3) if s3.prefix.is_empty() => format!("s3://{}", s3.bucket),
            LakePlace::S3(s3) => format!("s3://{}/{}", s3.bucket, s3.prefix),
            LakePlace::Folder(dir) => format!("file://{}", dir.display()),
        };
        Self { lake, store: lake.store.as_ref(), url, zstd_level: config.lake.zstd_level }
    }

    fn snapshot(&self, table: Table) -> Result<Snapshot, LogError> {
        let snapshot = Snapshot::load(self.store, &folder_of(table))?;
        // Rows are exported only once, so a column that is missing now would stay missing.
        snapshot.metadata.as_ref().map_or(Ok(()), |held| delta::schema::refuse_newer(&folder_of(table), held))?;
        Ok(snapshot)
    }

    /// Refuses tables that a rebuild may have partly exchanged meanwhile.
    fn refuse_rebuilt(&self, before: Option<i64>) -> Result<(), LakeError> {
        self.lake.refuse_rebuilt(before).map_err(|error| match error.downcast::<Failure>() {
            // As a boxed `anyhow::Error` it would lose its code.
            Ok(failure) => LakeError::from(failure),
            Err(error) => error.into(),
        })
    }

    /// Hands the rows of a file to `take`.
    fn rows(
        &self,
        table: Table,
        file: &DataFile,
        columns: &[&str],
        take: &mut dyn FnMut(RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        read::file(self.store, &folder_of(table), &add_of(table, file), &table.schema(), columns, take)
    }
}

fn positions(snapshot: &Snapshot) -> Positions {
    snapshot.txns.iter().filter_map(|(app, next)| Some((partition_of(app)?, *next))).collect()
}

fn files_of(table: Table, snapshot: &Snapshot) -> Result<Vec<DataFile>, LogError> {
    let folder = folder_of(table);
    let file = |add: &Add| {
        let rows = add
            .rows()
            .ok_or_else(|| LogError::Corrupt(format!("{folder}/{}: the log does not state the number of rows", add.path).into()));
        Ok(DataFile { path: format!("{folder}/{}", add.path), bytes: u64::try_from(add.size).unwrap_or(0), rows: rows? })
    };
    snapshot.files.values().map(file).collect()
}

/// A file as an entry of the log; only its path is used.
fn add_of(table: Table, file: &DataFile) -> Add {
    let folder = format!("{}/", folder_of(table));
    Add {
        path: file.path.strip_prefix(&folder).unwrap_or(&file.path).to_owned(),
        partition_values: BTreeMap::new(),
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: 0,
        data_change: false,
        stats: None,
        tags: None,
    }
}

impl kassa_redshift::Lake for Shelf<'_> {
    fn extent(&self) -> Result<Extent, LakeError> {
        // Spans are written last, so tables that are read after them contain everything that the
        // spans account for.
        let spans = self.snapshot(Table::Spans)?;
        let accounted = positions(&spans);
        let mut tables = Vec::new();
        for table in schema::tables() {
            let snapshot = if table == Table::Spans { spans.clone() } else { self.snapshot(table)? };
            if snapshot.version.is_none() {
                continue;
            }
            // A derived table states its positions itself; it has no rows that could be ahead.
            let positions = if table.has_lineage() { positions(&snapshot) } else { Positions::default() };
            tables.push(TableFiles { table, files: files_of(table, &snapshot)?, positions });
        }
        let rebuild = rebuild::last_in(&spans);
        self.refuse_rebuilt(rebuild)?;
        Ok(Extent { positions: accounted, tables, rebuild })
    }

    fn columns(&self, file: &DataFile) -> Result<Vec<Column>, LakeError> {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let add = Add { path: name.to_owned(), ..add_of(Table::Spans, file) };
        let columns = read::columns(self.store, folder, &add)?;
        Ok(columns.into_iter().map(|(name, most_bytes)| Column { name, most_bytes }).collect())
    }

    fn longest(&self, table: Table, file: &DataFile, columns: &[String]) -> Result<Vec<u64>, LakeError> {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut longest = vec![0; columns.len()];
        self.rows(table, file, &names, &mut |rows| {
            for (name, longest) in names.iter().zip(&mut longest) {
                let texts = rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
                let lengths = texts.into_iter().flatten().flatten().map(|text| text.len() as u64);
                *longest = lengths.max().unwrap_or(0).max(*longest);
            }
            Ok(())
        })?;
        Ok(longest)
    }

    fn shortened(
        &self,
        table: Table,
        file: &DataFile,
        columns: &[String],
        limit: u64,
        instead: fn(u64) -> String,
        to: &str,
    ) -> Result<DataFile, LakeError> {
        let stored = star::stored(&table.schema());
        let properties = encode::properties(&table.schema(), self.zstd_level);
        let mut bytes = Vec::new();
        let mut writer = encode::writer(&mut bytes, &stored, &properties)?;
        self.rows(table, file, &[], &mut |rows| {
            let rows = shorten(&rows, columns, limit, instead).map_err(LogError::encode)?;
            writer.write(&rows).map_err(LogError::encode)
        })?;
        writer.close()?;
        let written = self.store.put_with(to, &mut |sink: &mut (dyn Write + Send)| sink.write_all(&bytes))?;
        Ok(DataFile { path: to.to_owned(), bytes: written, rows: file.rows })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        Ok(self.store.put(path, bytes)?)
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        match self.store.get(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        Ok(self.store.list(folder)?)
    }

    fn delete(&self, path: &str) -> Result<(), LakeError> {
        Ok(self.store.delete(path)?)
    }
}

/// The same rows, except texts of these columns that are too long.
fn shorten(
    rows: &RecordBatch,
    columns: &[String],
    limit: u64,
    instead: fn(u64) -> String,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = rows.schema();
    let fit = |text: Option<&str>| {
        text.map(|text| if text.len() as u64 > limit { instead(text.len() as u64) } else { text.to_owned() })
    };
    let made = schema.fields().iter().zip(rows.columns()).map(|(field, column)| match column.as_string_opt::<i32>() {
        Some(texts) if columns.contains(field.name()) => Arc::new(texts.iter().map(fit).collect::<StringArray>()) as ArrayRef,
        _ => Arc::clone(column),
    });
    RecordBatch::try_new(Arc::clone(&schema), made.collect())
}
