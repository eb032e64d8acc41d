use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use kassa_model::printable::is_hidden;

use super::{aligned, csv_cell, texts};

#[test]
fn a_text_that_a_spreadsheet_would_run_gets_an_apostrophe_and_a_number_does_not() {
    for formula in ["=1+1", "+1+1", "-2+3", "@SUM(A1)", " =1+1", "\u{a0}=1", "＝1+1", "\t=1", "\r=1", "\n=1"] {
        let cell = csv_cell(formula, true);
        assert!(cell.trim_start_matches('"').starts_with('\''), "{formula:?}: {cell:?}");
    }
    for number in ["-1.5", "-5", "0.00"] {
        assert_eq!(csv_cell(number, false), number);
    }
    assert_eq!(csv_cell("a,b\"c\nd", true), "\"a,b\"\"c\nd\"");
    assert_eq!(csv_cell("\u{1b}[2J\u{9b}\u{202e}\r", true), "\\u{1b}[2J\\u{9b}\\u{202e}\\r");
}

#[test]
fn a_table_of_a_query_shows_texts_on_one_line_and_leaves_numbers_as_they_are() {
    let evil = "\u{1b}[31m\u{9d}0;x\u{202e}y\nz\u{2028}";
    let name: ArrayRef = Arc::new(StringArray::from(vec![Some(evil), None]));
    let net: ArrayRef = Arc::new(Decimal128Array::from(vec![-1_500_000, 2]).with_precision_and_scale(18, 6).unwrap());
    let batch = RecordBatch::try_from_iter([("na\u{1b}me", name), ("net", net)]).unwrap();
    let shown = arrow::util::pretty::pretty_format_batches(&[texts(&batch).unwrap()]).unwrap().to_string();
    assert!(!shown.chars().any(|at| is_hidden(at) && at != '\n'), "{shown:?}");
    assert_eq!(shown.lines().count(), 6, "{shown}");
    assert!(shown.contains("| -1.500000 |"), "{shown}");
}

#[test]
fn the_columns_of_a_table_stay_aligned() {
    let rows = [vec!["a\\u{1b}".to_owned(), "-1".to_owned()], vec!["b".to_owned(), "10".to_owned()]];
    let shown = aligned(&["key", "value"], &rows);
    let widths: Vec<usize> = shown.lines().skip(1).map(|line| line.chars().count()).collect();
    assert_eq!(widths, [14, 14, 14], "{shown}");
}
