//! `[limits] memory`, divided among the parts that have a bound of their own.

use kassa_config::Config;
use kassa_engine::COMMIT_BYTES;
use kassa_source::log::LogOptions;

/// Bytes that each part may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The whole process.
    pub process: usize,
    /// The tables of the dedupe index. Beyond that they are sealed to files.
    pub dedupe_tables: usize,
    /// All queries of the API together. Beyond that they spill to files, or are refused.
    pub query: usize,
    /// The batches that one sink gathers before a commit.
    pub sink: usize,
    /// Records that the collector has accepted and not written to its log. Beyond that it refuses more.
    pub collector_queue: usize,
}

impl Budget {
    pub fn of(config: &Config) -> Self {
        let process = config.limits.memory_bytes;
        let queue = usize::try_from(LogOptions::default().queue_bytes).unwrap_or(usize::MAX);
        Self {
            process,
            dedupe_tables: process / 8,
            query: process / 8,
            sink: (process / 32 * 3).min(COMMIT_BYTES),
            collector_queue: (process / 16).min(queue),
        }
    }
}

#[cfg(test)]
mod tests {
    use kassa_config::LoadOptions;

    use super::*;

    fn config(memory: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let env = vec![("KASSA__LIMITS__MEMORY".into(), memory.into())];
        let options = LoadOptions { working_dir: dir.path().to_owned(), env, ..LoadOptions::default() };
        Config::load(&options).unwrap().0
    }

    #[test]
    fn parts_take_their_share_of_the_configured_memory() {
        let of = |[process, eighth, sink, collector_queue]: [usize; 4]| Budget {
            process: process << 20,
            dedupe_tables: eighth << 20,
            query: eighth << 20,
            sink: sink << 20,
            collector_queue: collector_queue << 20,
        };
        assert_eq!(Budget::of(&config("512MiB")), of([512, 64, 48, 32]));
        assert_eq!(Budget::of(&config("128MiB")), of([128, 16, 12, 8]));
        assert_eq!(Budget::of(&config("4GiB")), of([4_096, 512, 48, 32]), "neither commits nor the queue grow further");
    }
}
