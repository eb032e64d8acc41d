//! A small lake, as files in the folder of a bucket.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema};
use kassa_model::{Partition, Positions, Table, star};
use kassa_redshift::{Column, DataFile, Extent, Lake, LakeError, TableFiles};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

/// 2026-03-28T10:15:00Z
const INGESTED: i64 = 1_774_692_900_000_000;
const PREFIX: &str = "shop-lake/kassa";

/// A record with written rows.
type Written = (Table, String, i64, i64);

#[derive(Default)]
struct Inner {
    files: BTreeMap<Table, Vec<DataFile>>,
    /// Rows, by table and record.
    written: Vec<Written>,
    /// The positions of spans and tables.
    accounted: Positions,
    reached: Positions,
    next_file: u64,
    without: Option<&'static str>,
    with: Option<&'static str>,
    rebuild: Option<i64>,
}

pub(crate) struct SmallLake {
    dir: TempDir,
    inner: Mutex<Inner>,
}

impl SmallLake {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), inner: Mutex::default() }
    }

    pub(crate) fn buckets(&self) -> &Path {
        self.dir.path()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(PREFIX).join(path)
    }

    /// Appends a row to each table for each record, and their span.
    pub(crate) fn append(&self, topic: &str, partition: i64, offsets: Range<i64>) {
        self.append_unaccounted(topic, partition, offsets.clone());
        self.account(topic, partition, offsets);
    }

    pub(crate) fn append_unaccounted(&self, topic: &str, partition: i64, offsets: Range<i64>) {
        let end = offsets.end;
        self.append_late(topic, partition, offsets);
        self.inner().reached.advance(&Partition::new(topic, partition), end);
    }

    /// Appends rows that do not move a position.
    pub(crate) fn append_late(&self, topic: &str, partition: i64, offsets: Range<i64>) {
        for table in [Table::DimChannel, Table::FactFxRate] {
            self.write(table, &rows(table, topic, partition, offsets.clone(), &[]));
            let records = offsets.clone().map(|offset| (table, topic.to_owned(), partition, offset));
            self.inner().written.extend(records);
        }
        self.inner().without = None;
    }

    pub(crate) fn account(&self, topic: &str, partition: i64, offsets: Range<i64>) {
        let end = offsets.end;
        self.write(Table::Spans, &rows(Table::Spans, topic, partition, offsets, &[]));
        self.inner().accounted.advance(&Partition::new(topic, partition), end);
    }

    /// Appends rows whose `extra` has these numbers of bytes.
    pub(crate) fn append_inventory(&self, topic: &str, extras: &[usize]) {
        let offsets = 0..i64::try_from(extras.len()).unwrap();
        self.write(Table::FactInventory, &rows(Table::FactInventory, topic, 0, offsets.clone(), extras));
        self.account(topic, 0, offsets);
    }

    pub(crate) fn replace_times(&self, minutes: i64) {
        self.inner().files.remove(&Table::DimTime);
        self.write(Table::DimTime, &rows(Table::DimTime, "", 0, 0..minutes, &[]));
    }

    /// Exchanges all rows for those of a rebuilt star, which has fewer at the same positions.
    pub(crate) fn rebuild(&self, id: i64, topic: &str, partition: i64, offsets: Range<i64>) {
        {
            let mut inner = self.inner();
            inner.files.clear();
            inner.written.clear();
            inner.rebuild = Some(id);
        }
        self.append_late(topic, partition, offsets.clone());
        self.write(Table::Spans, &rows(Table::Spans, topic, partition, offsets, &[]));
    }

    pub(crate) fn go_back(&self, topic: &str, partition: i64, to: i64) {
        self.inner().accounted.set(Partition::new(topic, partition), to);
    }

    /// The next files have all columns except this one.
    pub(crate) fn without(&self, column: &'static str) -> &Self {
        self.inner().without = Some(column);
        self
    }

    /// The next files have this column first, which is in no table.
    pub(crate) fn with(&self, column: Option<&'static str>) -> &Self {
        self.inner().with = column;
        self
    }

    /// Merges each table to one file with all rows.
    pub(crate) fn compact(&self) {
        let files = std::mem::take(&mut self.inner().files);
        for (table, files) in files {
            let batches: Vec<RecordBatch> = files.iter().flat_map(|file| self.read(file)).collect();
            files.iter().for_each(|file| fs::remove_file(self.path(&file.path)).unwrap());
            self.write(table, &batches);
        }
    }

    /// Deletes a folder of the bucket.
    pub(crate) fn forget(&self, folder: &str) {
        fs::remove_dir_all(self.path(folder)).unwrap();
    }

    fn read(&self, file: &DataFile) -> Vec<RecordBatch> {
        let file = fs::File::open(self.path(&file.path)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
    }

    fn write(&self, table: Table, batches: &[RecordBatch]) {
        let mut inner = self.inner();
        inner.next_file += 1;
        let path = format!("DWH/{}/part-{}.parquet", table.name(), inner.next_file);
        let batches: Vec<RecordBatch> = batches.iter().map(|rows| put_in(&leave_out(rows, inner.without), inner.with)).collect();
        let file = self.put_rows(&path, &batches);
        inner.files.entry(table).or_default().push(file);
    }

    fn put_rows(&self, path: &str, batches: &[RecordBatch]) -> DataFile {
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), None).unwrap();
        batches.iter().for_each(|rows| writer.write(rows).unwrap());
        writer.close().unwrap();
        self.put(path, &bytes).unwrap();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        DataFile { path: path.to_owned(), bytes: bytes.len() as u64, rows: i64::try_from(rows).unwrap() }
    }

    /// The expected rows in Redshift: `topic|partition|offset|index`.
    pub(crate) fn rows(&self, table: Table) -> Vec<String> {
        let inner = self.inner();
        let before = |topic: &str, partition: i64| inner.accounted.next(&Partition::new(topic, partition));
        let mut rows: Vec<&Written> = inner
            .written
            .iter()
            .filter(|(of, topic, partition, offset)| *of == table && *offset < before(topic, *partition))
            .collect();
        rows.sort();
        rows.iter().map(|(_, topic, partition, offset)| format!("{topic}|{partition}|{offset}|0")).collect()
    }

    pub(crate) fn positions(&self) -> Vec<String> {
        let inner = self.inner();
        inner.accounted.iter().map(|(of, next)| format!("{}|{}|{next}", of.topic, of.number)).collect()
    }
}

fn leave_out(rows: &RecordBatch, column: Option<&str>) -> RecordBatch {
    let schema = rows.schema();
    let kept: Vec<usize> = (0..schema.fields().len()).filter(|at| Some(schema.field(*at).name().as_str()) != column).collect();
    rows.project(&kept).unwrap()
}

/// A row for each offset, with arbitrary values in the other columns.
fn rows(table: Table, topic: &str, partition: i64, offsets: Range<i64>, extras: &[usize]) -> Vec<RecordBatch> {
    let schema = star::stored(&table.schema());
    let offsets: Vec<i64> = offsets.collect();
    let columns = schema.fields().iter().map(|field| column(field, topic, partition, &offsets, extras)).collect();
    vec![RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()]
}

fn column(field: &Field, topic: &str, partition: i64, offsets: &[i64], extras: &[usize]) -> ArrayRef {
    let count = offsets.len();
    let edge = |at: Option<&i64>, beyond: i64| at.copied().unwrap_or(0) + beyond;
    let longs = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let texts = |text: &str| Arc::new(StringArray::from(vec![text; count])) as ArrayRef;
    match (field.name().as_str(), field.data_type()) {
        ("source_topic" | "topic", _) => texts(topic),
        ("source_partition" | "partition", _) => longs(vec![partition; count]),
        ("source_offset" | "from_offset", _) => longs(offsets.to_vec()),
        ("to_offset", _) => longs(offsets.iter().map(|offset| edge(Some(offset), 1)).collect()),
        ("time_key", _) => Arc::new(offsets.iter().map(|offset| i32::try_from(*offset).unwrap()).collect::<Int32Array>()),
        ("extra", _) => Arc::new(extras.iter().map(|bytes| Some("x".repeat(*bytes))).collect::<StringArray>()),
        (_, DataType::Int64) => longs(vec![7; count]),
        (_, DataType::Int32) => Arc::new(Int32Array::from(vec![0; count])),
        (_, DataType::Boolean) => Arc::new(BooleanArray::from(vec![false; count])),
        (_, DataType::Timestamp(..)) => Arc::new(TimestampMicrosecondArray::from(vec![INGESTED; count]).with_timezone("UTC")),
        (_, DataType::Decimal128(precision, scale)) => {
            Arc::new(Decimal128Array::from(vec![1_170_000_000; count]).with_precision_and_scale(*precision, *scale).unwrap())
        }
        _ => texts("a\ttab, a \\ and a\nline"),
    }
}

impl Lake for SmallLake {
    fn extent(&self) -> Result<Extent, LakeError> {
        let inner = self.inner();
        let of = |table: Table| if table.has_lineage() { inner.reached.clone() } else { Positions::default() };
        let tables =
            inner.files.iter().map(|(table, files)| TableFiles { table: *table, files: files.clone(), positions: of(*table) });
        Ok(Extent { positions: inner.accounted.clone(), tables: tables.collect(), rebuild: inner.rebuild })
    }

    fn columns(&self, file: &DataFile) -> Result<Vec<Column>, LakeError> {
        let batches = self.read(file);
        let schema: Arc<Schema> = batches[0].schema();
        let most = |at: usize| batches.iter().map(|rows| rows.column(at).get_buffer_memory_size() as u64).max().unwrap_or(0);
        let columns = schema.fields().iter().enumerate();
        Ok(columns.map(|(at, field)| Column { name: field.name().clone(), most_bytes: most(at) }).collect())
    }

    fn longest(&self, _: Table, file: &DataFile, columns: &[String]) -> Result<Vec<u64>, LakeError> {
        let batches = self.read(file);
        let longest = |name: &String| {
            let texts = batches.iter().flat_map(|rows| texts(rows, name));
            texts.map(|text| text.len() as u64).max().unwrap_or(0)
        };
        Ok(columns.iter().map(longest).collect())
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
        let shorten = |rows: RecordBatch| {
            let schema = rows.schema();
            let made = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
                if !columns.contains(field.name()) {
                    return Arc::clone(column);
                }
                let fit = |text: String| if text.len() as u64 > limit { instead(text.len() as u64) } else { text };
                Arc::new(
                    texts(&rows, field.name())
                        .into_iter()
                        .map(fit)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .map(Some)
                        .collect::<StringArray>(),
                )
            });
            RecordBatch::try_new(Arc::clone(&schema), made.collect()).unwrap()
        };
        let own = |rows: RecordBatch| {
            let schema = table.schema();
            let kept: Vec<usize> = schema.fields().iter().filter_map(|field| rows.schema().index_of(field.name()).ok()).collect();
            rows.project(&kept).unwrap()
        };
        let batches: Vec<RecordBatch> = self.read(file).into_iter().map(own).map(shorten).collect();
        Ok(self.put_rows(to, &batches))
    }

    fn url(&self, path: &str) -> String {
        format!("s3://{PREFIX}/{path}")
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap())?;
        Ok(fs::write(path, bytes)?)
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        Ok(fs::read(self.path(path)).ok())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Ok(Vec::new()) };
        Ok(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
    }

    fn delete(&self, path: &str) -> Result<(), LakeError> {
        Ok(fs::remove_file(self.path(path))?)
    }
}

fn put_in(rows: &RecordBatch, name: Option<&str>) -> RecordBatch {
    let Some(name) = name else { return rows.clone() };
    let mut fields = vec![Field::new(name, DataType::Utf8, true)];
    fields.extend(rows.schema().fields().iter().map(|field| field.as_ref().clone()));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["of before"; rows.num_rows()]))];
    columns.extend(rows.columns().iter().cloned());
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    let column = rows.column_by_name(name).unwrap();
    let texts = column.as_any().downcast_ref::<StringArray>().unwrap();
    texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}
