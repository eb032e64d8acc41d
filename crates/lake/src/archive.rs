//! The archive sink: every record's original bytes, in one Delta table per topic.

pub mod read;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use kassa_model::time::{self, Clock};
use kassa_model::{Headers, Partition, Positions, Records, star};
use kassa_pipeline::{Batch, Sink, SinkError};
use parquet::file::properties::WriterProperties;

use crate::delta::table::NewFile;
use crate::delta::{DeltaTable, LogError, TableSpec};
use crate::encode::{self, ZSTD_LEVEL};
use crate::maintain::{Maintainer, Options};
use crate::read::archive_folder;
use crate::store::Store;

/// Writes one table per topic. A table is created with its first record.
#[derive(Debug)]
pub struct ArchiveSink {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    tables: HashMap<Arc<str>, DeltaTable>,
    positions: Positions,
    properties: WriterProperties,
    maintainer: Option<Maintainer>,
}

/// The table of a topic's archive.
pub fn table_spec(topic: &str) -> TableSpec {
    TableSpec {
        name: topic.to_owned(),
        folder: archive_folder(topic),
        schema: star::archive_schema(),
        partition_columns: vec!["ingest_date".to_owned()],
        retired: &[],
        is_derived: false,
    }
}

/// The columns of a data file: all but the partition column, which the folder states.
fn file_schema() -> SchemaRef {
    let schema = star::archive_schema();
    Arc::new(Schema::new(schema.fields().iter().skip(1).cloned().collect::<Vec<_>>()))
}

impl ArchiveSink {
    pub fn open(store: Arc<dyn Store>, topics: &[Arc<str>], clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let mut tables = HashMap::new();
        let mut positions = Positions::default();
        for topic in topics {
            let table = DeltaTable::open(Arc::clone(&store), table_spec(topic), Arc::clone(&clock))?;
            for (partition, next) in table.positions().iter() {
                positions.advance(partition, next);
            }
            tables.insert(Arc::clone(topic), table);
        }
        Ok(Self { store, clock, tables, positions, properties: encode::properties(&file_schema(), ZSTD_LEVEL), maintainer: None })
    }

    /// Enables maintenance after each commit. All files get the compression of merged files.
    #[must_use]
    pub fn maintained(self, options: Options) -> Self {
        let properties = encode::properties(&file_schema(), options.zstd_level);
        Self { properties, maintainer: Some(Maintainer::new(options)), ..self }
    }

    /// Completes commits whose answer was lost, before anything else is committed.
    fn settle_commits(&mut self) -> Result<(), LogError> {
        for table in self.tables.values_mut() {
            if table.complete()? {
                for (partition, next) in table.positions().iter() {
                    self.positions.advance(partition, next);
                }
            }
        }
        Ok(())
    }

    fn maintain(&mut self) {
        if let Some(maintainer) = &mut self.maintainer {
            let now = self.clock.now();
            self.tables.values_mut().for_each(|table| maintainer.keep(table, now));
        }
    }

    fn commit_topic(&mut self, topic: &Arc<str>, batches: &[&Arc<Batch>]) -> Result<(), SinkError> {
        let mut days: BTreeMap<i64, Vec<RecordBatch>> = BTreeMap::new();
        let mut reached = self.positions.clone();
        for batch in batches {
            let Some(slice) = batch.after(&reached)? else { continue };
            for (day, range) in days_of(batch.records(), slice.records().start) {
                days.entry(day).or_default().push(rows(batch, range).map_err(LogError::corrupt)?);
            }
            reached.advance(slice.partition(), slice.to());
        }
        let mut files = Vec::with_capacity(days.len());
        for (day, rows) in days {
            let bytes = encode::parquet(&rows, &self.properties).map_err(LogError::corrupt)?;
            let date = time::format(day * time::DAY)[..10].to_owned();
            let rows = rows.iter().map(RecordBatch::num_rows).sum();
            files.push(NewFile { bytes, rows, partition_values: BTreeMap::from([("ingest_date".to_owned(), Some(date))]) });
        }
        let moved: Vec<(Partition, i64)> = reached
            .iter()
            .filter(|(partition, next)| self.positions.next(partition) < *next)
            .map(|(partition, next)| (partition.clone(), next))
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        if !self.tables.contains_key(topic) {
            let table = DeltaTable::open(Arc::clone(&self.store), table_spec(topic), Arc::clone(&self.clock))?;
            self.tables.insert(Arc::clone(topic), table);
        }
        if let Some(table) = self.tables.get_mut(topic) {
            // Another process may have created this table and committed to it since.
            let held = table.positions();
            if moved.iter().any(|(partition, _)| held.next(partition) != self.positions.next(partition)) {
                return Err(LogError::Fenced(table.spec().name.clone()).into());
            }
            table.append(files, &moved)?;
        }
        for (partition, next) in moved {
            self.positions.advance(&partition, next);
        }
        Ok(())
    }
}

impl Sink for ArchiveSink {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn positions(&self) -> Positions {
        self.positions.clone()
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        self.settle_commits()?;
        let mut topics: BTreeMap<Arc<str>, Vec<&Arc<Batch>>> = BTreeMap::new();
        for batch in batches {
            topics.entry(Arc::clone(&batch.records().partition.topic)).or_default().push(batch);
        }
        for (topic, batches) in topics {
            self.commit_topic(&topic, &batches)?;
        }
        self.maintain();
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.settle_commits()?;
        self.maintain();
        Ok(())
    }
}

/// Runs of records with the same ingest day (days since 1970), as index ranges from `first`.
fn days_of(records: &Records, first: usize) -> Vec<(i64, std::ops::Range<usize>)> {
    let mut runs: Vec<(i64, std::ops::Range<usize>)> = Vec::new();
    for index in first..records.len() {
        let day = records.ingested_at[index].div_euclid(time::DAY);
        match runs.last_mut() {
            Some((held, range)) if *held == day => range.end = index + 1,
            _ => runs.push((day, index..index + 1)),
        }
    }
    runs
}

fn rows(batch: &Batch, range: std::ops::Range<usize>) -> Result<RecordBatch, ArrowError> {
    let records = batch.records();
    let schema_ids: Int32Array = range.clone().map(|index| batch.schema_id(index)).collect();
    let (start, length) = (range.start, range.len());
    let micros = |values: TimestampMicrosecondArray| -> ArrayRef { Arc::new(values.with_timezone("UTC")) };
    let keys: BinaryArray = match &records.keys {
        Some(keys) => keys.slice(start, length),
        None => {
            let mut none = BinaryBuilder::new();
            none.append_nulls(length);
            none.finish()
        }
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(records.partition.number, length)),
        Arc::new(Int64Array::from(records.offsets[range.clone()].to_vec())),
        micros(TimestampMicrosecondArray::from(records.timestamps[range.clone()].to_vec())),
        micros(TimestampMicrosecondArray::from(records.ingested_at[range.clone()].to_vec())),
        Arc::new(keys),
        headers(records, range)?,
        Arc::new(schema_ids),
        Arc::new(records.values.slice(start, length)),
    ];
    RecordBatch::try_new(file_schema(), columns)
}

fn headers(records: &Records, range: std::ops::Range<usize>) -> Result<ArrayRef, ArrowError> {
    Ok(match &records.headers {
        Headers::None => Arc::new(DictionaryArray::<Int32Type>::try_new(
            Int32Array::new_null(range.len()),
            Arc::new(StringArray::from(vec![""])),
        )?),
        Headers::Shared(shared) => {
            let keys = Int32Array::from_value(0, range.len());
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(vec![shared.as_ref()])))?)
        }
        Headers::Each(_) => {
            Arc::new(range.map(|index| records.headers.get(index).map(AsRef::as_ref)).collect::<DictionaryArray<Int32Type>>())
        }
    })
}
