//! A merged file while it is being written.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;

use crate::delta::{Add, LogError, TableSpec, contents};
use crate::store::Store;
use crate::{encode, read};

/// Encoded bytes that wait for the end of their row group: the merge's memory besides the merged
/// file.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// A merged file while it is being written.
pub(super) struct Merge<'w> {
    pub(super) store: &'w dyn Store,
    spec: &'w TableSpec,
    /// The columns of the file.
    pub(super) schema: &'w Schema,
    writer: ArrowWriter<&'w mut (dyn Write + Send)>,
    rows: usize,
    /// Whether the current row group has rows whose days differ.
    pub(super) is_apart: bool,
}

impl<'w> Merge<'w> {
    pub(super) fn new(
        store: &'w dyn Store,
        spec: &'w TableSpec,
        (schema, zstd_level): (&'w Schema, i32),
        sink: &'w mut (dyn Write + Send),
    ) -> Result<Self, LogError> {
        let stored = kassa_model::star::stored(schema);
        let writer = encode::writer(sink, &stored, &encode::properties(schema, zstd_level)).map_err(LogError::encode)?;
        Ok(Self { store, spec, schema, writer, rows: 0, is_apart: false })
    }

    /// The statistics of the file.
    pub(super) fn close(self) -> Result<String, LogError> {
        Ok(contents::stats(self.rows, &self.writer.close().map_err(LogError::encode)?))
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn folder(&self) -> &'w str {
        &self.spec.folder
    }

    pub(super) fn columns(&self) -> Vec<&'w str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), LogError> {
        self.rows += rows.num_rows();
        self.writer.write(rows).map_err(LogError::encode)?;
        if self.writer.memory_size() > WAITING_BYTES { self.end_group() } else { Ok(()) }
    }

    pub(super) fn end_group(&mut self) -> Result<(), LogError> {
        self.writer.flush().map_err(LogError::encode)
    }

    /// Adds rows of the files.
    pub(super) fn append(&mut self, slice: &[Add]) -> Result<(), LogError> {
        for add in slice {
            let before = self.rows;
            let (store, folder, schema, columns) = (self.store, self.folder(), self.schema, self.columns());
            read::file(store, folder, add, schema, &columns, &mut |rows| self.write(&rows))?;
            self.has_all(add, self.rows - before)?;
        }
        Ok(())
    }

    /// A merge must not hide rows that a file has lost: the merged file would agree with the log.
    pub(super) fn has_all(&self, add: &Add, count: usize) -> Result<(), LogError> {
        if add.rows().is_some_and(|stated| i64::try_from(count) != Ok(stated)) {
            let (folder, stated) = (&self.spec.folder, add.rows());
            return Err(LogError::Corrupt(format!("{folder}/{}: {count} rows, where the log says {stated:?}", add.path).into()));
        }
        Ok(())
    }
}
