//! `[limits] memory`, divided among the parts that have a bound of their own.

use kassa_config::Config;

/// Bytes that each part may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The whole process.
    pub process: usize,
    /// The tables of the dedupe index. Beyond that they are sealed to files.
    pub dedupe_tables: usize,
    /// One query of the API. Beyond that it spills to files.
    pub query: usize,
}

impl Budget {
    pub fn of(config: &Config) -> Self {
        let process = config.limits.memory_bytes;
        Self { process, dedupe_tables: process / 8, query: process / 8 }
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
        let budget = Budget::of(&config("512MiB"));
        assert_eq!(budget, Budget { process: 512 << 20, dedupe_tables: 64 << 20, query: 64 << 20 });
        let least = Budget::of(&config("128MiB"));
        assert_eq!(least, Budget { process: 128 << 20, dedupe_tables: 16 << 20, query: 16 << 20 });
    }
}
