//! If several workers share a topic, each reads the others' rows from the lake, so that every dashboard shows the whole shop.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arrow_array::RecordBatch;
use kassa_analytics::Figures;
use kassa_lake::figures::follow;
use kassa_lake::{LogError, Store};
use kassa_model::{Positions, Table};

use crate::ticks::Ticks;
use crate::tracker::Tracker;

/// Records of a partition that are folded in at once: a limit of memory.
const STEP: i64 = 50_000;
/// The maximum share of time for following: one in this many parts.
const SHARE: u32 = 4;

/// The live figures.
pub trait Followed: fmt::Debug + Send {
    fn positions(&self) -> Positions;

    /// Adds rows between two positions. `false`, without a change: the figures are not at the first of them.
    fn follow(&self, rows: &[(Table, RecordBatch)], between: (&Positions, &Positions)) -> Result<bool, LogError>;
}

/// The thread that follows. It ends when this is dropped.
#[derive(Debug)]
pub struct Follower {
    _ends: Sender<()>,
    _thread: JoinHandle<()>,
}

impl Follower {
    /// Looks again after each `interval`.
    pub fn start(
        store: Arc<dyn Store>,
        live: Box<dyn Followed>,
        tracker: Arc<Tracker>,
        interval: Duration,
        ticks: Arc<dyn Ticks>,
    ) -> io::Result<Self> {
        let (ends, ended) = channel();
        let of_figures = Table::ALL.into_iter().map(|table| (table, Figures::columns(table)));
        let mut following = Following {
            store,
            live,
            tracker,
            ticks,
            accounted: follow::Accounts::default(),
            figures: follow::Follower::new(of_figures.filter(|(_, columns)| !columns.is_empty())),
            accounts: follow::Follower::new([(Table::Spans, &[][..]), (Table::Rejected, &[][..])]),
        };
        let thread = thread::Builder::new().name("follower".to_owned()).spawn(move || following.keep(interval, &ended))?;
        Ok(Self { _ends: ends, _thread: thread })
    }
}

struct Following {
    store: Arc<dyn Store>,
    live: Box<dyn Followed>,
    tracker: Arc<Tracker>,
    ticks: Arc<dyn Ticks>,
    accounted: follow::Accounts,
    figures: follow::Follower,
    accounts: follow::Follower,
}

impl Following {
    fn keep(&mut self, interval: Duration, ended: &Receiver<()>) {
        let mut wait = interval;
        while matches!(ended.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
            let started = self.ticks.now();
            match self.follow() {
                Ok(true) => wait = Duration::ZERO,
                Ok(false) => wait = interval.max((self.ticks.now() - started) * SHARE),
                Err(error) => {
                    tracing::warn!(%error, "could not follow the lake; trying again");
                    wait = interval;
                }
            }
        }
    }

    /// Adds rows that others have written; returns whether there are more.
    fn follow(&mut self) -> Result<bool, LogError> {
        let cut = self.accounted.now(self.store.as_ref())?;
        let counted = self.tracker.counted();
        if let Some(to) = beyond(&cut, &counted, i64::MAX) {
            let rows = gathered(&mut self.accounts, self.store.as_ref(), (&counted, &to))?;
            if !self.tracker.follow(&rows, (&counted, &to))? {
                self.accounts.forget();
            }
        }
        let from = self.live.positions();
        let Some(to) = beyond(&cut, &from, STEP) else { return Ok(false) };
        let rows = gathered(&mut self.figures, self.store.as_ref(), (&from, &to))?;
        let done = self.live.follow(&rows, (&from, &to))?;
        if !done {
            self.figures.forget();
        }
        Ok(!done || to.iter().any(|(partition, next)| next < cut.next(partition)))
    }
}

/// The rows that others have written between two positions. They are discarded if a partition moved to this process meanwhile.
fn gathered(
    of: &mut follow::Follower,
    store: &dyn Store,
    between: (&Positions, &Positions),
) -> Result<Vec<(Table, RecordBatch)>, LogError> {
    let mut rows = Vec::new();
    of.rows(store, between, &mut |table, found| {
        rows.push((table, found));
        Ok(())
    })?;
    Ok(rows)
}

/// How far the lake is ahead of these positions, at most `most` records of each partition; `None`: it is not ahead.
fn beyond(cut: &Positions, from: &Positions, most: i64) -> Option<Positions> {
    let further = cut.iter().filter(|(partition, next)| from.next(partition) < *next);
    let to: Positions =
        further.map(|(partition, next)| (partition.clone(), next.min(from.next(partition).saturating_add(most)))).collect();
    let is_further = to.iter().next().is_some();
    is_further.then_some(to)
}
