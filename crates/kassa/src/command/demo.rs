//! `kassa demo`: runs the synthetic shop through the whole pipeline.

mod verdict;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use kassa_config::Config;
use kassa_model::{Code, Contract};
use kassa_source::log::{Log, LogRecord};
use kassa_source::shop::{Shop, Truth, stream_of};

use super::simulate;
use crate::cli::{Demo, Place};
use crate::failure::{Exit, Failure};
use crate::feed;
use crate::server::Service;
use crate::settings;
use crate::wiring::Lock;

/// Simulated days of history before the live rate, so that there is a previous week to compare
/// with.
const HISTORY_DAYS: u64 = 8;
/// A simulated day takes a minute.
const SECONDS_A_DAY: u64 = 60;
/// The first words of a configuration that the demo may overwrite.
const MARK: &str = "# Made by `kassa demo`.";
/// Records per call of the log.
const CHUNK: u64 = 2_000;

pub fn demo(args: &Demo) -> anyhow::Result<()> {
    let config = prepare(args)?;
    let mut service = Service::start(&config, true)?;
    let per_day = args.rate * SECONDS_A_DAY;
    let stop = service.stop_flag();
    let plan = Plan {
        history: per_day * HISTORY_DAYS,
        rate: args.rate,
        records: args.duration.map(|duration| per_day * HISTORY_DAYS + args.rate * duration.as_secs().max(1)),
    };
    greet(args, &service, &config, &plan);
    let shop = simulate::shop(args.seed, per_day)?;
    let log = service.log();
    let ended = Arc::new(AtomicBool::new(false));
    let generator = {
        let (stop, ended) = (Arc::clone(&stop), Arc::clone(&ended));
        let done = move || ended.store(true, Ordering::Release);
        thread::Builder::new().name("shop".to_owned()).spawn(move || {
            let truth = feed(shop, &plan, &log, &stop);
            done();
            truth
        })?
    };
    service.work_until(|| stop.load(Ordering::Acquire) || (args.duration.is_some() && ended.load(Ordering::Acquire)))?;
    stop.store(true, Ordering::Release);
    let truth = generator.join().map_err(|_| anyhow::anyhow!("the synthetic shop panicked"))??;
    service.catch_up()?;
    let path = args.dir.join("truth.json");
    fs::write(&path, serde_json::to_vec_pretty(&truth)?).with_context(|| format!("could not write {}", path.display()))?;
    let same = if args.duration.is_some() { verdict::verdict(&service, &config, &truth)? } else { true };
    service.finish()?;
    if same { Ok(()) } else { Err(Exit(1).into()) }
}

/// Creates the folder, with a configuration for all other commands.
fn prepare(args: &Demo) -> anyhow::Result<Config> {
    let file = args.dir.join("kassa.toml");
    clear(&args.dir, &file)?;
    fs::create_dir_all(&args.dir).with_context(|| format!("could not create {}", args.dir.display()))?;
    let text = format!(
        "{MARK} Other commands can use it: kassa figures net_sales -c {}\n\n[shop]\nname = \"Harbour & Pine\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n\n[server]\nlisten = \"{}\"\n",
        file.display(),
        args.listen,
    );
    fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))?;
    settings::config(&Place { config: Some(file), data_dir: None })
}

/// Removes the data of an earlier demo, because the shop starts over with the same ids, which would
/// be duplicates. It deletes nothing else.
fn clear(dir: &Path, file: &Path) -> anyhow::Result<()> {
    let data = dir.join("data");
    let is_ours = kassa_config::read_bounded(file).map_or(!data.exists(), |text| text.starts_with(MARK.as_bytes()));
    if !is_ours {
        let failure = Failure::new(Code::BadParameter, format!("{} contains files that are not from a demo", dir.display()));
        return Err(failure.hint("the demo clears its folder: give it its own folder with --dir").into());
    }
    if data.exists() {
        drop(Lock::take(&data)?);
        fs::remove_dir_all(&data).with_context(|| format!("could not clear {}", dir.display()))?;
    }
    Ok(())
}

/// The number of records, and the rate.
#[derive(Debug, Clone, Copy)]
struct Plan {
    history: u64,
    rate: u64,
    records: Option<u64>,
}

fn greet(args: &Demo, service: &Service, config: &Config, plan: &Plan) {
    say!("kassa demo: a synthetic shop, one simulated day per minute, {} records per second", args.rate);
    say!("  dashboard  {}/", service.url());
    say!("  collector  {}/v1/orders", service.url());
    say!("  data       {}", config.data_dir.display());
    say!("  history    {} records first, as fast as possible", plan.history);
    say!("next: kassa figures net_sales --by day -c {}", args.dir.join("kassa.toml").display());
}

/// Writes the shop's records to the collector's log: the history immediately, and the rest at the
/// rate. Returns the expected results.
fn feed(mut shop: Shop, plan: &Plan, log: &Log, stop: &AtomicBool) -> anyhow::Result<Truth> {
    let end = plan.records.unwrap_or(u64::MAX);
    let mut made = 0;
    while made < end.min(plan.history) && !stop.load(Ordering::Acquire) {
        let count = CHUNK.min(end - made);
        append(&mut shop, count, log)?;
        made += count;
    }
    let (started, paced_from) = (Instant::now(), made);
    while made < end && !stop.load(Ordering::Acquire) {
        let count = (plan.rate / 20).clamp(1, CHUNK).min(end - made);
        append(&mut shop, count, log)?;
        made += count;
        let due = Duration::from_micros((made - paced_from).saturating_mul(1_000_000) / plan.rate);
        thread::sleep(due.saturating_sub(started.elapsed()));
    }
    // An order's event, header and lines are emitted one after another, so stop only between
    // orders.
    Ok(shop.truth())
}

fn append(shop: &mut Shop, count: u64, log: &Log) -> anyhow::Result<()> {
    let mut streams: [Vec<LogRecord>; Contract::ALL.len()] = Default::default();
    let mut record = Vec::with_capacity(512);
    for _ in 0..count {
        record.clear();
        let emitted = shop.next(&mut record);
        streams[emitted.contract as usize].push(LogRecord::new(Bytes::copy_from_slice(&record)));
    }
    // Reference data first, so that few members begin as placeholders.
    let mut order = Contract::ALL;
    order.sort_by_key(|contract| !contract.is_reference());
    for contract in order {
        let records = std::mem::take(&mut streams[contract as usize]);
        if !records.is_empty() {
            append_all(log, stream_of(contract), records)?;
        }
    }
    Ok(())
}

fn append_all(log: &Log, topic: &str, records: Vec<LogRecord>) -> anyhow::Result<()> {
    loop {
        match log.append_and_wait(&feed::partition(topic), records.clone()) {
            Ok(_) => return Ok(()),
            Err(kassa_source::log::LogError::Full { retry_after, .. }) => thread::sleep(retry_after),
            Err(kassa_source::log::LogError::Unavailable { .. }) => thread::sleep(Duration::from_secs(1)),
            Err(error) => return Err(error.into()),
        }
    }
}
