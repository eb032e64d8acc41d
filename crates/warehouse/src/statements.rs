//! Statements by text, prepared once per connection. Rows are passed as array parameters, so any
//! number of rows takes one round trip.

use std::collections::HashMap;
use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use kassa_model::star::ddl::quoted;
use postgres::types::ToSql;
use postgres::{Statement, Transaction};

use crate::WarehouseError;
use crate::copy::write::{Cells, array_type, copy};

/// The prepared statements of a connection.
#[derive(Default)]
pub(crate) struct Statements(HashMap<String, Statement>);

impl std::fmt::Debug for Statements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Statements({})", self.0.len())
    }
}

pub(crate) fn column_list(schema: &Schema) -> String {
    schema.fields().iter().map(|field| quoted(field.name())).collect::<Vec<_>>().join(", ")
}

impl Statements {
    pub(crate) fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, WarehouseError> {
        let statement = match self.0.get(sql) {
            Some(statement) => statement.clone(),
            None => self.0.entry(sql.to_owned()).or_insert(transaction.prepare(sql)?).clone(),
        };
        Ok(transaction.execute(&statement, parameters)?)
    }

    /// Inserts rows of one schema, sorted by the first column, so that two workers lock them in the
    /// same order. `ending` handles existing rows.
    pub(crate) fn insert(
        &mut self,
        transaction: &mut Transaction<'_>,
        table: &str,
        rows: &[RecordBatch],
        ending: &str,
    ) -> Result<u64, WarehouseError> {
        let Some(first) = rows.first() else { return Ok(0) };
        let schema = first.schema();
        let (columns, types) = (column_list(&schema), schema.fields().iter().zip(1..));
        let arrays: Vec<String> = types.map(|(field, nth)| format!("${nth}::{}", array_type(field.data_type()))).collect();
        let sql = format!(
            "INSERT INTO {table} AS held ({columns}) SELECT * FROM unnest({}) AS new ({columns}) ORDER BY 1, 2 {ending}",
            arrays.join(", ")
        );
        let cells = Cells::of(rows)?;
        let parameters: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
        self.execute(transaction, &sql, &parameters)
    }
}

/// Adds rows by binary COPY: all columns, or the named ones.
pub(crate) fn copy_in(
    transaction: &mut Transaction<'_>,
    table: &str,
    rows: &[RecordBatch],
    columns: Option<&[&str]>,
) -> Result<u64, WarehouseError> {
    let Some(first) = rows.first() else { return Ok(0) };
    let schema = first.schema();
    let places: Option<Vec<usize>> = columns.map(|names| names.iter().filter_map(|name| schema.index_of(name).ok()).collect());
    let list = columns.map_or_else(|| column_list(&schema), |names| names.join(", "));
    let mut writer = transaction.copy_in(&format!("COPY {table} ({list}) FROM STDIN BINARY"))?;
    copy(rows, places.as_deref(), |chunk| {
        writer.write_all(chunk).and_then(|()| writer.flush()).map_err(crate::copy::read::broken)
    })?;
    Ok(writer.finish()?)
}
