//! Writes checkpoints with the Delta library and deletes the log entries that they replace.

use std::collections::BTreeMap;
use std::error::Error;

use deltalake_core::{DeltaTableBuilder, DeltaTableError, checkpoints};
use kassa_model::{Cause, crash};
use url::Url;

use super::Options;
use crate::delta::contents::{Bounds, Ranges};
use crate::delta::snapshot::{Snapshot, checkpoint_version, entry_version};
use crate::delta::{Add, DeltaTable, LogError};

fn log_of(table: &DeltaTable) -> String {
    format!("{}/_delta_log", table.spec().folder)
}

/// Writes a checkpoint of the version in memory; the table may be further. When this returns, the
/// checkpoint is durable and equal to the log.
pub(super) fn write(table: &DeltaTable) -> Result<(), LogError> {
    crash::point("maintain.before_checkpoint");
    let Some(version) = table.snapshot().version else { return Ok(()) };
    let builder = builder(table)?.with_version(version);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let written: Result<(), DeltaTableError> = runtime.block_on(async {
        let opened = Box::pin(builder.load()).await?;
        Box::pin(checkpoints::create_checkpoint(&opened, None)).await
    });
    written.map_err(|error| LogError::Encode(Cause::at(format!("{}: no checkpoint", table.spec().name), error)))?;
    crash::point("maintain.after_checkpoint");
    table.store().sync_folder(&log_of(table))?;
    crash::point("maintain.after_checkpoint_synced");
    let read = Snapshot::of_checkpoint(table.store().as_ref(), &table.spec().folder, version)?;
    if !says_the_same(&read, table.snapshot()) {
        return Err(LogError::Corrupt(
            format!("{}: the checkpoint of version {:?} is not what the log says", table.spec().name, read.version).into(),
        ));
    }
    Ok(())
}

/// The library's own handle of the table.
fn builder(table: &DeltaTable) -> Result<DeltaTableBuilder, LogError> {
    fn no_location(folder: &str, error: impl Error + Send + Sync + 'static) -> LogError {
        LogError::Encode(Cause::at(format!("{folder} is no location for a table"), error))
    }
    let (shared, folder) = (table.store().shared()?, format!("{}/", table.spec().folder));
    let url = shared.url_of(&folder)?;
    if url.scheme() == "file" {
        return DeltaTableBuilder::from_url(url).map_err(|error| no_location(&folder, error));
    }
    // The library treats any store that is passed to it as memory, and uses only the path of the URL.
    let location = Url::parse("memory:///").and_then(|root| root.join(url.path().trim_start_matches('/')));
    let location = location.map_err(|error| no_location(&folder, error))?;
    Ok(DeltaTableBuilder::from_url(location.clone())
        .map_err(|error| no_location(&folder, error))?
        .with_storage_backend(shared.objects, location))
}

fn says_the_same(read: &Snapshot, held: &Snapshot) -> bool {
    type Essence<'s> = (i64, &'s BTreeMap<String, Option<String>>, Bounds, Option<Ranges>);
    fn essence(files: &BTreeMap<String, Add>) -> BTreeMap<&str, Essence<'_>> {
        files.values().map(|add| (add.path.as_str(), (add.size, &add.partition_values, add.bounds(), add.positions()))).collect()
    }
    read.version == held.version
        && read.checkpoint == held.version
        && read.txns == held.txns
        && read.metadata == held.metadata
        && read.protocol == held.protocol
        && essence(&read.files) == essence(&held.files)
}

/// Deletes entries and checkpoints that the valid checkpoint at `version` replaces. Oldest first,
/// so that the rest is contiguous at every moment.
pub(super) fn trim_log(table: &DeltaTable, version: u64, options: &Options) -> Result<(), LogError> {
    let log = log_of(table);
    let names = table.store().list(&log)?;
    let mut checkpoints: Vec<u64> = names.iter().filter_map(|name| checkpoint_version(name)).collect();
    checkpoints.dedup();
    let dropped = checkpoints.len().saturating_sub(options.kept_checkpoints);
    let oldest_kept = checkpoints.get(dropped).copied().unwrap_or(0);
    for name in &names {
        let is_old_entry = entry_version(name).is_some_and(|entry| entry + options.kept_entries < version);
        let is_old_checkpoint = checkpoint_version(name).is_some_and(|checkpoint| checkpoint < oldest_kept);
        if is_old_entry || is_old_checkpoint {
            table.store().delete(&format!("{log}/{name}"))?;
            crash::point("maintain.after_log_entry_deleted");
        }
    }
    Ok(())
}

/// The newest checkpoint by any process.
pub(super) fn newest(table: &DeltaTable) -> Result<Option<u64>, LogError> {
    let names = table.store().list(&log_of(table))?;
    Ok(names.iter().filter_map(|name| checkpoint_version(name)).max())
}

/// Deletes checkpoints that could not be read when the table was opened: torn by a power cut before
/// they were durable.
pub(super) fn drop_unreadable(table: &DeltaTable) -> Result<(), LogError> {
    let log = log_of(table);
    let used = table.snapshot().checkpoint;
    let newest = table.snapshot().version;
    let names = table.store().list(&log)?;
    let torn: Vec<&String> =
        names.iter().filter(|name| checkpoint_version(name).is_some_and(|at| Some(at) > used && Some(at) <= newest)).collect();
    if torn.is_empty() {
        return Ok(());
    }
    // The hint is deleted first, because readers follow it to the checkpoint.
    table.store().delete(&format!("{log}/_last_checkpoint"))?;
    torn.into_iter().try_for_each(|name| Ok(table.store().delete(&format!("{log}/{name}"))?))
}
