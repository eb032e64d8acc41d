//! The star at one snapshot: all tables as they were at one moment, and the positions of that moment.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use kassa_model::{Partition, Positions, Table, star};
use postgres::{Client, IsolationLevel, Transaction};

use crate::statements::column_list;
use crate::url::Target;
use crate::{WarehouseError, copy, positions};

/// A connection to read by.
pub struct Reader {
    client: Client,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Reader {
    pub fn open(target: &Target) -> Result<Self, WarehouseError> {
        let mut client = crate::connect(target)?;
        // Rows of whole tables take as long as they take.
        client.batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")?;
        Ok(Self { client })
    }

    /// What is committed now, and nothing of what is committed while it is read.
    pub fn snapshot(&mut self) -> Result<Snapshot<'_>, WarehouseError> {
        self.begin(true)
    }

    /// Waits until nobody else holds the lock of this name; it is let go of with the connection.
    pub(crate) fn lock(&mut self, name: &str) -> Result<(), WarehouseError> {
        self.client.query("SELECT pg_advisory_lock(hashtext($1))", &[&name])?;
        Ok(())
    }

    pub(crate) fn begin(&mut self, read_only: bool) -> Result<Snapshot<'_>, WarehouseError> {
        let transaction =
            self.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(read_only).start()?;
        let mut snapshot = Snapshot { transaction, positions: Positions::default() };
        snapshot.positions = positions::read(&mut snapshot.transaction)?;
        Ok(snapshot)
    }
}

/// Everything at one moment.
pub struct Snapshot<'c> {
    pub(crate) transaction: Transaction<'c>,
    positions: Positions,
}

impl std::fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl Snapshot<'_> {
    /// How far the snapshot is: every table holds all rows before these positions, and none beyond them.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Hands on the named columns of all rows of a table; of no columns, all of them.
    pub fn each(
        &mut self,
        table: Table,
        columns: &[&str],
        take: &mut dyn FnMut(RecordBatch) -> Result<(), WarehouseError>,
    ) -> Result<(), WarehouseError> {
        self.each_where(table, columns, "", take)
    }

    /// The same, of the records at or beyond these positions; of partitions that are not named, none.
    pub fn each_beyond(
        &mut self,
        table: Table,
        columns: &[&str],
        beyond: &[(Partition, i64)],
        take: &mut dyn FnMut(RecordBatch) -> Result<(), WarehouseError>,
    ) -> Result<(), WarehouseError> {
        let of = |(partition, from): &(Partition, i64)| {
            let topic = partition.topic.replace('\'', "''");
            format!("source_topic = '{topic}' AND source_partition = {} AND source_offset >= {from}", partition.number)
        };
        let some: Vec<String> = beyond.iter().map(of).collect();
        if some.is_empty() { Ok(()) } else { self.each_where(table, columns, &format!("WHERE {}", some.join(" OR ")), take) }
    }

    /// The same, of the rows for which `filter` (`WHERE …`, of our own making) holds.
    pub(crate) fn each_where(
        &mut self,
        table: Table,
        columns: &[&str],
        filter: &str,
        take: &mut dyn FnMut(RecordBatch) -> Result<(), WarehouseError>,
    ) -> Result<(), WarehouseError> {
        let schema = star::stored(&table.schema());
        let unknown = |error: arrow_schema::ArrowError| WarehouseError::Invalid(format!("{}: {error}", table.name()));
        let schema = if columns.is_empty() {
            schema
        } else {
            let fields = columns.iter().map(|name| schema.field_with_name(name).cloned().map_err(unknown));
            Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?))
        };
        let query = format!("COPY (SELECT {} FROM dwh.{} {filter}) TO STDOUT BINARY", column_list(&schema), table.name());
        let mut reader = self.transaction.copy_out(&query)?;
        copy::read::rows(&mut reader, &schema, take)
    }
}
