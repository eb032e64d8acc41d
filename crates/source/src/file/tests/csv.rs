use csv_core::ReadRecordResult;
use xxhash_rust::xxh3::xxh3_64;

use super::super::csv::CsvRows;
use super::super::window::Window;
use super::*;

/// The header and all records, with this many bytes per read and this record limit.
fn rows(text: &[u8], chunk: usize, max_record_bytes: usize) -> Vec<Vec<u8>> {
    let text: &'static [u8] = Box::leak(text.to_vec().into_boxed_slice());
    let window = Window::new(Box::new(Dribble(text, chunk)), Path::new("a.csv"), None, xxh3_64(text));
    let options = FileOptions { max_record_bytes, ..FileOptions::new(CSV) };
    let mut rows = CsvRows::begin(window, b',', &options).unwrap();
    let mut all: Vec<_> = Some(rows.header().as_bytes().to_vec()).filter(|header| !header.is_empty()).into_iter().collect();
    while let Some(row) = rows.next().unwrap() {
        all.push(row.to_vec());
    }
    all
}

fn texts(rows: Vec<Vec<u8>>) -> Vec<String> {
    rows.into_iter().map(|row| String::from_utf8(row).unwrap()).collect()
}

/// The fields according to csv-core.
fn fields(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv_core::Reader::new();
    let (mut input, mut all) = (text, Vec::new());
    let (mut bytes, mut ends) = (vec![0; text.len() + 8], vec![0; text.len() + 8]);
    let (mut filled, mut ended) = (0, 0);
    loop {
        let (result, read, wrote, fields) = reader.read_record(input, &mut bytes[filled..], &mut ends[ended..]);
        input = &input[read..];
        filled += wrote;
        ended += fields;
        match result {
            ReadRecordResult::Record => {
                let starts = [0].into_iter().chain(ends.iter().copied());
                all.push(starts.zip(&ends).take(ended).map(|(from, to)| bytes[from..*to].to_vec()).collect());
                (filled, ended) = (0, 0);
            }
            ReadRecordResult::End => return all,
            ReadRecordResult::InputEmpty => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_line_end_ends_a_record_and_blank_lines_are_ignored() {
    for text in ["h\na\nb\n", "h\r\na\r\nb\r\n", "h\ra\rb\r", "h\na\r\nb", "\n\r\nh\r\r\n\n\na\n\r\n\rb\n\n", "\u{feff}h\na\nb"] {
        for chunk in [1, 2, 100] {
            assert_eq!(texts(rows(text.as_bytes(), chunk, 1_000)), ["h", "a", "b"], "{text:?}");
        }
    }
    assert!(rows(b"", 1, 1_000).is_empty() && rows(b"\r\n\n", 1, 1_000).is_empty());
}

#[test]
fn quotes_contain_line_ends_only_at_the_start_of_a_field() {
    let text = "h,\"i\nj\"\n\"a\r\n\"\"b\"\"\",c\n5\" pipe,x\n\"\",\"\"\"\n\",z\n\"a\"b\"\nlast,\"\n\"";
    let expected = ["h,\"i\nj\"", "\"a\r\n\"\"b\"\"\",c", "5\" pipe,x", "\"\",\"\"\"\n\",z", "\"a\"b\"", "last,\"\n\""];
    for chunk in [1, 3, 1_000] {
        assert_eq!(texts(rows(text.as_bytes(), chunk, 1_000)), expected);
    }
}

#[test]
fn a_quote_that_never_closes_loses_one_record() {
    let text = "h,i\n1,a\n2,\"b\n3,c\n\n4,d";
    for chunk in [1, 4, 1_000] {
        assert_eq!(texts(rows(text.as_bytes(), chunk, 1_000)), ["h,i", "1,a", "2,\"b", "3,c", "4,d"], "at the end of the file");
    }
    let rest: String = (3..200).map(|row| format!("{row},c\n")).collect();
    let text = format!("h,i\n1,a\n2,\"b\n{rest}200,\"two\nlines\"\n201,e\n");
    for (chunk, max_record_bytes) in [(1, 64), (10, 64), (10_000, 64), (5, 500)] {
        let all = texts(rows(text.as_bytes(), chunk, max_record_bytes));
        assert_eq!(all.len(), 202, "{max_record_bytes}");
        assert_eq!((all[2].as_str(), all[3].as_str()), ("2,\"b", "3,c"));
        assert_eq!(all[200..], ["200,\"two\nlines\"", "201,e"], "quotes work again after the searched part");
    }
}

#[test]
fn a_record_over_the_limit_is_complete_if_it_is_one_line() {
    let long = format!("1,{}", "x".repeat(300));
    let text = format!("h,i\n{long}\r\n2,b\n");
    for chunk in [1, 50, 1_000] {
        assert_eq!(texts(rows(text.as_bytes(), chunk, 100)), ["h,i", &long, "2,b"]);
    }
    let exact = format!("1,\"{}\n\"", "x".repeat(95));
    assert_eq!(
        texts(rows(format!("h,i\n{exact}\n2,b").as_bytes(), 7, 100)),
        ["h,i", &exact, "2,b"],
        "100 bytes do not exceed 100"
    );
}

#[test]
fn a_file_full_of_open_quotes_takes_linear_time() {
    let line = "\"a\",\",\n";
    let all = rows(format!("h\n{}", line.repeat(400_000)).as_bytes(), 1 << 20, 1 << 20);
    assert_eq!(all.len(), 400_001);
}

#[test]
fn a_header_in_another_encoding_is_an_error_with_a_hint() {
    let file = write("a.csv", b"Caf\xe9,price\nx,1\n");
    let error = open_with(&file.path, FileOptions::new(CSV)).unwrap_err();
    assert!(matches!(error, FileError::HeaderEncoding { encoding: "utf-8", .. }));
    assert!(error.hint().unwrap().contains("windows-1252"));
}

#[test]
fn a_delimiter_that_cannot_delimit_is_refused() {
    let file = write("a.csv", b"a,b\n");
    for delimiter in [b'"', b'\n', b'\r', 0xa7] {
        let refused = open_with(&file.path, FileOptions::new(Format::Csv { delimiter }));
        assert!(matches!(refused, Err(FileError::Delimiter { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn records_are_cut_where_csv_core_cuts_them(text in "([ab,]|\"|\"\"|\\n|\\r\\n|\\r){0,40}", chunk in 1..9_usize) {
        let raw = rows(text.as_bytes(), chunk, 1_000);
        let mut closed = fields(format!("{text}\nlast\n").as_bytes());
        if closed.pop() == Some(vec![b"last".to_vec()]) {
            let each: Vec<_> = raw.iter().flat_map(|row| fields(row)).collect();
            prop_assert_eq!(each, closed);
        }
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let kept: Vec<u8> = raw.concat().into_iter().filter(|byte| !is_end(byte)).collect();
        let all: Vec<u8> = text.bytes().filter(|byte| !is_end(byte)).collect();
        prop_assert_eq!(kept, all, "only line ends are dropped");
    }
}
