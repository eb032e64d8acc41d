//! Counts what passes through, for status pages: totals, dead letters by reason with an example, the rate.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use kassa_lake::{LogError, Store, letters, recover};
use kassa_model::time::{Calendar, Clock};
use kassa_model::{Counts, Partition, Positions, Reason, Span, Table};
use kassa_pipeline::Batch;
use kassa_server::{DeadLetterStatus, Example, ReasonStatus, SpanStatus};

/// Bytes of an example that a page shows.
const EXAMPLE_BYTES: usize = 2_000;
/// Spans kept for the page.
const SPANS: usize = 50;
/// Seconds over which the rate is taken.
const RATE_SECONDS: i64 = 5;

#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    by_reason: BTreeMap<(String, String), (i64, Example)>,
    today: (i32, i64),
    spans: VecDeque<SpanStatus>,
    /// Records read by second, µs UTC of its start.
    seconds: VecDeque<(i64, i64)>,
}

impl Tally {
    fn count(&mut self, span: &Span) {
        self.counts = self.counts.plus(span.counts);
    }

    fn show(&mut self, span: &Span, now: i64) {
        self.spans.push_front(SpanStatus {
            topic: span.partition.topic.to_string(),
            partition: span.partition.number,
            from: span.from,
            to: span.to,
            read: span.counts.read,
            accepted: span.counts.accepted,
            duplicates: span.counts.duplicates,
            dead_letters: span.counts.dead_letters,
            gap: span.gap,
            committed_at: now,
        });
        self.spans.truncate(SPANS);
    }
}

/// Hands on the spans that rows of the table state.
pub fn each_span(rows: &RecordBatch, take: &mut dyn FnMut(&Span)) -> Result<(), LogError> {
    let missing = |name: &str| LogError::Corrupt(format!("spans: no column {name}"));
    let column = |name: &str| rows.column_by_name(name).ok_or_else(|| missing(name));
    let long = |name: &str| column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| missing(name));
    let topics = column("topic")?.as_string_opt::<i32>().ok_or_else(|| missing("topic"))?;
    let (numbers, from, to, gap) = (long("partition")?, long("from_offset")?, long("to_offset")?, long("gap")?);
    let (read, accepted) = (long("read")?, long("accepted")?);
    let (duplicates, dead_letters) = (long("duplicates")?, long("dead_letters")?);
    for row in 0..rows.num_rows() {
        take(&Span {
            partition: Partition::new(topics.value(row), numbers.value(row)),
            from: from.value(row),
            to: to.value(row),
            counts: Counts {
                read: read.value(row),
                accepted: accepted.value(row),
                duplicates: duplicates.value(row),
                dead_letters: dead_letters.value(row),
            },
            gap: gap.value(row),
        });
    }
    Ok(())
}

/// What the pipeline has done since the lake began, kept up batch by batch.
#[derive(Debug)]
pub struct Tracker {
    tally: Mutex<Tally>,
    /// Up to here all is counted, at first by the lake's own spans; only what lies beyond is counted by batch.
    counted: Mutex<Positions>,
    calendar: Mutex<Calendar>,
    clock: Arc<dyn Clock>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tracker {
    /// Starts from what the lake holds at the accounted positions.
    pub fn new(store: &dyn Store, from: Positions, calendar: Calendar, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let tracker = Self { tally: Mutex::default(), counted: Mutex::default(), calendar: Mutex::new(calendar), clock };
        tracker.begin(store, from)?;
        Ok(tracker)
    }

    /// Begins anew, from what the lake holds at the accounted positions: what was counted beyond them may come from another process now.
    pub fn begin(&self, store: &dyn Store, from: Positions) -> Result<(), LogError> {
        {
            let mut tally = held(&self.tally);
            let (spans, seconds) = (std::mem::take(&mut tally.spans), std::mem::take(&mut tally.seconds));
            *tally = Tally { spans, seconds, ..Tally::default() };
        }
        *held(&self.counted) = from.clone();
        recover::scan(store, Table::Spans, &[], &mut |rows| {
            each_span(&rows, &mut |span| {
                if span.from < from.next(&span.partition) {
                    held(&self.tally).count(span);
                }
            })
        })?;
        letters::each(store, &mut |letter| {
            let (topic, number, offset) = &letter.position;
            if *offset < from.next(&Partition::new(Arc::clone(topic), *number)) {
                self.letter(&letter);
            }
            true
        })
    }

    /// Up to where all is counted.
    pub fn counted(&self) -> Positions {
        held(&self.counted).clone()
    }

    /// Takes note of spans and dead letters that other processes have written, which lie between two positions; `false`, and nothing is
    /// done, if what is counted has moved away from the first meanwhile.
    pub fn follow(&self, rows: &[(Table, RecordBatch)], (from, to): (&Positions, &Positions)) -> Result<bool, LogError> {
        {
            let mut counted = held(&self.counted);
            if to.iter().any(|(partition, _)| counted.next(partition) != from.next(partition)) {
                return Ok(false);
            }
            to.iter().for_each(|(partition, next)| counted.advance(partition, next));
        }
        for (table, rows) in rows {
            if *table == Table::Rejected {
                letters::of_rows(rows)?.iter().for_each(|letter| self.letter(letter));
                continue;
            }
            each_span(rows, &mut |span| {
                let now = self.clock.now();
                let mut tally = held(&self.tally);
                tally.count(span);
                tally.show(span, now);
            })?;
        }
        Ok(true)
    }

    fn letter(&self, letter: &letters::Letter) {
        let now = self.clock.now();
        let (today, day) = {
            let mut calendar = held(&self.calendar);
            (calendar.date_key(now), calendar.date_key(letter.rejected_at))
        };
        let (topic, partition, offset) = letter.position.clone();
        let mut tally = held(&self.tally);
        if tally.today.0 != today {
            tally.today = (today, 0);
        }
        tally.today.1 += i64::from(day == today);
        let example = || Example {
            topic: topic.to_string(),
            partition,
            offset,
            field: letter.field.clone(),
            detail: letter.detail.clone(),
            value: String::from_utf8_lossy(&letter.value[..letter.value.len().min(EXAMPLE_BYTES)]).into_owned(),
        };
        let key = (letter.reason.clone(), letter.stream.clone());
        tally.by_reason.entry(key).or_insert_with(|| (0, example())).0 += 1;
    }

    /// Takes note of a batch on its way to the sinks.
    pub fn observe(&self, batch: &Batch) {
        let from = {
            let mut counted = held(&self.counted);
            let from = counted.next(&batch.records().partition);
            counted.advance(&batch.records().partition, batch.to());
            from
        };
        if batch.to() <= from {
            return;
        }
        let span = batch.span_from(from);
        if let Some(rows) = batch.rows_from(Table::Rejected, from)
            && let Ok(letters) = letters::of_rows(&rows)
        {
            letters.iter().for_each(|letter| self.letter(letter));
        }
        let now = self.clock.now();
        let second = now - now.rem_euclid(1_000_000);
        let mut tally = held(&self.tally);
        tally.count(&span);
        match tally.seconds.back_mut() {
            Some((held, count)) if *held == second => *count += span.counts.read,
            _ => tally.seconds.push_back((second, span.counts.read)),
        }
        while tally.seconds.front().is_some_and(|(held, _)| *held < second - 60_000_000) {
            tally.seconds.pop_front();
        }
        tally.show(&span, now);
    }

    pub fn counts(&self) -> Counts {
        held(&self.tally).counts
    }

    /// Records a second over the last whole seconds.
    pub fn rate(&self) -> i64 {
        let now = self.clock.now();
        let second = now - now.rem_euclid(1_000_000);
        let tally = held(&self.tally);
        let recent = tally.seconds.iter().filter(|(at, _)| *at < second && *at >= second - RATE_SECONDS * 1_000_000);
        recent.map(|(_, count)| count).sum::<i64>() / RATE_SECONDS
    }

    pub fn spans(&self) -> Vec<SpanStatus> {
        held(&self.tally).spans.iter().cloned().collect()
    }

    pub fn dead_letters(&self) -> DeadLetterStatus {
        let today = held(&self.calendar).date_key(self.clock.now());
        let tally = held(&self.tally);
        let mut by_reason: Vec<ReasonStatus> = tally
            .by_reason
            .iter()
            .map(|((reason, stream), (count, example))| ReasonStatus {
                reason: reason.clone(),
                meaning: Reason::ALL.iter().find(|known| known.code() == reason).map_or("", |known| known.meaning()).to_owned(),
                stream: stream.clone(),
                count: *count,
                example: Some(example.clone()),
            })
            .collect();
        by_reason.sort_by_key(|reason| -reason.count);
        DeadLetterStatus {
            total: Some(tally.counts.dead_letters),
            today: Some(if tally.today.0 == today { tally.today.1 } else { 0 }),
            by_reason,
        }
    }
}
