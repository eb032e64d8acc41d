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
    let batch = batch();
    let rows = batch.after(&at(from)).unwrap().and_then(|slice| slice.rows(table));
    rows.map_or(Vec::new(), |rows| rows.column(0).as_primitive::<Int64Type>().values().to_vec())
}

fn at(next: i64) -> Positions {
    [(Partition::new("t", 0), next)].into_iter().collect()
}

#[test]
fn a_span_accounts_for_what_lies_at_or_beyond_a_position() {
    for (from, records, [read, accepted, duplicates, dead_letters]) in [
        (9, 0..4, [4, 2, 1, 1]),
        (10, 0..4, [4, 2, 1, 1]),
        (11, 1..4, [3, 1, 1, 1]),
        (12, 2..4, [2, 1, 1, 0]),
        (14, 3..4, [1, 0, 1, 0]),
        (15, 4..4, [0, 0, 0, 0]),
    ] {
        let batch = batch();
        let slice = batch.after(&at(from)).unwrap().unwrap();
        let span = slice.span();
        assert_eq!((slice.from(), slice.to(), slice.records()), (from, 16, records), "from {from}");
        assert_eq!((span.from, span.to), (from, 16), "from {from}");
        assert_eq!(span.counts, Counts { read, accepted, duplicates, dead_letters }, "from {from}");
        assert!(span.counts.add_up());
    }
    assert_eq!(batch().span(), batch().after(&at(9)).unwrap().unwrap().span());
}

#[test]
fn a_store_that_has_all_of_a_batch_lacks_nothing_of_it() {
    for held in [16, 17, i64::MAX] {
        assert!(batch().after(&at(held)).unwrap().is_none(), "{held}");
    }
}

#[test]
fn a_store_that_lacks_records_before_a_batch_is_refused() {
    let gap = batch().after(&at(8)).unwrap_err();
    assert_eq!(gap, Gap { partition: Partition::new("t", 0), held: 8, from: 9 });
    assert_eq!(gap.to_string(), "t/0 is held up to 8, but the next batch begins at 9");
    assert!(batch().after(&Positions::default()).is_err(), "a store without a position has nothing");
    let other: Positions = [(Partition::new("t", 1), 12)].into_iter().collect();
    assert!(batch().after(&other).is_err(), "the position of another partition does not count");
}

#[test]
fn rows_are_those_of_records_at_or_beyond_a_position() {
    assert_eq!(offsets(Table::FactSales, 9), [10, 13, 13, 14]);
    assert_eq!(offsets(Table::FactSales, 11), [13, 13, 14]);
    assert_eq!(offsets(Table::FactSales, 13), [13, 13, 14]);
    assert_eq!(offsets(Table::FactSales, 14), [14]);
    assert_eq!(offsets(Table::FactSales, 15), [0; 0]);
    assert_eq!(offsets(Table::Rejected, 11), [11]);
    assert_eq!(offsets(Table::Rejected, 12), [0; 0]);
    assert_eq!(offsets(Table::DimCity, 9), [0; 0]);
    let batch = batch();
    let tables = |from| batch.after(&at(from)).unwrap().unwrap().tables().map(|(table, _)| table).collect::<Vec<_>>();
    assert_eq!(tables(9), [Table::FactSales, Table::Rejected]);
    assert_eq!(tables(12), [Table::FactSales]);
}

#[test]
#[should_panic(expected = "rows of fact_sales name their records in order")]
fn a_batch_whose_rows_are_out_of_order_does_not_exist() {
    let held = batch();
    let rows = held.tables()[0].1.clone();
    let backwards = arrow_select::take::take_record_batch(&rows, &arrow_array::UInt32Array::from(vec![3, 0, 1, 2])).unwrap();
    Batch::new(Arc::clone(held.records()), 9, held.fates().to_vec(), vec![(Table::FactSales, backwards)]);
}

#[test]
#[should_panic(expected = "rows of fact_sales name their records in order")]
fn a_batch_whose_rows_name_no_records_does_not_exist() {
    let held = batch();
    let letters = held.tables()[1].1.clone();
    Batch::new(Arc::clone(held.records()), 9, held.fates().to_vec(), vec![(Table::FactSales, letters)]);
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
    for (from, gap) in [(5, 4), (7, 2)] {
        let span = batch.after(&at(from)).unwrap().unwrap().span();
        assert_eq!((span.to, span.counts, span.gap), (9, Counts::default(), gap), "{from}");
    }
    assert!(batch.after(&at(9)).unwrap().is_none());
}
