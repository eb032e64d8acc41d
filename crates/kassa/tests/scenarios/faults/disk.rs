//! A disk that is full.

use std::path::Path;
use std::process::Command;

use super::run::Run;
use crate::harness::until;

/// A file system of memory over a run's data folder; gone when dropped.
pub(crate) struct Disk(String);

const LARGE: &str = "200m";

impl Disk {
    pub(crate) fn over(path: &Path) -> Self {
        std::fs::create_dir_all(path).expect("a folder");
        let disk = Self(path.to_str().expect("UTF-8").to_owned());
        assert!(
            as_root(&["mount", "-t", "tmpfs", "-o", &format!("size={LARGE}"), "none", &disk.0]),
            "no file system was mounted"
        );
        disk
    }

    fn resize(&self, size: &str) {
        assert!(as_root(&["mount", "-o", &format!("remount,size={size}"), &self.0]), "the file system stays as it is");
    }

    fn used(&self) -> u64 {
        let told = rustix::fs::statvfs(self.0.as_str()).expect("a file system");
        (told.f_blocks - told.f_bfree) * told.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        as_root(&["umount", &self.0]);
    }
}

/// By sudo, where we are not; it must ask for no password.
fn as_root(command: &[&str]) -> bool {
    let mut words = if rustix::process::geteuid().is_root() { Vec::new() } else { vec!["sudo", "-n"] };
    words.extend(command);
    Command::new(words[0]).args(&words[1..]).status().expect("started").success()
}

/// The data folder, with the lake in it, fills up. It is said, and with more room it goes on.
pub(crate) fn full(run: &mut Run<'_>) {
    let disk = run.disk.take().expect("a file system of its own");
    run.send(100);
    let mut process = run.serve();
    run.until_more_than(0);
    disk.resize(&(disk.used() + 150_000).to_string());
    until("a full disk", || {
        run.send(20);
        process.words().contains("No space left on device") || !process.is_running()
    });
    let words = process.words();
    assert!(words.contains("No space left on device"), "it stopped without a word of the disk:\n{words}");
    disk.resize(LARGE);
    run.disk = Some(disk);
    if process.is_running() {
        run.until_all_is_there();
        run.end(process);
    }
}
