use std::fs;
use std::path::PathBuf;

use kassa_model::code::Code;

use super::super::frame::HEADER_BYTES;
use super::super::{ProblemKind, folder, mark};
use super::*;

fn file(dir: &Path, first: i64) -> PathBuf {
    folder::segment_file(&dir.join("log/orders/0"), first)
}

/// A closed log of one segment with these records, and its bytes.
fn one_segment(records: i64) -> (TempDir, PathBuf, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    append(&open(dir.path(), &LogOptions::default()), 0..records);
    let file = file(dir.path(), 0);
    let bytes = fs::read(&file).unwrap();
    (dir, file, bytes)
}

/// The start of each record's frame, and the end.
fn frame_starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![HEADER_BYTES];
    while let Some(prefix) = bytes.get(*starts.last().unwrap()..).and_then(|rest| rest.first_chunk()) {
        starts.push(starts.last().unwrap() + 8 + u32::from_le_bytes(*prefix) as usize);
    }
    starts
}

/// Replaces the file with a new one: some file systems flush a file that is truncated and
/// rewritten.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// As a crash leaves it that came before this offset was acknowledged.
fn acknowledged_to(dir: &Path, next: i64) {
    mark::write(&dir.join("log/orders/0"), next).unwrap();
}

fn kinds(dir: &Path) -> Vec<ProblemKind> {
    verify(dir).unwrap().problems.iter().map(|problem| problem.kind).collect()
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_frame_is_cut_and_overwritten() {
    let (dir, file, bytes) = one_segment(5);
    let starts = frame_starts(&bytes);
    let (last, end) = (starts[4], starts[5]);
    assert_eq!(end, bytes.len());
    for torn in last..end {
        replace(&file, &bytes[..torn]);
        acknowledged_to(dir.path(), 4);
        let before = verify(dir.path()).unwrap();
        assert_eq!(before.partitions[0].next, 4);
        assert_eq!(before.problems.len(), usize::from(torn > last));
        assert_eq!(drain(&mut LogReader::open(dir.path(), &orders(), 0).unwrap(), 9).unwrap(), expected(0..4));

        let log = open(dir.path(), &LogOptions::default());
        assert_eq!(fs::metadata(&file).unwrap().len(), last as u64);
        assert_eq!(append(&log, 4..5).from, 4);
        assert_eq!(drain(&mut log.reader(&orders(), 0).unwrap(), 9).unwrap(), expected(0..5));
    }
}

#[test]
fn a_flipped_bit_cuts_nothing_that_was_acknowledged() {
    let (dir, file, bytes) = one_segment(5);
    let starts = frame_starts(&bytes);
    for acknowledged in [5, 4] {
        for place in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[place / 8] ^= 1 << (place % 8);
            replace(&file, &damaged);
            acknowledged_to(dir.path(), acknowledged);
            let opened = Log::open(dir.path(), LogOptions::default(), clock());
            if acknowledged == 4 && place / 8 >= starts[4] {
                assert_eq!(opened.unwrap().ends().get(&orders()), Some(4), "bit {place}");
                continue;
            }
            let Err(LogError::Corrupt { file: named, byte, offset, .. }) = opened else { panic!("bit {place}: {opened:?}") };
            let within = starts.iter().rposition(|start| *start <= place / 8);
            let at = within.map_or(0, |index| starts[index]);
            assert_eq!((named, byte, offset), (file.clone(), at as u64, within.unwrap_or(0) as i64), "bit {place}");
            assert_eq!(fs::read(&file).unwrap(), damaged, "nothing is cut");
            // A last frame that claims to be longer than the file looks like a file that was cut.
            let is_length = (starts[4]..starts[4] + 4).contains(&(place / 8));
            let found = kinds(dir.path());
            assert!(found == [ProblemKind::Corrupt] || (is_length && found == [ProblemKind::Missing]), "bit {place}: {found:?}");
        }
    }
}

#[test]
fn an_end_that_was_acknowledged_and_is_cut_off_is_refused() {
    let (dir, file, bytes) = one_segment(5);
    for cut in 0..bytes.len() {
        replace(&file, &bytes[..cut]);
        let opened = Log::open(dir.path(), LogOptions::default(), clock());
        assert!(matches!(opened, Err(LogError::Corrupt { .. } | LogError::Cut { .. })), "{cut}: {opened:?}");
        assert_eq!(fs::read(&file).unwrap(), bytes[..cut], "nothing is cut");
        let problems = verify(dir.path()).unwrap().problems;
        let kind = if cut < HEADER_BYTES { ProblemKind::Corrupt } else { ProblemKind::Missing };
        assert_eq!(problems.len(), 1, "{cut}: {problems:?}");
        assert_eq!((problems[0].kind, problems[0].to), (kind, 5), "{cut}");
    }
    fs::remove_file(&file).unwrap();
    let opened = Log::open(dir.path(), LogOptions::default(), clock());
    assert!(matches!(opened, Err(LogError::Cut { acknowledged: 5, end: 0, .. })), "{opened:?}");
    assert_eq!(kinds(dir.path()), [ProblemKind::Missing]);
}

#[test]
fn a_torn_tail_of_a_log_without_a_mark_is_kept_aside() {
    let (dir, file, bytes) = one_segment(5);
    let last = frame_starts(&bytes)[4];
    fs::remove_file(dir.path().join("log/orders/0/acknowledged")).unwrap();
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    replace(&file, &damaged);
    let log = open(dir.path(), &LogOptions::default());
    assert_eq!(log.ends().get(&orders()), Some(4));
    assert_eq!(fs::read(folder::evidence_file(&file, last as u64)).unwrap(), damaged[last..]);
    assert_eq!(append(&log, 4..5).from, 4);
    drop(log);
    assert_eq!(mark::read(&dir.path().join("log/orders/0")).unwrap(), Some(5));
}

#[test]
fn several_torn_frames_are_cut_and_whole_ones_before_them_stay() {
    let (dir, file, bytes) = one_segment(5);
    let starts = frame_starts(&bytes);
    let mut torn = bytes.clone();
    torn[starts[2]..].fill(0);
    fs::write(&file, &torn).unwrap();
    acknowledged_to(dir.path(), 2);
    assert_eq!(kinds(dir.path()), [ProblemKind::TornTail]);
    assert_eq!(open(dir.path(), &LogOptions::default()).ends().get(&orders()), Some(2));
}

#[test]
fn a_torn_record_that_contains_the_image_of_a_frame_is_still_a_torn_tail() {
    let (dir, file, bytes) = one_segment(3);
    let starts = frame_starts(&bytes);
    let elsewhere = one_segment(3).2;
    let mut torn = bytes[..starts[1]].to_vec();
    torn.extend_from_slice(&500_u32.to_le_bytes());
    torn.extend_from_slice(&elsewhere[starts[2]..]);
    fs::write(&file, &torn).unwrap();
    let other = clock();
    other.0.store(77, Ordering::Relaxed);
    assert_eq!(kinds(dir.path()), [ProblemKind::Corrupt], "segments created at the same time have equal bytes");

    let dir = TempDir::new().unwrap();
    append(&Log::open(dir.path(), LogOptions::default(), other).unwrap(), 0..3);
    let file = self::file(dir.path(), 0);
    let own = fs::read(&file).unwrap();
    fs::write(&file, [&own[..starts[1]], &torn[starts[1]..]].concat()).unwrap();
    acknowledged_to(dir.path(), 1);
    assert_eq!(kinds(dir.path()), [ProblemKind::TornTail]);
    assert_eq!(open(dir.path(), &LogOptions::default()).ends().get(&orders()), Some(1));
}

#[test]
fn a_segment_without_a_header_is_accepted_only_at_the_end() {
    let dir = TempDir::new().unwrap();
    append(&open(dir.path(), &small()), 0..30);
    let firsts = segments(dir.path());
    for left in [vec![], vec![0; 10], vec![0; 4096]] {
        fs::write(file(dir.path(), 30), &left).unwrap();
        assert_eq!(kinds(dir.path()), [ProblemKind::TornTail]);
        assert_eq!(open(dir.path(), &small()).ends().get(&orders()), Some(30));
        assert_eq!(segments(dir.path()), firsts);
    }
    let middle = fs::read(file(dir.path(), firsts[1])).unwrap();
    fs::write(file(dir.path(), firsts[1]), b"").unwrap();
    assert!(matches!(Log::open(dir.path(), small(), clock()), Err(LogError::Corrupt { offset, .. }) if offset == firsts[1]));
    fs::write(file(dir.path(), firsts[1]), middle).unwrap();
    fs::write(file(dir.path(), 30), b"these bytes were never written by a log of ours").unwrap();
    assert!(matches!(Log::open(dir.path(), small(), clock()), Err(LogError::Corrupt { byte: 0, .. })));
}

#[test]
fn a_missing_segment_is_reported_by_open_and_verify() {
    let dir = TempDir::new().unwrap();
    append(&open(dir.path(), &small()), 0..50);
    let firsts = segments(dir.path());
    fs::remove_file(file(dir.path(), firsts[2])).unwrap();
    let Err(LogError::Missing { file: named }) = Log::open(dir.path(), small(), clock()) else { panic!() };
    assert_eq!(named, file(dir.path(), firsts[2]));
    let problem = verify(dir.path()).unwrap().problems.remove(0);
    assert_eq!((problem.kind, problem.from, problem.to), (ProblemKind::Missing, firsts[2], firsts[3]));
    let read = drain(&mut LogReader::open(dir.path(), &orders(), 0).unwrap(), 9);
    assert!(matches!(read, Err(LogError::Corrupt { offset, .. }) if offset == firsts[2]), "{read:?}");
}

#[test]
fn damage_in_an_earlier_segment_stops_its_reader_and_is_found_by_verify() {
    let dir = TempDir::new().unwrap();
    append(&open(dir.path(), &small()), 0..50);
    let firsts = segments(dir.path());
    let path = file(dir.path(), firsts[1]);
    let whole = fs::read(&path).unwrap();
    let last_frame = frame_starts(&whole).iter().rev().nth(1).copied().unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (damaged, at) in [(&flipped[..], last_frame), (&whole[..whole.len() - 1], last_frame), (&whole[..last_frame], last_frame)]
    {
        fs::write(&path, damaged).unwrap();
        let log = open(dir.path(), &small());
        for mut reader in [log.reader(&orders(), 0).unwrap(), LogReader::open(dir.path(), &orders(), 0).unwrap()] {
            let Err(LogError::Corrupt { file, byte, offset, .. }) = drain(&mut reader, 9) else { panic!() };
            assert_eq!((file, byte, offset), (path.clone(), at as u64, firsts[2] - 1));
        }
        let problems = verify(dir.path()).unwrap().problems;
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].from, problems[0].to), (firsts[2] - 1, firsts[2]));
    }
}

#[test]
fn from_a_position_on_the_segments_before_it_are_known_by_their_names_only() {
    let dir = TempDir::new().unwrap();
    append(&open(dir.path(), &small()), 0..50);
    let firsts = segments(dir.path());
    let whole = verify(dir.path()).unwrap();
    assert!(firsts.len() > 4 && whole.problems.is_empty());
    for (nth, first) in firsts.iter().enumerate() {
        let path = file(dir.path(), *first);
        let bytes = fs::read(&path).unwrap();
        let end = firsts.get(nth + 1).copied().unwrap_or(50);
        let mut damaged = bytes.clone();
        damaged[HEADER_BYTES + 8] ^= 1;
        fs::write(&path, &damaged).unwrap();
        for from in [0, *first, end - 1, end, end + 1] {
            let found = verify_from(dir.path(), &Positions::from_iter([(orders(), from)])).unwrap();
            let problems: Vec<i64> = found.problems.iter().map(|problem| problem.from).collect();
            // The last segment has no name after it that states its end, so it is always read.
            let is_read = end > from || nth + 1 == firsts.len();
            assert_eq!(problems, if is_read { vec![*first] } else { vec![] }, "segment {nth} from {from}");
            if !is_read {
                assert_eq!(found.partitions, whole.partitions, "what is left out changes nothing that is known of the log");
            }
        }
        // Positions of other partitions leave out nothing here.
        let other = Positions::from_iter([(Partition::new("orders", 1), 50), (Partition::new("others", 0), 50)]);
        assert_eq!(verify_from(dir.path(), &other).unwrap().problems.len(), 1);
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn from_a_position_on_a_missing_segment_that_has_it_or_comes_later_is_reported() {
    let dir = TempDir::new().unwrap();
    append(&open(dir.path(), &small()), 0..50);
    let firsts = segments(dir.path());
    fs::remove_file(file(dir.path(), firsts[2])).unwrap();
    for from in [0, firsts[1], firsts[2] - 1, firsts[2], firsts[3] - 1] {
        let problem = verify_from(dir.path(), &Positions::from_iter([(orders(), from)])).unwrap().problems.remove(0);
        assert_eq!((problem.kind, problem.from, problem.to), (ProblemKind::Missing, firsts[2], firsts[3]), "from {from}");
    }
    for from in [firsts[3], 49] {
        let found = verify_from(dir.path(), &Positions::from_iter([(orders(), from)])).unwrap();
        assert_eq!(found.problems, [], "from {from}");
    }
}

#[test]
fn a_deleted_log_continues_at_the_sinks_positions_and_a_shortened_one_is_refused() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &small());
    log.continue_from(&orders(), 500).unwrap();
    assert_eq!(append(&log, 0..1).from, 500);
    log.continue_from(&orders(), 501).unwrap();
    assert!(matches!(log.continue_from(&orders(), 502), Err(LogError::Lost { asked: 502, end: 501, .. })));
    assert!(matches!(log.retain(&Positions::from_iter([(orders(), 502)])), Err(LogError::Lost { .. })));
    assert!(matches!(log.reader(&orders(), 502), Err(LogError::Lost { .. })));
    drop(log);
    let log = open(dir.path(), &small());
    assert_eq!((log.starts().next(&orders()), log.ends().next(&orders())), (500, 501));
}

#[test]
fn a_log_of_a_later_version_is_unchanged() {
    let (dir, file, mut bytes) = one_segment(1);
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..36]);
    bytes[36..40].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    assert!(matches!(Log::open(dir.path(), LogOptions::default(), clock()), Err(LogError::Version { version: 2, .. })));
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn nothing_is_acknowledged_after_a_failed_write() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), &small());
    append(&log, 0..2);
    fs::remove_dir_all(dir.path().join("log/orders")).unwrap();
    let refused = log.append_and_wait(&orders(), values(2..50)).unwrap_err();
    assert!(
        matches!(&refused, LogError::Stopped { code: Code::StorageFailed, why } if why.contains("could not create")),
        "{refused}"
    );
    assert!(matches!(log.append_and_wait(&Partition::new("other", 0), values(0..1)), Err(LogError::Stopped { .. })));
    assert!(log.stopped().is_some());
    assert_eq!(log.ends().get(&orders()), Some(2), "unsynced records are not visible");
}
