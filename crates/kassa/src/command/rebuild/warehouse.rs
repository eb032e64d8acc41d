//! The warehouse's part of a rebuild. It is marked and emptied while nothing uses the lake, and filled afterwards, by the code of
//! `kassa replay --from archive --sinks warehouse`. An interrupted filling continues from its positions.

use std::path::Path;

use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use kassa_config::Config;
use kassa_lake::{rebuild, recover};
use kassa_model::key::{Keyring, Secret};
use kassa_model::{Table, crash};
use xxhash_rust::xxh3::xxh3_64;

use super::progress_bar;
use crate::command::replay;
use crate::warehouse::days_kept;
use crate::wiring::{Durable, Lake};

const WAREHOUSE: Durable = Durable { archive: false, lake: false, warehouse: true };

/// Fills a warehouse whose rebuild was interrupted after the lake's star was exchanged. Returns whether there was one.
pub fn complete(dir: &Path, config: &Config, lake: &mut Lake) -> anyhow::Result<bool> {
    let Some(target) = &lake.warehouse else { return Ok(false) };
    if rebuild::interrupted(lake.store.as_ref()).context("could not read the lake")?.is_some() {
        return Ok(false);
    }
    if !kassa_warehouse::rebuild::is_unfinished(target, settings(config)?).context("could not read the warehouse")? {
        return Ok(false);
    }
    say!("the lake's star is rebuilt already; the warehouse is filled further");
    fill(dir, config, lake)?;
    Ok(true)
}

/// Finds out whether the warehouse can be rebuilt before anything is changed.
pub fn prepare(config: &Config, lake: &Lake) -> anyhow::Result<()> {
    let Some(target) = &lake.warehouse else { return Ok(()) };
    kassa_warehouse::rebuild::prepare(target, days_kept(config).is_none()).context("could not rebuild the warehouse")
}

/// The keys of the customers whose personal data the lake has, sorted.
pub fn personal(lake: &Lake) -> anyhow::Result<Vec<i64>> {
    let mut keys: Vec<i64> = Vec::new();
    if lake.warehouse.is_some() {
        recover::scan(lake.store.as_ref(), Table::VaultCustomer, &["customer_key"], &mut |rows| {
            keys.extend(rows.column(0).as_primitive::<Int64Type>().values().iter().copied());
            Ok(())
        })
        .context("could not read the lake")?;
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The same customers by the keys that the warehouse may hold, each with the key in the new star. Keys change if the lake had no secret before;
/// where an earlier rebuild was interrupted, lake and warehouse may have different ones.
pub fn rekeyed(star: &Lake, personal: &[i64]) -> anyhow::Result<Vec<(i64, i64)>> {
    let (unkeyed, mut keys) = (Keyring::unkeyed(Secret::default()), Vec::with_capacity(2 * personal.len()));
    if personal.is_empty() {
        return Ok(keys);
    }
    let is_personal = |key: i64| personal.binary_search(&key).is_ok();
    recover::scan(star.store.as_ref(), Table::DimCustomer, &["customer_key", "store_id", "customer_id"], &mut |rows| {
        let new = rows.column(0).as_primitive::<Int64Type>().values();
        let (stores, ids) = (rows.column(1).as_string::<i32>(), rows.column(2).as_string::<i32>());
        for (row, new) in new.iter().copied().enumerate() {
            let old = unkeyed.key("customer", &[stores.value(row), ids.value(row)]).stored();
            if is_personal(old) || is_personal(new) {
                keys.extend([(old, new), (new, new)]);
            }
        }
        Ok(())
    })
    .context("could not read the new star")?;
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// Empties the warehouse and marks it.
pub fn begin(config: &Config, lake: &Lake, personal: &[(i64, i64)]) -> anyhow::Result<()> {
    let Some(target) = &lake.warehouse else { return Ok(()) };
    crash::point("rebuild.before_warehouse");
    kassa_warehouse::rebuild::begin(target, settings(config)?, personal).context("could not empty the warehouse")?;
    crash::point("rebuild.after_warehouse_emptied");
    Ok(())
}

/// Fills the warehouse from the archive and removes its mark.
pub fn fill(dir: &Path, config: &Config, lake: &mut Lake) -> anyhow::Result<()> {
    let Some(target) = &mut lake.warehouse else { return Ok(()) };
    target.is_rebuilding = true;
    let target = target.clone();
    let progress = progress_bar(None);
    replay::fill(config, lake, (WAREHOUSE, &dir.join("warehouse")), &mut |batch| {
        progress.inc(u64::try_from(batch.records().len()).unwrap_or(0));
    })?;
    lake.derive_beside(config)?;
    progress.finish_and_clear();
    crash::point("rebuild.before_warehouse_finished");
    kassa_warehouse::rebuild::finish(&target).context("could not finish the rebuild of the warehouse")?;
    say!("the warehouse is rebuilt");
    Ok(())
}

/// A hash of all settings that determine the rows of a record.
fn settings(config: &Config) -> anyhow::Result<i64> {
    let shop = (&config.shop.name, &config.shop.zone_name, config.shop.currency.code(), config.shop.country);
    let mut text = format!("{:?}", (env!("CARGO_PKG_VERSION"), &config.streams, shop, &config.lookups));
    for lookup in &config.lookups {
        let bytes = std::fs::read(&lookup.file).with_context(|| format!("could not read {}", lookup.file.display()))?;
        text += &format!(" {}", xxh3_64(&bytes));
    }
    Ok(i64::from_ne_bytes(xxh3_64(text.as_bytes()).to_ne_bytes()))
}
