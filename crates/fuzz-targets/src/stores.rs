//! What kassa has stored itself, damaged: refused or read, and never other than it was written.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use kassa_lake::Folder;
use kassa_lake::delta::snapshot::{Snapshot, entry_name};
use kassa_model::Partition;
use kassa_model::time::SystemClock;
use kassa_source::log::{Log, LogOptions, LogReader, LogRecord, verify};

const SEGMENT: &str = "log/t/0/00000000000000000000.seg";
const RECORDS: i64 = 8;

/// An even first byte: the rest is a segment. An odd one: the rest are changes to a sound segment, each of a position (two bytes) and
/// the bits to flip there (a byte), because checksums keep random bytes from looking sound.
pub(crate) fn segment(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    let is_changed = first % 2 == 1;
    if is_changed {
        bytes = sound().clone();
        for change in rest.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
            bytes[at] ^= change[2];
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(SEGMENT);
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(&path, &bytes).expect("written");
    read(dir.path(), is_changed);
    verify(dir.path()).map(drop).unwrap_or_default();
    if let Ok(log) = Log::open(dir.path(), LogOptions::default(), Arc::new(SystemClock)) {
        drop(log);
        read(dir.path(), is_changed);
    }
}

fn value(offset: i64) -> String {
    format!("{{\"order_id\":\"{offset}\"}}")
}

/// The bytes of a segment as the log writes it.
fn sound() -> &'static Vec<u8> {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let log = Log::open(dir.path(), LogOptions::default(), Arc::new(SystemClock)).expect("a log");
        let records = (0..RECORDS).map(|offset| LogRecord::new(value(offset))).collect();
        log.append_and_wait(&Partition::new("t", 0), records).expect("appended");
        drop(log);
        fs::read(dir.path().join(SEGMENT)).expect("a segment")
    })
}

fn read(dir: &Path, is_changed: bool) {
    let Ok(mut reader) = LogReader::open(dir, &Partition::new("t", 0), 0) else { return };
    let mut last = -1;
    while let Ok(Some(records)) = reader.read(100, 1 << 20) {
        for (at, offset) in records.offsets.iter().enumerate() {
            assert!(*offset > last, "offset {offset} after {last}");
            last = *offset;
            assert!(!is_changed || records.value(at) == value(*offset).as_bytes(), "record {offset} was changed unnoticed");
        }
    }
}

/// Entries of a table's log, with a zero between two.
pub(crate) fn delta_log(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    let log = dir.path().join("t/_delta_log");
    fs::create_dir_all(&log).expect("created");
    for (version, entry) in (0..).zip(data.split(|byte| *byte == 0).take(16)) {
        fs::write(log.join(entry_name(version)), entry).expect("written");
    }
    let store = Folder::new(dir.path());
    if let Ok(mut snapshot) = Snapshot::load(&store, "t") {
        let before = (snapshot.version, snapshot.files.len());
        snapshot.advance(&store, "t").expect("nothing new is no failure");
        assert_eq!((snapshot.version, snapshot.files.len()), before, "nothing was committed meanwhile");
    }
}
