//! Watches the process of a query: its time, its memory, and who reads its output.

use std::fs;
use std::io;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::Limits;
use super::pump::Pump;

/// How often the process is looked at. It may allocate for this long beyond its limit.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// Why a query is over. Unless it has ended, its process still runs.
#[derive(Debug)]
pub(super) enum End {
    Ended(ExitStatus),
    /// Nobody reads its output any more, or it cannot be written.
    Unread,
    Late,
    Memory,
    /// The user asks to stop, by this signal.
    Signal(u8),
}

pub(super) async fn watch(child: &mut Child, pump: &Pump, limits: &Limits) -> io::Result<End> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut look = tokio::time::interval(LOOK_EVERY);
    let began = Instant::now();
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(End::Signal(2)),
            _ = terminate.recv() => return Ok(End::Signal(15)),
            _ = look.tick() => {}
        }
        if let Some(status) = child.try_wait()? {
            return Ok(End::Ended(status));
        }
        if resident(child.id()).is_some_and(|bytes| bytes > limits.resident_bytes()) {
            return Ok(End::Memory);
        }
        if pump.has_failed() {
            return Ok(End::Unread);
        }
        if began.elapsed().saturating_sub(pump.waited()) > limits.time {
            return Ok(End::Late);
        }
    }
}

/// The resident memory of a process, where the system says.
fn resident(process: u32) -> Option<usize> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_a_process_is_known() {
        let held = vec![1_u8; 64 << 20];
        let found = resident(std::process::id()).unwrap();
        assert!(found > held.len() && found < 64 << 30, "{found}");
        assert_eq!(resident(u32::MAX), None);
    }
}
