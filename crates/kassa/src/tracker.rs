//! Counts what passes through, for status pages: totals, dead letters by reason with an example, the rate.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use kassa_lake::{LogError, Store, letters, recover};
use kassa_model::time::{Calendar, Clock};
use kassa_model::{Counts, Partition, Positions, Reason, Table};
use kassa_pipeline::Batch;
use kassa_server::{DeadLetterStatus, Example, ReasonStatus, SpanStatus};

/// Bytes of an example that a page shows.
const EXAMPLE_BYTES: usize = 2_000;
/// Spans kept for the page.
const SPANS: usize = 50;
/// Seconds over which the rate is taken.
const RATE_SECONDS: i64 = 5;

#[derive(Debug)]
struct Tally {
    counts: Counts,
    by_reason: BTreeMap<(String, String), (i64, Example)>,
    today: (i32, i64),
    spans: VecDeque<SpanStatus>,
    /// Records read by second, µs UTC of its start.
    seconds: VecDeque<(i64, i64)>,
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
        let tally = Tally {
            counts: Counts::default(),
            by_reason: BTreeMap::new(),
            today: (0, 0),
            spans: VecDeque::new(),
            seconds: VecDeque::new(),
        };
        let tracker = Self { tally: Mutex::new(tally), counted: Mutex::new(from.clone()), calendar: Mutex::new(calendar), clock };
        recover::scan(store, Table::Spans, &[], &mut |rows| {
            let number = |name: &str, row: usize| {
                rows.column_by_name(name).map_or(0, |column| column.as_primitive::<Int64Type>().value(row))
            };
            let mut tally = held(&tracker.tally);
            for row in 0..rows.num_rows() {
                tally.counts = tally.counts.plus(Counts {
                    read: number("read", row),
                    accepted: number("accepted", row),
                    duplicates: number("duplicates", row),
                    dead_letters: number("dead_letters", row),
                });
            }
            Ok(())
        })?;
        letters::each(store, &mut |letter| {
            let (topic, number, offset) = &letter.position;
            if *offset < from.next(&Partition::new(Arc::clone(topic), *number)) {
                tracker.letter(&letter);
            }
            true
        })?;
        Ok(tracker)
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
        tally.counts = tally.counts.plus(span.counts);
        match tally.seconds.back_mut() {
            Some((held, count)) if *held == second => *count += span.counts.read,
            _ => tally.seconds.push_back((second, span.counts.read)),
        }
        while tally.seconds.front().is_some_and(|(held, _)| *held < second - 60_000_000) {
            tally.seconds.pop_front();
        }
        tally.spans.push_front(SpanStatus {
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
        tally.spans.truncate(SPANS);
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
