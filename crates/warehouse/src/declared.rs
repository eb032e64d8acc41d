//! Adds columns that the star declares and a table does not have, after the migrations, so that a new column needs no migration.

use std::collections::HashMap;

use kassa_model::Table;
use kassa_model::star::ddl::{postgres_column, postgres_type};
use kassa_model::star::{Column, SCHEMA};
use postgres::Client;

use crate::WarehouseError;
use crate::url::Target;

const HELD: &str = "SELECT n.nspname || '.' || c.relname, a.attname::text, format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped";
/// The added columns, as `kassa.migrations` has the migrations. Created with the first added column.
const RECORD: &str = "CREATE TABLE IF NOT EXISTS kassa.added_columns (
    table_name text NOT NULL, column_name text NOT NULL, schema bigint NOT NULL, added_at timestamptz NOT NULL, PRIMARY KEY (table_name, column_name))";
const ADDED: &str = "INSERT INTO kassa.added_columns VALUES ($1, $2, $3, now())
    ON CONFLICT (table_name, column_name) DO UPDATE SET schema = excluded.schema, added_at = excluded.added_at";

/// The types of columns, by table and name.
type Held = HashMap<(String, String), String>;

/// The name of a table in PostgreSQL.
pub(crate) fn name_of(table: Table) -> String {
    match table {
        Table::Rejected => "kassa.dead_letters".to_owned(),
        Table::Spans => "kassa.spans".to_owned(),
        _ => format!("dwh.{}", table.name()),
    }
}

/// The declared columns that are missing in their tables and may be null.
///
/// # Errors
/// A missing column may not be null, or a column has another type.
pub(crate) fn lacking(client: &mut Client) -> Result<Vec<(Table, &'static Column)>, WarehouseError> {
    let rows = client.query(HELD, &[&Table::ALL.map(name_of).as_slice()])?;
    let held: Held = rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
    let mut lacking = Vec::new();
    for table in Table::ALL {
        lacking.extend(missing(&held, table)?.into_iter().map(|column| (table, column)));
    }
    Ok(lacking)
}

/// Refuses tables without all declared columns: this login could not add them, and a commit would fail.
pub(crate) fn refuse_lacking(client: &mut Client, target: &Target) -> Result<(), WarehouseError> {
    let names: Vec<String> = lacking(client)?.iter().map(named).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(WarehouseError::Invalid(format!(
        "the warehouse {} lacks {}, and {} may not add columns. Start kassa once with a login of the role kassa_migrate, or the database's owner \
         (docs/how-to/postgresql.md)",
        target.place(),
        names.join(", "),
        target.user
    )))
}

/// `table.column`
pub(crate) fn named((table, column): &(Table, &Column)) -> String {
    format!("{}.{}", table.name(), column.name)
}

/// Adds the missing columns. Returns their names.
pub(crate) fn add_columns(client: &mut Client) -> Result<Vec<String>, WarehouseError> {
    let lacking = lacking(client)?;
    if !lacking.is_empty() {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(RECORD)?;
        for (table, column) in &lacking {
            transaction.batch_execute(&format!("ALTER TABLE {} ADD COLUMN {}", name_of(*table), postgres_column(column)))?;
            transaction.execute(ADDED, &[&table.name(), &column.name, &i64::from(SCHEMA)])?;
        }
        transaction.commit()?;
    }
    Ok(lacking.iter().map(named).collect())
}

fn missing(held: &Held, table: Table) -> Result<Vec<&'static Column>, WarehouseError> {
    let place = name_of(table);
    let mut missing = Vec::new();
    for column in table.columns() {
        let kind = held.get(&(place.clone(), column.name.to_owned())).map(String::as_str);
        let declared = postgres_type(column.kind);
        match kind {
            Some(kind) if kind == declared => {}
            Some(kind) => {
                let words =
                    format!("{place}.{} is {kind}, and this kassa declares {declared}: it needs a migration", column.name);
                return Err(WarehouseError::Invalid(words));
            }
            None if column.is_nullable => missing.push(column),
            None => {
                let words = format!("{place} has no column {}, which may not be null: it needs a migration", column.name);
                return Err(WarehouseError::Invalid(words));
            }
        }
    }
    Ok(missing)
}
