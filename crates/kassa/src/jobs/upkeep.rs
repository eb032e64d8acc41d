//! The maintenance of a running pipeline, for installations where none runs all the time.

use std::sync::Arc;

use anyhow::Context;
use kassa_config::Config;
use kassa_lake::delta::{DeltaTable, TableSpec};
use kassa_lake::maintain::{Done as Kept, Maintainer, Options};
use kassa_lake::{LogError, archive, star};
use kassa_model::Table;
use serde_json::json;

use super::Done;
use crate::wiring::{Lake, Lock, maintenance};

/// The limit of maintenance steps per table and run: more than any lake needs.
const STEPS: usize = 10_000;

pub fn derive(config: &Config) -> anyhow::Result<Done> {
    let _lock = Lock::take(&config.data_dir)?;
    let lake = Lake::of(config)?;
    let is_changed = lake.derived(config)?.refresh().context("could not bring the derived tables up to date")?;
    lake.derive_beside(config)?;
    let words = if is_changed { "the derived tables are up to date" } else { "there was nothing to derive" };
    Ok(Done { is_changed, words: words.to_owned(), detail: json!({}) })
}

pub fn compact(config: &Config) -> anyhow::Result<Done> {
    let _lock = Lock::take(&config.data_dir)?;
    let lake = Lake::of(config)?;
    // Nothing else runs meanwhile, so each merge is done inline.
    let of_lake = Options { inline_bytes: i64::MAX, ..maintenance(config) };
    let of_archive = Options { zstd_level: config.archive.zstd_level, ..of_lake.clone() };
    let mut all = Kept::default();
    let mut keep = |spec: TableSpec, options: &Options| -> anyhow::Result<()> {
        let name = spec.folder.clone();
        let kept = keep(&lake, spec, options).with_context(|| format!("could not maintain {name}"))?;
        all = Kept {
            merged: all.merged + kept.merged,
            checkpoint: all.checkpoint.max(kept.checkpoint),
            deleted: all.deleted + kept.deleted,
        };
        Ok(())
    };
    for topic in lake.contracts.keys() {
        keep(archive::table_spec(topic), &of_archive)?;
    }
    for table in Table::ALL {
        keep(star::table_spec(table), &of_lake)?;
    }
    let is_changed = all != Kept::default();
    let words = format!("{} files were merged, {} deleted", all.merged, all.deleted);
    Ok(Done { is_changed, words, detail: json!({"merged": all.merged, "deleted": all.deleted}) })
}

/// Maintains a table until nothing is left to do.
fn keep(lake: &Lake, spec: TableSpec, options: &Options) -> Result<Kept, LogError> {
    let mut table = DeltaTable::open(Arc::clone(&lake.store), spec, Arc::clone(&lake.clock))?;
    let (mut maintainer, mut all) = (Maintainer::new(options.clone()), Kept::default());
    for _ in 0..STEPS {
        match maintainer.maintain(&mut table, lake.clock.now()) {
            Ok(done) if done == Kept::default() => break,
            Ok(done) => {
                all = Kept { merged: all.merged + done.merged, checkpoint: done.checkpoint, deleted: all.deleted + done.deleted };
            }
            // Another process maintains it; that is as good.
            Err(LogError::Fenced(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}
