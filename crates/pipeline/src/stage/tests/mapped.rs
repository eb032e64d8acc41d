//! Records that a mapping or a CSV header turns into the contract's fields.

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};

use super::*;
use crate::ports::Mapped;

/// Renames input columns; `rename` is (input, field).
#[derive(Debug)]
pub(super) struct Renames {
    inputs: Vec<String>,
    fields: Vec<&'static str>,
}

impl Renames {
    pub(super) fn of(rename: &[(&str, &'static str)]) -> Box<dyn Mapper> {
        let inputs = rename.iter().map(|(input, _)| (*input).to_owned()).collect();
        Box::new(Self { inputs, fields: rename.iter().map(|(_, field)| *field).collect() })
    }
}

impl Mapper for Renames {
    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Fails for rows whose first input is `boom`.
    fn map(&self, input: &RecordBatch) -> Result<Mapped, MapperError> {
        assert_eq!(input.schema(), crate::extract::input_schema(&self.inputs));
        let fields: Vec<Field> = self.fields.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        let columns = RecordBatch::try_new(Arc::new(Schema::new(fields)), input.columns()[..self.fields.len()].to_vec()).unwrap();
        let first = input.column(0).as_string::<i32>();
        let failed = first.iter().enumerate().filter(|(_, text)| *text == Some("boom"));
        Ok(Mapped { columns, failed: failed.map(|(row, _)| (row, self.fields[0].to_owned(), "it burst".to_owned())).collect() })
    }
}

const NESTED: &[(&str, &str)] = &[
    ("id", "line_id"),
    ("order.id", "order_id"),
    ("order.customer.id", "customer_id"),
    ("order.at", "occurred_at"),
    ("qty", "quantity"),
    ("price", "unit_price"),
    ("cur", "currency"),
    ("tags", "category"),
    ("sku", "product_id"),
];

fn nested() -> Stage {
    stage_in("Europe/London", Contract::OrderLine, Format::Json, Some(Renames::of(NESTED)))
}

const GOOD: &str = r#"{"id":7,"order":{"id":"o1","at":1768208400,"customer":{"id":"c1","vip":true},"note":"x"},"qty":2.0,"price":"1.50","cur":"GBP","tags":["A","B"],"sku":"s","more":[1]}"#;

#[test]
fn dotted_paths_reach_into_objects_and_what_they_leave_is_kept() {
    let done = Done::of(&mut nested(), 0, &[GOOD.as_bytes()]);
    let row = &done.rows(Table::FactSales)[0];
    has(
        row,
        &[("order_id", "o1"), ("line_id", "7"), ("quantity", "2"), ("gross_amount", "3"), ("moved_at", "2026-01-12T09:00:00Z")],
    );
    assert_eq!(row["extra"], r#"{"order.customer.vip":true,"order.note":"x","more":[1]}"#);
    has(&done.rows(Table::DimCustomer)[0], &[("customer_id", "c1")]);
    assert_eq!(done.rows(Table::DimCategory).len(), 2);
}

#[test]
fn mapped_records_fail_one_by_one_with_the_field_at_fault() {
    let bad = |from: &str, to: &str| GOOD.replace(from, to);
    let values = [
        GOOD.replace("\"id\":7", "\"id\":1"),
        bad("\"id\":7", "\"id\":\"boom\""),
        bad("\"qty\":2.0", "\"qty\":\"two\""),
        bad("\"cur\":\"GBP\"", "\"cur\":\"GBP\",\"cur\":\"EUR\""),
        bad("\"id\":\"c1\"", "\"id\":\"c1\",\"id\":\"c2\""),
        bad("{\"id\":\"o1\"", "{\"ID\":\"o1\""),
        bad("\"order\":{", "\"order\":7,\"x\":{"),
        bad("\"x\"}", "\"x\"}}"),
        bad("\"note\":\"x\"", &format!("\"note\":{}{}", "[".repeat(200), "]".repeat(200))),
        "[]".to_owned(),
        GOOD.replace("\"id\":7", "\"id\":2"),
    ];
    let bytes: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    let mut stage = nested();
    let done = Done::of(&mut stage, 0, &bytes);
    let expected = [
        (1, "mapping_failed", "line_id"),
        (2, "not_a_decimal", "quantity"),
        (3, "duplicate_field", "cur"),
        (4, "duplicate_field", "order.customer.id"),
        (5, "missing_field", "order_id"),
        (6, "missing_field", "occurred_at"),
        (7, "not_json", ""),
        (8, "too_deep", "order"),
        (9, "not_an_object", ""),
    ];
    let mut letters = done.letters();
    letters.sort();
    assert_eq!(letters, expected.map(|(at, reason, field)| (at, reason.to_owned(), field.to_owned())));
    assert_eq!(done.fates().iter().filter(|fate| **fate == Fate::Accepted).count(), 2);
    for (at, reason, field) in expected {
        let told = stage.verdict("t", bytes[usize::try_from(at).unwrap()]).unwrap().unwrap();
        assert_eq!((told.reason.code(), told.field.as_ref()), (reason, field), "the collector says so too");
    }
    assert_eq!(stage.verdict("t", GOOD.as_bytes()).unwrap(), None);
}

/// Values of each type that mappings give.
#[derive(Debug)]
struct Typed(Vec<(&'static str, ArrayRef)>);

impl Mapper for Typed {
    fn inputs(&self) -> &[String] {
        &[]
    }

    fn map(&self, _input: &RecordBatch) -> Result<Mapped, MapperError> {
        let columns = self.0.iter().map(|(name, column)| (*name, Arc::clone(column), true));
        Ok(Mapped { columns: RecordBatch::try_from_iter_with_nullable(columns).unwrap(), failed: Vec::new() })
    }
}

fn typed(quantity: i128, scale: i8, micros: i64) -> Done {
    let columns: Vec<(&'static str, ArrayRef)> = vec![
        ("order_id", Arc::new(Int64Array::from(vec![1001]))),
        ("line_id", Arc::new(Decimal128Array::from(vec![150]).with_precision_and_scale(18, 2).unwrap())),
        ("quantity", Arc::new(Decimal128Array::from(vec![quantity]).with_precision_and_scale(38, scale).unwrap())),
        ("unit_price", Arc::new(Int64Array::from(vec![3]))),
        ("occurred_at", Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"))),
        ("currency", Arc::new(StringArray::from(vec!["GBP"]))),
        ("is_test", Arc::new(arrow_array::BooleanArray::from(vec![true]))),
        ("not_a_field", Arc::new(Int64Array::from(vec![1]))),
    ];
    let mut stage = stage_in("UTC", Contract::OrderLine, Format::Json, Some(Box::new(Typed(columns))));
    Done::of(&mut stage, 0, &[b"{}"])
}

#[test]
fn typed_columns_are_read_without_a_detour() {
    let row = typed(2_500, 3, 1_768_208_400_000_000).rows(Table::FactSales).remove(0);
    has(&row, &[("order_id", "1001"), ("line_id", "1.5"), ("quantity", "2.5"), ("gross_amount", "7.5"), ("is_test", "true")]);
    for (quantity, scale, reason) in
        [(1, 4, "too_precise"), (10_i128.pow(12), 0, "out_of_range"), (10_i128.pow(37), 0, "out_of_range")]
    {
        assert_eq!(typed(quantity, scale, 0).letters(), [(0, reason.to_owned(), "quantity".to_owned())]);
    }
}

#[test]
fn a_time_that_a_mapping_computed_is_held_to_the_same_years() {
    for micros in [i64::MAX, i64::MIN, -2_208_988_800_000_001, 7_258_118_400_000_000] {
        assert_eq!(typed(1, 0, micros).letters(), [(0, "bad_timestamp".to_owned(), "occurred_at".to_owned())]);
    }
}

fn csv_headers(header: &str, more: &str) -> Headers {
    let header = serde_json::to_string(header).unwrap();
    Headers::Shared(format!(r#"[["file","a.csv"],["csv_header",{header}]{more}]"#).into())
}

const HEADER: &str = "order_id,line_id,occurred_at,quantity,unit_price,currency,category,shipping_address_country,Remark";

fn csv(rows: &[&[u8]], headers: Headers) -> Done {
    Done::with_headers(&mut stage_in("Europe/London", Contract::OrderLine, Format::Csv, None), 0, rows, headers)
}

#[test]
fn a_csv_file_whose_header_names_the_fields_needs_no_mapping() {
    let done = csv(
        &[
            br#"o1,1,2026-01-12 09:00:00,2,"1,5",GBP,,,"#,
            br#"o1,2,2026-01-12 09:00:00,2,1.5,GBP,"[""A"",""B""]",France,"say ""=cmd|x"", please""#,
        ],
        csv_headers(HEADER, ""),
    );
    assert_eq!(done.letters(), [(0, "not_a_decimal".to_owned(), "unit_price".to_owned())]);
    let row = &done.rows(Table::FactSales)[0];
    has(row, &[("order_id", "o1"), ("gross_amount", "3"), ("source_offset", "1")]);
    assert_eq!(row["extra"], r#"{"Remark":"say \"=cmd|x\", please"}"#);
}

#[test]
fn a_bad_row_is_one_dead_letter() {
    let rows: [&[u8]; 9] = [
        b"o1,1,0,1,1,GBP,,,",
        b"o1,2,0,1,1,GBP,,",
        b"o1,3,0,1,1,GBP,,,,",
        b"o1,4,0,1,1,GBP,,,\"never closed",
        b"",
        b"o1,5,0,1,1,GBP,,,\xa35",
        b"o1,6,0,1,1,GBP,,,a\no1,7,0,1,1,GBP,,,",
        b"\"o1\",8,0,1,1,GBP,,Atlantis,",
        b"o1,9,0,1,1,GBP,,,\"closed \"\"twice\"\"\"",
    ];
    let done = csv(&rows, csv_headers(HEADER, ""));
    let mut letters = done.letters();
    letters.sort();
    let expected = [
        (1, "not_csv", ""),
        (2, "not_csv", ""),
        (3, "not_csv", ""),
        (4, "not_csv", ""),
        (5, "not_utf8", "Remark"),
        (6, "not_csv", ""),
        (7, "unknown_country", "shipping_address.country"),
    ];
    assert_eq!(letters, expected.map(|(at, reason, field)| (at, reason.to_owned(), field.to_owned())));
    let kept: Vec<String> = done.rows(Table::FactSales).iter().map(|row| row["line_id"].clone()).collect();
    assert_eq!(kept, ["1", "9"]);
}

#[test]
fn a_category_that_starts_with_a_bracket_is_a_list_only_if_it_is_one() {
    let header = "order_id,line_id,occurred_at,quantity,unit_price,currency,product_id,category";
    for (cell, path) in
        [("[Sale] Garden > Pots", "[Sale] Garden > Pots"), ("\"[\"\"Sale\"\",\"\"Pots\"\"]\"", "Sale > Pots"), ("[1", "[1")]
    {
        let done = csv(&[format!("o1,1,0,1,1,GBP,p,{cell}").as_bytes()], csv_headers(header, ""));
        assert_eq!(done.rows(Table::DimCategory).last().unwrap()["path"], path);
    }
}

#[test]
fn windows_1252_is_read_where_it_is_stated() {
    let headers = csv_headers(
        "order_id;line_id;occurred_at;quantity;unit_price;currency;name",
        r#",["csv_delimiter",";"],["encoding","windows-1252"]"#,
    );
    let done = csv(&[b"o;1;0;1;1;GBP;Caf\xe9 \x80 \x93tea\x94"], headers);
    assert_eq!(done.fates(), [Fate::Accepted]);
    let plain = csv(&[b"o,1,0,1,1,GBP,Caf\xe9,,"], csv_headers(HEADER, ""));
    assert_eq!(plain.letters(), [(0, "not_utf8".to_owned(), "category".to_owned())]);
}

#[test]
fn what_comes_without_a_csv_header_is_json() {
    let mut stage = stage_in("UTC", Contract::OrderLine, Format::Csv, None);
    let json = minimal(Contract::OrderLine).as_bytes();
    assert_eq!(stage.verdict("t", json).unwrap(), None);
    assert_eq!(Done::of(&mut stage, 0, &[json, b"o,1"]).fates(), [Fate::Accepted, Fate::DeadLetter]);
}

#[test]
fn each_record_is_split_by_the_header_it_came_with() {
    let mut stage = stage_in("UTC", Contract::OrderLine, Format::Csv, None);
    let of = |header: &str| match csv_headers(header, "") {
        Headers::Shared(headers) => Some(headers),
        _ => None,
    };
    let (one, other) = (
        of("order_id,line_id,occurred_at,quantity,unit_price,currency"),
        of("line_id,order_id,currency,unit_price,quantity,occurred_at"),
    );
    let headers = Headers::Each(vec![one.clone(), one, None, other]);
    let json = minimal(Contract::OrderLine).as_bytes();
    let done = Done::with_headers(&mut stage, 0, &[b"a,1,0,1,5,GBP", b"a,2,0,1,5,GBP", json, b"1,b,GBP,5,1,0"], headers);
    let orders: Vec<(String, String)> =
        done.rows(Table::FactSales).iter().map(|row| (row["order_id"].clone(), row["line_id"].clone())).collect();
    assert_eq!(
        orders,
        [("a", "1"), ("a", "2"), ("o1", "1"), ("b", "1")].map(|(order, line)| (order.to_owned(), line.to_owned()))
    );
}

#[test]
fn the_pseudo_columns_say_where_a_row_is_from() {
    let mut extract = crate::extract::Extract::new(&["x".to_owned()]);
    let mut given = records(40, &[b"[]", br#"{"x":1}"#], csv_headers("x", ""));
    given.keys = Some(BinaryArray::from(vec![None, Some(b"k".as_slice())]));
    for index in 0..2 {
        let taken = extract.json(index, given.value(index));
        assert_eq!(taken.is_ok(), index == 1);
    }
    let (input, rows, _) = extract.finish(&given).unwrap();
    assert_eq!(rows, [1]);
    has(
        &cells_of(&input)[0],
        &[
            ("x", "1"),
            ("_row", "41"),
            ("_file", "a.csv"),
            ("_file_id", "0"),
            ("_topic", "t"),
            ("_partition", "0"),
            ("_key", "k"),
            ("_ingested_at", "2026-01-12T09:30:00Z"),
        ],
    );
}
