use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field};

use super::*;

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn numbers(rows: i64) -> Vec<u8> {
    let names: StringArray = (0..rows).map(|row| Some(format!("row\n{row}"))).collect();
    parquet(vec![("id", Arc::new(Int64Array::from_iter_values(0..rows))), ("name", Arc::new(names))])
}

#[test]
fn a_row_becomes_a_json_object_without_loss() {
    let at = vec![Some(1_291_192_000_123_456), None];
    let price = |values: Vec<Option<i128>>| Decimal128Array::from(values).with_precision_and_scale(38, 6).unwrap();
    let nested = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    let line = StructArray::from(vec![(
        Arc::new(Field::new("amount", DataType::Decimal128(38, 6), true)),
        Arc::new(price(vec![Some(-1), Some(0)])) as ArrayRef,
    )]);
    let bytes = parquet(vec![
        ("price", Arc::new(price(vec![Some(99_999_999_999_999_999_999_999_999_999_999_999_999), None]))),
        ("utc", Arc::new(TimestampMicrosecondArray::from(at.clone()).with_timezone("UTC"))),
        ("paris", Arc::new(TimestampMicrosecondArray::from(at.clone()).with_timezone("+02:00"))),
        ("wall", Arc::new(TimestampMicrosecondArray::from(at))),
        ("day", Arc::new(Date32Array::from(vec![Some(14_944), None]))),
        ("id", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
        ("rate", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN)]))),
        ("small", Arc::new(Float32Array::from(vec![Some(0.1), Some(f32::NEG_INFINITY)]))),
        ("text", Arc::new(StringArray::from(vec![Some("\"é\"\n"), None]))),
        ("bytes", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"text"), Some(b"\xff\x00")]))),
        ("kind", Arc::new(DictionaryArray::<Int32Type>::from_iter([Some("sale"), None]))),
        ("list", Arc::new(nested)),
        ("line", Arc::new(line)),
    ]);
    let rows = values("a.parquet", &bytes, Format::Parquet);
    assert_eq!(
        rows,
        [
            concat!(
                r#"{"price":"99999999999999999999999999999999.999999","utc":"2010-12-01T08:26:40.123456Z","#,
                r#""paris":"2010-12-01T08:26:40.123456Z","wall":"2010-12-01T08:26:40.123456","day":"2010-12-01","#,
                r#""id":9223372036854775807,"rate":0.1,"small":0.1,"text":"\"é\"\n","bytes":"text","kind":"sale","#,
                r#""list":[1,null],"line":{"amount":"-0.000001"}}"#
            ),
            r#"{"rate":"NaN","small":"-inf","bytes":"ff00","line":{"amount":"0.000000"}}"#,
        ]
    );
}

#[test]
fn rows_are_read_from_any_offset_compressed_or_not() {
    let bytes = numbers(3_000);
    let (plain, packed) = (write("a.parquet", &bytes), write("b.zst", &zst(&bytes)));
    let mut source = open(&plain.path, Format::Parquet);
    let straight = drain(&mut source, 700);
    assert_eq!(straight.len(), 3_000);
    assert_eq!(straight[2_999], br#"{"id":2999,"name":"row\n2999"}"#);
    assert_eq!(source.read_bytes(), bytes.len() as u64);
    for from in [2_999, 0, 1_023, 1_024, 1_025, 3_000] {
        source.skip_to(from as i64).unwrap();
        assert_eq!(drain(&mut source, 999), straight[from..]);
    }
    assert!(matches!(source.skip_to(3_001), Err(FileError::PastEnd { records: 3_000, .. })));
    let mut unpacked = open(&packed.path, Format::Parquet);
    assert_eq!(unpacked.partition(), source.partition());
    assert_eq!(drain(&mut unpacked, 5_000), straight);
}

#[test]
fn damage_is_an_error_that_names_the_file_and_never_a_panic() {
    let bytes = numbers(50);
    let file = write("a.parquet", b"");
    let read = |bytes: &[u8]| {
        replace(&file.path, bytes);
        let mut source = open_with(&file.path, FileOptions::new(Format::Parquet))?;
        while source.next(1_000, 1 << 20)?.is_some() {}
        Ok::<_, FileError>(())
    };
    read(&bytes).unwrap();
    for cut in 0..bytes.len() {
        let Err(FileError::Corrupt { file, what: "footer", .. }) = read(&bytes[..cut]) else { panic!("cut at {cut}") };
        assert!(file.ends_with("a.parquet"));
    }
    let mut found = 0;
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        found += usize::from(read(&damaged).is_err());
    }
    assert!(found > bytes.len() / 3, "{found} of {}", bytes.len());
}
