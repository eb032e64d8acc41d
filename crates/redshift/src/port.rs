//! What an export needs of the lake, and of the bucket that it is in.

use kassa_model::{Partition, Positions, Table};

use crate::error::LakeError;

/// The lake as it is at one moment.
#[derive(Debug, Clone, Default)]
pub struct Extent {
    /// What lies before is accounted for, and complete in every table.
    pub positions: Positions,
    /// Those that exist.
    pub tables: Vec<TableFiles>,
}

/// A table's files at one version.
#[derive(Debug, Clone)]
pub struct TableFiles {
    pub table: Table,
    pub files: Vec<DataFile>,
    /// How far its own rows go: where it is ahead of the extent, some of them are not accounted for yet.
    pub positions: Positions,
}

impl TableFiles {
    /// The positions that are beyond those.
    pub(crate) fn ahead_of<'p>(&'p self, accounted: &'p Positions) -> impl Iterator<Item = (&'p Partition, i64)> {
        self.positions.iter().filter(|(partition, next)| *next > accounted.next(partition))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// In the lake. No two files ever have the same.
    pub path: String,
    pub bytes: u64,
    pub rows: i64,
}

/// A column of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// Bytes of all its values in its largest row group: no value is longer.
    pub most_bytes: u64,
}

/// The lake, read; and its bucket, in which an export keeps a folder of its own.
pub trait Lake {
    /// The positions first, then the tables: so that each table has all that lies before them.
    fn extent(&self) -> Result<Extent, LakeError>;

    /// A data file's columns, in the file's order.
    fn columns(&self, file: &DataFile) -> Result<Vec<Column>, LakeError>;

    /// The longest value of each of these text columns, in bytes.
    fn longest(&self, table: Table, file: &DataFile, columns: &[String]) -> Result<Vec<u64>, LakeError>;

    /// Writes the file's rows, with all columns that its table has now, to `to`, but for values of these columns that are longer than `limit` bytes, which `instead` makes from their
    /// length. The file that it made.
    fn shortened(
        &self,
        table: Table,
        file: &DataFile,
        columns: &[String],
        limit: u64,
        instead: fn(u64) -> String,
        to: &str,
    ) -> Result<DataFile, LakeError>;

    /// The URL by which Redshift reads an object.
    fn url(&self, path: &str) -> String;

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError>;

    /// None where there is no such object.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError>;

    /// The names directly under a folder.
    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError>;

    fn delete(&self, path: &str) -> Result<(), LakeError>;
}
