//! The proof since a day: its start in each partition, and what it leaves to a full proof.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::star::archive;
use kassa_model::star::read::{Archive, Columns};
use kassa_model::{Partition, Positions, Table, star, time};
use serde::Serialize;

use super::finding::Site;
use super::{Prover, positions};
use crate::beyond::{Wanted, may_hold};
use crate::delta::contents::Extent;
use crate::delta::{Add, LogError, Snapshot};
use crate::read::{archive_folder, folder_of};

/// The coverage of a proof since a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Since {
    /// The first ingest day, UTC.
    pub day: String,
    /// The offsets of each partition with records of the range.
    pub partitions: Vec<Covered>,
    /// Files without rows of the range that had to be read: for members of dimensions, and for the
    /// records that duplicates repeat.
    pub older_files: usize,
    /// What only a full proof covers.
    pub not_covered: &'static [&'static str],
}

/// A half-open range of offsets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Covered {
    pub topic: String,
    pub partition: String,
    pub from: String,
    pub to: String,
}

/// Records that a source lost before they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The offsets of the commit that recorded the loss: it may have read others of them.
    #[serde(flatten)]
    pub offsets: Covered,
    /// How many offsets of these were lost.
    pub records: i64,
}

impl Covered {
    pub(super) fn of(partition: &Partition, offsets: Range<i64>) -> Self {
        let (topic, number) = (partition.topic.to_string(), partition.number.to_string());
        Self { topic, partition: number, from: offsets.start.to_string(), to: offsets.end.to_string() }
    }
}

const NOT_COVERED: &[&str] = &[
    "records before these offsets, and their rows",
    "ids that older records have too",
    "members that began before and begin again",
    "sessions and the calendar",
    "the warehouse",
];

/// Whether a proof since a day reads only a part of the table: other tables depend on the whole
/// history.
pub(super) fn is_in_part(table: Table) -> bool {
    table.has_lineage() || matches!(table, Table::Rejected | Table::Spans)
}

/// Whether a file may contain rows at or beyond these positions.
pub(super) fn may_hold_since(add: &Add, since: &Positions) -> bool {
    may_hold(add, Wanted { from: since, to: None })
}

/// The day of the records of an archive file. A file without a stated day may have records of any
/// day.
fn ingest_day(add: &Add) -> Option<&str> {
    add.partition_values.get("ingest_date")?.as_deref()
}

/// The metadata of a topic's archive files about a partition.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// The first offset of the day or later.
    first: Option<i64>,
    /// The end of the older files' contents, as they state it.
    older: i64,
}

impl Prover<'_> {
    /// Finds the start of the day in each partition of the archive. Offsets between the end of the
    /// older files and the first record of the day are missing, and so belong to the range.
    pub(super) fn begin(&mut self, day: &str) -> Result<(), LogError> {
        let mut since = Positions::default();
        let accounted = self.tables.get(&Table::Spans).map(|spans| positions(spans)).unwrap_or_default();
        for (topic, snapshot) in self.archives.clone() {
            let (mut seen, all_stated) = older_ends(&topic, &snapshot, day);
            for add in snapshot.files.values().filter(|add| ingest_day(add).is_none_or(|held| held >= day)) {
                self.first_offsets(&topic, add, day, &mut seen)?;
            }
            let held = positions(&snapshot);
            let known = held.iter().chain(accounted.iter()).map(|(partition, _)| partition);
            let numbers: BTreeSet<i64> = known.filter(|known| known.topic == topic).map(|known| known.number).collect();
            for number in numbers {
                let Seen { first, older } = seen.get(&number).copied().unwrap_or_default();
                // Older files without stated positions may reach up to the day's first record.
                let older = if all_stated { older } else { i64::MAX };
                since.set(Partition::new(Arc::clone(&topic), number), first.unwrap_or(i64::MAX).min(older));
            }
        }
        self.since = Some(Arc::new(since));
        Ok(())
    }

    fn first_offsets(&mut self, topic: &Arc<str>, add: &Add, day: &str, seen: &mut BTreeMap<i64, Seen>) -> Result<(), LogError> {
        let (folder, schema) = (archive_folder(topic), star::archive_schema());
        // A missing file is reported as missing, not as damaged.
        self.file(Site::Archive, &folder, add);
        // In a file without a day, each record has its own ingest time.
        let start = ingest_day(add).map_or_else(|| midnight(day), |_| i64::MIN);
        let wanted = ["partition", "offset", "ingested_at"];
        self.scan_file(Site::Archive, &folder, add, &schema, &wanted, &mut |_, rows| {
            let columns = Columns { table: Archive, rows: &rows };
            let (numbers, offsets) = (columns.get(archive::partition)?, columns.get(archive::offset)?);
            let ingested = columns.get(archive::ingested_at)?;
            for row in (0..rows.num_rows()).filter(|row| ingested.value(*row) >= start) {
                let first = &mut seen.entry(numbers.value(row)).or_default().first;
                let offset = offsets.value(row);
                *first = Some(first.map_or(offset, |first| first.min(offset)));
            }
            Ok(())
        })
    }

    /// Moves the start of each partition's range back to the start of its span, because a span's
    /// counts cover the whole span; and to the end of the spans if nothing was accounted for since.
    /// Spans before the range are left out.
    pub(super) fn begin_with_spans(&mut self) {
        let Some(since) = self.since.clone() else { return };
        let mut aligned = since.as_ref().clone();
        for number in self.parts.numbers() {
            let part = &mut self.parts[number];
            let start = since.next(&part.partition).min(part.accounted);
            part.spans.retain(|span| span.to > start);
            let first = part.spans.iter().map(|span| span.from).min().unwrap_or(start);
            aligned.set(part.partition.clone(), first.min(start));
        }
        self.since = Some(Arc::new(aligned));
    }

    /// Counts the rows of the range. A full proof counts the rows of each file instead.
    pub(super) fn count(&mut self, rows: &RecordBatch) {
        if self.since.is_some() {
            self.proof.rows += i64::try_from(rows.num_rows()).unwrap_or(0);
        }
    }

    /// The start of the proof in a partition.
    pub(super) fn start(&self, partition: &Partition) -> i64 {
        self.since.as_ref().map_or(0, |since| since.next(partition))
    }

    /// Reads the files of a table, latest first, until `is_enough`: for questions that the rows of
    /// the range do not answer.
    pub(super) fn scan_older(
        &mut self,
        table: Table,
        wanted: &[&str],
        is_enough: &dyn Fn(&Self) -> bool,
        take: &mut dyn FnMut(&mut Self, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let Some(snapshot) = self.tables.get(&table).map(Arc::clone) else { return Ok(()) };
        let (folder, schema) = (folder_of(table), table.schema());
        for add in latest_first(&snapshot) {
            if is_enough(self) {
                break;
            }
            self.note_older(&folder, add);
            self.scan_file(Site::Table(table), &folder, add, &schema, wanted, take)?;
        }
        Ok(())
    }

    /// Notes that a file without rows of the range is read.
    pub(super) fn note_older(&mut self, folder: &str, add: &Add) {
        if self.since.as_ref().is_some_and(|since| !may_hold_since(add, since)) {
            self.older_files.insert(format!("{folder}/{}", add.path));
        }
    }

    /// The coverage, if it is not everything.
    pub(super) fn covered(&self) -> Option<Since> {
        let day = self.subject.since?.to_owned();
        let covered = |number: u32| {
            let part = &self.parts[number];
            let (from, to) = (self.start(&part.partition), part.cut);
            (from < to).then(|| Covered::of(&part.partition, from..to))
        };
        let mut partitions: Vec<Covered> = self.parts.numbers().filter_map(covered).collect();
        partitions.sort_unstable_by(|one, other| (&one.topic, &one.partition).cmp(&(&other.topic, &other.partition)));
        Some(Since { day, partitions, older_files: self.older_files.len(), not_covered: NOT_COVERED })
    }
}

/// The end of each partition in the files before a day, and whether all of these files state it.
fn older_ends(topic: &Arc<str>, snapshot: &Snapshot, day: &str) -> (BTreeMap<i64, Seen>, bool) {
    let (mut seen, mut all_stated) = (BTreeMap::<i64, Seen>::new(), true);
    for add in snapshot.files.values().filter(|add| ingest_day(add).is_some_and(|held| held < day)) {
        match add.positions() {
            Some(ranges) => {
                for (partition, range) in ranges.into_iter().filter(|(partition, _)| partition.topic == *topic) {
                    let older = &mut seen.entry(partition.number).or_default().older;
                    *older = range.end.max(*older);
                }
            }
            None => all_stated = false,
        }
    }
    (seen, all_stated)
}

/// µs of the start of a day such as 2026-01-31.
fn midnight(day: &str) -> i64 {
    time::instant(&format!("{day}T00:00:00Z")).unwrap_or(i64::MIN)
}

/// A table's files, those with the latest ingested rows first; files without a stated time come
/// before all others.
fn latest_first(snapshot: &Snapshot) -> Vec<&Add> {
    let latest = |add: &Add| match add.bounds().of("ingested_at") {
        Extent::Within(_, latest) => latest,
        Extent::Unknown => i64::MAX,
        Extent::Empty => i64::MIN,
    };
    let mut files: Vec<&Add> = snapshot.files.values().collect();
    files.sort_by_cached_key(|add| Reverse(latest(add)));
    files
}
