//! The capacity, a full disk, and no free file descriptors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::process::Command;
use std::time::Instant;

use kassa_model::code::Code;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::frame::Frame;
use super::super::segment::Segment;
use super::super::{cutback, folder};
use super::*;

const CHILD: &str = "KASSA_TEST_LOG_LIMIT";

/// The bytes of all segment files. One may be deleted meanwhile.
fn bytes_in(dir: &Path) -> u64 {
    let is_segment = |path: &Path| path.extension().is_some_and(|extension| extension == "seg");
    let size = |path: &Path| if is_segment(path) { fs::metadata(path).map_or(0, |metadata| metadata.len()) } else { 0 };
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { bytes_in(&path) } else { size(&path) }).sum()
}

fn topics(count: usize) -> Vec<Partition> {
    (0..count).map(|nth| Partition::new(format!("topic-{nth}").as_str(), 0)).collect()
}

/// Waits until `what` is there.
fn until<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(there) = what() {
            return there;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it did not come");
        thread::yield_now();
    }
}

#[test]
fn the_files_never_exceed_the_capacity_and_read_segments_make_room_at_once() {
    let dir = TempDir::new().unwrap();
    let capacity_bytes = 4_000;
    // Nothing is deleted by age or size: only because its room is needed.
    let log = open(dir.path(), &LogOptions { capacity_bytes, ..small() });
    let topics = topics(3);
    let mut stored = 0;
    for turn in 0..500_usize {
        let records = values(0..1 + i64::try_from(turn % 7).unwrap());
        let (sent, seen) = (records.len(), log.signal().seen());
        match log.append_and_wait(&topics[turn % 3], records.clone()) {
            Ok(_) => stored += sent,
            Err(LogError::Full { .. }) => {
                assert!(log.is_pressed() && log.signal().seen() > seen, "who reads must hear of it");
                log.retain(&log.ends()).unwrap();
                // Everything is read, so it fits as soon as the writer has closed what is open.
                until(|| log.append_and_wait(&topics[turn % 3], records.clone()).ok());
                stored += sent;
            }
            Err(error) => panic!("{error}"),
        }
        let bytes = bytes_in(&dir.path().join("log"));
        assert!(bytes <= capacity_bytes, "{bytes} bytes in turn {turn}");
        // The writer may still be closing segments.
        until(|| (log.disk_bytes() == bytes_in(&dir.path().join("log"))).then_some(()));
    }
    let end: i64 = topics.iter().map(|topic| log.ends().next(topic)).sum();
    assert_eq!(end, i64::try_from(stored).unwrap());
    drop(log);
    assert_eq!(verify(dir.path()).unwrap().problems, []);
    let log = open(dir.path(), &LogOptions { capacity_bytes, ..small() });
    assert_eq!(log.disk_bytes(), bytes_in(&dir.path().join("log")), "counted anew at a start");
}

#[test]
fn unread_segments_are_never_deleted_for_room() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions { capacity_bytes: 2_000, ..small() });
    let stored = (0..).take_while(|turn| log.append_and_wait(&orders(), values(*turn..turn + 1)).is_ok()).count();
    let stored = i64::try_from(stored).unwrap();
    log.retain(&Positions::from_iter([(orders(), 3)])).unwrap();
    assert!(matches!(log.append_and_wait(&orders(), values(0..1)), Err(LogError::Full { .. })));
    assert_eq!(drain(&mut log.reader(&orders(), 0).unwrap(), 9).unwrap(), expected(0..stored));
}

#[test]
fn a_request_over_the_capacity_is_refused_for_good() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions { capacity_bytes: 1_000, ..small() });
    let refused = log.append_and_wait(&orders(), values(0..100)).unwrap_err();
    assert!(matches!(refused, LogError::OverCapacity { capacity: 1_000, .. }) && refused.code() == Code::TooLarge);
    assert_eq!(append(&log, 0..5).to, 5);
}

#[test]
fn only_a_lack_of_space_or_descriptors_passes_by_itself() {
    let of = |action, errno: Errno| LogError::Io { action, file: "f".into(), source: Arc::new(errno.into()) };
    for (action, errno, passes) in [
        ("write", Errno::NOSPC, true),
        ("sync", Errno::NOSPC, true),
        ("write", Errno::DQUOT, true),
        ("create", Errno::MFILE, true),
        ("open", Errno::NFILE, true),
        ("sync", Errno::MFILE, true),
        ("write", Errno::FBIG, true),
        ("write", Errno::IO, false),
        ("sync", Errno::IO, false),
        ("sync", Errno::FBIG, false),
        ("create", Errno::ACCESS, false),
        ("create", Errno::NOENT, false),
    ] {
        assert_eq!(of(action, errno).passes(), passes, "{action} {errno}");
    }
    assert!(!LogError::Io { action: "write", file: "f".into(), source: Arc::new(io::Error::other("x")) }.passes());
}

/// Frames that a failed commit has left are cut off, and a reader that has them in its buffer does not give them out.
#[test]
fn what_was_not_acknowledged_is_cut_off_and_forgotten() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions::default());
    append(&log, 0..3);
    let mut reader = log.reader(&orders(), 0).unwrap();
    let held = log.shared.partition(&orders()).unwrap();
    let path = folder::segment_file(&held.dir, 0);
    let seed = Segment::open(&path).unwrap().unwrap().seed();
    let mut left = Vec::new();
    Frame { ingested_at: 7, key: None, value: b"{\"order_id\":\"z\"}" }.encode(seed, 3, &mut left);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&left).unwrap();
    // A segment whose creation failed, and one whose commit failed.
    for first in [3, 9] {
        fs::write(folder::segment_file(&held.dir, first), b"torn").unwrap();
    }
    assert_eq!(reader.read(1, 1 << 20).unwrap().unwrap().len(), 1);
    cutback::cut_back(&held).unwrap();
    assert_eq!(log.disk_bytes(), bytes_in(&dir.path().join("log")));
    append(&log, 3..6);
    assert_eq!(drain(&mut reader, 2).unwrap(), expected(1..6));
    assert_eq!(segments(dir.path()), [0]);
    assert_eq!(verify(dir.path()).unwrap().problems, []);
}

#[test]
fn damage_before_the_durable_end_is_not_cut() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &LogOptions::default());
    append(&log, 0..3);
    let held = log.shared.partition(&orders()).unwrap();
    let path = folder::segment_file(&held.dir, 0);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(cutback::cut_back(&held), Err(LogError::Corrupt { offset: 2, .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

/// Runs the test of this name again in a process of its own, where limits concern nobody else. A full disk is a limit of files' size;
/// its signal is ignored.
fn in_a_child(name: &str) {
    let dir = TempDir::new().unwrap();
    let run = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact --nocapture \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg(format!("log::tests::full::{name}"))
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && words.contains("1 passed"), "{words}");
}

fn limit(resource: Resource, soft: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(resource);
    setrlimit(resource, Rlimit { current: soft, maximum }).unwrap();
}

/// Appends records until one is refused because nothing can be written; returns how many were stored.
fn append_until_unavailable(log: &Log, topic: &Partition, from: i64) -> i64 {
    let stored = (from..).take_while(|number| match log.append_and_wait(topic, values(*number..number + 1)) {
        Ok(receipt) => receipt.from == *number,
        Err(LogError::Unavailable { .. }) => false,
        Err(error) => panic!("{error}"),
    });
    i64::try_from(stored.count()).unwrap() + from
}

#[test]
fn a_full_disk_that_is_freed_is_used_again_without_a_restart() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return in_a_child("a_full_disk_that_is_freed_is_used_again_without_a_restart");
    };
    let dir = Path::new(&dir);
    let log = open(dir, &LogOptions::default());
    let mut reader = log.reader(&orders(), 0).unwrap();
    let mut end = 0;
    for bytes in [1_000, 2_007, 3_333] {
        limit(Resource::Fsize, Some(bytes));
        let before = end;
        end = append_until_unavailable(&log, &orders(), end);
        assert!(end > before && log.stopped().is_none(), "{end} after {before}");
        assert!(log.append_and_wait(&Partition::new("other", 0), values(0..1)).is_err(), "nobody is answered while it is full");
        assert_eq!(log.ends().get(&orders()), Some(end));
        limit(Resource::Fsize, getrlimit(Resource::Fsize).maximum);
        until(|| log.unavailable().is_none().then_some(()));
        assert_eq!(append(&log, end..end + 3).from, end);
        end += 3;
        assert_eq!(drain(&mut reader, 9).unwrap(), expected(before..end));
        assert_eq!(log.disk_bytes(), bytes_in(&dir.join("log")));
    }
    drop(log);
    assert_eq!(verify(dir).unwrap().problems, []);
    assert_eq!(open(dir, &LogOptions::default()).ends().get(&orders()), Some(end));
}

#[test]
fn file_descriptors_that_come_back_are_used_again_without_a_restart() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return in_a_child("file_descriptors_that_come_back_are_used_again_without_a_restart");
    };
    let dir = Path::new(&dir);
    let log = open(dir, &small());
    append(&log, 0..3);
    limit(Resource::Nofile, Some(64));
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!taken.is_empty());
    let end = append_until_unavailable(&log, &orders(), 3);
    let refused = log.append_and_wait(&Partition::new("other", 0), values(0..1)).unwrap_err();
    assert!(matches!(&refused, LogError::Unavailable { why, .. } if why.contains("os error 24")), "{refused}");
    assert!(log.stopped().is_none());
    drop(taken);
    until(|| log.unavailable().is_none().then_some(()));
    assert_eq!(log.append_and_wait(&Partition::new("other", 0), values(0..1)).unwrap().from, 0);
    assert_eq!(append(&log, end..end + 30).from, end);
    assert_eq!(drain(&mut log.reader(&orders(), 0).unwrap(), 9).unwrap(), expected(0..end + 30));
    drop(log);
    assert_eq!(verify(dir).unwrap().problems, []);
}
