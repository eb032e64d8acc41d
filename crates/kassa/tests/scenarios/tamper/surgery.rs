//! Changes a lake's contents, like a person who knows Delta and Parquet: sizes and counts in the table's log are adapted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

/// A data folder to be tampered with.
pub(crate) struct Body {
    pub(crate) data: PathBuf,
}

/// Where a row's record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) topic: String,
    pub(crate) offset: i64,
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

impl Body {
    pub(crate) fn table(&self, folder: &str) -> PathBuf {
        self.data.join("lake").join(folder)
    }

    fn entries(&self, folder: &str) -> Vec<PathBuf> {
        let mut entries: Vec<PathBuf> = fs::read_dir(self.table(folder).join("_delta_log"))
            .expect("a log")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        entries.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        entries.sort();
        entries
    }

    /// The entry at a place, counted from the end where negative.
    pub(crate) fn entry(&self, folder: &str, from_end: usize) -> PathBuf {
        let entries = self.entries(folder);
        entries[entries.len() - 1 - from_end].clone()
    }

    pub(crate) fn lines(entry: &Path) -> Vec<Value> {
        let text = fs::read_to_string(entry).expect("an entry");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub(crate) fn write_lines(entry: &Path, lines: &[Value]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(entry, text).expect("written");
    }

    /// Changes the lines of every entry.
    pub(crate) fn relog(&self, folder: &str, change: &mut dyn FnMut(&mut Value)) {
        for entry in self.entries(folder) {
            let mut lines = Self::lines(&entry);
            lines.iter_mut().for_each(&mut *change);
            Self::write_lines(&entry, &lines);
        }
    }

    /// The data files, as paths below the table, in the order of the log.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let lines = self.entries(folder).into_iter().flat_map(|entry| Self::lines(&entry));
        lines.filter_map(|line| Some(line.get("add")?.get("path")?.as_str()?.to_owned())).collect()
    }

    pub(crate) fn read(&self, folder: &str, path: &str) -> RecordBatch {
        let file = File::open(self.table(folder).join(path)).expect("a file");
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let schema = Arc::clone(builder.schema());
        let batches: Vec<RecordBatch> = builder.build().expect("a reader").map(|batch| batch.expect("rows")).collect();
        concat_batches(&schema, &batches).expect("one batch")
    }

    fn write(&self, folder: &str, path: &str, rows: &RecordBatch) {
        let full = self.table(folder).join(path);
        let mut writer = ArrowWriter::try_new(File::create(&full).expect("created"), rows.schema(), None).expect("a writer");
        writer.write(rows).expect("written");
        writer.close().expect("closed");
        let size = fs::metadata(&full).expect("a file").len();
        self.relog(folder, &mut |line| {
            if line["add"]["path"] == json!(path) {
                line["add"]["size"] = json!(size);
                line["add"]["stats"] = json!(json!({"numRecords": rows.num_rows()}).to_string());
            }
        });
    }

    /// The first row that is as wanted, wherever it is: its file, place and file's rows.
    pub(crate) fn find(&self, folder: &str, wanted: &dyn Fn(&RecordBatch, usize) -> bool) -> (String, usize, RecordBatch) {
        for path in self.files(folder) {
            let rows = self.read(folder, &path);
            if let Some(row) = (0..rows.num_rows()).find(|row| wanted(&rows, *row)) {
                return (path, row, rows);
            }
        }
        panic!("{folder} has no such row");
    }

    /// Exchanges the first row that is as wanted for others. Where its record is.
    pub(crate) fn exchange(
        &self,
        folder: &str,
        wanted: &dyn Fn(&RecordBatch, usize) -> bool,
        others: &dyn Fn(RecordBatch) -> Vec<RecordBatch>,
    ) -> At {
        let (path, row, rows) = self.find(folder, wanted);
        let keep: BooleanArray = (0..rows.num_rows()).map(|at| Some(at != row)).collect();
        let rest = filter_record_batch(&rows, &keep).expect("filtered");
        let place = place(&rows, row);
        let all: Vec<RecordBatch> = std::iter::once(rest).chain(others(rows.slice(row, 1))).collect();
        self.write(folder, &path, &concat_batches(&rows.schema(), &all).expect("one batch"));
        place
    }

    pub(crate) fn drop_row(&self, folder: &str, wanted: &dyn Fn(&RecordBatch, usize) -> bool) -> At {
        self.exchange(folder, wanted, &|_| Vec::new())
    }

    pub(crate) fn double_row(&self, folder: &str, wanted: &dyn Fn(&RecordBatch, usize) -> bool) -> At {
        self.exchange(folder, wanted, &|row| vec![row.clone(), row])
    }

    pub(crate) fn alter(&self, folder: &str, wanted: &dyn Fn(&RecordBatch, usize) -> bool, column: &str) -> At {
        self.exchange(folder, wanted, &|row| vec![altered(&row, column)])
    }
}

fn place(rows: &RecordBatch, row: usize) -> At {
    for (topic, offset) in [("source_topic", "source_offset"), ("topic", "offset"), ("topic", "from_offset")] {
        let has_offset = rows.column_by_name(offset).is_some();
        if has_offset && let Some(topics) = rows.column_by_name(topic).and_then(|column| column.as_string_opt::<i32>()) {
            return At { topic: topics.value(row).to_owned(), offset: long(rows, row, offset) };
        }
    }
    At { topic: String::new(), offset: long(rows, row, "offset") }
}

pub(crate) fn long(rows: &RecordBatch, row: usize, name: &str) -> i64 {
    rows.column_by_name(name).expect(name).as_primitive::<Int64Type>().value(row)
}

pub(crate) fn text<'r>(rows: &'r RecordBatch, row: usize, name: &str) -> &'r str {
    rows.column_by_name(name).expect(name).as_string::<i32>().value(row)
}

/// One row with another value in a column.
pub(crate) fn altered(row: &RecordBatch, name: &str) -> RecordBatch {
    let at = row.schema().index_of(name).expect(name);
    let old = row.column(at);
    let new: ArrayRef = match old.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from(vec![old.as_primitive::<Int64Type>().value(0) + 1])),
        DataType::Decimal128(precision, scale) => {
            let value = old.as_primitive::<Decimal128Type>().value(0) + 1_000_000;
            Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(*precision, *scale).expect("a decimal"))
        }
        DataType::Utf8 => Arc::new(StringArray::from(vec![format!("{}x", old.as_string::<i32>().value(0))])),
        DataType::Binary => {
            let mut bytes = old.as_binary::<i32>().value(0).to_vec();
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
            Arc::new(BinaryArray::from(vec![bytes.as_slice()]))
        }
        other => panic!("no other value of the type {other}"),
    };
    with(row, name, new)
}

pub(crate) fn with(row: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let mut columns = row.columns().to_vec();
    columns[row.schema().index_of(name).expect(name)] = column;
    RecordBatch::try_new(row.schema(), columns).expect("a row")
}

pub(crate) fn with_long(row: &RecordBatch, name: &str, value: i64) -> RecordBatch {
    with(row, name, Arc::new(Int64Array::from(vec![value])))
}

pub(crate) fn with_text(row: &RecordBatch, name: &str, value: &str) -> RecordBatch {
    with(row, name, Arc::new(StringArray::from(vec![value])))
}

/// The one segment of a topic's log.
pub(crate) fn segment(data: &Path, topic: &str) -> PathBuf {
    let dir = data.join("log").join(topic).join("0");
    let mut files = fs::read_dir(dir).expect("a log").map(|entry| entry.expect("an entry").path());
    files.find(|file| file.extension().is_some_and(|ending| ending == "seg")).expect("a segment")
}
