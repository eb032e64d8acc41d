//! The source of one process: its partitions of the logs, in an order that the seed determines.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use kassa_engine::feed::{Feed, Next, Reached};
use kassa_model::{Partition, Positions};
use kassa_pipeline::Batch;
use kassa_sim::Rng;

use super::shop::Log;

/// The logs of a run.
pub(crate) type Logs = Rc<RefCell<Vec<Log>>>;

#[derive(Debug)]
pub(crate) struct LogsFeed {
    logs: Logs,
    owned: Vec<Partition>,
    rng: Rng,
    /// Whether the logs drop what every sink has committed.
    drops: bool,
    /// The next offset to read of each partition; the worker sees it too.
    at: Rc<RefCell<Positions>>,
}

impl LogsFeed {
    pub(crate) fn new(logs: &Logs, owned: Vec<Partition>, seed: u64, drops: bool) -> Self {
        Self { logs: Rc::clone(logs), owned, rng: Rng(seed), drops, at: Rc::default() }
    }

    pub(crate) fn at(&self) -> Rc<RefCell<Positions>> {
        Rc::clone(&self.at)
    }

    /// Reads from one log: at most `most` records, or the range that it has lost.
    fn read(log: &Log, from: i64, most: usize) -> Option<Next> {
        if from < log.start {
            return Some(Next::Lost(Batch::lost(log.partition.clone(), from..log.start)));
        }
        log.read(from, most).map(|records| Next::Records(records, from))
    }
}

impl Feed for LogsFeed {
    fn starts(&mut self, _reached: &Reached) -> anyhow::Result<Positions> {
        let logs = self.logs.borrow();
        let owned = logs.iter().filter(|log| self.owned.contains(&log.partition));
        Ok(owned.map(|log| (log.partition.clone(), log.start)).collect())
    }

    fn begin(&mut self, reached: &Reached) -> anyhow::Result<()> {
        let start = |partition: &Partition| (partition.clone(), reached.by_all.next(partition));
        *self.at.borrow_mut() = self.owned.iter().map(start).collect();
        Ok(())
    }

    fn next(&mut self) -> anyhow::Result<Next> {
        let (first, most) = (self.rng.below(self.owned.len()), 1 + self.rng.below(40));
        let mut at = self.at.borrow_mut();
        for nth in 0..self.owned.len() {
            let partition = &self.owned[(first + nth) % self.owned.len()];
            let logs = self.logs.borrow();
            let log = logs.iter().find(|log| log.partition == *partition).unwrap();
            let Some(next) = Self::read(log, at.next(partition), most) else { continue };
            match &next {
                Next::Records(records, _) => at.set(partition.clone(), records.next),
                Next::Lost(batch) => at.set(partition.clone(), batch.to()),
                Next::Moved | Next::Idle => {}
            }
            return Ok(next);
        }
        Ok(Next::Idle)
    }

    /// It is idle only then.
    fn is_at_end(&mut self) -> anyhow::Result<bool> {
        Ok(true)
    }

    fn wait(&mut self, _longest: Duration) {}

    fn keep(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Records that a sink is missing later, such as a warehouse that has gone back, come from the archive.
    fn committed(&mut self, reached: &Reached) -> anyhow::Result<()> {
        let mut logs = self.logs.borrow_mut();
        for log in logs.iter_mut().filter(|log| self.drops && self.owned.contains(&log.partition)) {
            log.drop_before(reached.by_all.next(&log.partition));
        }
        Ok(())
    }

    fn reset(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
