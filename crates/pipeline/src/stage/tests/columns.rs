//! CSV records that come without a file: the stream states their columns.

use super::*;
use crate::csv::Dialect;

fn stream(columns: &[&str], delimiter: u8) -> Stage {
    let header = columns.iter().map(|name| (*name).to_owned()).collect();
    let columns = Dialect { header, delimiter, windows_1252: false };
    let stream = Stream::new("things", Contract::OrderLine, Format::Csv, None, LIMIT).with_columns(columns);
    Stage::new(&shop("Europe/London"), KEYS, index(), [(Arc::from("t"), stream)])
}

const COLUMNS: [&str; 7] = ["order_id", "line_id", "occurred_at", "quantity", "unit_price", "currency", "remark"];

#[test]
fn a_record_is_a_row_of_the_stated_columns() {
    let mut stage = stream(&COLUMNS, b';');
    let good = b"o1;1;2026-01-12T09:00:00Z;2;3.50;GBP;\"a;b\"";
    let values: [&[u8]; 5] = [good, b"o1;2;0;1;1;GBP", b"o1;3;0;1;1;GBP;\"open", b"{\"order_id\":\"o1\"}", b"o1;4;0;1;5;GBP;"];
    for (value, expected) in values.iter().zip([None, Some("not_csv"), Some("not_csv"), Some("not_csv"), None]) {
        let told = stage.verdict("t", value).unwrap();
        assert_eq!(told.map(|letter| letter.reason.code()), expected, "{}", String::from_utf8_lossy(value));
    }
    let done = Done::of(&mut stage, 0, &values);
    assert_eq!(done.fates(), [Fate::Accepted, Fate::DeadLetter, Fate::DeadLetter, Fate::DeadLetter, Fate::Accepted]);
    has(&done.rows(Table::FactSales)[0], &[("order_id", "o1"), ("gross_amount", "7"), ("extra", r#"{"remark":"a;b"}"#)]);
}

#[test]
fn headers_that_differ_from_record_to_record_make_no_difference() {
    let trace = |id: u32| Some(Arc::from(format!(r#"[["trace","{id}"]]"#)));
    let headers = Headers::Each((0..3).map(trace).collect());
    let values: [&[u8]; 3] = [b"o1,1,0,1,1,GBP,", b"o1,2,0,1,1,GBP,", b"o1,3,0,1,1,GBP,"];
    let done = Done::with_headers(&mut stream(&COLUMNS, b','), 0, &values, headers);
    assert_eq!(done.fates(), [Fate::Accepted; 3]);
}

#[test]
fn a_file_that_brings_its_own_header_is_read_by_that() {
    let header = r#"[["file","a.csv"],["csv_header","line_id,order_id,occurred_at,quantity,unit_price,currency"]]"#;
    let headers = Headers::Each(vec![None, Some(header.into())]);
    let values: [&[u8]; 2] = [b"o1,1,0,1,1,GBP,", b"1,o2,0,1,1,GBP"];
    let done = Done::with_headers(&mut stream(&COLUMNS, b','), 0, &values, headers);
    let orders: Vec<String> = done.rows(Table::FactSales).iter().map(|row| row["order_id"].clone()).collect();
    assert_eq!(orders, ["o1", "o2"]);
}
