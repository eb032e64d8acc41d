//! The proof since a day: damage from that day on is found; older files are read only for what the
//! range refers to.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{ArrayRef, BinaryArray, Decimal128Array, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use kassa_model::key::Keyring;
use kassa_model::time::{self, DAY, SystemClock, UNSTATED};
use kassa_model::{Cause, Contract, Currency, Headers, Partition, Positions, Records, Shop, Table, star};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, Sink, Stage, Stream};
use tempfile::TempDir;

use super::{Finding, Kind, LogState, NoLog, Proof, Silent, SourceLog, Subject, prove};
use crate::delta::{LogError, Snapshot};
use crate::encode::{self, ZSTD_LEVEL};
use crate::read::{self, archive_folder, folder_of};
use crate::store::{Measured, Store};
use crate::testing::Fast;
use crate::{ArchiveSink, StarSink};

const TOPIC: &str = "lines";

/// 2026-01-05 00:00 UTC.
const START: i64 = 1_767_571_200_000_000;

/// Records of a day.
const PER_DAY: i64 = 40;

fn shop() -> Shop {
    Shop::new("Test", "Europe/London", Currency::parse("GBP").unwrap()).unwrap()
}

fn contracts() -> HashMap<Arc<str>, Contract> {
    HashMap::from([(Arc::from(TOPIC), Contract::OrderLine)])
}

const KEYS: Keyring = Keyring::keyed([7; 16]);

fn stage() -> Stage {
    stage_with(KEYS)
}

fn stage_with(keyring: Keyring) -> Stage {
    let index = Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 }).unwrap();
    let stream = Stream::new(TOPIC, Contract::OrderLine, Format::Json, None, 1 << 20);
    Stage::new(&shop(), keyring, index, [(Arc::from(TOPIC), stream)])
}

/// The nth day, as the archive's folders have it.
fn day(nth: i64) -> String {
    time::format(START + nth * DAY)[..10].to_owned()
}

/// A line with its own id.
fn line(id: i64) -> String {
    format!(
        r#"{{"event_id":"e{id}","occurred_at":"2026-01-05T10:00:00Z","order_id":"o{id}","line_id":"1","product_id":"lamp","quantity":"1","unit_price":"2.50","currency":"GBP"}}"#
    )
}

struct Lake {
    _dir: TempDir,
    store: Arc<dyn Store>,
}

/// What happens to the rows of a record.
type Change<'c> = &'c dyn Fn(RecordBatch) -> Vec<RecordBatch>;

impl Lake {
    /// Several days with one commit each. `id`: of the line at an offset.
    fn of(days: i64, id: &dyn Fn(i64) -> i64) -> Self {
        Self::with_commits((1..=days).map(|nth| nth * PER_DAY), id)
    }

    /// Commits up to these offsets.
    fn with_commits(ends: impl IntoIterator<Item = i64>, id: &dyn Fn(i64) -> i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
        let mut archive = ArchiveSink::open(Arc::clone(&store), &[Arc::from(TOPIC)], Arc::new(SystemClock)).unwrap();
        let mut star = StarSink::open(&store, contracts(), Arc::new(SystemClock)).unwrap();
        let (mut stage, mut start) = (stage(), 0);
        for end in ends {
            let lines = (start..end).map(|offset| line(id(offset))).collect();
            let batch = Arc::new(stage.run(records(start, lines), start).unwrap());
            archive.commit(&[Arc::clone(&batch)]).unwrap();
            star.commit(&[batch]).unwrap();
            start = end;
        }
        Self { _dir: dir, store }
    }

    fn prove(&self, since: Option<&str>) -> Proof {
        proven(self.store.as_ref(), since)
    }

    /// Rewrites the file with the row of an offset.
    fn change(&self, folder: &str, schema: &SchemaRef, (column, offset): (&str, i64), change: Change<'_>) {
        let store = self.store.as_ref();
        for add in Snapshot::load(store, folder).unwrap().files.values() {
            let (mut rows_after, mut is_changed, mut read_schema) = (Vec::new(), false, None);
            // The ingest date is in the folder's name, not in the file.
            let columns: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).filter(|name| *name != "ingest_date").collect();
            read::file(store, folder, add, schema, &columns, &mut |rows| {
                read_schema = Some(rows.schema());
                for row in 0..rows.num_rows() {
                    let is_wanted = rows.column_by_name(column).unwrap().as_primitive::<Int64Type>().value(row) == offset;
                    is_changed |= is_wanted;
                    rows_after.extend(if is_wanted { change(rows.slice(row, 1)) } else { vec![rows.slice(row, 1)] });
                }
                Ok::<_, LogError>(())
            })
            .unwrap();
            if is_changed {
                let schema = read_schema.unwrap();
                let rows = concat_batches(&schema, &rows_after).unwrap();
                let properties = encode::properties(&schema, ZSTD_LEVEL);
                let bytes = encode::parquet(std::slice::from_ref(&rows), &properties).unwrap();
                store.put(&format!("{folder}/{}", add.path), &bytes).unwrap();
            }
        }
    }

    fn change_sale(&self, offset: i64, change: Change<'_>) {
        let table = Table::FactSales;
        self.change(&folder_of(table), &star::stored(&table.schema()), ("source_offset", offset), change);
    }

    /// Deletes the data files of a folder whose rows all lie before an offset.
    fn delete_older(&self, folder: &str, before: i64) -> usize {
        let snapshot = Snapshot::load(self.store.as_ref(), folder).unwrap();
        let is_older = |range: &Range<i64>| range.end <= before;
        let older: Vec<_> = snapshot.files.values().filter(|add| add.positions().unwrap().values().all(is_older)).collect();
        older.iter().for_each(|add| self.store.delete(&format!("{folder}/{}", add.path)).unwrap());
        older.len()
    }
}

fn records(start: i64, values: Vec<String>) -> Records {
    let offsets = start..start + i64::try_from(values.len()).unwrap();
    Records {
        partition: Partition::new(TOPIC, 0),
        offsets: offsets.clone().collect(),
        ingested_at: offsets.clone().map(|offset| START + offset.div_euclid(PER_DAY) * DAY + offset).collect(),
        timestamps: vec![None; values.len()],
        keys: None,
        headers: Headers::None,
        values: BinaryArray::from_iter_values(&values),
        next: offsets.end,
    }
}

fn proven(store: &dyn Store, since: Option<&str>) -> Proof {
    proven_by(store, since, KEYS)
}

fn proven_by(store: &dyn Store, since: Option<&str>, keyring: Keyring) -> Proof {
    let (shop, contracts) = (shop(), contracts());
    let subject =
        Subject { store, shop: &shop, contracts: &contracts, at_work: false, is_sparse: false, since, progress: &Silent };
    prove(subject, &mut NoLog, &mut stage_with(keyring)).unwrap()
}

fn own(offset: i64) -> i64 {
    offset
}

fn has(proof: &Proof, kind: Kind, table: &str, offsets: Range<i64>) -> bool {
    let at = |text: &Option<String>, offset: i64| text.as_deref() == Some(offset.to_string().as_str());
    let is = |finding: &Finding| {
        finding.kind == kind && finding.table == table && at(&finding.from, offsets.start) && at(&finding.to, offsets.end)
    };
    proof.findings.iter().any(is)
}

/// The row with a larger amount.
fn enlarged(row: &RecordBatch) -> RecordBatch {
    let at = row.schema().index_of("gross_amount").unwrap();
    let value = row.column(at).as_primitive::<Decimal128Type>().value(0) + 1;
    let amount: ArrayRef = Arc::new(Decimal128Array::from(vec![value]).with_data_type(row.column(at).data_type().clone()));
    let mut columns = row.columns().to_vec();
    columns[at] = amount;
    RecordBatch::try_new(row.schema(), columns).unwrap()
}

#[test]
fn an_untouched_lake_is_proven_since_any_of_its_days() {
    // Each day repeats a record of the day before.
    let repeated = |offset: i64| if offset >= PER_DAY && offset % PER_DAY == 7 { offset - PER_DAY + 1 } else { offset };
    let lake = Lake::of(3, &repeated);
    assert_eq!(lake.prove(None).findings, []);
    for nth in 0..4 {
        let proof = lake.prove(Some(&day(nth)));
        assert_eq!(proof.findings, [], "since {}", day(nth));
        assert_eq!(proof.records, (3 - nth) * PER_DAY);
        let covered = proof.since.unwrap().partitions;
        let offsets = covered.iter().map(|covered| (covered.from.clone(), covered.to.clone())).collect::<Vec<_>>();
        let whole = ((nth * PER_DAY).to_string(), (3 * PER_DAY).to_string());
        assert_eq!(offsets, if nth < 3 { vec![whole] } else { Vec::new() });
    }
}

#[test]
fn damage_from_the_day_on_is_named() {
    let offset = PER_DAY + 30;
    let (archive, spans) = (star::archive_schema(), star::stored(&Table::Spans.schema()));
    type Damage<'d> = (Kind, &'d str, Range<i64>, &'d dyn Fn(&Lake));
    let damages: [Damage<'_>; 5] = [
        (Kind::Missing, "fact_sales", offset..offset + 1, &|lake| lake.change_sale(offset, &|_| Vec::new())),
        (Kind::Double, "fact_sales", offset..offset + 1, &|lake| lake.change_sale(offset, &|row| vec![row.clone(), row])),
        (Kind::Altered, "fact_sales", offset..offset + 1, &|lake| lake.change_sale(offset, &|row| vec![enlarged(&row)])),
        (Kind::Missing, "topics/lines", offset..offset + 1, &|lake| {
            lake.change(&archive_folder(TOPIC), &star::stored(&archive), ("offset", offset), &|_| Vec::new());
        }),
        (Kind::Gap, "spans", PER_DAY..2 * PER_DAY, &|lake| {
            lake.change(&folder_of(Table::Spans), &spans, ("from_offset", PER_DAY), &|_| Vec::new());
        }),
    ];
    for (kind, table, offsets, damage) in damages {
        let lake = Lake::of(3, &own);
        damage(&lake);
        let proof = lake.prove(Some(&day(1)));
        assert!(has(&proof, kind, table, offsets), "{}: {:?}", kind.name(), proof.findings);
        // It lies before the range, so it is not examined.
        assert_eq!(lake.prove(Some(&day(2))).findings, [], "{}", kind.name());
    }
}

#[test]
fn a_proof_begins_with_the_span_that_the_day_begins_in() {
    let lake = Lake::with_commits([30, 60, 80], &own);
    let proof = lake.prove(Some(&day(1)));
    assert_eq!(proof.findings, []);
    assert_eq!((proof.since.unwrap().partitions[0].from.as_str(), proof.records), ("30", 50));
    // The record before the day belongs to the proof, because the same span accounts for it.
    lake.change_sale(35, &|_| Vec::new());
    let proof = lake.prove(Some(&day(1)));
    assert!(has(&proof, Kind::Missing, "fact_sales", 35..36), "{:?}", proof.findings);
}

#[test]
fn a_day_that_the_archive_lost_is_missing() {
    let lake = Lake::of(2, &own);
    let snapshot = Snapshot::load(lake.store.as_ref(), &archive_folder(TOPIC)).unwrap();
    for add in snapshot.files.values().filter(|add| add.partition_values["ingest_date"] == Some(day(1))) {
        lake.store.delete(&format!("{}/{}", archive_folder(TOPIC), add.path)).unwrap();
    }
    let proof = lake.prove(Some(&day(1)));
    assert!(has(&proof, Kind::Missing, "topics/lines", PER_DAY..2 * PER_DAY), "{:?}", proof.findings);
    assert!(proof.findings.iter().any(|finding| finding.kind == Kind::FileMissing));
}

#[test]
fn older_facts_and_records_are_not_read_for_a_day_that_refers_to_none() {
    let lake = Lake::of(20, &own);
    let last = 19 * PER_DAY;
    let bytes = |since: Option<&str>| {
        let measured = Measured::new(Arc::clone(&lake.store));
        assert_eq!(proven(&measured, since).findings, []);
        measured.read()
    };
    let (part, whole) = (bytes(Some(&day(19))), bytes(None));
    assert!(part * 4 < whole, "{part} of {whole} bytes");
    assert_eq!(lake.delete_older(&folder_of(Table::FactSales), last), 19);
    assert_eq!(lake.delete_older(&archive_folder(TOPIC), last), 19);
    assert_eq!(lake.prove(Some(&day(19))).findings, []);
    assert!(!lake.prove(None).ok);
}

#[test]
fn what_an_older_record_explains_is_looked_for_there() {
    let repeated = |offset: i64| if offset == 2 * PER_DAY + 5 { 3 } else { offset };
    let lake = Lake::of(3, &repeated);
    let proof = lake.prove(Some(&day(2)));
    assert_eq!(proof.findings, []);
    assert_eq!(proof.duplicates, 1);
    assert!(proof.since.unwrap().older_files > 0);
    // Without the record that it repeats, this record has no row.
    lake.change_sale(3, &|_| Vec::new());
    let offset = 2 * PER_DAY + 5;
    let proof = lake.prove(Some(&day(2)));
    assert!(has(&proof, Kind::Missing, "fact_sales", offset..offset + 1), "{:?}", proof.findings);
}

/// Has the key of the promotion SPRING where keys have no secret.
const FORGED: &str =
    "RSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLrNOgQRvTUHWXAZABODEPGHdJKJMNAPQRmTU8WXTZAPCDAFGHVJK6MNPPQBSTAVWX";

/// The row with another detail.
fn redetailed(row: &RecordBatch, detail: &str) -> RecordBatch {
    let mut columns = row.columns().to_vec();
    columns[row.schema().index_of("detail").unwrap()] = Arc::new(StringArray::from(vec![detail]));
    RecordBatch::try_new(row.schema(), columns).unwrap()
}

#[test]
fn a_shared_key_is_a_dead_letter_that_records_must_bear_out() {
    const OLD: Keyring = Keyring::unkeyed([7; 16]);
    let with_promotion = |(offset, code): (i64, &str)| line(offset).replace('{', &format!(r#"{{"promotion":"{code}","#));
    // A refused record that comes again is refused again; the members that it named first are those of the next record.
    let values: Vec<String> = (0..).zip(["WINTER", "SPRING", FORGED, "SPRING", FORGED, "SUMMER"]).map(with_promotion).collect();
    for keyring in [OLD, KEYS] {
        let refused = if keyring == OLD { 2 } else { 0 };
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
        let mut archive = ArchiveSink::open(Arc::clone(&store), &[Arc::from(TOPIC)], Arc::new(SystemClock)).unwrap();
        let mut star = StarSink::open(&store, contracts(), Arc::new(SystemClock)).unwrap();
        let batch = Arc::new(stage_with(keyring).run(records(0, values.clone()), 0).unwrap());
        archive.commit(&[Arc::clone(&batch)]).unwrap();
        star.commit(&[batch]).unwrap();
        let lake = Lake { _dir: dir, store };
        for since in [None, Some(day(0))] {
            let proof = proven_by(lake.store.as_ref(), since.as_deref(), keyring);
            assert!(proof.ok, "{:?}", proof.findings);
            assert_eq!(proof.dead_letters, refused);
        }
        if refused > 0 {
            let (folder, schema) = (folder_of(Table::Rejected), star::stored(&Table::Rejected.schema()));
            for detail in ["another member of dim_promotion has the key 12345", "because"] {
                lake.change(&folder, &schema, ("offset", 2), &|row| vec![redetailed(&row, detail)]);
                let proof = proven_by(lake.store.as_ref(), None, keyring);
                assert!(has(&proof, Kind::Altered, "rejected", 2..3), "{:?}", proof.findings);
            }
        }
    }
}

/// Kafka, which still has these records.
struct Kafka(Records);

impl SourceLog for Kafka {
    fn states(&mut self, _: &Positions) -> Result<(Vec<LogState>, Vec<Finding>), Cause> {
        let state = LogState { partition: self.0.partition.clone(), first: 0, next: self.0.next };
        Ok((vec![state], Vec::new()))
    }

    fn read(&mut self, _: &Partition, _: Range<i64>, take: &mut dyn FnMut(&Records)) -> Result<(), Cause> {
        take(&self.0);
        Ok(())
    }
}

/// The findings of a lake that read five records with this ingest time and timestamp, against Kafka as it is read now.
fn against_kafka(ingested_at: i64, timestamp: Option<i64>, now: (i64, Option<i64>)) -> Vec<Finding> {
    let of = |(ingested_at, timestamp): (i64, Option<i64>)| Records {
        ingested_at: vec![ingested_at; 5],
        timestamps: vec![timestamp; 5],
        ..records(0, (0..5).map(line).collect())
    };
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let mut archive = ArchiveSink::open(Arc::clone(&store), &[Arc::from(TOPIC)], Arc::new(SystemClock)).unwrap();
    let mut star = StarSink::open(&store, contracts(), Arc::new(SystemClock)).unwrap();
    let batch = Arc::new(stage().run(of((ingested_at, timestamp)), 0).unwrap());
    archive.commit(&[Arc::clone(&batch)]).unwrap();
    star.commit(&[batch]).unwrap();
    let (shop, contracts, store) = (shop(), contracts(), store.as_ref());
    let subject =
        Subject { store, shop: &shop, contracts: &contracts, at_work: false, is_sparse: true, since: None, progress: &Silent };
    prove(subject, &mut Kafka(of(now)), &mut stage()).unwrap().findings
}

#[test]
fn kafka_agrees_with_the_lake_whatever_its_timestamps_are() {
    let none = (UNSTATED, None);
    for stored in [START, 0, -1, UNSTATED - 1, time::instant("2199-12-31T23:59:59Z").unwrap()] {
        assert_eq!(against_kafka(stored, Some(stored), (stored, Some(stored))), [], "{stored}");
    }
    assert_eq!(against_kafka(UNSTATED, None, none), [], "it states no time");
    assert_eq!(against_kafka(START, None, none), [], "an earlier version took the time of reading");
    let changed = against_kafka(START, Some(START), (START + 1_000, Some(START + 1_000)));
    assert!(!changed.is_empty(), "a time that Kafka states is compared");
}
