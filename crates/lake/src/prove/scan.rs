//! Reads tables file by file.

use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::{Positions, Table};

use super::Prover;
use super::finding::{Kind, Site};
use super::since::{is_in_part, may_hold_since};
use crate::beyond::{Wanted, beyond_in_file};
use crate::delta::{Add, LogError};
use crate::read;

impl Prover<'_> {
    /// Passes each batch of a table's rows to `take`; only those in the range of the proof. An
    /// unreadable file becomes a finding and is skipped.
    pub(super) fn scan(
        &mut self,
        table: Table,
        columns: &[&str],
        take: &mut dyn FnMut(&mut Self, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let Some(snapshot) = self.tables.get(&table).map(Arc::clone) else { return Ok(()) };
        let (folder, schema) = (read::folder_of(table), table.schema());
        let since = self.since.clone().filter(|_| is_in_part(table));
        for add in snapshot.files.values() {
            match &since {
                Some(since) if !may_hold_since(add, since) => {}
                // A span may begin before the range.
                Some(since) if table != Table::Spans => self.scan_file_since(table, &folder, add, columns, since, take)?,
                _ => self.scan_file(Site::Table(table), &folder, add, &schema, columns, take)?,
            }
        }
        Ok(())
    }

    fn scan_file_since(
        &mut self,
        table: Table,
        folder: &str,
        add: &Add,
        columns: &[&str],
        since: &Positions,
        take: &mut dyn FnMut(&mut Self, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let (store, progress, wanted) = (self.store, self.subject.progress, Wanted { from: since, to: None });
        self.read_file(Site::Table(table), folder, add, &mut |prover| {
            beyond_in_file(store, (table, add), columns, wanted, &mut |rows| {
                progress.read(rows.num_rows());
                take(prover, rows)
            })
        })
    }

    pub(super) fn scan_file(
        &mut self,
        site: Site,
        folder: &str,
        add: &Add,
        schema: &arrow_schema::Schema,
        columns: &[&str],
        take: &mut dyn FnMut(&mut Self, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let (store, progress) = (self.store, self.subject.progress);
        self.read_file(site, folder, add, &mut |prover| {
            read::file(store, folder, add, schema, columns, &mut |rows| {
                progress.read(rows.num_rows());
                take(prover, rows)
            })
        })
    }

    /// Reads a file, unless it is known to be unreadable.
    pub(super) fn read_file(
        &mut self,
        site: Site,
        folder: &str,
        add: &Add,
        read: &mut dyn FnMut(&mut Self) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let path = format!("{folder}/{}", add.path);
        if self.unreadable.contains(&path) {
            return Ok(());
        }
        match read(self) {
            Err(LogError::Corrupt(what)) => {
                self.findings.push(site.in_folder(Kind::FileDamaged, folder, what.to_string()));
                self.unreadable.insert(path);
                Ok(())
            }
            result => result,
        }
    }
}
