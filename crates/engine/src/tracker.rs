//! Counts processed records for status pages: totals, dead letters by reason with an example, the rate.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use kassa_lake::{LogError, letters};
use kassa_model::time::{Calendar, Clock};
use kassa_model::{Counts, Positions, Span, Table};
use kassa_pipeline::Batch;

use crate::tally::{Tally, each_span};

/// The number of spans kept for the page.
const SPANS: usize = 50;
/// The number of seconds for computing the rate.
const RATE_SECONDS: i64 = 5;

/// A span, and when it was processed (µs UTC).
#[derive(Debug, Clone)]
pub struct Passed {
    pub span: Span,
    pub at: i64,
}

/// The newest spans, and the rate.
#[derive(Debug, Default)]
struct Recent {
    spans: VecDeque<Passed>,
    /// Records read by second, µs UTC of its start.
    seconds: VecDeque<(i64, i64)>,
}

impl Recent {
    fn show(&mut self, span: &Span, now: i64) {
        self.spans.push_front(Passed { span: span.clone(), at: now });
        self.spans.truncate(SPANS);
    }
}

/// The totals since the lake began, updated with each batch.
#[derive(Debug)]
pub struct Tracker {
    tally: Mutex<Tally>,
    recent: Mutex<Recent>,
    /// Records before these positions are counted, at first by the lake's own spans; later ones are counted by batch.
    counted: Mutex<Positions>,
    calendar: Mutex<Calendar>,
    clock: Arc<dyn Clock>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tracker {
    /// Starts with the lake's totals at positions that it accounts for.
    pub fn new((tally, at): (Tally, Positions), calendar: Calendar, clock: Arc<dyn Clock>) -> Self {
        let (tally, counted) = (Mutex::new(tally), Mutex::new(at));
        Self { tally, recent: Mutex::default(), counted, calendar: Mutex::new(calendar), clock }
    }

    /// Starts again with the lake's totals: records counted beyond them may come from another process now.
    pub fn begin(&self, tally: Tally, at: Positions) {
        (*held(&self.tally), *held(&self.counted)) = (tally, at);
    }

    /// The positions before which everything is counted.
    pub fn counted(&self) -> Positions {
        held(&self.counted).clone()
    }

    /// Adds spans and dead letters that other processes have written between two positions; `false`, without a change, if the
    /// counted positions are no longer at the first of them.
    pub fn follow(&self, rows: &[(Table, RecordBatch)], (from, to): (&Positions, &Positions)) -> Result<bool, LogError> {
        {
            let mut counted = held(&self.counted);
            if to.iter().any(|(partition, _)| counted.next(partition) != from.next(partition)) {
                return Ok(false);
            }
            to.iter().for_each(|(partition, next)| counted.advance(partition, next));
        }
        for (table, rows) in rows {
            held(&self.tally).add(*table, rows, &mut held(&self.calendar))?;
            if *table == Table::Spans {
                each_span(rows, &mut |span| held(&self.recent).show(span, self.clock.now()))?;
            }
        }
        Ok(true)
    }

    /// Counts a batch on its way to the sinks.
    pub fn observe(&self, batch: &Batch) {
        let slice = {
            let mut counted = held(&self.counted);
            // Without the lake's sink a worker may begin beyond what the lake accounts for.
            let slice = batch.after(&counted).unwrap_or_else(|_| Some(batch.whole()));
            counted.advance(&batch.records().partition, batch.to());
            slice
        };
        let Some(slice) = slice else { return };
        let span = slice.span();
        {
            let mut tally = held(&self.tally);
            if let Some(rows) = slice.rows(Table::Rejected)
                && let Ok(letters) = letters::of_rows(&rows)
            {
                letters.iter().for_each(|letter| tally.letter(letter, &mut held(&self.calendar)));
            }
            tally.count(span.counts);
        }
        let now = self.clock.now();
        let second = now - now.rem_euclid(1_000_000);
        let mut recent = held(&self.recent);
        match recent.seconds.back_mut() {
            Some((held, count)) if *held == second => *count += span.counts.read,
            _ => recent.seconds.push_back((second, span.counts.read)),
        }
        // Seconds ahead are of a clock that has gone back since.
        while recent.seconds.front().is_some_and(|(held, _)| !(second - 60_000_000..=second).contains(held)) {
            recent.seconds.pop_front();
        }
        recent.show(&span, now);
    }

    pub fn counts(&self) -> Counts {
        held(&self.tally).counts()
    }

    /// Records per second over the last whole seconds.
    pub fn rate(&self) -> i64 {
        let now = self.clock.now();
        let second = now - now.rem_euclid(1_000_000);
        let recent = held(&self.recent);
        let recent = recent.seconds.iter().filter(|(at, _)| *at < second && *at >= second - RATE_SECONDS * 1_000_000);
        recent.map(|(_, count)| count).sum::<i64>() / RATE_SECONDS
    }

    /// The newest spans, the last one first.
    pub fn spans(&self) -> Vec<Passed> {
        held(&self.recent).spans.iter().cloned().collect()
    }

    /// Everything that is counted.
    pub fn tally(&self) -> Tally {
        held(&self.tally).clone()
    }

    /// The shop's current day, yyyymmdd.
    pub fn today(&self) -> i32 {
        held(&self.calendar).date_key(self.clock.now())
    }
}
