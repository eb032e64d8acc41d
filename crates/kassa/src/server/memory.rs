//! What the parts of the process hold in memory, for those who look on.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kassa_engine::checkpoint::Desk;
use kassa_server::{Live, MemoryPart};

use crate::budget::Budget;

/// Sizes are computed at most this often: those of the figures take some milliseconds, on a snapshot.
const PERIOD: Duration = Duration::from_secs(5);

pub struct Memory {
    budget: Budget,
    live: Arc<Live>,
    /// Of a process that feeds the lake.
    desk: Option<Arc<Desk>>,
    last: Mutex<Option<(Instant, Vec<MemoryPart>)>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Memory {
    pub fn new(budget: Budget, live: Arc<Live>, desk: Option<Arc<Desk>>) -> Self {
        Self { budget, live, desk, last: Mutex::default() }
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
        let part = |part, bytes: Option<usize>, limit: Option<usize>| MemoryPart {
            part,
            bytes: bytes.map(whole),
            limit_bytes: limit.map(whole),
        };
        let mut parts = vec![MemoryPart { bytes: resident(), ..part("process", None, Some(self.budget.process)) }];
        if let Some(sizes) = self.desk.as_ref().map(|desk| desk.sizes()) {
            parts.push(part("dedupe.tables", Some(sizes.dedupe_tables), Some(self.budget.dedupe_tables)));
            parts.push(part("dedupe.filters", Some(sizes.dedupe_filters), None));
            parts.push(part("dimensions", Some(sizes.members), None));
        }
        parts.extend(self.live.current().figures.sizes().map(|(name, bytes)| part(name, Some(bytes), None)));
        parts.push(part("query", None, Some(self.budget.query)));
        parts
    }
}

fn whole(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Resident memory, where the system says.
pub fn resident() -> Option<i64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * i64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use kassa_analytics::Figures;
    use kassa_model::{Currency, Positions, Shop};

    use super::*;

    #[test]
    fn every_part_is_named_once_and_bounded_ones_have_their_limit() {
        let shop = Shop::new("Shop", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
        let live = Arc::new(Live::new(Figures::new(&shop), Positions::default()));
        let budget = Budget { process: 800, dedupe_tables: 100, query: 50 };
        let parts = Memory::new(budget, live, Some(Arc::default())).parts();
        let mut names: Vec<&str> = parts.iter().map(|part| part.part).collect();
        let limit = |name: &str| parts.iter().find(|part| part.part == name).unwrap().limit_bytes;
        assert_eq!((limit("process"), limit("dedupe.tables"), limit("query")), (Some(800), Some(100), Some(50)));
        assert!(parts.iter().all(|part| part.bytes.is_some() || part.part == "query"));
        assert!(["figures.names", "figures.sales", "figures.orders", "figures.sessions"].iter().all(|name| names.contains(name)));
        names.sort_unstable();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
    }
}
