use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};

use super::*;

/// A batch of numbers from `first`, with a text each.
fn batch(first: i64, count: i64) -> RecordBatch {
    let numbers: Vec<i64> = (first..first + count).collect();
    let texts: Vec<Option<String>> =
        numbers.iter().map(|number| (number % 3 != 0).then(|| format!("{},\"{number}\"\n=", "x".repeat(3)))).collect();
    let columns: [(&str, ArrayRef); 2] =
        [("number", Arc::new(Int64Array::from(numbers))), ("text", Arc::new(StringArray::from(texts)))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn printed(batches: &[RecordBatch], format: Format) -> String {
    let mut out = Vec::new();
    let mut rows = Rows::new(&mut out, batch(0, 0).schema(), format);
    for batch in batches {
        rows.push(batch).unwrap();
    }
    rows.finish().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_is_one_array_of_objects_whatever_the_batches() {
    let whole = printed(&[batch(0, 40)], Format::Json);
    let parts = printed(&[batch(0, 7), batch(7, 0), batch(7, 33)], Format::Json);
    assert_eq!(whole, parts);
    let value: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(value.as_array().unwrap().len(), 40);
    assert_eq!(value[1]["text"], "xxx,\"1\"\n=");
    // As serde writes it at once.
    assert_eq!(whole.trim_end(), serde_json::to_string_pretty(&value).unwrap());
    assert_eq!(printed(&[], Format::Json), "[]\n");
    assert_eq!(printed(&[batch(0, 0)], Format::Json), "[]\n");
}

#[test]
fn csv_has_one_header_whatever_the_batches() {
    let whole = printed(&[batch(0, 40)], Format::Csv);
    assert_eq!(whole, printed(&[batch(0, 7), batch(7, 0), batch(7, 33)], Format::Csv));
    assert!(whole.starts_with("number,text\n0,\n1,\"xxx,\"\"1\"\"\n=\"\n"), "{whole}");
    assert_eq!(printed(&[], Format::Csv), "number,text\n");
}

#[test]
fn a_short_table_is_measured_as_a_whole_and_a_long_one_by_its_first_rows() {
    let short = printed(&[batch(1, 2), batch(1_000_000, 1)], Format::Table);
    assert!(short.starts_with("+---------+"), "{short}");
    assert!(printed(&[], Format::Table).contains("| number | text |"));
    let long = printed(&[batch(1, 1_001), batch(5_000, 3_000), batch(123_456_789, 1)], Format::Table);
    let lines: Vec<&str> = long.lines().collect();
    assert_eq!(lines[0], lines[lines.len() - 1]);
    assert!(lines[0].starts_with("+--------+"), "{}", lines[0]);
    let later = lines.iter().find(|line| line.starts_with("| 5001 ")).unwrap();
    assert!(later.starts_with("| 5001   | ") && later.ends_with('|'), "{later}");
    assert!(lines[lines.len() - 2].starts_with("| 123456789 | "), "{}", lines[lines.len() - 2]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("| 7999 ")).count(), 1);
}

/// Keeps nothing, so that all that is held is held by the printer.
struct Counted(usize);

impl Write for &mut Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn rows_leave_before_the_next_ones_come() {
    for format in [Format::Json, Format::Csv, Format::Table] {
        let mut counted = Counted(0);
        let mut rows = Rows::new(&mut counted, batch(0, 0).schema(), format);
        rows.push(&batch(0, 2_000)).unwrap();
        assert!(
            rows.out.buffer().is_empty()
                && matches!(&rows.table, Table::Held(held) if held.is_empty()) != (format == Format::Table)
        );
        drop(rows);
        assert!(counted.0 > 20_000, "{format:?}: {}", counted.0);
    }
}
