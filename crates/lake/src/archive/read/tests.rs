use kassa_model::Fate;
use kassa_model::time::{DAY, SystemClock};
use kassa_pipeline::{Batch, Sink};

use super::*;
use crate::ArchiveSink;
use crate::maintain::Options;
use crate::testing::Fast;

/// The offsets of a run and the position where reading started. Every third value is large, every
/// seventh is a tombstone.
fn batch(number: i64, from: i64, offsets: Vec<i64>, headers: Headers) -> Arc<Batch> {
    let value = |offset: &i64| match offset {
        offset if offset % 7 == 0 => None,
        offset if offset % 3 == 0 => Some(format!("{number}-{offset}-{}", noise(*offset))),
        offset => Some(format!("{number}-{offset}")),
    };
    let values: Vec<Option<String>> = offsets.iter().map(value).collect();
    let records = Records {
        partition: Partition::new("orders", number),
        ingested_at: offsets.iter().map(|offset| offset * DAY / 400).collect(),
        timestamps: offsets.iter().map(|offset| (offset % 2 == 0).then_some(*offset)).collect(),
        keys: Some(offsets.iter().map(|offset| (offset % 5 == 0).then(|| offset.to_be_bytes())).collect()),
        headers,
        values: values.iter().map(|value| value.as_ref().map(String::as_bytes)).collect(),
        next: offsets.last().map_or(from, |last| last + 1),
        offsets,
    };
    let fates = vec![Fate::DeadLetter; records.len()];
    Arc::new(Batch::new(Arc::new(records), from, fates, Vec::new()))
}

/// A few hundred incompressible bytes.
fn noise(seed: i64) -> String {
    let digest = |nth: i64| xxhash_rust::xxh3::xxh3_64(&(seed * 1_000 + nth).to_le_bytes());
    (0..60).map(|nth| format!("{:x}", digest(nth))).collect()
}

/// All fields of a record.
type Whole = (i64, i64, Option<i64>, Option<Vec<u8>>, Option<String>, Option<Vec<u8>>);

fn wholes(records: &Records) -> impl Iterator<Item = Whole> {
    (0..records.len()).map(|at| {
        let value = (!records.is_tombstone(at)).then(|| records.value(at).to_vec());
        let header = records.headers.get(at).map(ToString::to_string);
        let key = records.key(at).map(<[u8]>::to_vec);
        (records.offsets[at], records.ingested_at[at], records.timestamps[at], key, header, value)
    })
}

#[test]
fn a_partition_is_read_again_as_it_came_however_its_files_were_merged() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let topic: Arc<str> = "orders".into();
    let sink = ArchiveSink::open(Arc::clone(&store), &[Arc::clone(&topic)], Arc::new(SystemClock)).unwrap();
    let options = Options { small_files: 12, slice_bytes: 4 << 20, ..Options::default() };
    let mut sink = sink.maintained(options);
    let mut given: BTreeMap<i64, Vec<Whole>> = BTreeMap::new();
    let mut next = [0_i64; 2];
    for nth in 0..60_i64 {
        let number = nth % 2;
        let at = usize::try_from(number).unwrap();
        // Commits of very different sizes: files of one size class are merged, not neighbours. The
        // offsets have gaps.
        let count = if nth % 5 == 0 { 90 } else { 3 };
        let offsets: Vec<i64> = (next[at]..next[at] + count).filter(|offset| offset % 11 != 4).collect();
        let headers = match nth % 3 {
            0 => Headers::None,
            1 => Headers::Shared(r#"[["trace","a"]]"#.into()),
            _ => Headers::Each(
                offsets.iter().map(|offset| (offset % 2 == 0).then(|| format!("[[\"n\",\"{offset}\"]]").into())).collect(),
            ),
        };
        let run = batch(number, next[at], offsets, headers);
        next[at] = run.to();
        given.entry(number).or_default().extend(wholes(run.records()));
        sink.commit(&[run]).unwrap();
    }
    let mut archived = Archived::open(store.as_ref(), &topic).unwrap();
    let interleaved = archived.partitions.values().any(|part| {
        let bounds: Vec<_> = part.files.values().collect();
        bounds.iter().enumerate().any(|(at, one)| bounds[..at].iter().any(|other| one.0 < other.1 && other.0 < one.1))
    });
    assert!(interleaved, "no file lies within another's offsets: the test shows nothing");
    for window in [7, 64 * 1024] {
        archived.window = window;
        for (number, given) in &given {
            let end = archived.positions().next(&Partition::new("orders", *number));
            for from in [0, 5, end / 2] {
                let (mut found, mut reached) = (Vec::new(), from);
                let read = &mut |records: Records| -> Result<(), LogError> {
                    assert!(records.len() <= 16 && !records.is_empty());
                    found.extend(wholes(&records));
                    reached = records.next;
                    Ok(())
                };
                archived.each(*number, from..end + 3, (16, 1 << 20), read).unwrap();
                let wanted: Vec<_> = given.iter().filter(|record| record.0 >= from).cloned().collect();
                assert_eq!(found, wanted, "partition {number} from {from}");
                assert_eq!(reached, end + 3, "the last lead to the range's end");
                assert_eq!(archived.count(*number, from..end), u64::try_from(wanted.len()).unwrap());
            }
        }
    }
    assert_eq!((archived.next(0, 4), archived.next(0, 1 << 40)), (Some(5), None));
}

#[test]
fn a_topic_without_an_archive_has_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Fast::new(dir.path());
    let archived = Archived::open(&store, &"orders".into()).unwrap();
    assert_eq!((archived.positions().iter().count(), archived.count(0, 0..9)), (0, 0));
    archived.each(0, 0..9, (1, 1), &mut |_| -> Result<(), LogError> { panic!("a record") }).unwrap();
}
