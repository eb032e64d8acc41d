//! Checks that spans are contiguous, and that their counts match the records' bytes.

use std::sync::Arc;

use kassa_model::star::read::Columns;
use kassa_model::star::spans;
use kassa_model::{Counts, Partition, Span, Table};
use roaring::RoaringTreemap;

use super::finding::{Kind, Site};
use super::parts::at;
use super::{Covered, Lost, Prover, positions};
use crate::delta::LogError;

const SPANS: Site = Site::Table(Table::Spans);

impl Prover<'_> {
    /// Reads the spans and the positions that the rest is compared with. `false`: they cannot be
    /// read.
    pub(super) fn spans(&mut self) -> Result<bool, LogError> {
        let damaged = self.findings.names(SPANS, Kind::LogDamaged);
        self.scan(Table::Spans, &[], &mut |prover, rows| {
            prover.count(&rows);
            let columns = Columns { table: Table::Spans, rows: &rows };
            let (topics, numbers) = (columns.get(spans::topic)?, columns.get(spans::partition)?);
            let (from, to) = (columns.get(spans::from_offset)?, columns.get(spans::to_offset)?);
            let (read, accepted) = (columns.get(spans::read)?, columns.get(spans::accepted)?);
            let (duplicates, dead_letters) = (columns.get(spans::duplicates)?, columns.get(spans::dead_letters)?);
            let gap = columns.get(spans::gap)?;
            for row in 0..rows.num_rows() {
                let part = prover.parts.number(topics.value(row), numbers.value(row));
                let counts = Counts {
                    read: read.value(row),
                    accepted: accepted.value(row),
                    duplicates: duplicates.value(row),
                    dead_letters: dead_letters.value(row),
                };
                let partition = prover.parts[part].partition.clone();
                let span = Span { partition, from: from.value(row), to: to.value(row), counts, gap: gap.value(row) };
                prover.parts[part].spans.push(span);
            }
            Ok(())
        })?;
        self.cuts();
        self.begin_with_spans();
        for part in self.parts.numbers() {
            self.chain(part);
        }
        Ok(!damaged)
    }

    fn cuts(&mut self) {
        if let Some(spans) = self.tables.get(&Table::Spans).map(Arc::clone) {
            for (partition, next) in positions(&spans).iter() {
                let part = self.parts.number(&partition.topic, partition.number);
                self.parts[part].accounted = next;
            }
        }
        for archive in self.archives.values() {
            for (partition, next) in positions(archive).iter() {
                let part = self.parts.number(&partition.topic, partition.number);
                self.parts[part].archived_to = next;
            }
        }
        for part in self.parts.numbers() {
            let part = &mut self.parts[part];
            part.cut = part.accounted.min(part.archived_to);
        }
    }

    /// Whether the offsets of the partition's source have gaps: Kafka skips transaction markers,
    /// aborted records and compacted records.
    pub(super) fn is_sparse(&self, partition: &Partition) -> bool {
        self.subject.is_sparse && partition.number < FILES_FROM
    }

    /// Checks that spans are contiguous from the start of the proof to the accounted position, and
    /// that each adds up.
    fn chain(&mut self, part: u32) {
        self.parts[part].spans.sort_by_key(|span| (span.from, span.to));
        let (partition, accounted) = (self.parts[part].partition.clone(), self.parts[part].accounted);
        let is_sparse = self.is_sparse(&partition);
        let mut reached = self.start(&partition);
        for span in self.parts[part].spans.clone() {
            let mut find = |kind, offsets, detail| self.findings.push(SPANS.at(kind, &partition, offsets, detail));
            if span.from > reached {
                find(Kind::Gap, reached..span.from, "no span accounts for these offsets".to_owned());
            } else if span.from < reached {
                find(Kind::Overlap, span.from..reached.min(span.to), "two spans account for these offsets".to_owned());
            }
            let (told, there) = (span.counts.read + span.gap, span.to - span.from);
            let adds_up = if is_sparse { told <= there } else { told == there };
            if !span.counts.add_up() || !adds_up {
                let detail = format!("{} do not add up over {} offsets", words(&span), span.to - span.from);
                find(Kind::Miscount, span.from..span.to, detail);
            }
            if span.gap > 0 {
                let offsets = Covered::of(&partition, span.from..span.to);
                self.proof.lost.push(Lost { offsets, records: span.gap });
            }
            reached = reached.max(span.to);
            self.proof.records += span.counts.read;
            self.proof.accepted += span.counts.accepted;
            self.proof.duplicates += span.counts.duplicates;
            self.proof.dead_letters += span.counts.dead_letters;
        }
        if accounted != reached {
            let detail = format!("the position says {accounted}, the spans end at {reached}");
            let offsets = accounted.min(reached)..accounted.max(reached);
            self.findings.push(SPANS.at(Kind::Position, &partition, offsets, detail));
        }
    }

    /// Compares each span with the fate of its records by their own bytes. A letter that was
    /// accepted later was still a letter when its span was written.
    pub(super) fn fates(&mut self) {
        for number in self.parts.numbers() {
            if self.contract(number).is_none() {
                continue;
            }
            let part = &self.parts[number];
            let letters = &(&part.letters | &part.replayed) | &part.lost_letters;
            let accepted = &(&part.accepted | &part.lost_rows) - &letters;
            let mut wrong = Vec::new();
            for span in &part.spans {
                let count = |set: &RoaringTreemap| i64::try_from(set.range_cardinality(at(span.from)..at(span.to))).unwrap_or(0);
                // The fate of a record that is not in the archive is unknown.
                let whole = count(&part.archived) == span.counts.read && span.to <= part.cut;
                let counted = (count(&accepted), count(&letters));
                if whole && span.counts.add_up() && counted != (span.counts.accepted, span.counts.dead_letters) {
                    wrong.push((
                        span.from..span.to,
                        format!("{}, but by their bytes {} and {}", words(span), counted.0, counted.1),
                    ));
                }
            }
            for (offsets, detail) in wrong {
                self.findings.push(SPANS.at(Kind::Miscount, &self.parts[number].partition, offsets, detail));
            }
        }
    }

    /// Checks that no position lies before rows of its table, or beyond everything that was ever
    /// read.
    pub(super) fn positions(&mut self) {
        for (table, snapshot) in self.tables.clone().into_iter().filter(|(table, _)| *table != Table::Spans) {
            let held = positions(&snapshot);
            for number in self.parts.numbers() {
                let part = &self.parts[number];
                let (position, end) = (held.next(&part.partition), part.ends.get(&table).copied().unwrap_or(0));
                let read = self.log.iter().find(|log| log.partition == part.partition).map_or(0, |log| log.next);
                let most = read.max(part.accounted).max(part.archived_to);
                let wrong = if position < end {
                    Some((position..end, format!("the position {position} lies before rows that the table holds, up to {end}")))
                } else if position > most {
                    Some((most..position, format!("the position {position} lies beyond all that was read, {most}")))
                } else {
                    None
                };
                if let Some((offsets, detail)) = wrong {
                    self.findings.push(Site::Table(table).at(Kind::Position, &part.partition, offsets, detail));
                }
            }
        }
    }
}

/// Kafka's partition numbers, with 256 incarnations, are lower than this; a file's number is 63
/// bits of a hash.
const FILES_FROM: i64 = 1 << 40;

fn words(span: &Span) -> String {
    let Counts { read, accepted, duplicates, dead_letters } = span.counts;
    let gap = if span.gap == 0 { String::new() } else { format!(", {} lost by the source", span.gap) };
    format!("{read} read, {accepted} accepted, {duplicates} duplicates, {dead_letters} dead letters{gap}")
}
