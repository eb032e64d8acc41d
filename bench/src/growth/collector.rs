//! A year of the synthetic shop through the collector: the cost to run, start, query and prove.
//!
//! CPU-seconds and peak memory are those of `kassa run` from its start until every record is read. "After kill -9" is a start on
//! the state that a kill at that moment leaves.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kassa_engine::checkpoint::Sizes;
use serde_json::Value;

use super::command::{Took, memory, patience, timed};
use super::{Year, float};
use crate::latency::{Server, asked, get};
use crate::warehouse::{net_sales, seconds, stat};

const PAUSE: Duration = Duration::from_millis(10);
/// How often memory is measured while the input is read.
const LOOK: Duration = Duration::from_millis(100);
/// The number of times that a query is timed; the least counts.
const ROUNDS: usize = 3;
const TEN_MILLION: u64 = 10_000_000;

/// The cost of one size. Times in seconds, memory in KiB, sizes in bytes.
#[derive(Debug)]
pub(super) struct Cost {
    pub(super) cpu: f64,
    pub(super) peak_kib: u64,
    /// The maximum memory in each tenth of the input.
    pub(super) tenths_kib: [u64; 10],
    pub(super) after_kill: f64,
    pub(super) after_stop: f64,
    pub(super) net_sales: Asked,
    pub(super) conversion: Asked,
    pub(super) prove: Took,
    pub(super) state: Sizes,
    money_keys: u64,
    pub(super) lake: u64,
}

/// A figure of one day: seconds, and bytes of the lake's tables.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) seconds: f64,
    pub(super) bytes: u64,
}

impl Cost {
    pub(super) fn bytes_a_money_key(&self) -> f64 {
        float(self.state.money_keys) / float(self.money_keys.max(1))
    }

    /// The maximum memory after ten million records relative to the maximum before; `None` for sizes that do not go beyond.
    pub(super) fn growth_beyond_ten_million(&self, records: u64) -> Option<f64> {
        let reached = usize::try_from((TEN_MILLION * 10).div_ceil(records)).ok()?;
        let (before, after) = self.tenths_kib.split_at_checked(reached)?;
        Some(float(*after.iter().max()?) / float(*before.iter().max()?))
    }
}

struct Run<'k> {
    kassa: &'k Path,
    place: tempfile::TempDir,
    year: Year,
}

pub(super) fn measure(kassa: &Path, year: Year) -> anyhow::Result<Cost> {
    Run { kassa, place: tempfile::tempdir()?, year }.measure()
}

impl Run<'_> {
    fn measure(&self) -> anyhow::Result<Cost> {
        let place = self.place.path();
        fs::write(place.join("kassa.toml"), "data_dir = \"data\"\n")?;
        let mut server = Server::start(self.kassa, place)?;
        let (truth, tenths_kib) = self.simulate(&server)?;
        let pid = server.pid();
        let cpu = seconds(stat(&PathBuf::from(format!("/proc/{pid}/stat")))?.get(11..13).context("/proc/PID/stat")?)?;
        let peak_kib = memory(pid, "VmHWM:")?;
        server.kill()?;
        let after_kill = self.start(&mut server)?;
        self.wait_for_all(&server, &truth)?;
        server.stop()?;
        let after_stop = self.start(&mut server)?;
        server.stop()?;
        net_sales(self.kassa, place, "lake", &truth)?;
        let day = middle_day(&truth)?;
        let (net_sales, conversion) = (self.ask("net_sales", &day)?, self.ask("conversion", &day)?);
        let prove = timed(self.kassa, place, &["prove"])?;
        let state = Sizes::of(&place.join("data/state"))?;
        let lake = size(&place.join("data/lake"))?;
        let money_keys = money_keys(&truth)?;
        Ok(Cost { cpu, peak_kib, tenths_kib, after_kill, after_stop, net_sales, conversion, prove, state, money_keys, lake })
    }

    /// Sends the year, and waits until it is read. Returns the truth, and the maximum memory in each tenth.
    fn simulate(&self, server: &Server) -> anyhow::Result<(Value, [u64; 10])> {
        let (told, words) = (self.place.path().join("truth.json"), self.place.path().join("words.txt"));
        let mut command = Command::new(self.kassa);
        command.arg("simulate").args(self.year.args()).args(["--to", &format!("http://{}", server.address)]);
        let mut child = command.stdout(Stdio::from(File::create(&told)?)).stderr(Stdio::from(File::create(&words)?)).spawn()?;
        let (since, mut tenths) = (Instant::now(), [0_u64; 10]);
        let mut ended = None;
        loop {
            let read = read(server)?;
            let tenth = usize::try_from(read * 10 / self.year.records.max(1))?.min(9);
            tenths[tenth] = tenths[tenth].max(memory(server.pid(), "VmRSS:")?);
            if ended.is_some() && read >= self.year.records {
                break;
            }
            ended = child.try_wait()?;
            let is_well = ended.is_none_or(|status| status.success());
            ensure!(is_well, "kassa simulate failed: {}", fs::read_to_string(&words)?);
            ensure!(since.elapsed() < patience(self.year.records), "not all records were read: {read}");
            thread::sleep(LOOK);
        }
        Ok((serde_json::from_slice(&fs::read(&told)?)?, tenths))
    }

    /// Seconds until a new process is ready.
    fn start(&self, server: &mut Server) -> anyhow::Result<f64> {
        let since = Instant::now();
        *server = Server::start(self.kassa, self.place.path())?;
        while !asked(&server.address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            ensure!(since.elapsed() < patience(self.year.records), "kassa does not become ready");
            thread::sleep(PAUSE);
        }
        Ok(since.elapsed().as_secs_f64())
    }

    /// Waits until all records are in the live figures and the lake.
    fn wait_for_all(&self, server: &Server, truth: &Value) -> anyhow::Result<()> {
        let (since, produced) = (Instant::now(), truth["produced"].as_u64().context("no count of records")?);
        while read(server)? < produced {
            ensure!(since.elapsed() < patience(produced), "not all records were read");
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn ask(&self, figure: &str, day: &str) -> anyhow::Result<Asked> {
        let mut best = Asked { seconds: f64::MAX, bytes: 0 };
        for _ in 0..ROUNDS {
            let since = Instant::now();
            let args = ["figures", figure, "--from", day, "--to", day, "--verbose", "--format", "json"];
            let answer = Command::new(self.kassa).args(args).current_dir(self.place.path()).stderr(Stdio::piped()).output()?;
            let words = String::from_utf8_lossy(&answer.stderr);
            ensure!(answer.status.success(), "{words}");
            best.seconds = best.seconds.min(since.elapsed().as_secs_f64());
            best.bytes =
                words.split_whitespace().find_map(|word| word.replace(['_', ','], "").parse().ok()).context("no bytes")?;
        }
        Ok(best)
    }
}

/// Records that were read so far, of the whole shop.
pub(super) fn read(server: &Server) -> anyhow::Result<u64> {
    let status = get(&server.address, "/api/v1/pipeline")?;
    Ok(status["records"]["read"].as_u64().unwrap_or(0))
}

/// Each accepted record of the money contracts has two keys: its event's and its business key.
fn money_keys(truth: &Value) -> anyhow::Result<u64> {
    let accepted = |stream: &str| truth["streams"][stream]["accepted"].as_u64().with_context(|| format!("no count of {stream}"));
    Ok(["orders", "order_lines", "payments", "refunds"].map(accepted).into_iter().sum::<anyhow::Result<u64>>()? * 2)
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
