use std::io;
use std::path::PathBuf;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("{what} is not in {}: download it once with `scripts/tools stack`", .path.display())]
    Missing { what: &'static str, path: PathBuf },
    #[error("could not start {what}")]
    Spawn { what: &'static str, source: io::Error },
    #[error("{what} ended with {status} instead of serving; the end of its log:\n{log}")]
    Ended { what: &'static str, status: String, log: String },
    #[error("{what} did not serve within {seconds} s; the end of its log:\n{log}")]
    Silent { what: &'static str, seconds: u64, log: String },
    #[error("could not {doing} {}", .path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("could not find a free port")]
    Port(#[source] io::Error),
    #[error("could not create a certificate")]
    Certificate(#[from] rcgen::Error),
}
