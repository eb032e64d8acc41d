//! The lake and its bucket, as an export needs them.

use kassa_model::{Partition, Positions, Table};

use crate::error::LakeError;

/// The lake at one moment.
#[derive(Debug, Clone, Default)]
pub struct Extent {
    /// Everything before these positions is accounted for and complete in every table.
    pub positions: Positions,
    /// The existing tables.
    pub tables: Vec<TableFiles>,
    /// The id of the last rebuild of the star. `None`: there was none.
    pub rebuild: Option<i64>,
}

/// A table's files at one version.
#[derive(Debug, Clone)]
pub struct TableFiles {
    pub table: Table,
    pub files: Vec<DataFile>,
    /// The table's own positions. If they are ahead of the extent, some rows are not accounted for
    /// yet.
    pub positions: Positions,
}

impl TableFiles {
    /// The positions that are beyond the accounted ones.
    pub(crate) fn ahead_of<'p>(&'p self, accounted: &'p Positions) -> impl Iterator<Item = (&'p Partition, i64)> {
        self.positions.iter().filter(|(partition, next)| *next > accounted.next(partition))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Relative to the lake. Paths are unique forever.
    pub path: String,
    pub bytes: u64,
    pub rows: i64,
}

/// A column of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The bytes of all values in the largest row group: no value is longer.
    pub most_bytes: u64,
}

/// Read access to the lake, and a folder in its bucket for the export.
pub trait Lake {
    /// Reads the positions first, then the tables, so that each table has everything before the
    /// positions.
    fn extent(&self) -> Result<Extent, LakeError>;

    /// A data file's columns, in the file's order.
    fn columns(&self, file: &DataFile) -> Result<Vec<Column>, LakeError>;

    /// The longest value of each of these text columns, in bytes.
    fn longest(&self, table: Table, file: &DataFile, columns: &[String]) -> Result<Vec<u64>, LakeError>;

    /// Writes the file's rows to `to`, with all current columns of its table. Values of these
    /// columns that are longer than `limit` bytes are replaced by `instead` of their length.
    /// Returns the new file.
    fn shortened(
        &self,
        table: Table,
        file: &DataFile,
        columns: &[String],
        limit: u64,
        instead: fn(u64) -> String,
        to: &str,
    ) -> Result<DataFile, LakeError>;

    /// The URL of an object for Redshift.
    fn url(&self, path: &str) -> String;

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError>;

    /// `None` if the object does not exist.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError>;

    /// The names directly under a folder.
    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError>;

    fn delete(&self, path: &str) -> Result<(), LakeError>;
}
