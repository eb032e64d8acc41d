//! Checks that every file that a table's log names exists with the stated size and number of rows.

use std::sync::Arc;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Prover;
use super::finding::{Kind, Site};
use super::since::{is_in_part, may_hold_since};
use crate::delta::{Add, Snapshot};
use crate::read::{archive_folder, folder_of};

impl Prover<'_> {
    pub(super) fn files(&mut self) {
        let tables = self.tables.iter().map(|(table, held)| (Site::Table(*table), folder_of(*table), Arc::clone(held)));
        let archives = self.archives.iter().map(|(topic, held)| (Site::Archive, archive_folder(topic), Arc::clone(held)));
        let all: Vec<(Site, String, Arc<Snapshot>)> = tables.chain(archives).collect();
        for (site, folder, snapshot) in all {
            for add in snapshot.files.values() {
                if self.is_proven(site, add) {
                    self.file(site, &folder, add);
                }
            }
            for path in &snapshot.repeated {
                let detail = format!("the table's log adds {folder}/{path} more than once");
                self.findings.push(site.in_folder(Kind::Double, &folder, detail));
            }
        }
    }

    /// Whether the proof covers rows of this file: a proof since a day does not cover all files.
    fn is_proven(&self, site: Site, add: &Add) -> bool {
        let is_followed = match site {
            Site::Table(table) => is_in_part(table),
            Site::Archive | Site::Log => true,
        };
        self.since.as_ref().is_none_or(|since| is_followed && may_hold_since(add, since))
    }

    /// Checks one file.
    pub(super) fn file(&mut self, site: Site, folder: &str, add: &Add) {
        let path = format!("{folder}/{}", add.path);
        let Ok(file) = self.store.open(&path) else {
            let detail = format!("{path} is in the table's log but does not exist");
            self.findings.push(site.in_folder(Kind::FileMissing, folder, detail));
            self.unreadable.insert(path);
            return;
        };
        let size = i64::try_from(file.bytes()).unwrap_or(i64::MAX);
        let rows = match ParquetRecordBatchReaderBuilder::try_new(file) {
            Ok(reader) => reader.metadata().file_metadata().num_rows(),
            Err(error) => {
                let detail = format!("{path} ({size} bytes, the table's log says {}): {error}", add.size);
                self.findings.push(site.in_folder(Kind::FileDamaged, folder, detail));
                self.unreadable.insert(path);
                return;
            }
        };
        // A proof since a day counts the rows of its range when they are read.
        if self.subject.since.is_none() {
            self.proof.rows += rows;
        }
        if size != add.size || add.rows().is_some_and(|said| said != rows) {
            let said = add.rows().unwrap_or(rows);
            let detail = format!("{path} has {rows} rows in {size} bytes, the table's log says {said} in {}", add.size);
            self.findings.push(site.in_folder(Kind::FileSwapped, folder, detail));
        }
    }
}
