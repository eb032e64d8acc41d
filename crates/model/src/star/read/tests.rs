use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray};

use super::*;
use crate::star::{fact_fx_rate, fact_sales, lineage};

fn check(array: ArrayRef) {
    let rows = RecordBatch::try_from_iter_with_nullable([("movement", array, true)]).unwrap();
    let columns = Columns { table: Table::FactSales, rows: &rows };
    let texts = columns.get(fact_sales::movement).unwrap();
    let mut asked = 0;
    let lengths: Result<Vec<usize>, ()> = texts.each(rows.num_rows(), |text| {
        asked += 1;
        Ok(text.map_or(0, str::len))
    });
    assert_eq!(lengths, Ok(vec![4, 4, 0, 6]));
    assert_eq!(asked, 3, "each distinct value or run is asked for once");
    assert_eq!((texts.get(0), texts.get(2)), (Some("sale"), None));
}

#[test]
fn a_text_is_read_in_any_of_its_forms() {
    let texts = [Some("sale"), Some("sale"), None, Some("return")];
    check(Arc::new(StringArray::from(texts.to_vec())));
    check(Arc::new(LargeStringArray::from(texts.to_vec())));
    check(Arc::new(StringViewArray::from(texts.to_vec())));
    check(Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()));
}

#[test]
fn a_declared_column_is_read_by_its_type() {
    let row = fact_fx_rate::Row {
        base: "EUR",
        quote: "GBP",
        rate_date_key: 20_260_105,
        rate: Rate::from_units(7),
        occurred_at: 9,
        lineage: lineage::Row {
            source_topic: "fx",
            source_partition: 0,
            source_offset: 3,
            source_index: 0,
            event_id: "e",
            source: None,
            store_id: "",
            content_hash: 0,
            ingested_at: 0,
        },
    };
    let mut builder = fact_fx_rate::Builder::sized(1);
    builder.push(&row);
    let rows = builder.finish().unwrap();
    let columns = Columns { table: Table::FactFxRate, rows: &rows };
    assert_eq!(columns.get(fact_fx_rate::quote).unwrap().get(0), Some("GBP"));
    assert_eq!(columns.get(fact_fx_rate::rate).unwrap().get(0), Ok(Some(7)));
    assert_eq!(columns.get(fact_fx_rate::rate_date_key).unwrap().value(0), 20_260_105);
    assert_eq!(columns.get(lineage::source_offset).unwrap().value(0), 3);
    assert_eq!(columns.get(lineage::source).unwrap().get(0), None);
    assert_eq!(columns.get(lineage::source).unwrap().value(0), "");
}

#[test]
fn a_missing_or_wrong_column_is_named() {
    let rows = RecordBatch::try_from_iter([("quantity", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)]).unwrap();
    let columns = Columns { table: Table::FactSales, rows: &rows };
    assert_eq!(columns.get(fact_sales::order_key).unwrap_err().to_string(), "fact_sales.order_key is missing");
    assert_eq!(
        columns.get(fact_sales::quantity).unwrap_err().to_string(),
        "fact_sales.quantity is Utf8, expected Decimal128(18, 3)"
    );
}
