//! What sinks lack and their source need not have any more, read from the archive: a sink that was added later, or was away for longer
//! than the source keeps records.
//!
//! The lake's spans say what was read of each partition: where the archive has fewer records than that, it is no source. What its source had
//! lost is noted before any sink is told, for the sinks that had not heard of it when the program was killed.

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

/// Takes what is read: records and the position that they were read from, or a range that the source had lost.
pub type Take<'t> = &'t mut dyn FnMut(Next) -> anyhow::Result<()>;

/// Which of the archive's records are wanted.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'w> {
    /// Of every partition that it has, from what all sinks have committed.
    All(&'w Positions),
    /// Of these partitions alone.
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

/// Hands on what is wanted of the archive, a partition after the other, reference data first; how many records. A lake that is fed
/// takes what it has not accounted for yet, too; other sinks go no further than the lake has.
///
/// Partitions of a topic come in the order in which they were begun: of two files with the same record, the first one counts again.
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

    /// From where a partition is wanted; `None`: it is not.
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

/// What the lake accounts for, by partition, in the order of offsets.
fn spans(store: &dyn Store) -> anyhow::Result<HashMap<Partition, Vec<Span>>> {
    let mut spans: HashMap<Partition, Vec<Span>> = HashMap::new();
    recover::scan(store, Table::Spans, &[], &mut |rows| {
        each_span(&rows, &mut |span| spans.entry(span.partition.clone()).or_default().push(span.clone()))
    })
    .context("could not read the lake")?;
    spans.values_mut().for_each(|spans| spans.sort_unstable_by_key(|span| span.from));
    Ok(spans)
}

/// Notes what the source has lost.
pub fn note_lost(store: &dyn Store, lost: &Batch) -> anyhow::Result<()> {
    let partition = &lost.records().partition;
    let path = format!("{}/{}-{}-{}", notes(partition), partition.number, lost.from(), lost.to());
    store.put_new(&path, b"").map(drop).with_context(|| format!("could not note in {path} what the source has lost"))
}

/// What was noted of a partition.
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

/// A partition of the archive, and what the lake says that was read of it.
struct Part<'a> {
    archived: &'a Archived<'a>,
    partition: &'a Partition,
    spans: &'a [Span],
    /// What the source had lost, as far as it was noted, in the order of offsets.
    noted: Vec<Range<i64>>,
}

impl Part<'_> {
    /// Hands on a range: records, and what the source had lost of it.
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

    /// What of a range the source had lost, in order; an error where the archive has not all that was read.
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
        // Beyond the spans the notes are all that tells what was lost from offsets that no record has.
        let known = self.spans.last().map_or(0, |span| span.to);
        let is_lost = |noted: &&Range<i64>| {
            noted.start >= known && noted.end <= range.end && self.archived.count(self.partition.number, (*noted).clone()) == 0
        };
        lost.extend(self.noted.iter().filter(is_lost).cloned());
        lost.retain(|lost| lost.end > range.start);
        Ok(lost)
    }

    /// Where in a span the offsets lie that the source had lost: the first that are missing together.
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
