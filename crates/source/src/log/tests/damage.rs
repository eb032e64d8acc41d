//! The way on after damage: what is kept, what is lost, and that a repair which is interrupted can be repeated.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::super::{Repaired, folder};
use super::*;

fn folder_of(dir: &Path) -> PathBuf {
    dir.join("log/orders/0")
}

fn mended(dir: &Path, committed: i64, apply: bool) -> Vec<Repaired> {
    repair(dir, &Positions::from_iter([(orders(), committed)]), clock().as_ref(), apply).unwrap()
}

/// The files of the partition and their bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths: BTreeSet<PathBuf> = fs::read_dir(folder_of(dir)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Offsets and values as a pipeline reads them, and the offsets that it is told are lost.
fn read(log: &Log) -> (Vec<(i64, Vec<u8>)>, Vec<i64>) {
    let mut reader = log.reader(&orders(), log.starts().next(&orders())).unwrap();
    let (mut records, mut lost) = (Vec::new(), Vec::new());
    loop {
        lost.extend(reader.skip_lost().into_iter().flatten());
        let Some(run) = reader.read(3, 1 << 20).unwrap() else { break };
        records.extend((0..run.len()).map(|index| (run.offsets[index], run.value(index).to_vec())));
    }
    lost.extend(reader.skip_lost().into_iter().flatten());
    (records, lost)
}

/// Repairs a log of 50 records: what is left and what is lost are all of them, in order; the log goes on after all that was
/// acknowledged, and finds nothing more.
#[track_caller]
fn check(dir: &Path, lost: &[i64]) {
    assert!(Log::open(dir, small(), clock()).is_err() || !verify(dir).unwrap().problems.is_empty(), "there is damage");
    let before = files(dir);
    let found = mended(dir, 0, false);
    assert_eq!(files(dir), before, "without `apply` nothing changes");
    assert_eq!(mended(dir, 0, true), found);
    let named: Vec<i64> = found.iter().flat_map(|repaired| repaired.from..repaired.to).collect();
    assert_eq!(named, lost);
    for evidence in found.iter().filter_map(|repaired| repaired.evidence.as_ref()) {
        let bytes = fs::read(evidence).unwrap();
        assert!(before.iter().any(|(_, held)| held.ends_with(&bytes)), "the damaged bytes are kept: {}", evidence.display());
    }
    assert_eq!(verify(dir).unwrap().problems, []);
    assert_eq!(mended(dir, 0, false), [], "a second repair finds nothing");
    let log = open(dir, &small());
    let (records, told) = read(&log);
    assert_eq!(told, lost);
    let kept: Vec<_> = expected(0..50).into_iter().filter(|(offset, _)| !lost.contains(offset)).collect();
    assert_eq!(records, kept);
    assert_eq!(append(&log, 50..52).from, 50, "no acknowledged offset is given again");
    drop(log);
    let log = open(dir, &small());
    assert_eq!(read(&log).0.len(), kept.len() + 2);
    assert_eq!(verify(dir).unwrap().problems, []);
}

fn filled() -> (TempDir, Vec<i64>) {
    let dir = TempDir::new().unwrap();
    append(&open(dir.path(), &small()), 0..50);
    let firsts = segments(dir.path());
    (dir, firsts)
}

fn segment(dir: &Path, first: i64) -> PathBuf {
    folder::segment_file(&folder_of(dir), first)
}

fn flip(path: &Path, byte: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = byte(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_last_frame_is_lost_alone() {
    let (dir, firsts) = filled();
    flip(&segment(dir.path(), firsts[firsts.len() - 1]), |length| length - 1);
    check(dir.path(), &[49]);
}

#[test]
fn damage_in_the_middle_of_a_segment_loses_no_whole_record_after_it() {
    for nth in [0, 2] {
        let (dir, firsts) = filled();
        // The body of the second frame: the first one begins after the header.
        let frame = (fs::metadata(segment(dir.path(), firsts[nth])).unwrap().len() - 40) / (firsts[nth + 1] - firsts[nth]) as u64;
        flip(&segment(dir.path(), firsts[nth]), |_| 40 + frame as usize + 12);
        check(dir.path(), &[firsts[nth] + 1]);
    }
}

#[test]
fn a_damaged_header_loses_its_segment() {
    for nth in [0, 2] {
        let (dir, firsts) = filled();
        flip(&segment(dir.path(), firsts[nth]), |_| 20);
        check(dir.path(), &(firsts[nth]..firsts[nth + 1]).collect::<Vec<_>>());
    }
    let (dir, firsts) = filled();
    let last = firsts[firsts.len() - 1];
    flip(&segment(dir.path(), last), |_| 20);
    check(dir.path(), &(last..50).collect::<Vec<_>>());
}

#[test]
fn missing_segments_and_a_missing_end_are_lost() {
    let (dir, firsts) = filled();
    fs::remove_file(segment(dir.path(), firsts[2])).unwrap();
    check(dir.path(), &(firsts[2]..firsts[3]).collect::<Vec<_>>());

    let (dir, firsts) = filled();
    let last = firsts[firsts.len() - 1];
    fs::remove_file(segment(dir.path(), last)).unwrap();
    check(dir.path(), &(last..50).collect::<Vec<_>>());

    let (dir, firsts) = filled();
    let last = firsts[firsts.len() - 1];
    fs::OpenOptions::new().write(true).open(segment(dir.path(), last)).unwrap().set_len(40).unwrap();
    check(dir.path(), &(last..50).collect::<Vec<_>>());
}

#[test]
fn a_damaged_mark_is_kept_aside_and_made_again() {
    let (dir, _) = filled();
    let mark = folder_of(dir.path()).join("acknowledged");
    flip(&mark, |_| 9);
    assert!(matches!(Log::open(dir.path(), small(), clock()), Err(LogError::Corrupt { file, .. }) if file == mark));
    let found = mended(dir.path(), 0, true);
    assert_eq!((found[0].from, found[0].to, found.len()), (50, 50, 1));
    assert!(found[0].evidence.as_ref().is_some_and(|evidence| evidence.exists()));
    assert_eq!(read(&open(dir.path(), &small())), (expected(0..50), vec![]));
}

#[test]
fn a_log_that_ends_before_the_sinks_goes_on_at_their_position() {
    let (dir, _) = filled();
    let found = mended(dir.path(), 60, true);
    assert_eq!((found[0].from, found[0].to, found[0].evidence.clone()), (50, 60, None));
    let log = open(dir.path(), &small());
    log.continue_from(&orders(), 60).unwrap();
    assert_eq!(append(&log, 60..61).from, 60);
    assert_eq!(log.lost_to(&orders()), Some(60));
}

#[test]
fn a_whole_log_and_a_torn_tail_need_no_repair() {
    let (dir, firsts) = filled();
    assert_eq!(mended(dir.path(), 50, true), []);
    let last = segment(dir.path(), firsts[firsts.len() - 1]);
    let whole = fs::read(&last).unwrap();
    fs::write(&last, [&whole[..], &[40, 0, 0, 0, 1, 2, 3]].concat()).unwrap();
    assert_eq!(mended(dir.path(), 50, true), []);
    assert_eq!(open(dir.path(), &small()).ends().get(&orders()), Some(50));
    assert_eq!(fs::read(&last).unwrap(), whole);
}

/// A crash leaves some of the steps done: each prefix of the changes is completed by the same repair.
#[test]
fn an_interrupted_repair_is_completed_by_the_next_one() {
    let (dir, firsts) = filled();
    let last = segment(dir.path(), firsts[firsts.len() - 1]);
    flip(&last, |length| length - 1);
    flip(&segment(dir.path(), firsts[1]), |_| 60);
    let before = files(dir.path());
    let lost: Vec<i64> = mended(dir.path(), 0, true).iter().flat_map(|repaired| repaired.from..repaired.to).collect();
    let after = files(dir.path());
    let is_new = |path: &PathBuf| !before.iter().any(|(held, _)| held == path);
    let rank = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match name.as_str() {
            "lost.ndjson" => 1,
            "acknowledged" => 4,
            name if name.contains("damaged") => 0,
            _ if is_new(path) => 2,
            _ => 3,
        }
    };
    let mut steps: Vec<&(PathBuf, Vec<u8>)> = after.iter().filter(|step| !before.contains(step)).collect();
    steps.sort_by_key(|(path, _)| rank(path));
    for done in 0..=steps.len() {
        for (path, _) in &after {
            fs::remove_file(path).unwrap();
        }
        for (path, bytes) in before.iter().chain(steps[..done].iter().copied()) {
            fs::write(path, bytes).unwrap();
        }
        mended(dir.path(), 0, true);
        assert_eq!(verify(dir.path()).unwrap().problems, [], "after {done} steps");
        assert_eq!(read(&open(dir.path(), &small())).1, lost, "after {done} steps");
    }
}
