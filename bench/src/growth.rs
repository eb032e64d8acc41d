//! Whether cost follows what is new: a year of the synthetic shop through the collector at growing sizes, and at each size what starting,
//! running, asking and proving take. A size whose net sales are not the truth has no figures.
//!
//! CPU-seconds and peak memory are those of `kassa run` from its start to the end of the input. "After kill -9" is a start on what a kill
//! at the end of the input leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::latency::{Server, asked, get};
use crate::warehouse::{net_sales, seconds, stat};

const DAYS: u64 = 365;
const PATIENCE: Duration = Duration::from_secs(1_800);
const PAUSE: Duration = Duration::from_millis(10);
/// A command is timed so often; the least counts.
const ROUNDS: usize = 3;

/// What one size takes. Times in seconds, memory in KiB.
#[derive(Debug)]
struct Cost {
    records: u64,
    cpu: f64,
    peak_kib: u64,
    after_kill: f64,
    after_stop: f64,
    net_sales: Asked,
    conversion: Asked,
    prove: f64,
    state: u64,
    lake: u64,
}

/// A figure of one day: seconds, and bytes of the lake's tables.
#[derive(Debug)]
struct Asked {
    seconds: f64,
    bytes: u64,
}

pub(crate) fn run(most: u64) -> anyhow::Result<()> {
    let kassa = std::env::current_exe()?.with_file_name("kassa");
    ensure!(kassa.is_file(), "{} is not there: build it first", kassa.display());
    let sizes = [1_000_000, 10_000_000, most].into_iter().filter(|size| *size <= most);
    let mut sizes: Vec<u64> = sizes.collect();
    sizes.dedup();
    eprintln!("a year of the synthetic shop, nine contracts, through the collector");
    let mut first = None;
    for records in sizes {
        let cost = Growth { kassa: &kassa, dir: tempfile::tempdir()? }.measure(records)?;
        tell(&cost, first.get_or_insert(cost.cpu / share(cost.records)));
    }
    Ok(())
}

#[expect(clippy::as_conversions, reason = "for people, of far fewer than 2^52 records or bytes")]
fn share(count: u64) -> f64 {
    count as f64
}

fn tell(cost: &Cost, first: &f64) {
    let each = cost.cpu / share(cost.records);
    let megabytes = |bytes: u64| share(bytes) / 1e6;
    eprintln!("  {} records", cost.records);
    eprintln!("    CPU a record          {:>8.2} µs, {:.2} times that of the first size", each * 1e6, each / first);
    eprintln!("    peak memory           {:>8} MiB", cost.peak_kib / 1_024);
    eprintln!("    start to ready        {:>8.2} s after kill -9, {:.2} s after a clean stop", cost.after_kill, cost.after_stop);
    for (name, asked) in [("net sales", &cost.net_sales), ("conversion", &cost.conversion)] {
        let percent = 100.0 * share(asked.bytes) / share(cost.lake.max(1));
        eprintln!("    a day's {name:<13} {:>8.2} s, {percent:.2} % of the lake's bytes", asked.seconds);
    }
    eprintln!("    prove                 {:>8.2} s", cost.prove);
    eprintln!("    state on disk         {:>8.1} MB, lake {:.1} MB", megabytes(cost.state), megabytes(cost.lake));
}

struct Growth<'k> {
    kassa: &'k Path,
    dir: tempfile::TempDir,
}

impl Growth<'_> {
    fn measure(&self, records: u64) -> anyhow::Result<Cost> {
        let place = self.dir.path();
        fs::write(place.join("kassa.toml"), "data_dir = \"data\"\n")?;
        let mut server = Server::start(self.kassa, place)?;
        let truth = self.simulate(&server.address, records)?;
        let pid = server.pid();
        let cpu = seconds(stat(&PathBuf::from(format!("/proc/{pid}/stat")))?.get(11..13).context("/proc/PID/stat")?)?;
        let peak_kib = peak(pid)?;
        server.kill()?;
        let after_kill = self.start(&mut server)?;
        wait_for_all(&server, truth["produced"].as_i64().context("no count of records")?)?;
        server.stop()?;
        let after_stop = self.start(&mut server)?;
        server.stop()?;
        net_sales(self.kassa, place, "lake", &truth)?;
        let day = middle_day(&truth)?;
        let (net_sales, conversion) = (self.ask("net_sales", &day)?, self.ask("conversion", &day)?);
        let since = Instant::now();
        let proven = Command::new(self.kassa).arg("prove").current_dir(place).output()?;
        ensure!(proven.status.success(), "{}", String::from_utf8_lossy(&proven.stdout));
        let prove = since.elapsed().as_secs_f64();
        let (state, lake) = (size(&place.join("data/state"))?, size(&place.join("data/lake"))?);
        Ok(Cost { records, cpu, peak_kib, after_kill, after_stop, net_sales, conversion, prove, state, lake })
    }

    fn simulate(&self, address: &str, records: u64) -> anyhow::Result<Value> {
        let (count, a_day) = (records.to_string(), (records / DAYS).max(1).to_string());
        let to = format!("http://{address}");
        let args = ["simulate", "--records", &count, "--per-day", &a_day, "--to", &to];
        let made = Command::new(self.kassa).args(args).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(serde_json::from_slice(&made.stdout)?)
    }

    /// Seconds until a new process is ready.
    fn start(&self, server: &mut Server) -> anyhow::Result<f64> {
        let since = Instant::now();
        *server = Server::start(self.kassa, self.dir.path())?;
        while !asked(&server.address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            ensure!(since.elapsed() < PATIENCE, "kassa does not become ready");
            thread::sleep(PAUSE);
        }
        Ok(since.elapsed().as_secs_f64())
    }

    fn ask(&self, figure: &str, day: &str) -> anyhow::Result<Asked> {
        let mut best = Asked { seconds: f64::MAX, bytes: 0 };
        for _ in 0..ROUNDS {
            let since = Instant::now();
            let args = ["figures", figure, "--from", day, "--to", day, "--verbose", "--format", "json"];
            let answer = Command::new(self.kassa).args(args).current_dir(self.dir.path()).stderr(Stdio::piped()).output()?;
            let words = String::from_utf8_lossy(&answer.stderr);
            ensure!(answer.status.success(), "{words}");
            best.seconds = best.seconds.min(since.elapsed().as_secs_f64());
            best.bytes =
                words.split_whitespace().find_map(|word| word.replace(['_', ','], "").parse().ok()).context("no bytes")?;
        }
        Ok(best)
    }
}

/// Until all records are in the live figures and the lake.
fn wait_for_all(server: &Server, records: i64) -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        let status = get(&server.address, "/api/v1/pipeline")?;
        if status["records"]["read"].as_i64().is_some_and(|read| read >= records) {
            return Ok(());
        }
        ensure!(since.elapsed() < PATIENCE, "not all records were read: {status}");
        thread::sleep(PAUSE);
    }
}

fn peak(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn middle_day(truth: &Value) -> anyhow::Result<String> {
    let days = truth["by_day"].as_object().context("no days")?;
    let day = days.keys().nth(days.len() / 2).context("no days")?;
    Ok(day.clone())
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
