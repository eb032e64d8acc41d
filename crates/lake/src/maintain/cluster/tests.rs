use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::Int64Type;
use bytes::Bytes;
use kassa_model::time::SystemClock;
use kassa_model::{Partition, Table};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tempfile::TempDir;

use super::super::compact;
use super::*;
use crate::delta::DeltaTable;
use crate::delta::table::NewFile;
use crate::encode::{self, ZSTD_LEVEL};
use crate::star::table_spec;
use crate::store::Store;
use crate::testing::{Cell, Fast, Row, batch};

/// Order day and movement day of each row; offsets rise from file to file.
type Held = Vec<Vec<(i32, i32)>>;

fn table(files: &Held) -> (TempDir, Arc<dyn Store>, Vec<Add>) {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut table = DeltaTable::open(Arc::clone(&store), table_spec(Table::FactSales), Arc::new(SystemClock)).unwrap();
    let mut offset = 0;
    let mut slice = Vec::new();
    for days in files {
        let row = |(ordered, moved): &(i32, i32)| -> Row {
            offset += 1;
            let days =
                [("order_date_key", *ordered), ("movement_date_key", *moved)].map(|(name, day)| (name, Cell::Number(day.into())));
            let texts = [("movement", "sale"), ("extra", "words that take some room in memory")];
            let texts = texts.map(|(name, text)| (name, Cell::Text(text.to_owned())));
            days.into_iter().chain(texts).chain([("source_offset", Cell::Number(offset))]).collect()
        };
        let rows: Vec<Row> = days.iter().map(row).collect();
        let bytes =
            encode::parquet(&[batch(Table::FactSales, &rows)], &encode::properties(&Table::FactSales.schema(), 1)).unwrap();
        let file = NewFile { bytes, rows: rows.len(), partition_values: BTreeMap::new() };
        table.append(vec![file], &[(Partition::new("orders", 0), offset)]).unwrap();
        slice.extend(table.snapshot().files.values().filter(|add| !slice.contains(*add)).cloned().collect::<Vec<_>>());
    }
    (dir, store, slice)
}

/// Order day, movement day, and offset.
fn rows_of(store: &dyn Store, add: &Add) -> Vec<(i32, i32, i64)> {
    let mut all = Vec::new();
    let columns = ["order_date_key", "movement_date_key", "source_offset"];
    read::file(store, "DWH/fact_sales", add, &Table::FactSales.schema(), &columns, &mut |rows| {
        let days = |at: usize| rows.column(at).as_primitive::<Int32Type>().values().to_vec();
        let offsets = rows.column(2).as_primitive::<Int64Type>().values().to_vec();
        all.extend(days(0).into_iter().zip(days(1)).zip(offsets).map(|((ordered, moved), offset)| (ordered, moved, offset)));
        Ok(())
    })
    .unwrap();
    all
}

fn metadata(store: &dyn Store, add: &Add) -> ParquetMetaData {
    let bytes = store.get(&format!("DWH/fact_sales/{}", add.path)).unwrap();
    ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(bytes)).unwrap()
}

/// The merged rows.
fn expected(store: &dyn Store, slice: &[Add]) -> Vec<(i32, i32, i64)> {
    let mut all: Vec<_> = slice.iter().flat_map(|add| rows_of(store, add)).collect();
    all.sort_by_key(|(ordered, moved, offset)| (ordered != moved, *moved, *offset));
    all
}

/// Twelve files of forty days each, unsorted, in which one row in nine is a return.
fn jumbled() -> Held {
    let day = |nth: i32| 20_260_101 + nth % 28 + nth / 28 * 100;
    let row = |file: i32, nth: i32| {
        let moved = (nth * 37 + file * 11) % 40;
        (day(if nth % 9 == 4 { (moved - 20).max(0) } else { moved }), day(moved))
    };
    (0..12).map(|file| (0..500).map(|nth| row(file, nth)).collect()).collect()
}

#[test]
fn merged_facts_are_in_order_of_their_days_and_of_their_offsets() {
    let (_dir, store, slice) = table(&jumbled());
    let merged = compact::merge(store.as_ref(), &table_spec(Table::FactSales), &slice, (0, ZSTD_LEVEL)).unwrap();
    let rows = rows_of(store.as_ref(), &merged);
    assert_eq!(rows, expected(store.as_ref(), &slice));
    assert_eq!(merged.rows(), Some(6_000));
    let groups = metadata(store.as_ref(), &merged);
    let same: Vec<bool> = groups
        .row_groups()
        .iter()
        .scan(0, |first, group| {
            let from = *first;
            *first += usize::try_from(group.num_rows()).unwrap();
            Some(rows[from..*first].iter().all(|(ordered, moved, _)| ordered == moved))
        })
        .collect();
    assert_eq!(same, [true, false], "rows of two days have a row group of their own");
}

#[test]
fn bands_are_as_small_as_memory_wants_them() {
    let files = jumbled();
    let (_dir, store, slice) = table(&files);
    let (spec, schema) = (table_spec(Table::FactSales), Table::FactSales.schema());
    // Less than a day's rows need, so that each day is a band that is passed through; and some
    // sizes in between.
    for band_bytes in [1, 100_000, 1_000_000] {
        let mut bytes: Vec<u8> = Vec::new();
        let mut merge = Merge::new(store.as_ref(), &spec, (&schema, 1), &mut bytes).unwrap();
        let days = Days::of(&schema).unwrap();
        Clustered::new(&mut merge, days, &slice).unwrap().within(band_bytes).write().unwrap();
        let stats = merge.close().unwrap();
        store.put("DWH/fact_sales/merged.parquet", &bytes).unwrap();
        let merged = Add { path: "merged.parquet".to_owned(), stats: Some(stats), ..slice[0].clone() };
        assert_eq!(rows_of(store.as_ref(), &merged), expected(store.as_ref(), &slice), "{band_bytes} bytes a band");
    }
}

#[test]
fn rows_that_are_gone_are_not_merged_away() {
    // For files of a single day, the log's number is used before they are read.
    for days in [vec![(20_260_101, 20_260_101); 5], vec![(20_260_101, 20_260_101), (20_260_102, 20_260_102)]] {
        let (_dir, store, slice) = table(&vec![days; 3]);
        let empty = encode::parquet(&[batch(Table::FactSales, &[])], &encode::properties(&Table::FactSales.schema(), 1)).unwrap();
        store.put(&format!("DWH/fact_sales/{}", slice[1].path), &empty).unwrap();
        let error = compact::merge(store.as_ref(), &table_spec(Table::FactSales), &slice, (0, 1)).unwrap_err();
        assert!(matches!(error, LogError::Corrupt(_)), "{error}");
    }
}

#[test]
fn files_of_neighbouring_days_are_merged_with_each_other() {
    let month = |nth: i32| vec![(20_260_101 + nth % 2 * 100, 20_260_101 + nth % 2 * 100); 200];
    let (_dir, _store, slice) = table(&(0..20).map(month).collect());
    let bytes: i64 = slice.iter().map(|add| add.size).sum();
    let options = super::super::Options { small_files: 10, slice_bytes: bytes / 2, ..Default::default() };
    let chosen = compact::choose(slice.iter(), &options);
    let first: Vec<Option<i64>> = chosen.iter().map(first_day).collect();
    assert!(chosen.len() >= 9 && first.iter().all(|day| *day == Some(20_260_101)), "{first:?}");
    assert!(chosen.is_sorted_by_key(|add| add.modification_time));
}

#[test]
fn tables_without_days_keep_their_order() {
    for table in Table::ALL {
        let of = Days::of(&table.schema()).map(|days| days.day);
        let expected = match table {
            Table::FactSales => Some("movement_date_key"),
            Table::FactOrder => Some("order_date_key"),
            Table::FactPayment => Some("payment_date_key"),
            Table::FactEvent => Some("event_date_key"),
            Table::FactSession => Some("session_date_key"),
            Table::FactInventory => Some("inventory_date_key"),
            _ => None,
        };
        assert_eq!(of, expected, "{}", table.name());
    }
    assert!(Days::of(&kassa_model::star::archive_schema()).is_none());
}
