//! Writes rows to data files of bounded size.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use kassa_model::{Table, star};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::delta::table::NewFile;
use crate::delta::{Add, DeltaTable, LogError};
use crate::encode;

/// Rows per file, which bounds the encoded bytes in memory.
const FILE_ROWS: usize = 128 * 1024;

/// Files being written.
pub(crate) struct Output<'t> {
    into: &'t DeltaTable,
    table: Table,
    properties: WriterProperties,
    writer: Option<ArrowWriter<Vec<u8>>>,
    rows: usize,
    put: Vec<Add>,
}

impl<'t> Output<'t> {
    pub(crate) fn new(into: &'t DeltaTable, table: Table, zstd_level: i32) -> Self {
        let properties = encode::properties(&table.schema(), zstd_level);
        Self { into, table, properties, writer: None, rows: 0, put: Vec::new() }
    }

    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), LogError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let schema = star::stored(&self.table.schema());
                none.insert(encode::writer(Vec::new(), &schema, &self.properties).map_err(LogError::encode)?)
            }
        };
        writer.write(rows).map_err(LogError::encode)?;
        self.rows += rows.num_rows();
        if self.rows >= FILE_ROWS { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), LogError> {
        if let Some(writer) = self.writer.take() {
            let bytes = writer.into_inner().map_err(LogError::encode)?;
            let rows = std::mem::take(&mut self.rows);
            self.put.push(self.into.put_file(NewFile { bytes, rows, partition_values: BTreeMap::new() }, true)?);
        }
        Ok(())
    }

    /// The files: durable, but not yet part of the table.
    pub(crate) fn finish(mut self) -> Result<Vec<Add>, LogError> {
        self.close()?;
        Ok(self.put)
    }
}
