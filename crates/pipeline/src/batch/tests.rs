use arrow_array::{BinaryArray, Int64Array};
use kassa_model::{Headers, Partition};

use super::*;

/// Records at offsets 10, 11, 13 and 14 of a source that goes on at 16, read from 9; rows of all but the second.
fn batch() -> Batch {
    let offsets = vec![10, 11, 13, 14];
    let records = Records {
        partition: Partition::new("t", 0),
        ingested_at: vec![0; 4],
        timestamps: vec![None; 4],
        keys: None,
        headers: Headers::None,
        values: BinaryArray::from(vec![b"v".as_slice(); 4]),
        offsets,
        next: 16,
    };
    let rows = |column: &str, offsets: &[i64]| {
        RecordBatch::try_from_iter([(column, std::sync::Arc::new(Int64Array::from(offsets.to_vec())) as arrow_array::ArrayRef)])
            .unwrap()
    };
    let tables = vec![(Table::FactSales, rows("source_offset", &[10, 13, 13, 14])), (Table::Rejected, rows("offset", &[11]))];
    Batch::new(Arc::new(records), 9, vec![Fate::Accepted, Fate::DeadLetter, Fate::Accepted, Fate::Duplicate], tables)
}

fn offsets(table: Table, from: i64) -> Vec<i64> {
    let rows = batch().rows_from(table, from);
    rows.map_or(Vec::new(), |rows| rows.column(0).as_primitive::<Int64Type>().values().to_vec())
}

#[test]
fn a_span_accounts_for_what_lies_at_or_beyond_a_position() {
    for (from, span_from, [read, accepted, duplicates, dead_letters]) in [
        (0, 9, [4, 2, 1, 1]),
        (10, 10, [4, 2, 1, 1]),
        (11, 11, [3, 1, 1, 1]),
        (12, 12, [2, 1, 1, 0]),
        (14, 14, [1, 0, 1, 0]),
        (15, 15, [0, 0, 0, 0]),
        (16, 16, [0, 0, 0, 0]),
        (99, 16, [0, 0, 0, 0]),
    ] {
        let span = batch().span_from(from);
        assert_eq!((span.from, span.to), (span_from, 16), "from {from}");
        assert_eq!(span.counts, Counts { read, accepted, duplicates, dead_letters }, "from {from}");
        assert!(span.counts.add_up());
    }
}

#[test]
fn rows_are_those_of_records_at_or_beyond_a_position() {
    assert_eq!(offsets(Table::FactSales, 0), [10, 13, 13, 14]);
    assert_eq!(offsets(Table::FactSales, 11), [13, 13, 14]);
    assert_eq!(offsets(Table::FactSales, 14), [14]);
    assert_eq!(offsets(Table::FactSales, 15), [0; 0]);
    assert_eq!(offsets(Table::Rejected, 11), [11]);
    assert_eq!(offsets(Table::Rejected, 12), [0; 0]);
    assert!(batch().rows_from(Table::DimCity, 0).is_none());
}

#[test]
#[should_panic(expected = "accounts for each")]
fn a_batch_that_would_lose_count_does_not_exist() {
    let held = batch();
    Batch::new(Arc::clone(held.records()), 9, vec![Fate::Accepted], Vec::new());
}

#[test]
fn a_lost_range_is_accounted_for_as_a_gap() {
    let batch = Batch::lost(Partition::new("t", 0), 5..9);
    assert_eq!((batch.from(), batch.to(), batch.fates().len(), batch.tables().len()), (5, 9, 0, 0));
    for (from, gap) in [(0, 4), (5, 4), (7, 2), (9, 0)] {
        let span = batch.span_from(from);
        assert_eq!((span.to, span.counts, span.gap), (9, Counts::default(), gap), "{from}");
    }
}
