//! The files of a partition, in `<data_dir>/log/<topic>/<partition>/`:
//!
//! ```text
//! <first offset, 20 digits>.seg                 a segment
//! <first offset, 20 digits>.seg.damaged-<byte>  the damaged bytes of a segment, from this byte on (`salvage`)
//! acknowledged                                  the end of what was answered (`mark`)
//! lost.ndjson                                   what a repair gave up (`loss`)
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use kassa_model::Partition;

use super::error::{IoContext, LogError};

const DIGITS: usize = 20;

pub(super) fn log_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("log")
}

/// The folder of a partition, if its topic is a valid folder name.
pub(super) fn partition_dir(log_dir: &Path, partition: &Partition) -> Result<PathBuf, LogError> {
    let topic = partition.topic.as_ref();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if topic.is_empty() || topic.len() > 200 || topic.starts_with('.') || !topic.bytes().all(plain) {
        return Err(LogError::BadTopic { topic: topic.to_owned() });
    }
    Ok(log_dir.join(topic).join(partition.number.to_string()))
}

pub(super) fn segment_file(partition_dir: &Path, first: i64) -> PathBuf {
    partition_dir.join(format!("{first:0DIGITS$}.seg"))
}

/// Where damaged bytes of a segment are kept, from this byte on.
pub(super) fn evidence_file(segment: &Path, byte: u64) -> PathBuf {
    let mut name = segment.as_os_str().to_owned();
    name.push(format!(".damaged-{byte}"));
    name.into()
}

/// Copies a file's bytes from `byte` on, durably, to a file beside it.
pub(super) fn keep_aside(file: &Path, byte: u64) -> Result<PathBuf, LogError> {
    let (evidence, dir) = (evidence_file(file, byte), file.parent().unwrap_or(file));
    let mut from = File::open(file).during("open", file)?;
    from.seek(SeekFrom::Start(byte)).during("read", file)?;
    // An earlier repair that was interrupted may have cut the file already: its copy stays.
    if from.metadata().during("read", file)?.len() > byte || !evidence.exists() {
        let copy = |mut to: File| io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
        File::create(&evidence).and_then(copy).during("write", &evidence)?;
        sync(dir)?;
    }
    Ok(evidence)
}

/// The first offsets of a partition's segments, in order. A missing folder has none.
pub(super) fn segments(partition_dir: &Path) -> Result<Vec<i64>, LogError> {
    let mut firsts: Vec<i64> = names(partition_dir)?.iter().filter_map(|name| first_offset(name.strip_suffix(".seg")?)).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

fn first_offset(digits: &str) -> Option<i64> {
    (digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The partitions that have a folder, in order.
pub(super) fn partitions(log_dir: &Path) -> Result<Vec<Partition>, LogError> {
    let mut found = Vec::new();
    for topic in names(log_dir)?.into_iter().filter(|name| !name.starts_with('.')) {
        for number in names(&log_dir.join(&topic))?.iter().filter_map(|name| name.parse().ok()) {
            found.push(Partition::new(topic.as_str(), number));
        }
    }
    found.sort();
    Ok(found)
}

fn names(dir: &Path) -> Result<Vec<String>, LogError> {
    match fs::read_dir(dir) {
        Ok(entries) => entries
            .map(|entry| Ok(entry.during("list", dir)?.file_name()))
            .filter_map(|name| name.map(|name| name.to_str().map(str::to_owned)).transpose())
            .collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error).during("list", dir),
    }
}

/// Creates the partition's folder durably, including the names in its parent folders.
pub(super) fn create(log_dir: &Path, partition_dir: &Path) -> Result<(), LogError> {
    fs::create_dir_all(partition_dir).during("create", partition_dir)?;
    partition_dir.ancestors().skip(1).take_while(|dir| dir.starts_with(log_dir)).try_for_each(sync)?;
    log_dir.parent().map_or(Ok(()), sync)
}

/// Writes a file whole, durably: after a crash it has the old bytes or the new ones.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let (dir, new) = (path.parent().unwrap_or(path), path.with_extension("new"));
    let write = |file: io::Result<File>| file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    write(File::create(&new)).during("write", &new)?;
    fs::rename(&new, path).during("replace", path)?;
    sync(dir)
}

/// Makes the names in a folder durable.
pub(super) fn sync(dir: &Path) -> Result<(), LogError> {
    let dir = if dir.as_os_str() == OsStr::new("") { Path::new(".") } else { dir };
    File::open(dir).and_then(|dir| dir.sync_all()).during("sync", dir)
}
