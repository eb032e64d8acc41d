//! Reads from the archive what a sink is missing and the source may have deleted: for a sink that was added later, or was away
//! for longer than the source keeps records.
//!
//! The lake's spans state which records were read of each partition: if the archive has fewer, it cannot be used. Ranges that the
//! source had lost are stored before any sink gets them, for sinks that had not got them when the program was killed.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::Context;
use kassa_lake::archive::read::Archived;
use kassa_lake::{Store, figures, recover};
use kassa_model::{Contract, Partition, Positions, Records, Span, Table};
use kassa_pipeline::Batch;

use crate::feed::{BATCH_BYTES, BATCH_RECORDS, Next};
use crate::memory::Contracts;
use crate::tally::each_span;

/// Receives what is read: records and the position that they were read from, or a range that the source had lost.
pub type Take<'t> = &'t mut dyn FnMut(Next) -> anyhow::Result<()>;

/// Which of the archive's records to read.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'w> {
    /// Of every partition, from the positions that all sinks have committed.
    All(&'w Positions),
    /// Of these partitions only.
    Of(&'w Positions),
    /// Of every partition, from its beginning up to these positions.
    Before(&'w Positions),
}

/// The archive has fewer records than the lake has accounted for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the archive of {}/{} cannot stand in for its source: of offsets {} to {} the lake has accounted for {} records and {} lost ones, \
     the archive has {held}",
    span.partition.topic, span.partition.number, span.from, span.to, span.counts.read, span.gap
)]
pub struct Incomplete {
    pub span: Span,
    pub held: u64,
}

/// Passes on the wanted records of the archive, one partition after the other, reference data first; returns their number. If the
/// lake is fed, it also gets records that it has not accounted for yet; other sinks get no more than the lake has.
///
/// Partitions of a topic come in the order in which they were begun: of two files with the same record, the first one counts
/// again.
pub fn refill(
    (store, contracts): (&dyn Store, &Contracts),
    feeds_lake: bool,
    wanted: Wanted<'_>,
    take: Take<'_>,
) -> anyhow::Result<i64> {
    let accounted = figures::accounted(store).context("could not read the lake")?;
    let mut topics: Vec<(&Arc<str>, Contract)> = contracts.iter().map(|(topic, contract)| (topic, *contract)).collect();
    topics.sort_unstable_by_key(|(topic, contract)| (!contract.is_reference(), Arc::clone(topic)));
    let spans = spans(store)?;
    let mut records = 0;
    for (topic, _) in topics {
        if !wanted.has_topic(topic) {
            continue;
        }
        let archived = Archived::open(store, topic).context("could not read the archive")?;
        for (partition, archived_to) in in_order(&archived) {
            let end = match wanted {
                Wanted::Before(cut) => archived_to.min(cut.next(partition)),
                _ if feeds_lake => archived_to,
                _ => archived_to.min(accounted.next(partition)),
            };
            let range = wanted.start(partition).unwrap_or(end)..end;
            if range.start < range.end {
                let known = spans.get(partition).map(Vec::as_slice).unwrap_or_default();
                let part = Part { archived: &archived, partition, spans: known, noted: noted(store, partition)? };
                records += part.read(range, take)?;
            }
        }
    }
    Ok(records)
}

impl Wanted<'_> {
    fn has_topic(self, topic: &str) -> bool {
        match self {
            Wanted::All(_) => true,
            Wanted::Of(positions) | Wanted::Before(positions) => {
                positions.iter().any(|(partition, _)| *partition.topic == *topic)
            }
        }
    }

    /// The position from which a partition is wanted; `None`: it is not.
    fn start(self, partition: &Partition) -> Option<i64> {
        match self {
            Wanted::All(positions) => Some(positions.next(partition)),
            Wanted::Of(positions) => positions.get(partition),
            Wanted::Before(cut) => cut.get(partition).map(|_| 0),
        }
    }
}

/// The partitions of an archive and how far each is archived, by the time of their first records.
fn in_order<'a>(archived: &'a Archived<'_>) -> Vec<(&'a Partition, i64)> {
    let mut partitions: Vec<(&Partition, i64)> = archived.positions().iter().collect();
    partitions.sort_by_key(|(partition, _)| archived.begun(partition.number));
    partitions
}

/// The lake's spans by partition, in the order of offsets.
fn spans(store: &dyn Store) -> anyhow::Result<HashMap<Partition, Vec<Span>>> {
    let mut spans: HashMap<Partition, Vec<Span>> = HashMap::new();
    recover::scan(store, Table::Spans, &[], &mut |rows| {
        each_span(&rows, &mut |span| spans.entry(span.partition.clone()).or_default().push(span.clone()))
    })
    .context("could not read the lake")?;
    spans.values_mut().for_each(|spans| spans.sort_unstable_by_key(|span| span.from));
    Ok(spans)
}

/// Stores a range that the source has lost.
pub fn note_lost(store: &dyn Store, lost: &Batch) -> anyhow::Result<()> {
    let partition = &lost.records().partition;
    let path = format!("{}/{}-{}-{}", notes(partition), partition.number, lost.from(), lost.to());
    store.put_new(&path, b"").map(drop).with_context(|| format!("could not note in {path} what the source has lost"))
}

/// The stored lost ranges of a partition.
fn noted(store: &dyn Store, partition: &Partition) -> anyhow::Result<Vec<Range<i64>>> {
    let folder = notes(partition);
    let names = store.list(&folder).with_context(|| format!("could not list {folder}"))?;
    let parsed = |name: &String| {
        let mut numbers = name.split('-').map(|number| number.parse::<i64>().ok());
        let (number, from, to) = (numbers.next()??, numbers.next()??, numbers.next()??);
        (number == partition.number).then_some(from..to)
    };
    let mut noted: Vec<Range<i64>> = names.iter().filter_map(parsed).collect();
    noted.sort_unstable_by_key(|lost| (lost.start, lost.end));
    Ok(noted)
}

fn notes(partition: &Partition) -> String {
    format!("_kassa/lost/{}", partition.topic)
}

/// A partition of the archive, and the lake's spans of it.
struct Part<'a> {
    archived: &'a Archived<'a>,
    partition: &'a Partition,
    spans: &'a [Span],
    /// The stored ranges that the source had lost, in the order of offsets.
    noted: Vec<Range<i64>>,
}

impl Part<'_> {
    /// Passes on a range: its records, and the parts that the source had lost.
    fn read(&self, range: Range<i64>, take: Take<'_>) -> anyhow::Result<i64> {
        let lost = self.lost(&range)?;
        let (mut at, mut count) = (range.start, 0);
        for lost in lost {
            let start = lost.start.max(at);
            if lost.end <= start {
                continue;
            }
            count += self.records(at..start, take)?;
            take(Next::Lost(Batch::lost(self.partition.clone(), start..lost.end)))?;
            at = lost.end;
        }
        Ok(count + self.records(at..range.end, take)?)
    }

    fn records(&self, range: Range<i64>, take: Take<'_>) -> anyhow::Result<i64> {
        let (mut at, mut count) = (range.start, 0);
        let number = self.partition.number;
        self.archived.each(number, range.clone(), (BATCH_RECORDS, BATCH_BYTES), &mut |records| -> anyhow::Result<()> {
            count += i64::try_from(records.len())?;
            let from = std::mem::replace(&mut at, records.next);
            take(Next::Records(records, from))
        })?;
        // Offsets without records at the end, such as Kafka's own marks.
        if at < range.end {
            take(Next::Records(Records::none(self.partition.clone(), range.end), at))?;
        }
        Ok(count)
    }

    /// The parts of a range that the source had lost, in order; an error if the archive does not have all other records.
    fn lost(&self, range: &Range<i64>) -> anyhow::Result<Vec<Range<i64>>> {
        let mut lost = Vec::new();
        for span in self.spans.iter().filter(|span| span.to > range.start && span.from < range.end && span.to <= range.end) {
            let held = self.archived.count(self.partition.number, span.from..span.to);
            if i64::try_from(held)? != span.counts.read {
                return Err(Incomplete { span: span.clone(), held }.into());
            }
            if span.gap > 0 {
                lost.push(self.hole(span).ok_or_else(|| Incomplete { span: span.clone(), held })?);
            }
        }
        // Beyond the spans only the stored ranges tell which offsets without a record were lost.
        let known = self.spans.last().map_or(0, |span| span.to);
        let is_lost = |noted: &&Range<i64>| {
            noted.start >= known && noted.end <= range.end && self.archived.count(self.partition.number, (*noted).clone()) == 0
        };
        lost.extend(self.noted.iter().filter(is_lost).cloned());
        lost.retain(|lost| lost.end > range.start);
        Ok(lost)
    }

    /// The lost offsets in a span: the first consecutive ones that are missing.
    fn hole(&self, span: &Span) -> Option<Range<i64>> {
        let mut at = span.from;
        while at < span.to {
            let next = self.archived.next(self.partition.number, at).map_or(span.to, |next| next.min(span.to));
            if next - at >= span.gap {
                return Some(next - span.gap..next);
            }
            at = next + 1;
        }
        None
    }
}
