//! Files as sources: any bytes are records or an error, and the same ones when they are read again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use kassa_source::file::{FileOptions, FileSource, Format};

/// Records that are read: a few bytes of Parquet may repeat one without end.
const RECORDS_MAX: usize = 100_000;

pub(crate) fn csv(data: &[u8]) {
    read_twice(data, Format::Csv { delimiter: b',' });
}

pub(crate) fn ndjson(data: &[u8]) {
    read_twice(data, Format::Ndjson);
}

pub(crate) fn parquet(data: &[u8]) {
    read_twice(data, Format::Parquet);
}

fn read_twice(data: &[u8], format: Format) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("input");
    fs::write(&path, data).expect("written");
    assert!(read(&path, format) == read(&path, format), "a file has other records when it is read again");
}

/// The values up to the first error. `None` at the end: it was an error.
fn read(path: &Path, format: Format) -> Vec<Option<Vec<u8>>> {
    let mut values = Vec::new();
    let Ok(mut source) = FileSource::open(path, FileOptions::new(format), Arc::from("t"), 0) else { return values };
    while values.len() < RECORDS_MAX {
        match source.next(1_000, 1 << 20) {
            Ok(Some(records)) => {
                assert!(!records.is_empty(), "a run of no records would be read for ever");
                values.extend((0..records.len()).map(|at| Some(records.value(at).to_vec())));
            }
            Ok(None) => return values,
            Err(_) => {
                values.push(None);
                return values;
            }
        }
    }
    values
}
