//! A 128-bit hash of each row, cell by cell: equal for equal cells, whether a text is plain or in a
//! dictionary.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use kassa_model::Table;
use xxhash_rust::xxh3::xxh3_128;

use crate::delta::LogError;

const ABSENT: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
const MIX: u128 = 0xda94_2042_e4dd_58b5_9fb2_1c65_1e98_df25;

/// The columns of a table that do not depend on the record alone: a member's index in its record
/// depends on which members were new.
pub(super) fn order_bound(table: Table) -> &'static [&'static str] {
    match table {
        Table::FactSales | Table::FactOrder | Table::FactPayment | Table::FactEvent => &[],
        Table::FactInventory | Table::FactFxRate | Table::Rejected => &[],
        _ => &["source_index"],
    }
}

/// A hash of each row over all columns except the named ones.
pub(super) fn rows(rows: &RecordBatch, without: &[&str]) -> Result<Vec<u128>, LogError> {
    let mut hashes = vec![0; rows.num_rows()];
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        if !without.contains(&field.name().as_str()) {
            absorb(column, &mut hashes)?;
        }
    }
    Ok(hashes)
}

/// Adds the columns that were added to a table with existing rows: of each row the cells that it
/// has and for which `has` confirms the other side. `has` gets the numbers of the column and the
/// row.
pub(super) fn added(
    rows: &RecordBatch,
    added: &[String],
    hashes: &mut [u128],
    has: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<(), LogError> {
    for (number, column) in added.iter().enumerate().filter_map(|(number, name)| Some((number, rows.column_by_name(name)?))) {
        let mut with = hashes.to_vec();
        absorb(column, &mut with)?;
        for (row, (hash, with)) in hashes.iter_mut().zip(with).enumerate() {
            if column.is_valid(row) && has(number, row) {
                *hash = with;
            }
        }
    }
    Ok(())
}

fn absorb(column: &ArrayRef, hashes: &mut [u128]) -> Result<(), LogError> {
    let number = |value: i128| u128::from_ne_bytes(value.to_ne_bytes()).wrapping_add(1).wrapping_mul(MIX);
    match column.data_type() {
        DataType::Int64 => {
            fold(column.as_primitive::<Int64Type>().iter().map(|cell| cell.map(|cell| number(cell.into()))), hashes)
        }
        DataType::Int32 => {
            fold(column.as_primitive::<Int32Type>().iter().map(|cell| cell.map(|cell| number(cell.into()))), hashes)
        }
        DataType::Date32 => {
            fold(column.as_primitive::<Date32Type>().iter().map(|cell| cell.map(|cell| number(cell.into()))), hashes)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let cells = column.as_primitive::<TimestampMicrosecondType>().iter();
            fold(cells.map(|cell| cell.map(|cell| number(cell.into()))), hashes);
        }
        DataType::Decimal128(..) => fold(column.as_primitive::<Decimal128Type>().iter().map(|cell| cell.map(number)), hashes),
        DataType::Boolean => fold(column.as_boolean().iter().map(|cell| cell.map(|cell| number(cell.into()))), hashes),
        DataType::Utf8 => fold(column.as_string::<i32>().iter().map(|cell| cell.map(|cell| xxh3_128(cell.as_bytes()))), hashes),
        DataType::Binary => fold(column.as_binary::<i32>().iter().map(|cell| cell.map(xxh3_128)), hashes),
        DataType::Dictionary(_, values) if **values == DataType::Utf8 => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let values: Vec<u128> =
                dictionary.values().as_string::<i32>().iter().map(|text| xxh3_128(text.unwrap_or_default().as_bytes())).collect();
            let value = |key: i32| usize::try_from(key).ok().and_then(|key| values.get(key)).copied();
            fold(dictionary.keys().iter().map(|key| key.and_then(value)), hashes);
        }
        other => return Err(LogError::Corrupt(format!("a column of the type {other}").into())),
    }
    Ok(())
}

fn fold(cells: impl Iterator<Item = Option<u128>>, hashes: &mut [u128]) {
    for (hash, cell) in hashes.iter_mut().zip(cells) {
        *hash = (*hash ^ cell.unwrap_or(ABSENT)).wrapping_mul(MIX);
        *hash ^= *hash >> 61;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, Int64Array, StringArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let fields =
            columns.iter().enumerate().map(|(at, column)| Field::new(format!("c{at}"), column.data_type().clone(), true));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
    }

    #[test]
    fn a_text_hashes_alike_plain_and_in_a_dictionary() {
        let texts = [Some("a"), None, Some(""), Some("a")];
        let plain = batch(vec![Arc::new(StringArray::from(texts.to_vec()))]);
        let dictionary = batch(vec![Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>())]);
        let hashes = rows(&plain, &[]).unwrap();
        assert_eq!(hashes, rows(&dictionary, &[]).unwrap());
        assert_eq!(hashes[0], hashes[3]);
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2]);
    }

    #[test]
    fn cells_do_not_trade_places() {
        let one = batch(vec![Arc::new(Int64Array::from(vec![1, 0])), Arc::new(Int64Array::from(vec![2, 0]))]);
        let other =
            batch(vec![Arc::new(Int64Array::from(vec![Some(2), Some(0)])), Arc::new(Int64Array::from(vec![Some(1), None]))]);
        let (one, other) = (rows(&one, &[]).unwrap(), rows(&other, &[]).unwrap());
        assert!(one[0] != other[0] && one[1] != other[1]);
        assert_eq!(rows(&batch(vec![Arc::new(Int64Array::from(vec![7]))]), &["c0"]).unwrap(), [0]);
    }
}
