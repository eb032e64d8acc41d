//! The memory of the parts of the process, for observers.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kassa_engine::SinkHandle;
use kassa_engine::checkpoint::Desk;
use kassa_query::Pool;
use kassa_server::{Live, MemoryPart};
use kassa_source::log::Log;

use crate::budget::Budget;

/// Sizes are computed at most this often: those of the figures take some milliseconds, on a snapshot.
const PERIOD: Duration = Duration::from_secs(5);

/// The parts that hold memory.
pub struct Holders {
    pub live: Arc<Live>,
    /// In a process that feeds the lake.
    pub desk: Option<Arc<Desk>>,
    pub sinks: Vec<SinkHandle>,
    pub log: Arc<Log>,
    pub queries: Pool,
}

pub struct Memory {
    budget: Budget,
    holders: Holders,
    last: Mutex<Option<(Instant, Vec<MemoryPart>)>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Memory {
    pub fn new(budget: Budget, holders: Holders) -> Self {
        Self { budget, holders, last: Mutex::default() }
    }

    /// All parts, at most 5 s old.
    pub fn parts(&self) -> Vec<MemoryPart> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, parts)) = last.as_ref().filter(|(at, _)| at.elapsed() < PERIOD) {
            return parts.clone();
        }
        let parts = self.measured();
        *last = Some((Instant::now(), parts.clone()));
        parts
    }

    fn measured(&self) -> Vec<MemoryPart> {
        let Self { budget, holders, .. } = self;
        let mut parts = vec![MemoryPart { part: "process".into(), bytes: resident(), limit_bytes: Some(whole(budget.process)) }];
        if let Some(sizes) = holders.desk.as_ref().map(|desk| desk.sizes()) {
            parts.push(part("dedupe.tables", sizes.dedupe_tables, Some(budget.dedupe_tables)));
            parts.push(part("dedupe.filters", sizes.dedupe_filters, None));
            parts.push(part("dimensions", sizes.members, None));
        }
        parts.extend(holders.live.current().figures.sizes().map(|(name, bytes)| part(name, bytes, None)));
        parts.push(part("query", holders.queries.reserved(), Some(budget.query)));
        let queued = usize::try_from(holders.log.queued_bytes()).unwrap_or(usize::MAX);
        parts.push(part("collector.queue", queued, Some(budget.collector_queue)));
        let gathered = |sink: &SinkHandle| part(format!("sink.{}", sink.name), sink.state().gathered_bytes, Some(budget.sink));
        parts.extend(holders.sinks.iter().map(gathered));
        parts
    }
}

fn part(part: impl Into<Cow<'static, str>>, bytes: usize, limit: Option<usize>) -> MemoryPart {
    MemoryPart { part: part.into(), bytes: Some(whole(bytes)), limit_bytes: limit.map(whole) }
}

fn whole(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Resident memory, if the system states it.
pub fn resident() -> Option<i64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * i64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use kassa_analytics::Figures;
    use kassa_model::time::SystemClock;
    use kassa_model::{Currency, Positions, Shop};
    use kassa_source::log::LogOptions;

    use super::*;

    #[test]
    fn every_part_is_named_once_and_bounded_ones_have_their_limit() {
        let shop = Shop::new("Shop", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
        let live = Arc::new(Live::new(Figures::new(&shop), Positions::default()));
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(Log::open(dir.path(), LogOptions::default(), Arc::new(SystemClock)).unwrap());
        let sinks = vec![SinkHandle::new("lake"), SinkHandle::new("live")];
        sinks[0].update(|state| state.gathered_bytes = 7);
        let holders = Holders { live, desk: Some(Arc::default()), sinks, log, queries: Pool::new(50) };
        let budget = Budget { process: 800, dedupe_tables: 100, query: 50, sink: 40, collector_queue: 30 };
        let parts = Memory::new(budget, holders).parts();
        let mut names: Vec<&str> = parts.iter().map(|part| part.part.as_ref()).collect();
        let held = |name: &str| parts.iter().find(|part| part.part == name).map(|part| (part.bytes, part.limit_bytes)).unwrap();
        assert_eq!((held("process").1, held("dedupe.tables").1), (Some(800), Some(100)));
        assert_eq!((held("query"), held("collector.queue")), ((Some(0), Some(50)), (Some(0), Some(30))));
        assert_eq!((held("sink.lake"), held("sink.live")), ((Some(7), Some(40)), (Some(0), Some(40))));
        assert!(parts.iter().all(|part| part.bytes.is_some()));
        assert!(["figures.names", "figures.sales", "figures.orders", "figures.sessions"].iter().all(|name| names.contains(name)));
        names.sort_unstable();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
    }
}
