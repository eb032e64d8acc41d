//! The definition of a table.

use arrow_schema::SchemaRef;

/// The definition of a table, which may not exist yet.
#[derive(Debug, Clone)]
pub struct TableSpec {
    pub name: String,
    /// The folder in the store.
    pub folder: String,
    pub schema: SchemaRef,
    pub partition_columns: Vec<String>,
    /// Columns that earlier versions wrote and this one does not.
    pub retired: &'static [&'static str],
    /// Whether its rows are computed from other tables, and all replaced when their definition changes.
    pub is_derived: bool,
}
