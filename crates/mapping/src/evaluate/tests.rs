use std::fs;

use arrow::util::display::array_value_to_string;
use arrow_array::cast::AsArray;
use arrow_array::{Int64Array, StringArray, TimestampMicrosecondArray};
use kassa_model::Contract;

use super::*;
use crate::{Encoding, Lookups, TableFile};

mod limits;

/// The cell's text, `-` for NULL.
fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
}

fn compile(columns: &str, lookups: &Lookups) -> Mapping {
    let sql = format!("SELECT 'p' AS product_id, '2026-01-31' AS occurred_at, {columns} FROM input");
    Mapping::compile(&sql, Contract::Product, lookups).unwrap_or_else(|errors| panic!("{columns}: {errors:?}"))
}

/// Records with these texts in the mapping's first input and NULL in the others.
fn input(mapping: &Mapping, texts: &[Option<&str>]) -> RecordBatch {
    let rows = texts.len();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for nth in 0..mapping.inputs.len() {
        let cells = texts.iter().map(|text| text.filter(|_| nth == 0));
        columns.push(Arc::new(cells.collect::<StringArray>()));
    }
    let same = |text: &str| Arc::new(StringArray::from(vec![text; rows])) as ArrayRef;
    let numbers = || Arc::new(Int64Array::from_iter_values((0..).take(rows))) as ArrayRef;
    let times = TimestampMicrosecondArray::from(vec![0; rows]).with_timezone("UTC");
    columns.extend([numbers(), same("file"), same("0"), same("topic"), numbers(), same("key"), Arc::new(times)]);
    RecordBatch::try_new(Arc::clone(&mapping.schema), columns).unwrap()
}

/// The third column by row, and the failures.
fn map(mapping: &Mapping, texts: &[Option<&str>]) -> (Vec<String>, Vec<(usize, String, String)>) {
    let mapped = mapping.map(&input(mapping, texts)).unwrap();
    let column = mapped.columns.column(2);
    ((0..texts.len()).map(|row| cell(column, row)).collect(), mapped.failed)
}

fn computed(columns: &str, texts: &[Option<&str>]) -> Vec<String> {
    let (cells, failed) = map(&compile(columns, &Lookups::default()), texts);
    assert!(failed.is_empty(), "{failed:?}");
    cells
}

fn orders(text: &str) -> Lookups {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.csv");
    fs::write(&path, text).unwrap();
    let mut lookups = Lookups::default();
    lookups.load("orders", TableFile { path: &path, key: "id", encoding: Encoding::Utf8, delimiter: b',' }).unwrap();
    lookups
}

#[test]
fn a_failed_cast_fails_only_its_own_record() {
    let mapping = compile("CAST(n AS DECIMAL(18, 2)) AS price", &Lookups::default());
    let texts: Vec<String> = (0..1000).map(|n| if n % 333 == 7 { "two".to_owned() } else { n.to_string() }).collect();
    let (cells, failed) = map(&mapping, &texts.iter().map(|text| Some(text.as_str())).collect::<Vec<_>>());
    let rows: Vec<usize> = failed.iter().map(|(row, ..)| *row).collect();
    assert_eq!(rows, [7, 340, 673]);
    assert!(failed.iter().all(|(_, field, detail)| field == "price" && detail.contains("'two'")), "{failed:?}");
    for (row, cell) in cells.iter().enumerate() {
        assert_eq!(*cell, if rows.contains(&row) { "-".to_owned() } else { format!("{row}.00") });
    }
}

#[test]
fn a_record_that_fails_twice_names_the_first_field_and_all_records_may_fail() {
    let mapping = compile("CAST(n AS DECIMAL(18, 2)) AS price, CAST(n AS BIGINT) AS cost", &Lookups::default());
    let (_, failed) = map(&mapping, &[Some("x"), Some("1.5"), Some("y")]);
    let failed: Vec<(usize, &str)> = failed.iter().map(|(row, field, _)| (*row, field.as_str())).collect();
    assert_eq!(failed, [(0, "price"), (1, "cost"), (2, "price")]);
}

#[test]
fn a_division_by_zero_fails_only_its_own_record() {
    let mapping = compile("100.00 / CAST(n AS DECIMAL(9, 2)) AS price", &Lookups::default());
    let (_, failed) = map(&mapping, &[Some("4"), Some("0"), None]);
    assert_eq!(failed.iter().map(|(row, ..)| *row).collect::<Vec<_>>(), [1]);
    assert!(failed[0].2.to_lowercase().contains("divi"), "{failed:?}");
}

#[test]
fn an_empty_batch_maps_to_an_empty_one() {
    let mapped = compile("CAST(n AS BIGINT) AS price", &Lookups::default());
    let mapped = mapped.map(&input(&mapped, &[])).unwrap();
    assert_eq!((mapped.columns.num_rows(), mapped.columns.num_columns(), mapped.failed.len()), (0, 3, 0));
}

#[test]
fn a_text_compared_with_a_whole_number_is_parsed_as_one() {
    let mapping = compile("CASE WHEN n > 9 THEN 'many' ELSE 'few' END AS status", &Lookups::default());
    let (cells, failed) = map(&mapping, &[Some("10"), Some("9"), Some("nine"), None]);
    assert_eq!(cells, ["many", "few", "-", "few"]);
    assert_eq!(failed.iter().map(|(row, ..)| *row).collect::<Vec<_>>(), [2]);
}

#[test]
fn cents_and_old_floats_become_exact_amounts() {
    assert_eq!(computed("CAST(n AS DECIMAL(18, 2)) * 0.01 AS price", &[Some("1999"), None]), ["19.9900", "-"]);
    let rounded =
        computed("round(CAST(n AS DECIMAL(18, 9)), 2) AS price", &[Some("9.80000019"), Some("0.0500000007"), Some("2.5")]);
    let trimmed: Vec<&str> = rounded.iter().map(|text| text.trim_end_matches('0')).collect();
    assert_eq!(trimmed, ["9.8", "0.05", "2.5"]);
}

#[test]
fn times_in_a_custom_format_become_wall_clock_times() {
    let cells = computed("CAST(to_timestamp(n, '%m/%d/%Y %H:%M') AS VARCHAR) AS sent_at", &[Some("12/1/2010 8:26")]);
    assert_eq!(cells, ["2010-12-01T08:26:00"]);
}

#[test]
fn coalesce_gives_the_default_for_an_absent_value() {
    let texts = [Some("5"), Some("-"), None];
    assert_eq!(computed("coalesce(n, 'none') AS sku", &texts), ["5", "-", "none"]);
    assert_eq!(computed("nvl(nullif(n, '-'), 'none') AS sku", &texts), ["5", "none", "none"]);
    assert_eq!(computed("TRY_CAST(n AS BIGINT) AS price", &texts), ["5", "-", "-"]);
    assert_eq!(computed("CASE n WHEN '5' THEN 'five' WHEN '-' THEN NULL ELSE 'none' END AS sku", &texts), ["five", "-", "none"]);
}

#[test]
fn dotted_names_are_json_paths_and_pseudo_columns_exist() {
    assert_eq!(computed("customer.address.city AS brand", &[Some("Ulm"), None]), ["Ulm", "-"]);
    assert_eq!(
        computed("concat(n, '-', _file, '-', CAST(_row AS VARCHAR)) AS sku", &[Some("a"), Some("b")]),
        ["a-file-0", "b-file-1"]
    );
}

#[test]
fn a_lookup_returns_the_cell_or_null() {
    let lookups = orders("id,day,note\n1,2026-01-31,\n2,2026-02-01,\"two, with\na break\"\n,2026-02-02,nobody\n");
    let found = |columns: &str, texts: &[Option<&str>]| {
        let (cells, failed) = map(&compile(columns, &lookups), texts);
        assert!(failed.is_empty(), "{failed:?}");
        cells
    };
    let keys = [Some("1"), Some("2"), Some("3"), Some(""), None];
    assert_eq!(found("lookup('orders', n, 'day') AS sku", &keys), ["2026-01-31", "2026-02-01", "-", "-", "-"]);
    assert_eq!(found("lookup('orders', n, 'note') AS sku", &keys), ["-", "two, with\na break", "-", "-", "-"]);
    assert_eq!(found("coalesce(lookup('orders', n, 'note'), 'none') AS sku", &[Some("1")]), ["none"]);
    assert_eq!(found("lookup('orders', CAST(CAST(n AS BIGINT) + 1 AS VARCHAR), 'day') AS sku", &[Some("1")]), ["2026-02-01"]);
    assert_eq!(found("lookup('orders', _row + 1, 'day') AS sku, n AS brand", &[None, None]), ["2026-01-31", "2026-02-01"]);
}

#[test]
fn the_columns_have_the_names_and_order_of_the_select() {
    let mapping = compile("n AS sku, CAST(n AS BIGINT) AS price", &Lookups::default());
    let mapped = mapping.map(&input(&mapping, &[Some("5")])).unwrap().columns;
    let names: Vec<String> = mapped.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["product_id", "occurred_at", "sku", "price"]);
    assert_eq!(mapped.column(0).as_string::<i32>().value(0), "p");
}
