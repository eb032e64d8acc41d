//! `kassa replay`: files into a stream, or the archive into a sink, through the same pipeline as
//! everything else. It is idempotent: a file is identified by its contents, and a sink drops what
//! it already has.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kassa_config::{Config, Encoding, Stream};
use kassa_engine::feed::{BATCH_BYTES, BATCH_RECORDS, Next};
use kassa_engine::refill::{Wanted, refill};
use kassa_engine::{Topology, threads};
use kassa_model::{Code, Counts};
use kassa_pipeline::Batch;
use kassa_source::file::{self, FileOptions, FileSource};
use serde::Serialize;

use super::run;
use crate::cli::{Format, Replay};
use crate::failure::Failure;
use crate::wiring::{self, Durable, Lake, Lock};
use crate::{output, settings, sinks, warehouse};

/// The results of a replay. Counts are of records that this run read; files replayed before count
/// in `known_files`.
#[derive(Debug, Default, Serialize)]
struct Report {
    files: usize,
    known_files: usize,
    records: i64,
    accepted: i64,
    duplicates: i64,
    dead_letters: i64,
    seconds: f64,
}

pub fn replay(args: &Replay) -> anyhow::Result<()> {
    let config = settings::config(&args.place)?;
    match &args.stream {
        Some(stream) => files(args, &config, settings::stream(&config, stream)?),
        None => archive(args, &config),
    }
}

fn files(args: &Replay, config: &Config, stream: &Stream) -> anyhow::Result<()> {
    let _lock = Lock::take(&config.data_dir)?;
    let started = Instant::now();
    let lake = Lake::of(config)?;
    let mut topology = topology(config, &lake, Durable::ALL, &wiring::index_dir(config))?;
    let progress = progress_bar(&args.files);
    let mut report = Report { files: args.files.len(), ..Report::default() };
    for path in &args.files {
        progress.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let counts = read_file(&mut topology, path, stream, lake.clock.now(), &progress)?;
        if counts.read == 0 {
            report.known_files += 1;
        }
        report.count(counts);
    }
    topology.finish().1?;
    lake.derive(config)?;
    progress.finish_and_clear();
    report.seconds = started.elapsed().as_secs_f64();
    show(&report, args)
}

impl Report {
    fn count(&mut self, counts: Counts) {
        self.records += counts.read;
        self.accepted += counts.accepted;
        self.duplicates += counts.duplicates;
        self.dead_letters += counts.dead_letters;
    }
}

fn topology(config: &Config, lake: &Lake, fed: Durable, index: &Path) -> anyhow::Result<Topology> {
    let sinks = lake.sinks(config, fed)?.into_iter().map(|sink| sinks::bulk(config, sink)).collect();
    Topology::start(lake.stage(config, fed, index)?.stage, sinks, &[], &threads::host(&lake.clock))
}

/// Fills sinks that lack records of the archive, such as a sink that was added later. A run with
/// other sinks may continue meanwhile.
fn archive(args: &Replay, config: &Config) -> anyhow::Result<()> {
    let fed = of_archive(config, &args.sinks)?;
    // A run has its own lock and index.
    let dir = if fed.lake { config.data_dir.clone() } else { config.data_dir.join("state/replay") };
    let _lock = Lock::take(&dir)?;
    let index = if fed.lake { wiring::index_dir(config) } else { dir.join("dedupe") };
    let (started, lake) = (Instant::now(), Lake::of(config)?);
    let (mut report, progress) = (Report::default(), ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)));
    fill(config, &lake, (fed, &index), &mut |batch| {
        report.count(batch.span().counts);
        progress.inc(u64::try_from(batch.records().len()).unwrap_or(0));
    })?;
    if fed.lake {
        lake.derive(config)?;
    } else {
        lake.derive_beside(config)?;
        std::fs::remove_dir_all(&index).with_context(|| format!("could not delete {}", index.display()))?;
    }
    progress.finish_and_clear();
    report.seconds = started.elapsed().as_secs_f64();
    show(&report, args)
}

/// Feeds sinks from the archive until they have its records. Calls `took` for every batch.
pub fn fill(config: &Config, lake: &Lake, (fed, index): (Durable, &Path), took: &mut dyn FnMut(&Batch)) -> anyhow::Result<()> {
    let mut topology = topology(config, lake, fed, index)?;
    // Also reads records that arrived meanwhile, until only the running stream's rate is left.
    loop {
        let reached = topology.reached().by_all;
        let count = refill((lake.store.as_ref(), &lake.contracts), fed.lake, Wanted::All(&reached), &mut |next| {
            if let Some(batch) = topology.take(next, &mut || Ok(()))? {
                took(&batch);
            }
            Ok(())
        })?;
        topology.flush()?;
        if usize::try_from(count)? < BATCH_RECORDS {
            break;
        }
    }
    topology.finish().1
}

/// The sinks that can be filled from the archive.
fn of_archive(config: &Config, names: &[String]) -> anyhow::Result<Durable> {
    let chosen = run::sinks(names)?;
    if chosen.live || chosen.durable.archive {
        let failure = Failure::new(Code::BadParameter, "the archive fills only the lake and the warehouse");
        return Err(failure.hint("live figures are rebuilt from the lake; `kassa run` fills the archive").into());
    }
    if chosen.durable.warehouse {
        warehouse::required(config)?;
    }
    Ok(chosen.durable)
}

fn progress_bar(files: &[std::path::PathBuf]) -> ProgressBar {
    let bytes = files.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} % · {bytes_per_sec} · {eta} left · {msg}");
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(10));
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

fn options(stream: &Stream) -> anyhow::Result<FileOptions> {
    let Some(format) = file::Format::of(stream.format, stream.delimiter) else {
        anyhow::bail!(
            "the stream `{}` is Avro in a schema registry's framing, which files do not have: give the stream of the files another format",
            stream.name
        );
    };
    let encoding = match stream.encoding {
        Encoding::Utf8 => file::Encoding::Utf8,
        Encoding::Windows1252 => file::Encoding::Windows1252,
    };
    Ok(FileOptions { format, encoding, max_record_bytes: stream.max_record_bytes })
}

fn read_file(topology: &mut Topology, path: &Path, stream: &Stream, now: i64, progress: &ProgressBar) -> anyhow::Result<Counts> {
    let mut source = FileSource::open(path, options(stream)?, Arc::from(stream.topic.as_str()), now)?;
    let (before, length) = (progress.position(), path.metadata().map_or(0, |metadata| metadata.len()));
    let position = topology.position(source.partition());
    source.skip_to(position)?;
    let mut counts = Counts::default();
    let mut from = position;
    while let Some(records) = source.next(BATCH_RECORDS, BATCH_BYTES)? {
        let next = records.next;
        if let Some(batch) = topology.take(Next::Records(records, from), &mut || Ok(()))? {
            counts = counts.plus(batch.span().counts);
        }
        from = next;
        let share = source.read_bytes().saturating_mul(length).checked_div(source.len_bytes()).unwrap_or(length);
        progress.set_position(before + share.min(length));
    }
    progress.set_position(before + length);
    Ok(counts)
}

fn show(report: &Report, args: &Replay) -> anyhow::Result<()> {
    if args.format == Format::Json {
        return output::json(report);
    }
    let millis = i64::try_from(Duration::from_secs_f64(report.seconds).as_millis()).unwrap_or(i64::MAX);
    let rate = (report.records * 1_000).checked_div(millis).map_or("–".to_owned(), |rate| rate.to_string());
    let row = vec![
        report.files.to_string(),
        report.known_files.to_string(),
        report.records.to_string(),
        report.accepted.to_string(),
        report.duplicates.to_string(),
        report.dead_letters.to_string(),
    ];
    output::table(&["files", "known before", "records", "accepted", "duplicates", "dead letters"], &[row], args.format)?;
    say!("{:.1} s, {rate} records/s", report.seconds);
    if report.dead_letters > 0 {
        say!("hint: `kassa dead-letters list` shows why {} records are dead letters", report.dead_letters);
    }
    Ok(())
}
