//! Checks that the archive has each accounted record once, and that its bytes equal those in the
//! source.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use kassa_model::star::archive as archived;
use kassa_model::star::read::{Archive, Columns};
use kassa_model::time::{self, DAY};
use kassa_model::{Partition, Records, star};
use xxhash_rust::xxh3::Xxh3;

use super::finding::{Kind, Site};
use super::parts::at;
use super::since::may_hold_since;
use super::sums::{Lane, bucket};
use super::{Prover, SourceLog};
use crate::archive::read::{COLUMNS, records};
use crate::beyond::archived_beyond;
use crate::delta::{Add, LogError};
use crate::read::archive_folder;

impl Prover<'_> {
    /// Reads what the source still has and hashes each record's bytes.
    pub(super) fn log(&mut self, log: &mut dyn SourceLog) -> Result<(), LogError> {
        let since = self.since.clone().unwrap_or_default();
        let (states, findings) = log.states(&since).map_err(LogError::Corrupt)?;
        findings.into_iter().for_each(|finding| self.findings.push(finding));
        self.log = states;
        for state in self.log.clone() {
            let part = self.parts.number(&state.partition.topic, state.partition.number);
            let read = self.parts[part].accounted.max(self.parts[part].archived_to);
            if state.next < read {
                let detail = format!("the log ends at {}, but {read} records were read from it", state.next);
                self.findings.push(Site::Log.at(Kind::LogCut, &state.partition, state.next..read, detail));
            }
            self.logged(log, &state.partition, state.first, &mut |prover, offset, hash| {
                prover.parts[part].logged.insert(at(offset));
                prover.sums.held(bucket(Lane::Log, part, offset), hash);
            })?;
        }
        Ok(())
    }

    /// The hashes of the log's records, from an offset or the start of the proof to the accounted
    /// position.
    pub(super) fn logged(
        &mut self,
        log: &mut dyn SourceLog,
        partition: &Partition,
        from: i64,
        take: &mut dyn FnMut(&mut Self, i64, u128),
    ) -> Result<(), LogError> {
        let part = self.parts.number(&partition.topic, partition.number);
        let (start, cut) = (self.start(partition).max(from), self.parts[part].cut);
        if start >= cut {
            return Ok(());
        }
        let each = &mut |records: &Records| {
            let before = records.offsets.iter().enumerate().filter(|(_, offset)| (start..cut).contains(*offset));
            before.for_each(|(index, offset)| {
                let hash = self.record_hash(records, index);
                take(self, *offset, hash);
            });
        };
        log.read(partition, start..cut, each).map_err(LogError::Corrupt)
    }

    pub(super) fn archive(&mut self) -> Result<(), LogError> {
        for topic in self.archives.keys().cloned().collect::<Vec<_>>() {
            self.archive_of(&topic)?;
        }
        for part in self.parts.numbers() {
            self.is_archived(part);
        }
        Ok(())
    }

    fn archive_of(&mut self, topic: &Arc<str>) -> Result<(), LogError> {
        let Some(snapshot) = self.archives.get(topic).map(Arc::clone) else { return Ok(()) };
        for add in snapshot.files.values() {
            let day = add.partition_values.get("ingest_date").cloned().flatten();
            self.scan_archived(topic, add, &["partition", "offset", "ingested_at"], &mut |prover, rows| {
                prover.count(&rows);
                let columns = Columns { table: Archive, rows: &rows };
                let (numbers, offsets) = (columns.get(archived::partition)?, columns.get(archived::offset)?);
                let ingested = columns.get(archived::ingested_at)?;
                let mut last = (i64::MIN, String::new());
                for row in 0..rows.num_rows() {
                    let (part, offset) = (prover.parts.number(topic, numbers.value(row)), offsets.value(row));
                    prover.archived(part, offset);
                    let number = ingested.value(row).div_euclid(DAY);
                    if last.0 != number {
                        last = (number, time::format(number * DAY)[..10].to_owned());
                    }
                    if day.as_ref() != Some(&last.1) {
                        let detail = "the row is of another day than its file";
                        prover.findings.mark(Kind::Altered, Site::Archive, part, offset, detail);
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Passes the named columns of an archive file's records to `take`; only those in the range of
    /// the proof.
    fn scan_archived(
        &mut self,
        topic: &Arc<str>,
        add: &Add,
        columns: &[&str],
        take: &mut dyn FnMut(&mut Self, RecordBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let folder = archive_folder(topic);
        let Some(since) = self.since.clone() else {
            return self.scan_file(Site::Archive, &folder, add, &star::archive_schema(), columns, take);
        };
        if !may_hold_since(add, &since) {
            return Ok(());
        }
        let (store, progress) = (self.store, self.subject.progress);
        self.read_file(Site::Archive, &folder, add, &mut |prover| {
            archived_beyond(store, (topic, add), columns, &since, &mut |rows| {
                progress.read(rows.num_rows());
                take(prover, rows)
            })
        })
    }

    fn archived(&mut self, part: u32, offset: i64) {
        if offset >= self.parts[part].archived_to.max(self.parts[part].accounted) || offset < 0 {
            let detail = "archived beyond the archive's position";
            self.findings.mark(Kind::Extra, Site::Archive, part, offset, detail);
        } else if !self.parts[part].archived.insert(at(offset)) {
            self.parts[part].doubled.insert(at(offset));
            self.findings.mark(Kind::Double, Site::Archive, part, offset, "archived more than once");
        }
    }

    /// Checks that every accounted offset is archived. While a pipeline is running, the archive may
    /// be behind: the log has the rest.
    fn is_archived(&mut self, number: u32) {
        let part = &self.parts[number];
        let end = if self.subject.at_work { part.cut } else { part.accounted };
        let (mut missing, mut fewer) = (Vec::new(), Vec::new());
        let is_sparse = self.is_sparse(&part.partition);
        let unread = &part.logged - &part.archived;
        for span in part.spans.iter().filter(|span| span.gap == 0) {
            let (from, to) = (at(span.from), at(span.to.min(end)));
            if is_sparse {
                let held = i64::try_from(part.archived.range_cardinality(from..at(span.to))).unwrap_or(0);
                if span.to <= end && held != span.counts.read {
                    let detail = format!("of {} records that were read {held} are in the archive", span.counts.read);
                    fewer.push((span.from..span.to, detail));
                }
                let mut unread = unread.iter();
                unread.advance_to(from);
                missing.extend(unread.take_while(|offset| *offset < to));
            } else if from < to && part.archived.range_cardinality(from..to) != to - from {
                missing.extend((from..to).filter(|offset| !part.archived.contains(*offset)));
            }
        }
        let last = part.archived.max().map_or(0, |last| i64::try_from(last).unwrap_or(0) + 1);
        let (partition, position, accounted) = (part.partition.clone(), part.archived_to, part.accounted);
        for (offsets, detail) in fewer {
            self.findings.push(Site::Archive.at(Kind::Missing, &partition, offsets, detail));
        }
        for offset in missing {
            let offset = i64::try_from(offset).unwrap_or(i64::MAX);
            self.findings.mark(Kind::Missing, Site::Archive, number, offset, "in a span, but not in the archive");
        }
        if position < accounted && !self.subject.at_work {
            let detail = format!("the archive's position {position} lies before what is accounted for, {accounted}");
            self.findings.push(Site::Archive.at(Kind::Position, &partition, position..accounted, detail));
        } else if position > last.max(accounted) {
            let detail = format!("the archive's position {position} lies beyond its rows, {last}");
            self.findings.push(Site::Archive.at(Kind::Position, &partition, last.max(accounted)..position, detail));
        }
    }

    /// A hash of everything that the source stores of a record.
    pub(super) fn record_hash(&self, records: &Records, index: usize) -> u128 {
        record_hash(records, index, self.is_sparse(&records.partition))
    }

    /// The archive's records that rows are compared with, in runs of one partition and header.
    pub(super) fn each_archived(
        &mut self,
        topic: &Arc<str>,
        take: &mut dyn FnMut(&mut Self, u32, Records) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let Some(snapshot) = self.archives.get(topic).map(Arc::clone) else { return Ok(()) };
        for add in snapshot.files.values() {
            self.scan_archived(topic, add, &COLUMNS, &mut |prover, rows| {
                let rows = prover.comparable(topic, &rows)?;
                for (start, length) in runs(&rows) {
                    let records = records(topic, &rows.slice(start, length));
                    let part = prover.parts.number(topic, records.partition.number);
                    take(prover, part, records)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn comparable(&mut self, topic: &str, rows: &RecordBatch) -> Result<RecordBatch, LogError> {
        let (numbers, offsets) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_primitive::<Int64Type>());
        let mut keep = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let part = self.parts.number(topic, numbers.value(row));
            let wanted = self.drill.as_ref().is_none_or(|drill| drill.wants(part, offsets.value(row)));
            keep.push(wanted && self.parts[part].is_comparable(offsets.value(row)));
        }
        filter_record_batch(rows, &BooleanArray::from(keep)).map_err(LogError::corrupt)
    }
}

/// See [`Prover::record_hash`].
fn record_hash(records: &Records, index: usize, is_kafka: bool) -> u128 {
    // Kafka stores no ingest time but the record's own. Earlier versions took the time of reading where it had none.
    let states_time = || records.timestamps[index].is_some_and(|at| time::in_range(at).is_ok());
    let ingested_at = if is_kafka && !states_time() { time::UNSTATED } else { records.ingested_at[index] };
    let mut hash = Xxh3::new();
    hash.update(records.value(index));
    hash.update(&ingested_at.to_le_bytes());
    hash.update(records.key(index).unwrap_or(b"\0none"));
    hash.update(records.headers.get(index).map_or("", AsRef::as_ref).as_bytes());
    hash.digest128()
}

/// Runs of rows with one partition, rising offsets and equal headers: start and length.
fn runs(rows: &RecordBatch) -> Vec<(usize, usize)> {
    let (numbers, offsets) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_primitive::<Int64Type>());
    let headers = rows.column(5).as_string::<i32>();
    let header = |row: usize| headers.is_valid(row).then(|| headers.value(row));
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for row in 0..rows.num_rows() {
        let goes_on = row > 0
            && numbers.value(row) == numbers.value(row - 1)
            && offsets.value(row) > offsets.value(row - 1)
            && header(row) == header(row - 1);
        match runs.last_mut().filter(|_| goes_on) {
            Some((_, length)) => *length += 1,
            None => runs.push((row, 1)),
        }
    }
    runs
}
