//! What fuzzing runs: each decoder of kassa as a function of bytes. A function returns whatever the bytes are, and panics if kassa
//! breaks a law on them. `scripts/fuzz` runs them under libFuzzer (`fuzz/`), and the tests of this crate on the committed corpora.

mod files;
mod inputs;
mod records;
mod stores;

/// A decoder, and the folder of its corpus in `fuzz/corpus`.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const TARGETS: &[Target] = &[
    Target { name: "json", run: records::json },
    Target { name: "csv", run: records::csv },
    Target { name: "avro", run: records::avro },
    Target { name: "debezium", run: records::debezium },
    Target { name: "csv_file", run: files::csv },
    Target { name: "ndjson_file", run: files::ndjson },
    Target { name: "parquet_file", run: files::parquet },
    Target { name: "body", run: inputs::body },
    Target { name: "config", run: inputs::config },
    Target { name: "mapping", run: inputs::mapping },
    Target { name: "figures", run: inputs::figures },
    Target { name: "printable", run: inputs::printable },
    Target { name: "segment", run: stores::segment },
    Target { name: "delta_log", run: stores::delta_log },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
