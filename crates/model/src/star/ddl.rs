//! The declaration as SQL: tables of PostgreSQL, and the lake's tables as Athena and Spark register
//! them.

use super::kind::{Column, Type};
use crate::Table;

/// The type of a column in PostgreSQL, as its catalog spells it.
pub fn postgres_type(kind: Type) -> &'static str {
    match kind {
        Type::Key | Type::I64 => "bigint",
        Type::Text | Type::Symbol => "text",
        Type::Amount => "numeric(18,6)",
        Type::Exact => "numeric(38,15)",
        Type::Quantity => "numeric(18,3)",
        Type::Rate => "numeric(18,9)",
        Type::I32 => "integer",
        Type::Date => "date",
        Type::Timestamp => "timestamp with time zone",
        Type::Bool => "boolean",
        Type::Bytes => "bytea",
    }
}

/// A name in SQL: some column names are keywords.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column as `CREATE TABLE` and `ADD COLUMN` state it.
pub fn postgres_column(column: &Column) -> String {
    let rule = if column.is_nullable { "" } else { " NOT NULL" };
    format!("{} {}{rule}", quoted(column.name), postgres_type(column.kind))
}

/// `CREATE TABLE` for the columns of a table. `name` contains the schema. Keys, partitions and
/// indexes are the migrations' matter.
pub fn postgres_table(name: &str, table: Table) -> String {
    let columns: Vec<String> = table.columns().map(|column| format!("  {}", postgres_column(column))).collect();
    format!("CREATE TABLE {name} (\n{}\n)", columns.join(",\n"))
}

/// A program that registers the lake's tables in its own catalog. It reads the columns from each
/// table's Delta log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Athena,
    Spark,
}

impl Reader {
    /// Registers a table. `lake` is the URL of the lake, without a slash at its end.
    pub fn register(self, database: &str, lake: &str, table: Table) -> String {
        let name = table.name();
        let location = format!("{lake}/DWH/{name}");
        match self {
            Reader::Athena => format!(
                "CREATE EXTERNAL TABLE IF NOT EXISTS {database}.{name}\nLOCATION '{location}/'\nTBLPROPERTIES ('table_type' = 'DELTA');"
            ),
            Reader::Spark => format!("CREATE TABLE IF NOT EXISTS {database}.{name}\nUSING DELTA\nLOCATION '{location}';"),
        }
    }

    /// The statements for all tables but the vault: personal data belongs in as few catalogs as
    /// possible.
    pub fn script(self, database: &str, lake: &str) -> String {
        let create = match self {
            Reader::Athena => format!("CREATE DATABASE IF NOT EXISTS {database};"),
            Reader::Spark => format!("CREATE SCHEMA IF NOT EXISTS {database};"),
        };
        let tables = Table::ALL.into_iter().filter(|table| *table != Table::VaultCustomer);
        let tables = tables.map(|table| format!("\n-- {}\n{}\n", table.meaning(), self.register(database, lake, table)));
        format!("{create}\n{}", tables.collect::<String>())
    }
}

#[cfg(test)]
mod tests;
