//! A minimal warehouse: rows and positions that move together, unique keys, lost answers, and a
//! fail-over to a standby with fewer rows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use kassa_model::{Partition, Positions, Table};
use kassa_pipeline::{Batch, Sink, SinkError};
use kassa_sim::Rng;

use super::faulty::Fired;
use super::shop::identity;

/// The contents of the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) positions: Positions,
    /// The keys of the rows, each with the record that added it.
    pub(crate) keys: BTreeMap<String, (Partition, i64)>,
    pub(crate) rows: Vec<(Table, RecordBatch)>,
    /// The completed commits.
    made: Vec<u64>,
}

/// The server.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) held: Held,
    /// The contents of the standby.
    standby: Held,
    next: u64,
    pub(crate) fired: Fired,
}

pub(crate) type Shared = Arc<Mutex<Book>>;

pub(crate) fn locked(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Book {
    /// The standby catches up.
    pub(crate) fn replicate(&mut self) {
        self.standby = self.held.clone();
    }

    /// The standby takes over. Commits that it has not received are lost, although they were
    /// acknowledged.
    pub(crate) fn fail_over(&mut self) {
        let lost = self.held.made.len() - self.standby.made.len();
        if lost > 0 {
            *self.fired.entry("fail-over that lost commits").or_default() += 1;
        }
        self.held = self.standby.clone();
    }
}

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct BookSink {
    book: Shared,
    positions: Positions,
    rng: Rng,
    rate: usize,
    in_doubt: Option<u64>,
}

impl BookSink {
    pub(crate) fn open(book: &Shared, seed: u64, rate: usize) -> Self {
        let positions = locked(book).held.positions.clone();
        Self { book: Arc::clone(book), positions, rng: Rng(seed), rate, in_doubt: None }
    }
}

impl Sink for BookSink {
    fn name(&self) -> &'static str {
        "warehouse"
    }

    fn positions(&self) -> Positions {
        self.positions.clone()
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        let mut book = locked(&self.book);
        if self.in_doubt.take().is_some_and(|commit| book.held.made.contains(&commit)) {
            let has_lost = self.positions.iter().any(|(partition, next)| book.held.positions.next(partition) < next);
            self.positions = book.held.positions.clone();
            if has_lost {
                return Err(SinkError::Rewound("commits of other partitions are gone".to_owned()));
            }
        }
        let mut held = book.held.clone();
        let mut reached = self.positions.clone();
        for batch in batches {
            let Some(slice) = batch.after(&reached)? else { continue };
            let partition = slice.partition();
            let (was, is) = (self.positions.next(partition), book.held.positions.next(partition));
            if was != is {
                self.positions = book.held.positions.clone();
                let told = format!("{partition:?} was left at {was} and is at {is}");
                return Err(if is < was { SinkError::Rewound(told) } else { SinkError::Fenced(told) });
            }
            for (table, rows) in slice.tables() {
                for (key, place) in identity(table, &rows) {
                    if let Some(before) = held.keys.insert(key.clone(), place.clone()) {
                        return Err(SinkError::Corrupt(format!("{key} of {place:?} exists already, from {before:?}").into()));
                    }
                }
                held.rows.push((table, rows));
            }
            reached.advance(partition, batch.to());
            held.positions.advance(partition, batch.to());
        }
        if reached == self.positions {
            return Ok(());
        }
        let fault = (self.rng.below(1000) < self.rate).then(|| ["commit refused", "reply lost after COMMIT"][self.rng.below(2)]);
        if let Some(fault) = fault {
            *book.fired.entry(fault).or_default() += 1;
        }
        if fault == Some("commit refused") {
            return Err(SinkError::Unavailable("no answer".to_owned()));
        }
        book.next += 1;
        held.made.push(book.next);
        book.held = held;
        if fault.is_some() {
            self.in_doubt = Some(book.next);
            return Err(SinkError::Unavailable("the answer was lost".to_owned()));
        }
        self.positions = reached;
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
