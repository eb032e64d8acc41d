//! Files that are broken in whole or in part, by `kassa replay`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;

const HEADER: &str = "order_id,line_id,occurred_at,quantity,unit_price,currency,name";

fn write(shop: &Shop, name: &str, bytes: &[u8]) -> String {
    let path = shop.dir.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

fn replay(shop: &Shop, stream: &str, file: &str) -> [i64; 4] {
    let report = shop.json(&["replay", "--stream", stream, file]);
    ["records", "accepted", "duplicates", "dead_letters"].map(|name| report[name].as_i64().expect("a count"))
}

/// The bytes through a packer.
fn packed(with: &str, bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child = Command::new(with).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a packer");
    child.stdin.take().expect("a pipe").write_all(bytes).expect("written");
    child.wait_with_output().expect("packed").stdout
}

/// Offset, reason, field, bytes.
type BadRow = (i64, &'static str, &'static str, &'static [u8]);

/// Rows of a file, good and bad; (offset, reason, field) of the bad ones.
fn csv() -> (Vec<u8>, Vec<BadRow>) {
    let rows: [(&[u8], &[u8], &'static str, &'static str); 11] = [
        (b"a,1,2026-01-12 09:00:00,1,1.00,GBP,Cup", b"\r\n", "", ""),
        (b"a,2,2026-01-12 09:00:00,1,1.00,GBP", b"\n", "not_csv", ""),
        (b"a,3,2026-01-12 09:00:00,1,1.00,GBP,Cup,Saucer", b"\r", "not_csv", ""),
        (b"a,4,2026-01-12 09:00:00,1,1.00,GBP,\"Cup, \"\"blue\"\"\"", b"\n\n\n", "", ""),
        (b"a,5,2026-01-12 09:00:00,1,1.00,GBP,Caf\xe9", b"\n", "not_utf8", "name"),
        (b"a,6,2026-01-12 09:00:00,one,1.00,GBP,Cup", b"\n", "not_a_decimal", "quantity"),
        (b"a,7,2026-01-12 09:00:00,1,1.00,GBP,\"two\nlines\"", b"\r\n", "", ""),
        (b"a,8,2026-13-12 09:00:00,1,1.00,GBP,Cup", b"\n", "bad_timestamp", "occurred_at"),
        (b"a,9,2026-03-29 01:30:00,1,1.00,GBP,=cmd|' /C calc'!A0", b"\n", "", ""),
        (b"a,10,2026-01-12 09:00:00,1,1.00,GBP,\"never closed", b"\n", "not_csv", ""),
        (b"a,11,2026-01-12 09:00:00,1,1.00,GBP,Cup", b"", "", ""),
    ];
    let mut file = format!("\u{feff}{HEADER}\r\n").into_bytes();
    let mut bad = Vec::new();
    for (offset, (row, end, reason, field)) in (0..).zip(rows) {
        file.extend_from_slice(row);
        file.extend_from_slice(end);
        if !reason.is_empty() {
            bad.push((offset, reason, field, row));
        }
    }
    (file, bad)
}

#[test]
fn a_csv_file_with_bad_rows_gives_its_good_ones_and_a_dead_letter_for_each_bad_one() {
    let shop = Shop::new(CONFIG);
    let (bytes, bad) = csv();
    let file = write(&shop, "mixed.csv", &bytes);
    assert_eq!(replay(&shop, "csv_lines", &file), [11, 5, 0, 6]);
    let expected: Letters = bad.iter().map(|(at, reason, field, _)| (*at, ((*reason).to_owned(), (*field).to_owned()))).collect();
    assert_eq!(letters(&shop, "csv_lines"), expected);
    let listed = shop.json(&["dead-letters", "list"]);
    let partition = text(&listed[0]["partition"]);
    for (at, _, _, row) in &bad {
        assert_eq!(shown(&shop, &format!("csv_lines/{partition}/{at}")), *row);
    }
    let lines = ["1", "11", "4", "7", "9"];
    assert_eq!(column(&shop, "SELECT line_id FROM fact_sales"), lines);
    assert_eq!(column(&shop, "SELECT CAST(moved_at AS VARCHAR) FROM fact_sales WHERE line_id = '9'").len(), 1);
    assert_eq!(shop.figure("net_sales"), "5.00");
    // The same file in other clothes is the same file.
    for (name, bytes) in
        [("again.csv", bytes.clone()), ("mixed.csv.gz", packed("gzip", &bytes)), ("mixed.csv.zst", packed("zstd", &bytes))]
    {
        assert_eq!(replay(&shop, "csv_lines", &write(&shop, name, &bytes)), [0; 4], "{name}");
    }
    assert_eq!(counts(&shop, "csv_lines"), [11, 5, 0, 6]);
    shop.ok(&["prove"]);
}

#[test]
fn windows_1252_is_read_where_it_is_stated_and_a_dead_letter_where_it_is_not() {
    let shop = Shop::new(CONFIG);
    let row = b"w,1,2026-01-12,1,1.00,GBP,Caf\xe9 \x80 \x96 \x93tea\x94\n";
    let file = write(&shop, "western.csv", &[format!("{HEADER}\n").as_bytes(), row].concat());
    assert_eq!(replay(&shop, "csv_lines", &file), [1, 0, 0, 1]);
    assert_eq!(replay(&shop, "western_lines", &file), [1, 1, 0, 0]);
    let named = shop.json(&["sql", "SELECT source_topic, extra, line_id FROM fact_sales"]);
    assert_eq!(text(&named[0]["line_id"]), "1");
    shop.ok(&["prove"]);
}

#[test]
fn ndjson_with_bad_lines_is_read_to_its_end() {
    let shop = Shop::new(CONFIG);
    let line = |id: u32| {
        format!(r#"{{"occurred_at":0,"order_id":"j","line_id":"{id}","quantity":1,"unit_price":"1.00","currency":"GBP"}}"#)
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bytes = [
        line(0).as_bytes(),
        b"\r\n{\"a\":\n \t \n",
        line(1).as_bytes(),
        b"\n",
        deep.as_bytes(),
        b"\n\xff\xfe\n",
        line(2).replace("GBP", "gbp").as_bytes(),
        b"\n",
        line(0).as_bytes(),
        b"\n\n",
        line(3).as_bytes(),
    ]
    .concat();
    assert_eq!(replay(&shop, "order_lines", &write(&shop, "lines.ndjson", &bytes)), [8, 3, 1, 4]);
    let expected = [(1, "not_json", ""), (3, "too_deep", ""), (4, "not_utf8", ""), (5, "unknown_currency", "currency")];
    let expected: Letters = expected.into_iter().map(|(at, reason, field)| (at, (reason.to_owned(), field.to_owned()))).collect();
    assert_eq!(letters(&shop, "order_lines"), expected);
    assert_eq!(column(&shop, "SELECT line_id FROM fact_sales"), ["0", "1", "3"]);
    shop.ok(&["prove"]);
}

/// Stream, file's name, contents.
fn broken() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let good = format!("{HEADER}\n{}", "g,1,2026-01-12,1,1.00,GBP,Cup\n".repeat(20_000));
    let (gz, zst) = (packed("gzip", good.as_bytes()), packed("zstd", good.as_bytes()));
    let bent = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        bytes
    };
    vec![
        ("csv_lines", "cut.csv.gz", gz[..gz.len() / 2].to_vec()),
        ("csv_lines", "bent.csv.gz", bent(gz.clone())),
        ("csv_lines", "no-sum.csv.gz", gz[..gz.len() - 8].to_vec()),
        ("csv_lines", "cut.csv.zst", zst[..zst.len() / 2].to_vec()),
        ("csv_lines", "bent.csv.zst", bent(zst.clone())),
        ("csv_lines", "parquet.csv", b"PAR1....PAR1".to_vec()),
        ("csv_lines", "sheet.csv", b"PK\x03\x04....".to_vec()),
        (
            "csv_lines",
            "utf16.csv",
            good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>().iter().fold(
                b"\xff\xfe".to_vec(),
                |mut all, byte| {
                    all.push(*byte);
                    all
                },
            ),
        ),
        ("csv_lines", "header.csv", b"order_id,Caf\xe9\n1,2\n".to_vec()),
        ("parquet_lines", "empty.parquet", Vec::new()),
        ("parquet_lines", "text.parquet", good.clone().into_bytes()),
        ("parquet_lines", "footer.parquet", [b"PAR1".as_slice(), &[7; 500], &400_u32.to_le_bytes(), b"PAR1"].concat()),
        ("parquet_lines", "length.parquet", [b"PAR1".as_slice(), &[7; 500], &u32::MAX.to_le_bytes(), b"PAR1"].concat()),
    ]
}

fn files_below(dir: PathBuf, all: &mut BTreeMap<PathBuf, u64>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => files_below(entry.path(), all),
            Ok(metadata) => {
                all.insert(entry.path(), metadata.len());
            }
            Err(_) => {}
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_with_a_code_and_leaves_nothing_behind() {
    let shop = Shop::new(CONFIG);
    let good = format!("{HEADER}\nk,1,2026-01-12,1,1.00,GBP,Cup\n");
    let good = write(&shop, "good.csv", good.as_bytes());
    assert_eq!(replay(&shop, "csv_lines", &good), [1, 1, 0, 0]);
    let lake = || {
        let mut all = BTreeMap::new();
        files_below(shop.data().join("lake"), &mut all);
        all
    };
    let before = lake();
    for (stream, name, bytes) in broken() {
        let file = write(&shop, name, &bytes);
        let output = shop.run(&["replay", "--stream", stream, &file]);
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {words}");
        assert!(words.contains("error[K006]") && words.contains(name), "{name}: {words}");
        assert!(!words.contains("panicked"), "{name}: {words}");
        assert_eq!(lake(), before, "{name} left something");
    }
    let missing = shop.run(&["replay", "--stream", "csv_lines", "nowhere.csv"]);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(counts(&shop, "csv_lines"), [1, 1, 0, 0]);
    shop.ok(&["prove"]);
}

#[test]
fn files_after_and_before_a_broken_one_are_there_once_in_the_end() {
    let shop = Shop::new(CONFIG);
    let part =
        |id: u32| write(&shop, &format!("part{id}.csv"), format!("{HEADER}\np,{id},2026-01-12,1,1.00,GBP,Cup\n").as_bytes());
    let (one, two) = (part(1), part(2));
    let broken = write(&shop, "broken.csv.gz", &packed("gzip", &[b'x'; 100_000])[..60]);
    let output = shop.run(&["replay", "--stream", "csv_lines", &one, &broken, &two]);
    assert_eq!(output.status.code(), Some(1));
    shop.ok(&["prove"]);
    shop.ok(&["replay", "--stream", "csv_lines", &one, &two]);
    assert_eq!(counts(&shop, "csv_lines"), [2, 2, 0, 0]);
    assert_eq!(column(&shop, "SELECT line_id FROM fact_sales"), ["1", "2"]);
    shop.ok(&["prove"]);
}
