//! A running `kassa run`, whose output goes to a file: a pipe that is not read would block it.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{until, until_ok};

pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Self { child: command.spawn().expect("started"), log }
    }

    /// All its output so far.
    pub(crate) fn words(&self) -> String {
        std::fs::read_to_string(&self.log).expect("its words")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits until it serves. One that dies before that has nothing more to say either.
    pub(crate) fn until_it_listens(&mut self) {
        until("the server", || self.words().contains("collector  http://") || !self.is_running());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn until_ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        until_ok("an end, or the time for it", || {
            let ended = self.child.try_wait().expect("a child");
            if ended.is_some() || begun.elapsed() >= within { Ok(ended) } else { Err("it runs") }
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("signalled");
    }

    /// Sends SIGTERM.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.until_ended(Duration::from_secs(90));
        assert!(status.is_some_and(|status| status.success()), "it ended with {status:?}:\n{}", self.words());
    }

    /// `kill -9`. It must have been at work: else nothing was killed.
    pub(crate) fn kill(mut self) {
        assert!(self.is_running(), "there was nothing to kill:\n{}", self.words());
        self.child.kill().expect("killed");
        let status = self.child.wait().expect("ended");
        assert_eq!(status.signal(), Some(9), "it was not killed");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let words = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = words.lines().rev().take(12).collect();
            eprintln!("  the process said last:");
            last.iter().rev().for_each(|line| eprintln!("    {}", line.chars().take(400).collect::<String>()));
        }
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}
