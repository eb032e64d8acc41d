//! The star at one snapshot: all tables and positions as of one moment.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;
use kassa_model::star::read::Columns;
use kassa_model::{Positions, Table, star};
use postgres::{Client, IsolationLevel, Transaction};

use crate::commits::{self, Bounds};
use crate::migrate::refuse_newer;
use crate::plan::FACTS;
use crate::rebuild::refuse_unfinished;
use crate::statements::column_list;
use crate::url::Target;
use crate::{WarehouseError, copy, positions};

/// A connection for reading.
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
        refuse_newer(&mut client, target)?;
        refuse_unfinished(&mut client, target)?;
        // Reading whole tables may take long, so there is no time limit.
        client.batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")?;
        Ok(Self { client })
    }

    /// Sees what is committed now, and nothing that is committed while it is read.
    pub fn snapshot(&mut self) -> Result<Snapshot<'_>, WarehouseError> {
        self.begin(true)
    }

    /// Waits for the lock of this name; the connection holds it until it closes.
    pub(crate) fn lock(&mut self, name: &str) -> Result<(), WarehouseError> {
        self.client.query("SELECT pg_advisory_lock(hashtext($1))", &[&name])?;
        Ok(())
    }

    pub(crate) fn begin(&mut self, read_only: bool) -> Result<Snapshot<'_>, WarehouseError> {
        let mut transaction =
            self.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(read_only).start()?;
        // Protects a snapshot from dropped partitions, so this lock must be taken before the
        // snapshot. Rows can be added meanwhile.
        let facts: Vec<String> = FACTS.iter().map(|(table, _)| format!("ONLY dwh.{}", table.name())).collect();
        transaction.batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", facts.join(", ")))?;
        let mut snapshot = Snapshot { transaction, positions: Positions::default() };
        snapshot.positions = positions::read(&mut snapshot.transaction)?;
        Ok(snapshot)
    }
}

/// Ranges of fact days, half open, as yyyymmdd, each with its day column.
#[derive(Debug, Clone, Default)]
pub struct Dropped(BTreeMap<Table, (&'static str, Vec<Range<i32>>)>);

impl Dropped {
    /// The day from which on nothing was dropped; `None`: nothing was dropped.
    pub fn until(&self) -> Option<i32> {
        self.0.values().flat_map(|(_, days)| days).map(|days| days.end).max()
    }

    /// The rows of a table on other days. A dropped day may have received new rows since.
    pub fn leave(&self, table: Table, rows: RecordBatch) -> Result<RecordBatch, WarehouseError> {
        let Some((column, days)) = self.0.get(&table) else { return Ok(rows) };
        let held = Columns { table, rows: &rows }.named::<i32>(column)?.iter();
        let kept: BooleanArray =
            held.map(|day| Some(day.is_none_or(|day| !days.iter().any(|range| range.contains(&day))))).collect();
        filter_record_batch(&rows, &kept).map_err(WarehouseError::corrupt)
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
    /// The positions of the snapshot: every table has all rows before them, and none beyond.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// The days whose facts retention has dropped.
    pub fn dropped(&mut self) -> Result<Dropped, WarehouseError> {
        let mut dropped = Dropped::default();
        for row in self.transaction.query("SELECT DISTINCT table_name, from_day, to_day FROM kassa.dropped", &[])? {
            let name: String = row.get(0);
            if let Some((table, column)) = FACTS.into_iter().find(|(table, _)| table.name() == name) {
                dropped.0.entry(table).or_insert((column, Vec::new())).1.push(row.get(1)..row.get(2));
            }
        }
        Ok(dropped)
    }

    /// Passes on the named columns of all rows of a table; all columns if none are named.
    pub fn each(
        &mut self,
        table: Table,
        columns: &[&str],
        take: &mut dyn FnMut(RecordBatch) -> Result<(), WarehouseError>,
    ) -> Result<(), WarehouseError> {
        self.each_where(table, columns, "", take)
    }

    /// The same for rows at or beyond these positions. The cost depends on their number: rows of
    /// commits before these positions are not read, unless they share pages or days.
    pub fn each_beyond(
        &mut self,
        table: Table,
        columns: &[&str],
        from: &Positions,
        take: &mut dyn FnMut(RecordBatch) -> Result<(), WarehouseError>,
    ) -> Result<(), WarehouseError> {
        let bounds = self.bounds(from)?;
        self.each_beyond_within(table, columns, (from, &bounds), take)
    }

    /// Where rows at or beyond these positions may be.
    pub(crate) fn bounds(&mut self, from: &Positions) -> Result<Bounds, WarehouseError> {
        commits::bounds(&mut self.transaction, from, &self.positions)
    }

    /// The rows at or beyond positions with known bounds.
    pub(crate) fn each_beyond_within(
        &mut self,
        table: Table,
        columns: &[&str],
        (from, bounds): (&Positions, &Bounds),
        take: &mut dyn FnMut(RecordBatch) -> Result<(), WarehouseError>,
    ) -> Result<(), WarehouseError> {
        let day = FACTS.into_iter().find(|(fact, _)| *fact == table).map(|(_, day)| day);
        let (Some(beyond), Some(within)) = (self.beyond(from), bounds.condition(day)) else { return Ok(()) };
        self.each_where(table, columns, &format!("WHERE {within} AND ({beyond})"), take)
    }

    /// An SQL condition: a row comes from at or beyond these positions. `None`: no row does.
    pub(crate) fn beyond(&self, from: &Positions) -> Option<String> {
        let further = self.positions.iter().filter(|(partition, next)| from.next(partition) < *next);
        let parts: Vec<String> = further
            .map(|(partition, _)| {
                let (topic, number) = (partition.topic.replace('\'', "''"), partition.number);
                let from = from.next(partition);
                format!("(source_offset >= {from} AND source_partition = {number} AND source_topic = '{topic}')")
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(" OR "))
    }

    /// The latest time up to `until`, µs UTC, of a table's rows before a position that have none of the flags.
    pub fn latest(
        &mut self,
        table: Table,
        [time, flags @ ..]: &[&str; 3],
        (cut, until): (Option<&Positions>, i64),
    ) -> Result<Option<i64>, WarehouseError> {
        let mut wanted = flags.map(|flag| format!("NOT {flag}")).join(" AND ");
        if until < i64::MAX {
            wanted += &format!(" AND {time} <= 'epoch'::timestamptz + {until}::int8 * interval '1 microsecond'");
        }
        if let Some(beyond) = cut.and_then(|cut| self.beyond(cut)) {
            wanted += &format!(" AND NOT ({beyond})");
        }
        let sql = format!("SELECT (extract(epoch FROM max({time})) * 1000000)::int8 FROM dwh.{} WHERE {wanted}", table.name());
        Ok(self.transaction.query_one(&sql, &[])?.get(0))
    }

    /// The same for the rows that match `filter` (`WHERE …`, written by kassa itself).
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
