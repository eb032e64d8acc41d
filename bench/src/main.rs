//! W1 on the embedded default: JSON order lines from the collector's log to archive and lake, in records per CPU-second, compared
//! with reading, shaping and writing alone in the same run. A run with wrong output gives no figure.

mod growth;
mod kafka;
mod latency;
mod warehouse;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use kassa_lake::{ArchiveSink, Folder, StarSink, Store, recover};
use kassa_model::key::Keyring;
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Contract, Counts, Currency, Partition, Shop, Table};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Batch, Format, Sink, Stage, Stream};
use kassa_source::log::{Log, LogOptions, LogReader, LogRecord};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const TOPIC: &str = "order_lines";
/// As of a lake with a secret.
const KEYS: Keyring = Keyring::keyed([7; 16]);
/// Bytes of records that a commit holds.
const COMMIT_BYTES: usize = 48 << 20;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let counts = arguments.next().unwrap_or_default();
    // One part only, for a profile.
    let only = arguments.next();
    if only.as_deref() == Some("growth") {
        return growth::run(&counts, &arguments.collect::<Vec<_>>());
    }
    let records: u64 = counts.parse().unwrap_or(1_000_000);
    if only.as_deref() == Some("warehouse") {
        return warehouse::run(records);
    }
    if only.as_deref() == Some("kafka") {
        return kafka::run(records);
    }
    if only.as_deref() == Some("latency") {
        // The argument is records per second.
        return latency::run(records);
    }
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let dir = tempfile::tempdir()?;
    let truth = fill(dir.path(), records)?;
    eprintln!(
        "{records} JSON order lines of {} bytes on average; 0.5 % invalid, 1 % repeated",
        truth.bytes / truth.counts.read.max(1)
    );
    let mut rows = Vec::new();
    if wanted("read") {
        rows.push(timed("read the log", &truth, || read(dir.path(), &mut |_, _| Ok(())))?);
    }
    if wanted("shape") {
        rows.push(timed("read, decode, dedupe, shape", &truth, || shape(dir.path(), &truth, &mut |_| Ok(())))?);
    }
    let mut batches = Vec::new();
    if wanted("lake") || wanted("archive") {
        shape(dir.path(), &truth, &mut |batch| {
            batches.push(batch);
            Ok(())
        })?;
    }
    if wanted("lake") {
        rows.push(timed("write the lake alone", &truth, || sink_all(&dir.path().join("l"), &batches, false, true))?);
    }
    if wanted("archive") {
        rows.push(timed("write the archive alone", &truth, || sink_all(&dir.path().join("a"), &batches, true, false))?);
    }
    drop(batches);
    if wanted("all") {
        let whole = dir.path().join("w");
        rows.push(timed("log to archive + lake", &truth, || all(dir.path(), &whole, &truth))?);
        check(&whole, &truth)?;
    }
    for row in &rows {
        eprintln!("{row}");
    }
    Ok(())
}

/// The expected results, from the program that made the records.
struct Truth {
    counts: Counts,
    bytes: i64,
    /// 10^-6.
    net: i128,
}

/// Splitmix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

fn fill(dir: &Path, records: u64) -> anyhow::Result<Truth> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = Log::open(dir, LogOptions::default(), clock)?;
    let mut truth = Truth { counts: Counts::default(), bytes: 0, net: 0 };
    let (mut rng, mut chunk, mut last) = (Rng(1), Vec::new(), String::new());
    for id in 0..records {
        let (quantity, cents, discount) = (rng.below(9) + 1, rng.below(9_900) + 100, rng.below(100));
        let invalid = rng.below(200) == 0;
        let repeated = !last.is_empty() && !invalid && rng.below(100) == 0;
        let (day, hour, minute, second) = (rng.below(28) + 1, rng.below(24), rng.below(60), rng.below(60));
        let range = rng.below(5_000) + 1;
        let product = rng.below(range);
        let currency = if invalid { "XXX" } else { "GBP" };
        let line = format!(
            "{{\"event_id\":\"e{id:012}\",\"occurred_at\":\"2026-03-{day:02}T{hour:02}:{minute:02}:{second:02}Z\",\"source\":\"bench\",\"channel\":\"web\",\
             \"customer_id\":\"c{:07}\",\"order_id\":\"o{:09}\",\"line_id\":\"{}\",\"product_id\":\"p{product:05}\",\"name\":\"Product number {product:05} of the shop, in its usual pack\",\
             \"quantity\":{quantity},\"unit_price\":\"{}.{:02}\",\"discount\":\"0.{discount:02}\",\"currency\":\"{currency}\"}}",
            rng.below(200_000),
            id / 3,
            id % 3,
            cents / 100,
            cents % 100,
        );
        let line = if repeated { last.clone() } else { line };
        truth.counts.read += 1;
        truth.bytes += i64::try_from(line.len())?;
        if invalid {
            truth.counts.dead_letters += 1;
        } else if repeated {
            truth.counts.duplicates += 1;
        } else {
            truth.counts.accepted += 1;
            truth.net += i128::from(quantity * cents) * 10_000 - i128::from(discount) * 10_000;
            last.clone_from(&line);
        }
        chunk.push(LogRecord::new(Bytes::from(line)));
        if chunk.len() == 5_000 || id + 1 == records {
            log.append_and_wait(&Partition::new(TOPIC, 0), std::mem::take(&mut chunk))?;
        }
    }
    Ok(truth)
}

fn read(dir: &Path, take: &mut dyn FnMut(kassa_model::Records, i64) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut reader = LogReader::open(dir, &Partition::new(TOPIC, 0), 0)?;
    let mut from = 0;
    while let Some(records) = reader.read(8_192, 2 << 20)? {
        let next = records.next;
        take(records, from)?;
        from = next;
    }
    Ok(())
}

fn shape(dir: &Path, truth: &Truth, take: &mut dyn FnMut(Arc<Batch>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let currency = Currency::parse("GBP").ok_or_else(|| anyhow::anyhow!("a currency"))?;
    let shop = Shop::new("bench", "Europe/London", currency).ok_or_else(|| anyhow::anyhow!("a zone"))?;
    let index = Index::new(&IndexOptions { memory_bytes: 96 << 20, dir: None, event_window_us: 0 })?;
    let stream = Stream::new(TOPIC, Contract::OrderLine, Format::Json, None, 1 << 20);
    let mut stage = Stage::new(&shop, KEYS, index, [(Arc::from(TOPIC), stream)]);
    let mut counts = Counts::default();
    read(dir, &mut |records, from| {
        let batch = Arc::new(stage.run(records, from)?);
        counts = counts.plus(batch.span().counts);
        take(batch)
    })?;
    ensure!(counts == truth.counts, "counted {counts:?}, the truth is {:?}", truth.counts);
    Ok(())
}

fn sinks(dir: &Path, archive: bool, star: bool) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    let store: Arc<dyn Store> = Arc::new(Folder::new(dir));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if archive {
        sinks.push(Box::new(ArchiveSink::open(Arc::clone(&store), &[Arc::from(TOPIC)], Arc::clone(&clock))?));
    }
    if star {
        sinks.push(Box::new(StarSink::open(&store, HashMap::from([(Arc::from(TOPIC), Contract::OrderLine)]), clock)?));
    }
    Ok(sinks)
}

fn sink_all(dir: &Path, batches: &[Arc<Batch>], archive: bool, star: bool) -> anyhow::Result<()> {
    let mut sinks = sinks(dir, archive, star)?;
    let mut gathered = Vec::new();
    for batch in batches {
        gathered.push(Arc::clone(batch));
        if gathered.iter().map(|batch| batch.bytes()).sum::<usize>() >= COMMIT_BYTES {
            sinks.iter_mut().try_for_each(|sink| sink.commit(&gathered))?;
            gathered.clear();
        }
    }
    sinks.iter_mut().try_for_each(|sink| sink.commit(&gathered).and_then(|()| sink.settle()))?;
    Ok(())
}

fn all(dir: &Path, lake: &Path, truth: &Truth) -> anyhow::Result<()> {
    let mut sinks = sinks(lake, true, true)?;
    let (mut gathered, mut bytes): (Vec<Arc<Batch>>, usize) = (Vec::new(), 0);
    shape(dir, truth, &mut |batch| {
        bytes += batch.bytes();
        gathered.push(batch);
        if bytes >= COMMIT_BYTES {
            sinks.iter_mut().try_for_each(|sink| sink.commit(&gathered))?;
            gathered.clear();
            bytes = 0;
        }
        Ok(())
    })?;
    sinks.iter_mut().try_for_each(|sink| sink.commit(&gathered).and_then(|()| sink.settle()))?;
    Ok(())
}

/// Compares the lake's own rows with the truth.
fn check(lake: &Path, truth: &Truth) -> anyhow::Result<()> {
    let store = Folder::new(lake);
    let (mut rows, mut net) = (0_i64, 0_i128);
    recover::scan(&store, Table::FactSales, &["net_amount"], &mut |batch| {
        rows += i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        net += kassa_lake::read::sum_decimals(&batch, 0);
        Ok(())
    })?;
    ensure!(
        rows == truth.counts.accepted && net == truth.net,
        "the lake has {rows} rows, net {net}; the truth is {} and {}",
        truth.counts.accepted,
        truth.net
    );
    eprintln!("checked: {rows} rows, net {net} millionths, as the truth has them");
    Ok(())
}

/// CPU time of this process so far, in hundredths of a second.
fn ticks() -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    let fields: Vec<&str> = after.split(' ').collect();
    Ok(fields.get(11).unwrap_or(&"0").parse::<u64>()? + fields.get(12).unwrap_or(&"0").parse::<u64>()?)
}

fn timed(name: &str, truth: &Truth, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<String> {
    let (cpu, wall) = (ticks()?, Instant::now());
    work()?;
    let cpu = (ticks()? - cpu).max(1);
    let per_second = u64::try_from(truth.counts.read)? * 100 / cpu;
    let ns = cpu * 10_000_000 / u64::try_from(truth.counts.read)?.max(1);
    Ok(format!("{name:<30} {per_second:>9} records/CPU-s {ns:>6} ns a record {:>6.2} s wall", wall.elapsed().as_secs_f64()))
}
