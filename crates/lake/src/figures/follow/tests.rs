use std::sync::Arc;

use arrow_array::cast::AsArray;
use kassa_model::time::SystemClock;
use kassa_model::{Contract, Headers, Records};
use kassa_pipeline::{Batch, Sink};

use super::*;
use crate::StarSink;
use crate::figures::accounted;
use crate::maintain::Options;
use crate::testing::Fast;

/// A rate at each offset.
fn batch(number: i64, offsets: std::ops::Range<i64>) -> Arc<Batch> {
    let values: Vec<String> = offsets
        .clone()
        .map(|offset| {
            format!(
                r#"{{"event_id":"{number}-{offset}","occurred_at":"2026-01-05T10:00:00Z","base":"EUR","quote":"GBP","day":"2026-01-05","rate":"0.86"}}"#
            )
        })
        .collect();
    let records = Records {
        partition: Partition::new("fx", number),
        offsets: offsets.clone().collect(),
        ingested_at: vec![0; values.len()],
        timestamps: vec![None; values.len()],
        keys: None,
        headers: Headers::None,
        values: arrow_array::BinaryArray::from_iter_values(&values),
        next: offsets.end,
    };
    let shop = kassa_model::Shop::new("Follow", "Europe/London", kassa_model::Currency::parse("GBP").unwrap()).unwrap();
    let options = kassa_pipeline::dedupe::IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 };
    let index = kassa_pipeline::dedupe::Index::new(&options).unwrap();
    let stream = kassa_pipeline::Stream::new("fx", Contract::FxRate, kassa_pipeline::Format::Json, None, 1 << 20);
    let mut stage =
        kassa_pipeline::Stage::new(&shop, kassa_model::key::Keyring::keyed([7; 16]), index, [(Arc::from("fx"), stream)]);
    Arc::new(stage.run(records, offsets.start).unwrap())
}

#[test]
fn rows_of_others_come_once_whatever_is_merged_or_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let contracts = std::collections::HashMap::from([(Arc::from("fx"), Contract::FxRate)]);
    let open = || StarSink::open(&store, contracts.clone(), Arc::new(SystemClock)).unwrap();
    // Two workers with one partition each; small files are merged continually.
    let merged = Options { small_files: 3, ..Options::default() };
    let mut workers = [open().maintained(merged.clone()), open().maintained(merged)];
    let mut follower = Follower::new([(Table::FactFxRate, &["event_id"][..]), (Table::Spans, &[][..])]);
    let (mut from, mut found, mut spans) = (Positions::default(), Vec::new(), 0);
    let (mut accounts, mut looks) = (Accounts::default(), 0);
    for nth in 0..40_i64 {
        let number = nth % 2;
        let first = nth / 2 * 10;
        workers[usize::try_from(number).unwrap()].commit(&[batch(number, first..first + 10)]).unwrap();
        if nth % 3 != 0 {
            continue;
        }
        // Steps of at most seven records: a file is read again until all its rows have been
        // delivered.
        let cut = accounts.now(store.as_ref()).unwrap();
        assert_eq!(cut, accounted(store.as_ref()).unwrap());
        loop {
            let further = cut.iter().filter(|(partition, next)| from.next(partition) < *next);
            let to: Positions =
                further.map(|(partition, next)| (partition.clone(), next.min(from.next(partition) + 7))).collect();
            if to.iter().next().is_none() {
                break;
            }
            looks += 1;
            follower
                .rows(store.as_ref(), (&from, &to), &mut |table, rows| {
                    if table == Table::Spans {
                        spans += rows.num_rows();
                    } else {
                        let ids = rows.column_by_name("event_id").unwrap().as_string::<i32>();
                        found.extend(ids.iter().flatten().map(ToOwned::to_owned));
                    }
                    Ok(())
                })
                .unwrap();
            to.iter().for_each(|(partition, next)| from.advance(partition, next));
        }
    }
    let count = found.len();
    found.sort_unstable();
    found.dedup();
    let accounted: i64 = from.iter().map(|(_, next)| next).sum();
    assert_eq!((count, found.len()), (count, count), "none twice");
    assert_eq!(i64::try_from(count).unwrap(), accounted, "none lost");
    assert!(looks > 20 && accounted == 400 && spans == 40, "{looks} looks, {accounted} records, {spans} spans");
    let snapshot = Snapshot::load(store.as_ref(), &folder_of(Table::FactFxRate)).unwrap();
    assert!(snapshot.files.len() < 20, "{} files: the test shows nothing of merging", snapshot.files.len());
    let done = &follower.0[0].done;
    assert!(done.iter().all(|path| snapshot.files.contains_key(path)) && done.len() + 3 > snapshot.files.len());
}

#[test]
fn an_advanced_snapshot_equals_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let contracts = std::collections::HashMap::from([(Arc::from("fx"), Contract::FxRate)]);
    let folder = folder_of(Table::FactFxRate);
    let short = Options { small_files: 3, checkpoint_entries: 5, kept_entries: 2, kept_checkpoints: 1, ..Options::default() };
    let (mut often, mut seldom, mut gone) = (Snapshot::default(), Snapshot::default(), 0);
    // The second shop's log is shorter than the first shop's.
    for commits in [30, 4] {
        let mut worker = StarSink::open(&store, contracts.clone(), Arc::new(SystemClock)).unwrap().maintained(short.clone());
        for nth in 0..commits {
            worker.commit(&[batch(0, nth * 10..nth * 10 + 10)]).unwrap();
            let fresh = Snapshot::load(store.as_ref(), &folder).unwrap();
            let mut advance = |snapshot: &mut Snapshot| {
                let next = snapshot
                    .version
                    .map(|version| format!("{folder}/_delta_log/{}", crate::delta::snapshot::entry_name(version + 1)));
                let is_newer = snapshot.version < fresh.version;
                gone += u32::from(is_newer && next.is_some_and(|next| store.get(&next).is_err()));
                snapshot.advance(store.as_ref(), &folder).unwrap();
                assert_eq!((&snapshot.version, &snapshot.txns), (&fresh.version, &fresh.txns));
                assert!(snapshot.files.keys().eq(fresh.files.keys()), "{:?} {:?}", snapshot.files, fresh.files);
            };
            advance(&mut often);
            if nth % 10 == 3 {
                advance(&mut seldom);
            }
        }
        drop(worker);
        std::fs::remove_dir_all(dir.path()).unwrap();
    }
    assert!(gone > 0, "no entry had gone");
}
