//! Every file that a table's log names is there, as large as it says, and holds the rows that it says.

use std::fs::File;
use std::sync::Arc;

use kassa_model::Table;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Prover;
use crate::delta::{Add, LogError, Snapshot};
use crate::read::{archive_folder, folder_of};

impl Prover<'_> {
    /// Whether all can be read.
    pub(crate) fn files(&mut self) -> Result<bool, LogError> {
        let mut folders: Vec<(String, String)> =
            Table::ALL.iter().map(|table| (table.name().to_owned(), folder_of(*table))).collect();
        let mut topics: Vec<Arc<str>> = self.contracts.keys().cloned().collect();
        topics.sort();
        folders.extend(topics.iter().map(|topic| (archive_folder(topic), archive_folder(topic))));
        let before = self.proof.findings.len();
        for (name, folder) in folders {
            match Snapshot::load(self.store, &folder) {
                Ok(snapshot) => snapshot.files.values().for_each(|add| self.file(&name, &folder, add)),
                Err(LogError::Corrupt(what)) => self.find("log_damaged", &name, None, what),
                Err(error) => return Err(error),
            }
        }
        Ok(self.proof.findings.len() == before)
    }

    fn file(&mut self, name: &str, folder: &str, add: &Add) {
        let path = self.store.local_path(&format!("{folder}/{}", add.path));
        let Ok(file) = File::open(&path) else {
            return self.find("file_missing", name, None, format!("{folder}/{} is named by the log and is not there", add.path));
        };
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        if i64::try_from(size).ok() != Some(add.size) {
            return self.find(
                "file_swapped",
                name,
                None,
                format!("{folder}/{} has {size} bytes, the log says {}", add.path, add.size),
            );
        }
        let rows = match ParquetRecordBatchReaderBuilder::try_new(file) {
            Ok(reader) => reader.metadata().file_metadata().num_rows(),
            Err(error) => return self.find("file_damaged", name, None, format!("{folder}/{}: {error}", add.path)),
        };
        self.proof.rows += rows;
        if add.rows().is_some_and(|said| said != rows) {
            self.find(
                "file_swapped",
                name,
                None,
                format!("{folder}/{} has {rows} rows, the log says {:?}", add.path, add.rows()),
            );
        }
    }
}
