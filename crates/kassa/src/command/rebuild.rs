//! `kassa rebuild`: rebuilds the star from the archive with the present configuration.
//!
//! ```text
//!  archive ─► stage ─► new star (data_dir/state/rebuild) ─► every figure before and after, printed
//!                                                   └─ --apply ─► the lake's tables are exchanged ─► the warehouse is emptied and filled
//! ```

mod diff;
mod warehouse;

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kassa_config::Config;
use kassa_engine::refill::{Wanted, refill};
use kassa_engine::{Topology, threads};
use kassa_lake::rebuild::{Exchange, interrupted};
use kassa_lake::{Folder, figures, key};
use kassa_model::{Code, Positions};
use kassa_pipeline::dedupe::Index;

use self::diff::{Diff, Seen};
use crate::cli::Rebuild;
use crate::failure::Failure;
use crate::wiring::{self, Durable, Lake, Lock};
use crate::{settings, sinks};

const STAR: Durable = Durable { archive: false, lake: true, warehouse: false };

pub fn rebuild(args: &Rebuild) -> anyhow::Result<()> {
    let config = settings::config(&args.place)?;
    let dir = config.data_dir.join("state/rebuild");
    // A rebuild that changes nothing may run beside the pipeline, but not beside another rebuild.
    let _lock = args.apply.then(|| Lock::take(&config.data_dir)).transpose()?;
    let own = Lock::take(&dir)?;
    for left in ["lake", "dedupe", "warehouse"] {
        delete(&dir.join(left))?;
    }
    let done = rebuild_in(&dir, &config, args);
    drop(own);
    done.and(delete(&dir))
}

fn rebuild_in(dir: &Path, config: &Config, args: &Rebuild) -> anyhow::Result<()> {
    let mut lake = Lake::open(config)?;
    if !args.apply {
        lake.refuse_unfinished()?;
        return compared(dir, config, &lake, args).map(drop);
    }
    if warehouse::complete(dir, config, &mut lake)? {
        return Ok(());
    }
    lake.may_write()?;
    warehouse::prepare(config, &lake)?;
    // Before anything else is read: a commit after this makes the exchange fail.
    let mut exchange = Exchange::begin(&lake.store, &lake.clock).context("could not read the lake")?;
    let personal = warehouse::personal(&lake)?;
    let star = compared(dir, config, &lake, args)?;
    let personal = warehouse::rekeyed(&star, &personal)?;
    exchange.apply(star.store.as_ref()).context("could not exchange the star")?;
    discard_state(config)?;
    warehouse::begin(config, &lake, &personal)?;
    exchange.finish().context("could not finish the exchange of the star")?;
    say!("the lake's star is rebuilt");
    warehouse::fill(dir, config, &mut lake)
}

/// Makes the new star and prints how it differs from the old one.
fn compared(dir: &Path, config: &Config, lake: &Lake, args: &Rebuild) -> anyhow::Result<Lake> {
    let store = lake.store.as_ref();
    let cut = figures::accounted(store).context("could not read the lake")?;
    check_streams(lake, &cut)?;
    // After an interrupted rebuild, the tables are from different stars.
    let is_whole = interrupted(store).context("could not read the lake")?.is_none();
    let before = is_whole.then(|| Seen::of(store, &config.shop, &cut)).transpose()?;
    let star = build(dir, config, lake, (&cut, before.as_ref().and_then(Seen::records)))?;
    let after = Seen::of(star.store.as_ref(), &config.shop, &cut)?;
    Diff::new(before, after).show(args.format)?;
    Ok(star)
}

/// Refuses to drop the rows of topics that no stream reads any more.
fn check_streams(lake: &Lake, cut: &Positions) -> anyhow::Result<()> {
    let Some((partition, _)) = cut.iter().find(|(partition, _)| !lake.contracts.contains_key(&partition.topic)) else {
        return Ok(());
    };
    let what = format!("the lake has records of the topic `{}`, which no stream reads", partition.topic);
    let hint = "a rebuild would drop their rows: configure the stream again, with the contract that it had";
    Err(Failure::new(Code::UnknownStream, what).hint(hint).into())
}

/// The star up to a cut, in a folder of its own.
fn build(dir: &Path, config: &Config, lake: &Lake, (cut, records): (&Positions, Option<u64>)) -> anyhow::Result<Lake> {
    let star = Lake {
        store: Arc::new(Folder::new(dir.join("lake"))),
        bucket: None,
        warehouse: None,
        contracts: lake.contracts.clone(),
        clock: Arc::clone(&lake.clock),
        patience: None,
    };
    // A lake that has no secret gets that of the new star.
    if let Some(secret) = key::held(lake.store.as_ref()).context("could not read the lake's key")? {
        key::put(star.store.as_ref(), secret).context("could not write the new star")?;
    }
    let sinks = star.sinks(config, STAR)?.into_iter().map(|sink| sinks::bulk(config, sink)).collect();
    let index =
        Index::new(&wiring::index_options(config, Some(&dir.join("dedupe")))?).context("could not open the dedupe index")?;
    let stage = lake.stage_with(config, star.keyring(config)?, index)?;
    let mut topology = Topology::start(stage, sinks, &[], &threads::host(&lake.clock))?;
    let progress = progress_bar(records);
    refill((lake.store.as_ref(), &lake.contracts), STAR.lake, Wanted::Before(cut), &mut |next| {
        if let Some(batch) = topology.take(next, &mut || Ok(()))? {
            progress.inc(u64::try_from(batch.records().len())?);
        }
        Ok(())
    })?;
    topology.finish().1?;
    star.derive(config)?;
    progress.finish_and_clear();
    check_complete(&star, cut)?;
    Ok(star)
}

/// Refuses a new star with fewer records than the old one.
fn check_complete(star: &Lake, cut: &Positions) -> anyhow::Result<()> {
    let made = figures::accounted(star.store.as_ref()).context("could not read the new star")?;
    let Some((partition, next)) = cut.iter().find(|(partition, next)| made.next(partition) != *next) else { return Ok(()) };
    let (topic, number, held) = (&partition.topic, partition.number, made.next(partition));
    let what = format!("the archive has {topic}/{number} only up to {held}, the lake up to {next}");
    Err(Failure::new(Code::LakeCorrupt, what)
        .hint("let `kassa run` catch up, then run this again; `kassa prove` names gaps")
        .into())
}

/// The next start completes its memory from the new star.
fn discard_state(config: &Config) -> anyhow::Result<()> {
    delete(&config.data_dir.join("state/checkpoint"))?;
    delete(&wiring::index_dir(config))
}

fn delete(dir: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        deleted => deleted.with_context(|| format!("could not delete {}", dir.display())),
    }
}

/// By records. Without a total it only counts them.
fn progress_bar(records: Option<u64>) -> ProgressBar {
    let template = match records {
        Some(_) => "{bar:30} {percent:>3} % · {per_sec} · {eta} left",
        None => "{spinner} {pos} records · {per_sec}",
    };
    let bar = ProgressBar::with_draw_target(records, ProgressDrawTarget::stderr_with_hz(10));
    ProgressStyle::with_template(template).map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}
