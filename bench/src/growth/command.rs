//! Commands of kassa, with their time and memory.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

const PAUSE: Duration = Duration::from_millis(10);

/// The cost of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    pub(super) seconds: f64,
    pub(super) peak_kib: u64,
}

/// Runs kassa in a folder to its end, and measures its memory a hundred times a second.
pub(super) fn timed(kassa: &Path, place: &Path, args: &[&str]) -> anyhow::Result<Took> {
    let words = place.join("words.txt");
    let said = File::create(&words)?;
    let mut command = Command::new(kassa);
    command.args(args).current_dir(place).stdout(said.try_clone()?).stderr(said);
    let since = Instant::now();
    let mut child = command.spawn()?;
    let mut peak_kib = 0;
    let status = loop {
        // A process that is just ending has no memory.
        peak_kib = memory(child.id(), "VmHWM:").map_or(peak_kib, |kib| peak_kib.max(kib));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(PAUSE);
    };
    let seconds = since.elapsed().as_secs_f64();
    ensure!(status.success(), "kassa {}: {}", args.join(" "), fs::read_to_string(&words)?);
    Ok(Took { seconds, peak_kib })
}

/// A line of `/proc/PID/status`, in KiB: `VmHWM:` is the peak so far, `VmRSS:` the present value.
pub(super) fn memory(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Long enough for anything with this many records.
pub(super) fn patience(records: u64) -> Duration {
    Duration::from_secs(1_800 + records / 5_000)
}
