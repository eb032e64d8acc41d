//! Exchanges the star's tables for those of a new star, which was built in another folder.
//!
//! ```text
//!  new star (a folder) ──files──► each table's own folder ─► one entry per table: all old files out, all new ones in, the new positions
//!  marker _kassa/rebuild: put before the first table ──────────────────────────────────────► deleted after the last
//! ```
//!
//! A reader of one table sees the old rows or the new ones. While the marker exists, some tables may be new and others old: every command
//! refuses the lake then. A rebuild that was interrupted is completed by running it again: it makes the new star again and exchanges every
//! table again, so nothing depends on how far the first one came.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use kassa_model::time::Clock;
use kassa_model::{Table, crash};
use parquet::file::reader::ChunkReader;

use crate::delta::table::{REBUILT, file_path, partition_of};
use crate::delta::{Add, DeltaTable, LogError, Snapshot};
use crate::key;
use crate::letters::REPLAYS;
use crate::read::folder_of;
use crate::star::table_spec;
use crate::store::Store;

const MARKER: &str = "_kassa/rebuild";

/// The start (µs UTC) of a rebuild whose exchange of tables is not complete. `None`: all tables are of one star.
pub fn interrupted(store: &dyn Store) -> Result<Option<i64>, LogError> {
    let bytes = match store.get(MARKER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    // The marker counts whatever it contains.
    Ok(Some(std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)))
}

/// The id of the last rebuild that has exchanged every table. `None`: there was none.
pub fn last(store: &dyn Store) -> Result<Option<i64>, LogError> {
    Ok(last_in(&Snapshot::load(store, &folder_of(Table::Spans))?))
}

/// As `last`, from a snapshot of `Spans`, which is exchanged last.
pub fn last_in(spans: &Snapshot) -> Option<i64> {
    spans.txns.get(REBUILT).copied()
}

/// The tables of the star as a rebuild found them.
#[derive(Debug)]
pub struct Exchange {
    store: Arc<dyn Store>,
    tables: BTreeMap<Table, DeltaTable>,
    /// The time when the rebuild began, µs UTC.
    id: i64,
}

impl Exchange {
    /// Opens the tables. Call it before reading anything that the new star is built from.
    pub fn begin(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> Result<Self, LogError> {
        let open = |table: Table| {
            let opened = DeltaTable::open(Arc::clone(store), table_spec(table), Arc::clone(clock));
            opened.map(|opened| (table, opened))
        };
        let tables = Table::ALL.into_iter().map(open).collect::<Result<_, LogError>>()?;
        Ok(Self { store: Arc::clone(store), tables, id: clock.now() })
    }

    /// Fails if another process has committed to a table since it was opened.
    pub fn check_unchanged(&self) -> Result<(), LogError> {
        for (table, opened) in &self.tables {
            let newest = Snapshot::load(self.store.as_ref(), &folder_of(*table))?;
            if newest.version != opened.snapshot().version {
                return Err(LogError::Fenced(table.name().to_owned()));
            }
        }
        Ok(())
    }

    /// Exchanges every table for that of the new star, `Spans` last. After an error the marker stays, and the rebuild must be run again.
    pub fn apply(&mut self, new: &dyn Store) -> Result<(), LogError> {
        self.check_unchanged()?;
        crash::point("rebuild.before_marker");
        // An interrupted rebuild has left its marker.
        self.store.put_new(MARKER, format!("{}\n", self.id).as_bytes())?;
        crash::point("rebuild.after_marker");
        // Nobody makes rows while the marker exists.
        key::adopt(self.store.as_ref(), new)?;
        for (table, opened) in &mut self.tables {
            exchange(opened, *table, new, self.id)?;
            crash::point("rebuild.after_table");
        }
        Ok(())
    }

    /// Allows all processes to use the lake again.
    pub fn finish(&self) -> Result<(), LogError> {
        crash::point("rebuild.before_marker_deleted");
        Ok(self.store.delete(MARKER)?)
    }
}

fn exchange(opened: &mut DeltaTable, table: Table, new: &dyn Store, id: i64) -> Result<(), LogError> {
    let made = Snapshot::load(new, &folder_of(table))?;
    if opened.snapshot().version.is_none() && made.version.is_none() {
        return Ok(());
    }
    let added = made.files.values().map(|add| copied(opened, new, add)).collect::<Result<Vec<_>, LogError>>()?;
    let stated = stated(table, opened.snapshot(), &made);
    opened.overwrite(added, stated, id)
}

/// Copies a data file into the table's folder under a new name; no reader sees it before a commit names it.
fn copied(into: &DeltaTable, new: &dyn Store, add: &Add) -> Result<Add, LogError> {
    let (folder, path) = (&into.spec().folder, file_path(&add.partition_values));
    let object = new.open(&format!("{folder}/{}", add.path))?;
    let mut write = |out: &mut (dyn Write + Send)| -> io::Result<()> {
        let mut bytes = object.get_read(0).map_err(io::Error::other)?;
        io::copy(&mut bytes, out).map(drop)
    };
    into.store().put_with(&format!("{folder}/{path}"), &mut write)?;
    Ok(Add { path, modification_time: into.clock().now() / 1000, data_change: true, ..add.clone() })
}

/// The versions that the table states after the exchange: those of the new table, and position 0 for partitions that only the old
/// one has.
fn stated(table: Table, old: &Snapshot, made: &Snapshot) -> Vec<(String, i64)> {
    let mut stated: BTreeMap<String, i64> = made.txns.iter().map(|(app, version)| (app.clone(), *version)).collect();
    for app in old.txns.keys().filter(|app| partition_of(app).is_some()) {
        stated.entry(app.clone()).or_insert(0);
    }
    if table == Table::Rejected {
        // Rows below the positions have changed, as after a replay: earlier checkpoints cannot be used.
        stated.insert(REPLAYS.to_owned(), old.txns.get(REPLAYS).copied().unwrap_or(0) + 1);
    }
    stated.into_iter().collect()
}

#[cfg(test)]
mod tests;
