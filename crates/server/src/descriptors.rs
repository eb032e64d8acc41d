//! File descriptors: as many as the system allows, and how many of them connections may use.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the log, the lake, the warehouse, Kafka and everything else that the program opens.
const RESERVED: u64 = 256;

/// Raises the soft limit of open files to the hard limit. Returns the limit that now holds; `None`: there is none.
pub fn raise_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(cause) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%cause, "could not raise the limit of open files");
    }
    getrlimit(Resource::Nofile).current
}

/// How many connections a limit of open files allows, at most `max`. A small limit is divided in halves.
pub(crate) fn connections(limit: Option<u64>, max: usize) -> usize {
    let Some(limit) = limit else { return max };
    let left = limit - RESERVED.min(limit / 2);
    usize::try_from(left).map_or(max, |left| left.min(max))
}

#[cfg(test)]
mod tests;
