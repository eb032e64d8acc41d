use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray};

use super::*;

fn check(array: ArrayRef) {
    let rows = RecordBatch::try_from_iter_with_nullable([("movement", array, true)]).unwrap();
    let columns = Columns { table: Table::FactSales, rows: &rows };
    let texts = columns.texts("movement").unwrap();
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
fn a_missing_or_wrong_column_is_named() {
    let rows = RecordBatch::try_from_iter([("quantity", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)]).unwrap();
    let columns = Columns { table: Table::FactSales, rows: &rows };
    assert_eq!(columns.longs("order_key").unwrap_err().to_string(), "fact_sales.order_key is missing");
    assert_eq!(
        columns.quantities("quantity").unwrap_err().to_string(),
        "fact_sales.quantity is Utf8, expected Decimal128(18, 3)"
    );
}
