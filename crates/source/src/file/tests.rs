use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Encoding, FileError, FileOptions, FileSource, Format};

mod csv;
mod parquet;
mod uci;

const CSV: Format = Format::Csv { delimiter: b',' };

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A file that exists as long as this value.
struct Written {
    _dir: TempDir,
    path: PathBuf,
}

fn write(name: &str, bytes: &[u8]) -> Written {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    Written { _dir: dir, path }
}

/// Replaces the file with a new one: some file systems flush a file that is truncated and
/// rewritten.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn open_with(path: &Path, options: FileOptions) -> Result<FileSource, FileError> {
    FileSource::open(path, options, "sales".into(), 7)
}

fn open(path: &Path, format: Format) -> FileSource {
    open_with(path, FileOptions::new(format)).unwrap()
}

/// The values from here to the end, read in runs of `run`.
fn drain(source: &mut FileSource, run: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut next = source.next_offset();
    while let Some(records) = source.next(run, 1 << 20).unwrap() {
        let count = records.len() as i64;
        assert_eq!(records.offsets, (next..next + count).collect::<Vec<_>>());
        next += count;
        assert_eq!((records.next, source.next_offset()), (next, next));
        all.extend((0..records.len()).map(|index| records.value(index).to_vec()));
    }
    all
}

fn values(name: &str, bytes: &[u8], format: Format) -> Vec<String> {
    let file = write(name, bytes);
    drain(&mut open(&file.path, format), 100).into_iter().map(|value| String::from_utf8(value).unwrap()).collect()
}

#[test]
fn the_same_contents_give_the_same_records_at_the_same_positions_with_any_name_and_compression() {
    let text: String = (0..5_000).map(|row| format!("{row},\"a \"\"quoted\"\" name, {row}\",{}.50\n", row * 3)).collect();
    let text = format!("id,name,price\n{text}");
    let (head, tail) = text.split_at(1_000);
    let mut skippable = vec![0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
    skippable.extend(zst(text.as_bytes()));
    let plain = write("2010-12-01.csv", text.as_bytes());
    let mut straight = open(&plain.path, CSV);
    let expected = drain(&mut straight, 64);
    assert_eq!(expected.len(), 5_000);
    assert!(straight.partition().number > 0);
    assert_eq!((straight.len_bytes(), straight.read_bytes()), (text.len() as u64, text.len() as u64));
    for (name, bytes) in [
        ("renamed.txt", text.clone().into_bytes()),
        ("a.csv.gz", gz(text.as_bytes())),
        ("misnamed.csv", gz(text.as_bytes())),
        ("two members.gz", [gz(head.as_bytes()), gz(tail.as_bytes())].concat()),
        ("a.zst", zst(text.as_bytes())),
        ("two frames.zst", [zst(head.as_bytes()), zst(tail.as_bytes())].concat()),
        ("skippable.zst", skippable),
    ] {
        let file = write(name, &bytes);
        let mut source = open(&file.path, CSV);
        assert_eq!(source.partition(), straight.partition(), "{name}");
        assert_eq!(drain(&mut source, 1_000), expected, "{name}");
    }
    let other = write("other.csv", text.replace("4999", "4998").as_bytes());
    assert_ne!(open(&other.path, CSV).partition(), straight.partition());
}

#[test]
fn records_have_the_ingest_time_and_headers_to_decode_them_independently() {
    let file = write("ü.csv", b"\xef\xbb\xbfname;price\n\"Caf\xe9\";1\n");
    let options = FileOptions { encoding: Encoding::Windows1252, ..FileOptions::new(Format::Csv { delimiter: b';' }) };
    let records = open_with(&file.path, options).unwrap().next(10, 1_000).unwrap().unwrap();
    assert_eq!(records.value(0), b"\"Caf\xe9\";1", "the file's original bytes");
    assert_eq!((records.ingested_at.clone(), records.timestamps.clone(), records.key(0)), (vec![7], vec![None], None));
    let pairs: Vec<(String, String)> = serde_json::from_str(records.headers.get(0).unwrap()).unwrap();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [("file", "ü.csv"), ("csv_header", "name;price"), ("csv_delimiter", ";"), ("encoding", "windows-1252")];
    assert_eq!(pairs, expected);

    let lines = write("a.ndjson", b"{}\n");
    let records = open(&lines.path, Format::Ndjson).next(10, 1_000).unwrap().unwrap();
    assert_eq!(&**records.headers.get(0).unwrap(), r#"[["file","a.ndjson"],["encoding","utf-8"]]"#);
}

#[test]
fn ndjson_has_one_record_per_line() {
    for (text, expected) in [
        ("", vec![]),
        ("\n\r\n  \n", vec![]),
        ("{}", vec!["{}"]),
        ("{}\n", vec!["{}"]),
        ("\u{feff}{\"a\":1}\r\n\r\n {\"b\":\n2}\n\t\n", vec!["{\"a\":1}", " {\"b\":", "2}"]),
        ("{\"a\":\"\r\"}\r\r\n", vec!["{\"a\":\"\r\"}\r"]),
    ] {
        assert_eq!(values("a", text.as_bytes(), Format::Ndjson), expected, "{text:?}");
    }
    let long = "x".repeat(900_000);
    let text = format!("{{}}\n{long}\n{{}}\n");
    assert_eq!(values("a", text.as_bytes(), Format::Ndjson), ["{}", &long, "{}"]);
}

#[test]
fn a_line_without_an_end_is_an_error_that_names_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.ndjson");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"{}\n\n").unwrap();
    file.set_len(65 << 20).unwrap();
    let mut source = open(&path, Format::Ndjson);
    let error = source.next(10, 1_000).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: line 3 is longer than 64 MiB", path.display()));
}

#[test]
fn a_truncated_or_damaged_compressed_file_is_an_error_before_any_record() {
    let text: String = (0..400).map(|row| format!("{{\"row\":{row},\"hash\":{}}}\n", row * 7_919 % 1_009)).collect();
    for (packed, what) in [(gz(text.as_bytes()), "gzip stream"), (zst(text.as_bytes()), "zstd stream")] {
        let file = write("cut", b"");
        for cut in (4..packed.len()).step_by(7) {
            replace(&file.path, &packed[..cut]);
            let Err(FileError::Corrupt { file: named, what: named_what, .. }) =
                open_with(&file.path, FileOptions::new(Format::Ndjson))
            else {
                panic!("cut at {cut}")
            };
            assert_eq!((named, named_what), (file.path.clone(), what));
        }
    }
    let packed = gz(text.as_bytes());
    let file = write("damaged", b"");
    let mut found = 0;
    for place in 10..packed.len() {
        let mut damaged = packed.clone();
        damaged[place] ^= 0x10;
        replace(&file.path, &damaged);
        match open_with(&file.path, FileOptions::new(Format::Ndjson)) {
            Err(FileError::Corrupt { .. }) => found += 1,
            // Some bits of a gzip stream have no effect.
            Ok(mut source) => assert_eq!(drain(&mut source, 100).len(), 400, "{place}"),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(found > packed.len() - 20, "{found} of {}", packed.len());
}

#[test]
fn a_file_of_another_format_is_detected() {
    for (bytes, format, found) in [
        (&b"PAR1...."[..], CSV, "a Parquet file"),
        (b"PK\x03\x04....", CSV, "a zip archive or a spreadsheet"),
        (b"PK\x03\x04....", Format::Ndjson, "a zip archive or a spreadsheet"),
        (b"\xff\xfea\0,\0b\0", CSV, "UTF-16 text"),
    ] {
        for bytes in [bytes.to_vec(), gz(bytes)] {
            let file = write("a", &bytes);
            let error = open_with(&file.path, FileOptions::new(format)).unwrap_err();
            assert!(matches!(&error, FileError::OtherFormat { found: named, .. } if *named == found), "{error}");
            assert!(error.hint().is_some());
        }
    }
    let missing = open_with(Path::new("/nowhere/a.csv"), FileOptions::new(CSV)).unwrap_err();
    assert_eq!(missing.to_string(), "could not read /nowhere/a.csv");
}

#[test]
fn a_file_that_changes_between_the_two_passes_is_an_error() {
    let line = format!("{{\"text\":\"{}\"}}\n", "x".repeat(1_000));
    let file = write("a.ndjson", line.repeat(9_000).as_bytes());
    let mut source = open(&file.path, Format::Ndjson);
    fs::OpenOptions::new().append(true).open(&file.path).unwrap().write_all(b"{}\n").unwrap();
    let error = std::iter::from_fn(|| source.next(1_000, 1 << 20).transpose()).find_map(Result::err).unwrap();
    assert!(matches!(error, FileError::Changed { .. }), "{error}");
}

#[test]
fn a_position_beyond_the_end_is_refused() {
    for (name, bytes, format) in [("a", "id\n1\n2\n", CSV), ("b", "1\n2\n", Format::Ndjson)] {
        let file = write(name, bytes.as_bytes());
        let mut source = open(&file.path, format);
        source.skip_to(2).unwrap();
        assert!(source.next(1, 1).unwrap().is_none());
        assert!(matches!(source.skip_to(3), Err(FileError::PastEnd { asked: 3, records: 2, .. })));
    }
}

/// A reader that returns few bytes at a time.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let take = self.1.min(buffer.len());
        (&mut self.0).take(take as u64).read(buffer)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn reading_on_from_any_offset_is_reading_straight_through(
        text in "([a,\"\\n\\r]|[0-9]{1,3},x\\n){0,60}",
        csv in any::<bool>(),
        run in 1..7_usize,
        steps in prop::collection::vec(0.0..1.0_f64, 1..4),
    ) {
        let format = if csv { CSV } else { Format::Ndjson };
        let file = write("a", text.as_bytes());
        let straight = drain(&mut open(&file.path, format), 1_000);
        let mut source = open(&file.path, format);
        for step in steps {
            let from = (step * (straight.len() + 1) as f64) as usize;
            source.skip_to(from as i64).unwrap();
            prop_assert_eq!(source.next_offset(), from as i64);
            prop_assert_eq!(&drain(&mut source, run)[..], &straight[from..]);
        }
    }
}

#[test]
fn what_has_no_end_is_not_opened() {
    let dir = TempDir::new().unwrap();
    let pipe = dir.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, found) in [(dir.path(), "a folder"), (&pipe, "not a regular file"), (Path::new("/dev/zero"), "not a regular file")]
    {
        let (done, answer) = std::sync::mpsc::channel();
        let asked = path.to_owned();
        std::thread::spawn(move || {
            done.send(open_with(&asked, FileOptions::new(CSV)).map(|_| ()).map_err(|error| error.to_string()))
        });
        let answer = answer.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(answer, Err(format!("{} is {found}", path.display())));
    }
}
