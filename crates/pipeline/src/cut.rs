//! A cut through rows: those of records before given positions. Readers that need several tables, or several stores, at the same
//! positions use it.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use kassa_model::star::lineage;
use kassa_model::{Partition, Positions};

/// The columns that a cut reads, all plain.
pub const COLUMNS: [&str; 3] = [lineage::source_topic.name(), lineage::source_partition.name(), lineage::source_offset.name()];

/// Whether each row comes from a record before the cut.
pub fn are_before(rows: &RecordBatch, cut: &Positions) -> Result<Vec<bool>, ArrowError> {
    let column = |name: &str| rows.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")));
    let [topic, number, offset] = COLUMNS;
    let (topics, numbers, offsets) = (
        column(topic)?.as_string::<i32>(),
        column(number)?.as_primitive::<Int64Type>(),
        column(offset)?.as_primitive::<Int64Type>(),
    );
    let mut last: Option<(Partition, i64)> = None;
    let mut keep = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let same = last.as_ref().is_some_and(|(p, _)| *p.topic == *topics.value(row) && p.number == numbers.value(row));
        if !same {
            let partition = Partition::new(topics.value(row), numbers.value(row));
            let next = cut.next(&partition);
            last = Some((partition, next));
        }
        keep.push(last.as_ref().is_some_and(|(_, next)| offsets.value(row) < *next));
    }
    Ok(keep)
}

/// The rows of records before the cut.
pub fn before(rows: &RecordBatch, cut: &Positions) -> Result<RecordBatch, ArrowError> {
    filter_record_batch(rows, &BooleanArray::from(are_before(rows, cut)?))
}
