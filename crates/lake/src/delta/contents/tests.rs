use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, TimestampMicrosecondArray};
use kassa_model::star;
use parquet::file::metadata::ParquetMetaDataReader;

use super::*;
use crate::encode;

fn file(tags: Option<Tags>, stats: Option<&str>) -> Add {
    Add {
        path: "part-1.parquet".to_owned(),
        partition_values: BTreeMap::new(),
        size: 1,
        modification_time: 0,
        data_change: true,
        stats: stats.map(ToOwned::to_owned),
        tags,
    }
}

fn ranges(all: &[(&str, i64, Range<i64>)]) -> Ranges {
    all.iter().map(|(topic, number, range)| (Partition::new(*topic, *number), range.clone())).collect()
}

#[test]
fn positions_are_one_tag_whatever_the_topic_is_called() {
    let stated = ranges(&[("orders", 0, 120..180), ("a:b", 12, 0..7), ("quote\"", -3, 5..6)]);
    let all = tags(&stated).unwrap();
    assert_eq!(all[POSITIONS].as_deref(), Some(r#"{"a:b:12":[0,7],"orders:0":[120,180],"quote\":-3":[5,6]}"#));
    let add = file(Some(all), None);
    assert_eq!(add.positions(), Some(stated));
    let read: Add = serde_json::from_str(&serde_json::to_string(&add).unwrap()).unwrap();
    assert_eq!(read, add);
    assert_eq!(tags(&Ranges::new()), None, "a file of unknown contents has no tag");
}

#[test]
fn what_is_no_range_is_not_known() {
    for text in ["", "{", "[]", r#"{"orders":[1,2]}"#, r#"{"orders:x":[1,2]}"#, r#"{"orders:0":[1]}"#, r#"{"orders:0":1}"#] {
        let tags = BTreeMap::from([(POSITIONS.to_owned(), Some(text.to_owned()))]);
        assert_eq!(file(Some(tags), None).positions(), None, "{text}");
    }
    assert_eq!(file(Some(BTreeMap::from([(POSITIONS.to_owned(), None)])), None).positions(), None);
    assert_eq!(file(Some(BTreeMap::from([("theirs".to_owned(), Some("{}".to_owned()))])), None).positions(), None);
}

#[test]
fn a_merged_file_holds_what_its_parts_hold_or_anything() {
    let part = |all: &[(&str, i64, Range<i64>)]| file(tags(&ranges(all)), None);
    let (first, second) = (part(&[("orders", 0, 5..9), ("orders", 1, 0..4)]), part(&[("orders", 0, 9..12), ("fx", 0, 3..4)]));
    let merged = file(merged_tags(&[first.clone(), second]), None);
    assert_eq!(merged.positions(), Some(ranges(&[("orders", 0, 5..12), ("orders", 1, 0..4), ("fx", 0, 3..4)])));
    assert_eq!(merged_tags(&[first, file(None, None)]), None, "one of them may hold anything");
}

/// Two row groups of a column of days, one of times and one of times of which most are null.
fn stats_of(days: &[i32], times: &[i64], rare: &[Option<i64>]) -> String {
    let utc = |times: TimestampMicrosecondArray| Arc::new(times.with_timezone("UTC")) as ArrayRef;
    let columns = [
        ("order_date_key", Arc::new(Int32Array::from(days.to_vec())) as ArrayRef, false),
        ("source_index", Arc::new(Int32Array::from(days.to_vec())), false),
        ("moved_at", utc(TimestampMicrosecondArray::from(times.to_vec())), false),
        ("paid_at", utc(TimestampMicrosecondArray::from(rare.to_vec())), true),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let stored = star::stored(&rows.schema());
    let mut writer = encode::writer(&mut bytes, &stored, &encode::properties(&stored, 1)).unwrap();
    let half = rows.num_rows() / 2;
    writer.write(&rows.slice(0, half)).unwrap();
    writer.flush().unwrap();
    writer.write(&rows.slice(half, rows.num_rows() - half)).unwrap();
    let written = writer.close().unwrap();
    let read = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(bytes)).unwrap();
    assert_eq!((read.num_row_groups(), stats(days.len(), &read)), (2, stats(days.len(), &written)));
    stats(days.len(), &read)
}

#[test]
fn statistics_bound_days_and_times_and_nothing_else() {
    let second = 1_767_607_200_000_000;
    let (days, times) = ([20260105, 20260107, 20260104, 20260106], [second + 1_001, second + 5, second + 7_001, second]);
    let text = stats_of(&days, &times, &[None, Some(second + 999_999), None, None]);
    let expected = json!({
        "numRecords": 4,
        "minValues": {"order_date_key": 20260104, "moved_at": "2026-01-05T10:00:00.000Z", "paid_at": "2026-01-05T10:00:00.999Z"},
        "maxValues": {"order_date_key": 20260107, "moved_at": "2026-01-05T10:00:00.008Z", "paid_at": "2026-01-05T10:00:01.000Z"},
        "nullCount": {"order_date_key": 0, "moved_at": 0, "paid_at": 3},
    });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    let add = file(None, Some(&text));
    assert_eq!(add.rows(), Some(4));
    let bounds = add.bounds();
    assert_eq!(bounds.of("order_date_key"), Extent::Within(20260104, 20260107));
    assert_eq!(bounds.of("moved_at"), Extent::Within(second, second + 8_999));
    assert_eq!(bounds.of("source_index"), Extent::Unknown);
    let empty = file(None, Some(&stats_of(&days, &times, &[None; 4]))).bounds();
    assert_eq!(empty.of("paid_at"), Extent::Empty);
    assert!(!empty.of("paid_at").meets(i64::MIN, i64::MAX) && empty.of("source_index").meets(0, 0));
    let of_old = file(None, Some(r#"{"numRecords":4}"#)).bounds();
    assert_eq!((of_old.of("order_date_key"), of_old.of("moved_at")), (Extent::Unknown, Extent::Unknown));
}

#[test]
fn a_time_that_has_no_text_is_not_bounded() {
    let far = stats_of(&[1, 2, 3, 4], &[0, i64::MAX / 2, 0, 0], &[None; 4]);
    let bounds = file(None, Some(&far)).bounds();
    assert_eq!((bounds.of("moved_at"), bounds.of("order_date_key")), (Extent::Unknown, Extent::Within(1, 4)));
}

#[test]
fn extents_meet_where_they_share_a_value() {
    let held = Extent::Within(5, 8);
    for ((from, to), meets) in [((1, 4), false), ((1, 5), true), ((6, 7), true), ((8, 20), true), ((9, 20), false)] {
        assert_eq!(held.meets(from, to), meets, "{from}..={to}");
    }
}
