//! This machine: the data folder, free disk space, the listen address.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use kassa_config::{Config, LakePlace, Source};

use super::Check;
use crate::wiring::Lock;

const SYSTEM: &str = "machine";
/// Less free space than this is a problem soon.
const LITTLE: u64 = 2 << 30;

pub fn checks(config: &Config) -> Vec<Check> {
    let at_work = Lock::is_taken(&config.data_dir);
    let mut checks = vec![folder(SYSTEM, "data_dir", &config.data_dir), lock(&config.data_dir, at_work)];
    checks.push(listen(config.server.listen, at_work));
    // The lake's folder may be on another disk.
    let mut folders = vec![&config.data_dir];
    if let LakePlace::Folder(lake) = &config.lake.place {
        folders.extend((!lake.starts_with(&config.data_dir)).then_some(lake));
    }
    let log = matches!(config.source, Source::Log).then_some(config.log.capacity_bytes);
    checks.extend(folders.into_iter().filter_map(|folder| disk(folder, log.filter(|_| *folder == config.data_dir))));
    checks
}

/// The folder itself, or its nearest existing parent.
fn nearest(folder: &Path) -> PathBuf {
    folder.ancestors().find(|above| above.exists()).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

/// Whether files can be created there: tries it with an anonymous file, which disappears when it is
/// closed.
pub fn folder(system: &'static str, what: &str, folder: &Path) -> Check {
    let (place, there) = (folder.display().to_string(), nearest(folder));
    match tempfile::tempfile_in(&there) {
        Ok(_) if there == folder => Check::ok(system, what, &place, "writable"),
        Ok(_) => Check::ok(system, what, &place, format!("will be created at the first start, below {}", there.display())),
        Err(error) => Check::wrong(system, what, &place, format!("not writable: {error}"))
            .why("kassa keeps all its data below it")
            .fix(format!("give the user that runs kassa the right to write to {}, or name another folder", there.display())),
    }
}

fn lock(data_dir: &Path, at_work: bool) -> Check {
    let found = if at_work { "a kassa is running there" } else { "no kassa is running there" };
    Check::ok(SYSTEM, "lock", &data_dir.display().to_string(), found)
}

fn listen(address: SocketAddr, at_work: bool) -> Check {
    let place = address.to_string();
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(SYSTEM, "listen", &place, "free"),
        Err(_) if at_work => Check::ok(SYSTEM, "listen", &place, "in use, probably by the running kassa"),
        Err(error) => Check::wrong(SYSTEM, "listen", &place, format!("cannot be listened on: {error}"))
            .why("no other kassa runs in this data folder: another program uses the address, or this user may not use it")
            .fix("stop that program, or give another `server.listen` (or --listen)"),
    }
}

fn disk(folder: &Path, log: Option<u64>) -> Option<Check> {
    let there = rustix::fs::statvfs(nearest(folder)).ok()?;
    // A file system without a size cannot be full.
    let (total, free) = (there.f_blocks * there.f_frsize, there.f_bavail * there.f_frsize);
    (total > 0).then(|| space(&folder.display().to_string(), free, log))
}

pub fn space(place: &str, free: u64, log: Option<u64>) -> Check {
    let shown = bytes(free);
    let check = Check::warning(SYSTEM, "disk", place, format!("{shown} free"));
    match log {
        _ if free < LITTLE => check
            .why("a full disk stops the pipeline; no acknowledged record is lost")
            .fix(format!("free some space, or move the folder: less than {} is too little", bytes(LITTLE))),
        Some(log) if free < log => check
            .why(format!("the collector's log may grow to `log.capacity`, {}", bytes(log)))
            .fix("lower it, or free some space"),
        _ => Check::ok(SYSTEM, "disk", place, format!("{shown} free")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people, to a tenth")]
fn bytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}
