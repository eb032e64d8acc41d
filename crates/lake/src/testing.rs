//! Shared code of this crate's tests.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use kassa_model::{Table, star};

use crate::store::{About, Folder, Object, Shared, Store, WriteObject};

/// A folder without fsync, for tests with thousands of commits, which can fail at its n-th change.
#[derive(Debug)]
pub(crate) struct Fast {
    folder: Folder,
    root: PathBuf,
    /// The number of changes before all fail.
    left: AtomicI64,
    meddler: Meddler,
}

/// Called when a reader is about to open its first data file.
#[derive(Default)]
struct Meddler(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl fmt::Debug for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddler")
    }
}

impl Fast {
    pub(crate) fn new(root: &Path) -> Self {
        Self::failing_after(root, i64::MAX)
    }

    pub(crate) fn failing_after(root: &Path, changes: i64) -> Self {
        Self { folder: Folder::new(root), root: root.to_owned(), left: AtomicI64::new(changes), meddler: Meddler::default() }
    }

    /// Calls `meddle` between the listing of a table and the reading of its first file.
    pub(crate) fn meddled(root: &Path, meddle: impl FnOnce() + Send + 'static) -> Self {
        Self { meddler: Meddler(Mutex::new(Some(Box::new(meddle)))), ..Self::new(root) }
    }

    fn change(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) > 0 { Ok(()) } else { Err(io::Error::other("the disk is gone")) }
    }

    fn path(&self, path: &str) -> io::Result<PathBuf> {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).map(|()| path)
    }
}

impl Store for Fast {
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.change()?;
        fs::write(self.path(path)?, bytes)
    }

    fn put_with(&self, path: &str, write: &mut WriteObject<'_>) -> io::Result<u64> {
        self.change()?;
        let mut file = File::create(self.path(path)?)?;
        write(&mut file)?;
        file.metadata().map(|metadata| metadata.len())
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        self.change()?;
        let path = self.path(path)?;
        if path.exists() {
            return Ok(false);
        }
        fs::write(path, bytes).map(|()| true)
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        self.folder.get(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.folder.list(folder)
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.change()?;
        self.folder.delete(path)
    }

    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        self.change()
    }

    fn about(&self, path: &str) -> io::Result<About> {
        self.folder.about(path)
    }

    fn open(&self, path: &str) -> io::Result<Object> {
        let meddler = self.meddler.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|_| path.ends_with(".parquet"));
        if let Some(meddle) = meddler {
            meddle();
        }
        self.folder.open(path)
    }

    fn shared(&self) -> io::Result<Shared> {
        self.folder.shared()
    }

    fn lock_file(&self, name: &str) -> Option<PathBuf> {
        self.folder.lock_file(name)
    }

    fn scratch(&self) -> PathBuf {
        self.folder.scratch()
    }
}

/// A row of a table: cells by column name; unnamed ones are absent, zero or false.
pub(crate) type Row = BTreeMap<&'static str, Cell>;

#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Number(i64),
    Text(String),
}

pub(crate) fn number(row: &Row, name: &str) -> i64 {
    if let Some(Cell::Number(number)) = row.get(name) { *number } else { 0 }
}

/// Rows with their stored types.
pub(crate) fn batch(table: Table, rows: &[Row]) -> RecordBatch {
    let schema = star::stored(&table.schema());
    let column = |field: &Arc<arrow_schema::Field>| -> ArrayRef {
        let numbers = || rows.iter().map(|row| number(row, field.name()));
        match field.data_type() {
            DataType::Int64 => Arc::new(Int64Array::from_iter_values(numbers())),
            DataType::Int32 => Arc::new(Int32Array::from_iter_values(numbers().map(|number| i32::try_from(number).unwrap()))),
            DataType::Boolean => Arc::new(BooleanArray::from_iter(numbers().map(|number| Some(number != 0)))),
            DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from_iter_values(numbers()).with_timezone("UTC")),
            DataType::Decimal128(precision, scale) => {
                let values = Decimal128Array::from_iter_values(numbers().map(i128::from));
                Arc::new(values.with_precision_and_scale(*precision, *scale).unwrap())
            }
            _ => Arc::new(StringArray::from_iter(rows.iter().map(|row| match row.get(field.name().as_str()) {
                Some(Cell::Text(text)) => Some(text.clone()),
                _ => (!field.is_nullable()).then(String::new),
            }))),
        }
    };
    RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(column).collect()).unwrap()
}
